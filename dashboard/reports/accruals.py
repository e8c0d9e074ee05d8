"""What bills that have not come are likely to ask for: hours nobody billed, at the last price paid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from .. import gpu_time
from ..money import WIDE, cents, to_cents
from ..naming import Names
from ..scope import Scope, Span
from . import spend
from .allocation import UNBILLED, Share
from .billed import Billed
from .charges import Cell
from .closing import Expected, Hardware, month_of
from .freshness import Freshness

LOOK_BACK = timedelta(days=92)


@dataclass(frozen=True, slots=True)
class Price:
    """USD per metered GPU-hour of the last closed day that has both."""

    day: date
    usd: Decimal


def proposals(
    month: date, shares: Iterable[Share], scope: Scope, names: Names, known: Freshness
) -> list[Expected]:
    """One for each provider and GPU type with unbilled hours where the bill is not complete."""
    span = month_of(month)
    billed = Billed.read(scope.over(Span(span.start - LOOK_BACK, span.end)), names)
    costs = {
        (cost.day, cost.provider, cost.gpu_type): cost.usd for cost in spend.cells_of(billed.rows, names)
    }
    through = {one.provider: one.through for one in known.providers}
    ran, metered = job_hours(shares), metered_hours(billed, costs, span)
    prices = last_prices(billed, costs, through)
    return [
        expected(hardware, ran.get(hardware), metered.get(hardware), prices.get(hardware))
        for hardware in sorted(ran.keys() | metered.keys())
        if not is_complete(through.get(hardware[0]), span)
    ]


def is_complete(through: date | None, span: Span) -> bool:
    return through is not None and through >= span.last


def job_hours(shares: Iterable[Share]) -> dict[Hardware, Decimal]:
    hours: defaultdict[Hardware, int] = defaultdict(int)
    for one in shares:
        if one.line == UNBILLED:
            hours[one.provider, one.gpu_type] += one.microseconds
    return {hardware: gpu_time.hours(spent) for hardware, spent in hours.items() if spent}


def metered_hours(billed: Billed, costs: dict[Cell, Decimal], span: Span) -> dict[Hardware, Decimal]:
    """Of the days that have hours and no cost."""
    hours: defaultdict[Hardware, Decimal] = defaultdict(Decimal)
    for one in billed.hours:
        if one.day in span and one[:3] not in costs and one.metered:
            hours[one.provider, one.gpu_type] += one.metered
    return dict(hours)


def last_prices(
    billed: Billed, costs: dict[Cell, Decimal], through: dict[str, date]
) -> dict[Hardware, Price]:
    metered = {one[:3]: one.metered for one in billed.hours}
    prices: dict[Hardware, Price] = {}
    for cell in sorted(costs):
        day, usd, hours = cell[0], costs[cell], metered.get(cell)
        if usd > 0 and hours and hours > 0 and day <= through.get(cell[1], date.min):
            prices[cell[1:]] = Price(day, WIDE.divide(usd, hours))
    return prices


def expected(
    hardware: Hardware, ran: Decimal | None, metered: Decimal | None, price: Price | None
) -> Expected:
    hours, kind = (ran, "job") if ran else (metered or Decimal(0), "metered")
    said = f"{hours:,.2f} {kind} GPU-hours without cost"
    if price is None:
        return Expected(*hardware, 0, f"{said}, and no price is known")
    amount = cents(to_cents(WIDE.multiply(hours, price.usd)))
    return Expected(*hardware, amount, f"{said} × ${price.usd:,.4f}, the price of {price.day:%Y-%m-%d}")
