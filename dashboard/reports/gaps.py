"""Day by day, what a provider's data lack: its cost, its metered hours, or a job log that speaks of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from ..clock import today
from ..naming import Names
from ..scope import ONE_DAY, Scope, Span
from . import usage
from .coverage import Coverage
from .freshness import GONE_AFTER, Completeness, Freshness
from .invoices import spans_of
from .spend import costs

STATES = {
    "complete": "Cost and metered hours are there, a job log speaks of the day",
    "no-log": "Cost and metered hours are there, no job log speaks of the day",
    "no-cost": "No cost row",
    "no-metered": "No metered hours",
    "nothing": "Neither cost nor metered hours",
    "open": "Open: the bill may still change",
    "outside": "Outside the days that are known of the provider",
}
JUDGED = tuple(state for state in STATES if state not in ("open", "outside"))
KINDS = {"cost": "no cost row", "metered": "no metered hours", "log": "no job log"}


@dataclass(frozen=True, slots=True)
class Day:
    """What there is of one day of a provider; missing: which of KINDS, empty where the day is not judged."""

    day: date
    state: str
    cost: bool
    metered: bool
    log: bool

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(kind for kind in KINDS if self.state in JUDGED and not getattr(self, kind))


@dataclass(frozen=True, slots=True)
class Gap:
    provider: str
    kind: str
    span: Span


@dataclass(frozen=True)
class Calendar:
    provider: str
    days: list[Day]

    @cached_property
    def counts(self) -> Counter[str]:
        return Counter(day.state for day in self.days)

    def gaps(self) -> Iterator[Gap]:
        for kind in KINDS:
            for span in spans_of(day.day for day in self.days if kind in day.missing):
                yield Gap(self.provider, kind, span)


@dataclass(frozen=True)
class Gaps:
    """span: the days that are judged. unbilled: providers that only jobs know, so that no bill can lack."""

    span: Span | None = None
    calendars: list[Calendar] = field(default_factory=list)
    unbilled: list[str] = field(default_factory=list)

    @cached_property
    def counts(self) -> Counter[str]:
        return sum((calendar.counts for calendar in self.calendars), Counter())

    @cached_property
    def gaps(self) -> list[Gap]:
        """The missing cost first, then metered hours and logs; the newest first."""
        found = [gap for calendar in self.calendars for gap in calendar.gaps()]
        found.sort(key=lambda gap: gap.provider.casefold())
        found.sort(key=lambda gap: gap.span.start, reverse=True)
        return sorted(found, key=lambda gap: list(KINDS).index(gap.kind))


def gaps(scope: Scope, names: Names, freshness: Freshness) -> Gaps:
    span, coverage = judged(scope.span, freshness), Coverage.load(names)
    if span is None:
        return Gaps()
    scope = scope.but(gpu_types=(), span=span)
    cost = days_by_provider((cell.provider, cell.day) for cell in costs(scope, names))
    metered = days_by_provider((cell.provider, cell.day) for cell in usage.metered(scope, names))
    wanted = {names.provider(name) for name in scope.providers}
    known = {one.provider: one for one in freshness.providers}
    providers = sorted(known.keys() | cost.keys() | metered.keys(), key=str.casefold)
    calendars = [
        calendar_of(provider, span, known.get(provider), cost[provider], metered[provider], coverage)
        for provider in providers
        if not wanted or provider in wanted
    ]
    only_jobs = coverage.spans.keys() - set(providers)
    return Gaps(span, calendars, sorted(p for p in only_jobs if not wanted or p in wanted))


def judged(span: Span | None, freshness: Freshness) -> Span | None:
    """The range, without the days before any data and those for which none are awaited."""
    stored = freshness.span()
    if stored is None:
        return None
    until = Span(stored.start, max(stored.end, awaited_until(stored.last) + ONE_DAY))
    clipped = until if span is None else span.clipped(until)
    return clipped if clipped.length else None


def days_by_provider(pairs: Iterable[tuple[str, date]]) -> Mapping[str, set[date]]:
    found: defaultdict[str, set[date]] = defaultdict(set)
    for provider, day in pairs:
        found[provider].add(day)
    return found


def calendar_of(
    provider: str,
    span: Span,
    known: Completeness | None,
    cost: set[date],
    metered: set[date],
    coverage: Coverage,
) -> Calendar:
    bounds = bounds_of(known, cost | metered)
    days = []
    for day in span:
        there = day in cost, day in metered, coverage.covers(provider, day)
        days.append(Day(day, state_of(day, bounds, *there), *there))
    return Calendar(provider, days)


def bounds_of(known: Completeness | None, days: set[date]) -> tuple[date, date, date]:
    """First day known, last closed day, last day that rows may still come for."""
    yesterday = today() - ONE_DAY
    if known is None:
        return min(days), min(max(days), yesterday), max(days)
    if known.late:
        return known.first, known.last, known.last
    return known.first, known.through, max(known.last, awaited_until(known.last))


def awaited_until(last: date) -> date:
    """Whoever has sent nothing for long is not expected to."""
    return min(today(), last + GONE_AFTER)


def state_of(day: date, bounds: tuple[date, date, date], cost: bool, metered: bool, log: bool) -> str:
    first, through, last = bounds
    if not first <= day <= last:
        return "outside"
    if day > through:
        return "open"
    if cost and metered:
        return "complete" if log else "no-log"
    if cost or metered:
        return "no-metered" if cost else "no-cost"
    return "nothing"
