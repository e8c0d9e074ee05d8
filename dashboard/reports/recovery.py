"""What was typed in for a range: what each contract posts, and internal prices held against actual cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from ..clock import today
from ..models import Commitment, Rate
from ..naming import Names
from ..posted import Cell, Charge, Posted, Posting, chosen, in_force
from ..posted.spreading import Hardware, Spread, hardware_of
from ..scope import Scope, Span
from .spend import Row, cell_of, rows_and_posted

ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Recovery:
    """One month of GPUs with an hourly price.

    charged: all job hours at the price; compared: those of days whose actual cost is known. actual: None
    where it is known for no day, so that the charge is the cost.
    """

    month: date
    provider: str
    gpu_type: str
    microseconds: int
    charged: Decimal
    compared: Decimal
    actual: Decimal | None

    @property
    def over(self) -> Decimal | None:
        """Above zero: over-recovered, below: under-recovered."""
        return None if self.actual is None else self.compared - self.actual


@dataclass(frozen=True, slots=True)
class Priced:
    """A rate with what it posts in the range; charged: what its jobs are charged, whoever told the cost."""

    rate: Rate
    usd: Decimal
    gpu_hours: Decimal | None
    charged: Decimal


@dataclass(frozen=True, slots=True)
class Entered:
    """A period entry with the part of its total that falls in the range."""

    spread: Spread
    usd: Decimal


@dataclass(frozen=True)
class Contracts:
    entries: list[Entered]
    rates: list[Priced]
    commitments: list[Commitment]
    recoveries: list[Recovery]

    @property
    def is_empty(self) -> bool:
        return not (self.entries or self.rates or self.commitments)


def contracts(scope: Scope, names: Names) -> Contracts:
    """Commitments are those that had not ended when the range began."""
    rows, found = rows_and_posted(scope, names)
    first = scope.span.start if scope.span else date.min
    commitments = chosen(Commitment.objects.filter(last_day__gte=first), scope, names)
    return Contracts(entries(found), priced(found, scope.span), commitments, recoveries(rows, found, names))


def entries(found: Posted) -> list[Entered]:
    """The latest first."""
    posted = posted_by(found.postings)
    entered = [Entered(one, posted[one.entry.pk][0]) for one in found.spreads]
    return sorted(entered, key=lambda one: one.spread.entry.first_day, reverse=True)


def priced(found: Posted, span: Span | None) -> list[Priced]:
    posted, charged = posted_by(found.postings), charged_by(found.charges)
    return [
        Priced(rate, *posted[rate.pk], charged[rate.pk])
        for rate in found.rates
        if span is None or rate.last_day is None or rate.last_day >= span.start
    ]


def posted_by(postings: Iterable[Posting]) -> defaultdict[UUID, tuple[Decimal, Decimal | None]]:
    """USD and metered hours of each contract."""
    sums: defaultdict[UUID, tuple[Decimal, Decimal | None]] = defaultdict(lambda: (ZERO, None))
    for posting in postings:
        usd, hours = sums[posting.contract.pk]
        if posting.gpu_hours is not None:
            hours = (hours or ZERO) + posting.gpu_hours
        sums[posting.contract.pk] = usd + posting.usd, hours
    return sums


def charged_by(charges: Iterable[Charge]) -> defaultdict[UUID, Decimal]:
    sums: defaultdict[UUID, Decimal] = defaultdict(lambda: ZERO)
    for charge in charges:
        sums[charge.rate.pk] += charge.usd
    return sums


def recoveries(rows: Iterable[Row], found: Posted, names: Names) -> list[Recovery]:
    """Oldest first. Only days on which an hourly price was in force are compared."""
    actual = actual_costs(rows, found, names)
    charges: defaultdict[Cell, list[Charge]] = defaultdict(list)
    costs: defaultdict[Cell, list[Decimal]] = defaultdict(list)
    for charge in found.charges:
        charges[month_of(charge.cell)].append(charge)
    for cell, usd in actual.items():
        costs[month_of(cell)].append(usd)
    return [
        Recovery(
            *month,
            sum(charge.microseconds for charge in charges[month]),
            sum((charge.usd for charge in charges[month]), ZERO),
            sum((charge.usd for charge in charges[month] if charge.cell in actual), ZERO),
            sum(costs[month], ZERO) if month in costs else None,
        )
        for month in sorted(charges.keys() | costs.keys())
    ]


def month_of(cell: Cell) -> Cell:
    day, provider, gpu_type = cell
    return day.replace(day=1), provider, gpu_type


def actual_costs(rows: Iterable[Row], found: Posted, names: Names) -> dict[Cell, Decimal]:
    """What cells with an hourly price cost, of days that are over and where the price is not the cost."""
    at_price = {posting.cell for posting in found.postings if is_hourly(posting.contract)}
    prices: defaultdict[Hardware, list[Rate]] = defaultdict(list)
    for rate in found.rates:
        if is_hourly(rate):
            prices[hardware_of(rate, names)].append(rate)
    sums: defaultdict[Cell, Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        day, provider, gpu_type = cell = cell_of(row, names)
        if day < today() and cell not in at_price and in_force(prices[provider, gpu_type], day):
            sums[cell] += row.usd
    return dict(sums)


def is_hourly(contract: object) -> bool:
    return isinstance(contract, Rate) and contract.per == Rate.Per.GPU_HOUR
