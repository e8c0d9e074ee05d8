"""Days that stand out, over all providers and GPU types, and which of them somebody has explained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ..models import DismissedAnomaly
from ..money import cents
from ..naming import Names
from ..remembered.by_value import ByValue
from ..scope import ONE_DAY, Scope, Span
from . import spend, usage
from .freshness import Freshness
from .standing_out import LASTING, Finding, Floor, Point, findings, floor_of

WARM_UP = timedelta(days=182)  # of history before the days that are asked about
FLOOR_SHARE, LEAST_FLOOR = Fraction(1, 100), 1000  # of the usual day of all together; cents
LATELY = 30  # closed days

Hardware = tuple[str, str]


@dataclass(frozen=True)
class Anomaly:
    provider: str
    gpu_type: str
    found: Finding
    dismissed: DismissedAnomaly | None = None

    @property
    def key(self) -> tuple[date, str, str]:
        return self.found.first, self.provider, self.gpu_type


def anomalies(scope: Scope, names: Names, freshness: Freshness) -> list[Anomaly]:
    """Those with a day in the scope's span, the most dollars first, dismissed ones too.

    Other filters only choose among them: whether a day stands out never hangs on what else is asked.
    """
    span = scope.span or freshness.span()
    if span is None:
        return []
    every = names.once(
        ("anomalies", span, scope.basis), lambda: found_in(span, scope.basis, names, freshness)
    )
    kept = (one for one in every if is_asked_for(one, scope, names))
    return sorted(kept, key=lambda one: (-one.found.severity, one.key))


def lately(
    names: Names, freshness: Freshness, scope: Scope | None = None, through: date | None = None
) -> list[Anomaly]:
    """Of the last 30 closed days that nobody has explained yet, the most dollars first."""
    last = through or freshness.through()
    if last is None:
        return []
    asked = (scope or Scope()).over(Span(last - timedelta(days=LATELY - 1), last + ONE_DAY))
    return undismissed(anomalies(asked, names, freshness))


def of_day(day: date, names: Names, freshness: Freshness) -> list[Anomaly]:
    """Those that nobody has explained yet and that the day is part of."""
    return undismissed(anomalies(Scope(span=Span(day, day + ONE_DAY)), names, freshness))


def undismissed(every: Iterable[Anomaly]) -> list[Anomaly]:
    return [one for one in every if one.dismissed is None]


def is_asked_for(one: Anomaly, scope: Scope, names: Names) -> bool:
    providers = {names.provider(name) for name in scope.providers}
    gpu_types = {names.gpu_type(name) for name in scope.gpu_types}
    return (not providers or one.provider in providers) and (not gpu_types or one.gpu_type in gpu_types)


def found_in(span: Span, basis: str, names: Names, freshness: Freshness) -> list[Anomaly]:
    start = (span.start - WARM_UP).replace(day=1)
    walked = Scope(span=Span(start, span.end + timedelta(days=LASTING)), basis=basis)
    known = explained(span, names)
    return [
        Anomaly(*hardware, one, known.get((one.first, *hardware)))
        for hardware, one in all_findings(walked, names, freshness)
        if one.first < span.end and one.last >= span.start
    ]


@dataclass(frozen=True, eq=False)
class Told(ByValue):
    """Days of each cell. unsaid: those that stand out of nothing. through: the last closed day of each."""

    points: dict[Hardware, dict[date, Point]]
    unsaid: dict[Hardware, set[date]]
    through: dict[Hardware, date]

    @property
    def content(self) -> tuple[Any, ...]:
        points = tuple((cell, tuple(sorted(days.items()))) for cell, days in sorted(self.points.items()))
        unsaid = tuple((cell, tuple(sorted(days))) for cell, days in sorted(self.unsaid.items()))
        return points, unsaid, tuple(sorted(self.through.items()))


def all_findings(scope: Scope, names: Names, freshness: Freshness) -> tuple[tuple[Hardware, Finding], ...]:
    """Of closed days; what a contract spreads over its days stands out of nothing."""
    closed = {one.provider: one.through for one in freshness.providers}
    points, unsaid = read(scope, names)
    last = scope.span.last if scope.span else date.max
    through = {cell: min(closed[cell[0]], last) for cell in points if cell[0] in closed}
    return found_among(Told(points, dict(unsaid), through))


@lru_cache(maxsize=16)
def found_among(told: Told) -> tuple[tuple[Hardware, Finding], ...]:
    floor = floor_over(told.points)
    return tuple(
        (cell, one)
        for cell, through in told.through.items()
        for one in findings(told.points[cell], through, floor, told.unsaid.get(cell, set()))
    )


def floor_over(points: dict[Hardware, dict[date, Point]]) -> Floor:
    totals: defaultdict[date, int] = defaultdict(int)
    for days in points.values():
        for day, point in days.items():
            totals[day] += point.cents
    return floor_of(totals, FLOOR_SHARE, LEAST_FLOOR)


def read(
    scope: Scope, names: Names
) -> tuple[dict[Hardware, dict[date, Point]], defaultdict[Hardware, set[date]]]:
    """The days of each cell, and those that are spread or priced by GPUs rather than measured."""
    rows, found = spend.rows_and_posted(scope, names)
    hours = usage.metered_by_cell(scope, names, found)
    unmeasured = {one.cell for one in found.postings if one.source == "period" or one.gpu_hours is not None}
    points: defaultdict[Hardware, dict[date, Point]] = defaultdict(dict)
    unsaid: defaultdict[Hardware, set[date]] = defaultdict(set)
    for cell in spend.cells_of(rows, names):
        key = cell.day, cell.provider, cell.gpu_type
        if key in unmeasured:
            unsaid[key[1:]].add(cell.day)
        else:
            points[key[1:]][cell.day] = Point(cents(cell.usd), hours.get(key))
    return points, unsaid


def explained(span: Span, names: Names) -> dict[tuple[date, str, str], DismissedAnomaly]:
    """By first day and display names; the first day may lie before the span."""
    around = Span(span.start - timedelta(days=LASTING), span.end)
    rows = DismissedAnomaly.objects.within(around).select_related("author")
    return {(one.day, names.provider(one.provider), names.gpu_type(one.gpu_type)): one for one in rows}
