"""Days on which a GPU-hour cost something else than it usually does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from statistics import median

from ..money import to_cents, usd
from ..scope import ONE_DAY, Span
from .unit_prices import Priced, rate

LEAST_DAYS = 7
FAR = Decimal("5.19")  # 3.5 standard deviations of a normal distribution, in median absolute deviations
LEAST_SHARE = Decimal("0.05")  # of the median
LEAST_USD = Decimal("1.00")
SPREAD = {"period", "rate"}  # nobody billed these days one by one


@dataclass(frozen=True, slots=True)
class Outlier:
    """Days in a row of one provider, GPU type and kind, all above or all below its usual rate.

    more: what the hours of these days cost above the median rate; negative below it.
    """

    days: Span
    provider: str
    gpu_type: str
    kind: str
    gpu_hours: Decimal
    usd: Decimal
    median: Decimal

    @property
    def rate(self) -> Decimal:
        return self.usd / self.gpu_hours

    @property
    def more(self) -> Decimal:
        return to_cents(self.usd - self.median * self.gpu_hours)


@dataclass(frozen=True, slots=True)
class Day:
    cell: Priced
    usd: Decimal
    gpu_hours: Decimal
    rate: Decimal


def outliers(cells: Iterable[Priced], basis: str) -> list[Outlier]:
    """Of closed days; the largest difference in USD first."""
    series: defaultdict[tuple[str, str, str], list[Day]] = defaultdict(list)
    for cell in cells:
        amount = usd(cell.cents(basis))
        price = rate(amount, cell.gpu_hours)
        if price is not None and cell.gpu_hours is not None and cell.kind not in SPREAD:
            day = Day(cell, amount, cell.gpu_hours, price)
            series[cell.provider, cell.gpu_type, cell.kind].append(day)
    found = [one for days in series.values() for one in runs(days)]
    return sorted(found, key=lambda one: (-abs(one.more), one.days.start, one.provider, one.gpu_type))


def runs(days: list[Day]) -> Iterator[Outlier]:
    """Neighbours, of the days with a rate, that lie far from the median on the same side are one."""
    if len(days) < LEAST_DAYS:
        return
    usual = median(day.rate for day in days)
    spread = median(abs(day.rate - usual) for day in days)
    in_order = sorted(days, key=lambda day: day.cell.day)

    def side(day: Day) -> int:
        return 0 if not is_far(day, usual, spread) else 1 if day.rate > usual else -1

    for where, run in groupby(in_order, side):
        if where:
            yield outlier(list(run), usual)


def is_far(day: Day, usual: Decimal, spread: Decimal) -> bool:
    distance = abs(day.rate - usual)
    rounding = (1 + usual) / 100 / day.gpu_hours  # a cent, and a hundredth of an hour at the usual rate
    far_enough = distance > max(FAR * spread, LEAST_SHARE * usual, rounding)
    return far_enough and distance * day.gpu_hours >= LEAST_USD


def outlier(run: list[Day], usual: Decimal) -> Outlier:
    first, last = run[0].cell, run[-1].cell
    return Outlier(
        Span(first.day, last.day + ONE_DAY),
        first.provider,
        first.gpu_type,
        first.kind,
        sum((day.gpu_hours for day in run), Decimal(0)),
        sum((day.usd for day in run), Decimal(0)),
        usual,
    )
