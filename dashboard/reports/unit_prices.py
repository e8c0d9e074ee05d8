"""What an hour of each GPU costs: billed beside effective, by kind of purchase and by provider."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from ..money import to_cents, usd
from ..naming import Names
from ..scope import Scope
from .charges import charges
from .freshness import Freshness
from .kinds import NO_COST, Bought, by_kind, metered_hours

MUCH_DEARER = Decimal("1.25")  # times the cheapest provider's rate
ENOUGH_HOURS = Decimal(1)


class Priced(NamedTuple):
    """One day, provider, GPU type and kind: cents on both bases, metered hours (None: none are metered)."""

    day: date
    provider: str
    gpu_type: str
    kind: str
    billed: int
    effective: int
    gpu_hours: Decimal | None

    @property
    def hardware(self) -> tuple[str, str]:
        return self.provider, self.gpu_type

    def cents(self, basis: str) -> int:
        return self.billed if basis == "billed" else self.effective


def priced(scope: Scope, names: Names) -> list[Priced]:
    """Both bases of the same cells; where no bill line tells them apart they are the same."""
    metered = metered_hours(scope, names)
    billed, effective = (
        {cell_of(one): one for one in by_kind(charges(scope.but(basis=basis), names), metered)}
        for basis in ("billed", "effective")
    )
    nothing = Bought(date.min, "", "", "", 0)
    return [
        Priced(
            *cell,
            billed.get(cell, nothing).cents,
            effective.get(cell, nothing).cents,
            (effective.get(cell) or billed[cell]).gpu_hours,
        )
        for cell in sorted(billed.keys() | effective.keys())
    ]


def cell_of(one: Bought) -> tuple[date, str, str, str]:
    return one.day, one.provider, one.gpu_type, one.kind


@dataclass(frozen=True, slots=True)
class Rates:
    """Sums of cells in USD and hours, and their rates; None (n/a) where hours or cost are not above 0.

    priced_*: the same sums of the hardware that has both cost and metered hours, of which the rates are.
    """

    gpu_hours: Decimal | None
    billed: Decimal
    effective: Decimal
    priced_hours: Decimal | None
    priced_billed: Decimal
    priced_effective: Decimal

    @property
    def gap(self) -> Decimal:
        return self.effective - self.billed

    @property
    def billed_rate(self) -> Decimal | None:
        return rate(self.priced_billed, self.priced_hours)

    @property
    def effective_rate(self) -> Decimal | None:
        return rate(self.priced_effective, self.priced_hours)

    @property
    def gap_rate(self) -> Decimal | None:
        billed, effective = self.billed_rate, self.effective_rate
        return None if billed is None or effective is None else effective - billed

    def usd(self, basis: str) -> Decimal:
        return self.billed if basis == "billed" else self.effective

    def priced_usd(self, basis: str) -> Decimal:
        return self.priced_billed if basis == "billed" else self.priced_effective

    def rate(self, basis: str) -> Decimal | None:
        return self.billed_rate if basis == "billed" else self.effective_rate


def rate(amount: Decimal, gpu_hours: Decimal | None) -> Decimal | None:
    if gpu_hours is None or gpu_hours <= 0 or amount <= 0:
        return None
    return amount / gpu_hours


def rates(cells: Iterable[Priced]) -> Rates:
    """Unused commitment and credits of a GPU type count whatever their day, where it is metered at all."""
    found = list(cells)
    by_hardware: defaultdict[tuple[str, str], list[Priced]] = defaultdict(list)
    for cell in found:
        by_hardware[cell.hardware].append(cell)
    priced = [cell for alike in by_hardware.values() if have_price(alike) for cell in alike]
    whole = sums(found)
    return Rates(*whole, *(whole if len(priced) == len(found) else sums(priced)))


def have_price(cells: Sequence[Priced]) -> bool:
    """Whether they have both cost and metered hours."""
    return any(cell.gpu_hours is not None for cell in cells) and any(cell.kind != NO_COST for cell in cells)


def sums(cells: Iterable[Priced]) -> tuple[Decimal | None, Decimal, Decimal]:
    """Hours, billed and effective."""
    hours, billed, effective = None, 0, 0
    for cell in cells:
        billed += cell.billed
        effective += cell.effective
        if cell.gpu_hours is not None:
            hours = (hours or Decimal(0)) + cell.gpu_hours
    return hours, usd(billed), usd(effective)


Key = tuple  # what rows are grouped by, in the order of the page


def rates_by(cells: Iterable[Priced], key: Callable[[Priced], Key]) -> dict[Key, Rates]:
    groups: defaultdict[Key, list[Priced]] = defaultdict(list)
    for cell in cells:
        groups[key(cell)].append(cell)
    return {found: rates(groups[found]) for found in sorted(groups)}


def closed(cells: Iterable[Priced], freshness: Freshness) -> list[Priced]:
    """Without the days for which their provider's bill is not complete yet."""
    through = {one.provider: one.through for one in freshness.providers}
    return [cell for cell in cells if cell.provider in through and cell.day <= through[cell.provider]]


@dataclass(frozen=True, slots=True)
class Dearer:
    """A GPU type that costs much more at a provider than at the cheapest one in the same days.

    more: what its hours cost above the cheapest provider's rate, in USD; a comparison, not a promise.
    """

    gpu_type: str
    provider: str
    gpu_hours: Decimal
    rate: Decimal
    cheapest: str
    cheapest_rate: Decimal
    more: Decimal


def dearer(cells: Iterable[Priced], basis: str) -> list[Dearer]:
    """The largest difference in USD first."""
    found: defaultdict[str, list[tuple[Decimal, str, Rates]]] = defaultdict(list)
    for (gpu_type, provider), its in rates_by(cells, lambda c: (c.gpu_type, c.provider)).items():
        price = its.rate(basis)
        if price is not None and (its.priced_hours or 0) >= ENOUGH_HOURS:
            found[gpu_type].append((price, provider, its))
    compared = [one for gpu_type, offers in found.items() for one in above(gpu_type, offers, basis)]
    return sorted(compared, key=lambda one: (-one.more, one.gpu_type, one.provider))


def above(gpu_type: str, offers: list[tuple[Decimal, str, Rates]], basis: str) -> list[Dearer]:
    lowest, cheapest, _ = min(offers, key=lambda offer: offer[:2])
    return [
        Dearer(
            gpu_type,
            provider,
            its.priced_hours or Decimal(0),
            price,
            cheapest,
            lowest,
            to_cents(its.priced_usd(basis) - lowest * (its.priced_hours or 0)),
        )
        for price, provider, its in offers
        if price >= lowest * MUCH_DEARER
    ]
