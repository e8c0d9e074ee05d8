"""What was bought of each kind, day by day: cost and metered hours of a cell, its kinds of purchase apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from ..models import BillLine
from ..money import cents, settle, to_cents, usd
from ..naming import Names
from ..scope import Scope
from . import usage
from .charges import Charge, charges

COMMITTED = BillLine.Kind.COMMITTED.value
UNUSED_COMMITMENT = BillLine.Kind.UNUSED_COMMITMENT.value
ENTERED = BillLine.Kind.ENTERED.value
NO_COST = "no_cost"  # hours that the provider meters and nobody bills
LABELS = dict(BillLine.Kind.choices) | {
    "lines": "bill lines",
    "period": "spread over a period",
    "rate": "internal rate",
    NO_COST: "metered, no cost row",
}
PAID_WITHOUT_HOURS = {UNUSED_COMMITMENT, "purchase", "credit", "tax"}

Cell = tuple[date, str, str]


class Bought(NamedTuple):
    """cents: on the basis that was asked for. gpu_hours: in hundredths; None where none are metered."""

    day: date
    provider: str
    gpu_type: str
    kind: str
    cents: int
    gpu_hours: Decimal | None = None


@dataclass(slots=True)
class Part:
    """cents and the hours that bill lines tell, at full precision; None where none does."""

    cents: int = 0
    gpu_hours: Decimal | None = None

    def add(self, charge: Charge) -> None:
        self.cents += charge.cents
        if charge.gpu_hours is not None:
            self.gpu_hours = (self.gpu_hours or Decimal(0)) + charge.gpu_hours


def bought(scope: Scope, names: Names) -> list[Bought]:
    """Cents add up to the cells' cost and hours to their metered hours, to the hundredth."""
    return list(by_kind(charges(scope, names), metered_hours(scope, names)))


def metered_hours(scope: Scope, names: Names) -> dict[Cell, Decimal | None]:
    return {(h.day, h.provider, h.gpu_type): h.metered for h in usage.metered(scope, names)}


def by_kind(found: Iterable[Charge], metered: Mapping[Cell, Decimal | None]) -> Iterable[Bought]:
    cells: defaultdict[Cell, defaultdict[str, Part]] = defaultdict(lambda: defaultdict(Part))
    for charge in found:
        cells[charge.day, charge.provider, charge.gpu_type][charge.kind].add(charge)
    for cell in sorted(metered.keys() | cells.keys()):
        if cell not in cells:
            yield Bought(*cell, NO_COST, 0, metered[cell])
            continue
        parts = cells[cell]
        hours = hours_of(parts, metered.get(cell))
        for kind in sorted(parts.keys() | hours.keys()):
            yield Bought(*cell, kind, parts[kind].cents, hours.get(kind))


def hours_of(parts: Mapping[str, Part], metered: Decimal | None) -> dict[str, Decimal | None]:
    """The metered hours of a cell by kind: as the lines tell them, the rest to what no line tells of.

    A stored 0.00 is a fact.
    """
    told = {kind: part.gpu_hours for kind, part in parts.items() if part.gpu_hours is not None}
    exact = sum(told.values(), Decimal(0))
    if metered is not None and told and abs(metered - exact) <= rounding_of(parts):
        return in_hundredths(told, metered)
    hours = in_hundredths(told, to_cents(exact))
    rest = Decimal(0) if metered is None else metered - to_cents(exact)
    if rest or (metered is not None and not hours):
        taker = without_lines(parts, told)
        hours[taker] = (hours.get(taker) or Decimal(0)) + rest
    return hours


def rounding_of(parts: Mapping[str, Part]) -> Decimal:
    """A day's metered hours carry a part of a hundredth from the days before, under each of its spellings."""
    return Decimal("0.01") * (1 + len(parts))


def in_hundredths(told: Mapping[str, Decimal], total: Decimal) -> dict[str, Decimal | None]:
    kinds = sorted(told)
    if not kinds:
        return {}
    settled = settle(cents(total), [told[kind] for kind in kinds])
    return {kind: usd(hundredths) for kind, hundredths in zip(kinds, settled, strict=True)}


def without_lines(parts: Mapping[str, Part], told: Mapping[str, Decimal]) -> str:
    """The kind that hours belong to which no bill line tells."""
    kinds = sorted(parts.keys() - told.keys() - PAID_WITHOUT_HOURS)
    return max(kinds, key=lambda kind: parts[kind].cents, default=ENTERED)
