"""Cells of many days for a file, month by month: none is held longer than it takes to write its month."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date
from itertools import groupby
from typing import Protocol, TypeVar

from django.db.models import Min

from ..clock import today
from ..databases import reading
from ..models import Job
from ..models.calendar import FIRST_DAY, LAST_DAY
from ..naming import Names
from ..query_csv import at_one_moment
from ..remembered import firsts, keeping_nothing, part_of
from ..scope import ONE_DAY, Scope, Span
from ..writes import untold


class OfDay(Protocol):
    @property
    def day(self) -> date: ...


Cell = TypeVar("Cell", bound=OfDay)
Row = TypeVar("Row")
COSTS = frozenset({"cost", "entry", "rate"})


def days_of_costs(scope: Scope, names: Names, sources: Container[str] = COSTS) -> Span | None:
    """The scope's days, or all that anything stored can cost; None where these are no days of a calendar."""
    if scope.span:
        return scope.span
    told = [written for written in names.written if written.source in sources]
    latest = today() + ONE_DAY  # some clock is a day ahead, and rates go on
    first = min((written.first for written in told), default=latest)
    last = max((written.last or latest for written in told), default=latest)
    return Span(first, last + ONE_DAY) if first >= FIRST_DAY and last <= LAST_DAY else None


def days_of_hours(scope: Scope, names: Names) -> Span | None:
    """The same of costs, metered hours and jobs. What ran before the calendar begins is on no page."""
    days = days_of_costs(scope, names, COSTS | {"usage"})
    start = None if scope.span else Job.objects.order_by().aggregate(first=Min("start_time"))["first"]
    if days is None or start is None:
        return days
    first = max(FIRST_DAY, min(days.start, start.astimezone(UTC).date() - ONE_DAY))
    return Span(first, max(days.end, today() + 2 * ONE_DAY))  # jobs run until now, by whatever clock


def month_by_month(
    ask: Callable[[Scope, Names], Iterable[Cell]], scope: Scope, names: Names, days: Span
) -> Iterator[Cell]:
    """What `ask` tells of these days of the scope, in their order.

    All of one moment, as it is stored then; what a day comes to must not hang on the range that is asked for.
    """
    with at_one_moment(reading()):
        for first in firsts(days):
            month = scope.but(span=part_of(first, days))
            with untold(reading()), keeping_nothing():
                cells = ask(month, replace(names, answers={}))
            yield from cells


def bucket_by_bucket(
    cells: Iterable[Cell], start_of: Callable[[date], date], summed: Callable[[list[Cell]], Iterable[Row]]
) -> Iterator[Row]:
    """cells: oldest first. start_of: the first day of a day's bucket. summed: the rows of one bucket."""
    for _, of_bucket in groupby(cells, lambda cell: start_of(cell.day)):
        yield from summed(list(of_bucket))
