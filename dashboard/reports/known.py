"""Which days are known on both sides of a comparison: a day without a row is unknown, not nought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

from django.db.models import Q

from ..models import CostSnapshot, PeriodEntry, Rate, UsageSnapshot
from ..naming import Names
from ..remembered import until_written
from ..scope import ONE_DAY, Scope, Span
from .compare import NO_DAYS, Sides
from .coverage import Coverage
from .freshness import GONE_AFTER, Freshness, job_days
from .spend import narrowed

Days = Mapping[str, set[date]]  # by the display name of a provider
CALLED = {"cost": "cost", "metered": "metered hours", "jobs": "job log"}
# Rows that tell a measure of every provider that has any; hours are typed in for some only.
TOLD_BY = {"cost": ("cost", "entry", "rate"), "metered": ("usage",)}


@dataclass(frozen=True)
class Known:
    """Each measure is asked of the database once, when it is needed first.

    A provider's bill is known for a day when it has any row of that day, of whatever GPU type. It is
    awaited from its first day on, of whatever measure, and up to its last only once it bills no more.
    """

    scope: Scope
    sides: Sides
    names: Names

    def why_not(self, *measures: str, provider: str = "") -> str:
        """Why these measures ("cost", "metered", "jobs") cannot be compared; empty where they can."""
        if self.sides.reason:
            return self.sides.reason
        reasons = (self.unknown(measure, provider) for measure in measures)
        return next(filter(None, reasons), "")

    def why_shares_cannot(self) -> str:
        """Why shares of the bill cannot be compared: they go by metered hours wherever there are any."""
        return self.why_not("cost", "jobs", *(["metered"] if self.metered else []))

    def unknown(self, measure: str, provider: str) -> str:
        asked = Known, self.scope, self.sides, measure, provider
        return self.names.once(asked, lambda: self.in_words(measure, provider))

    def in_words(self, measure: str, provider: str) -> str:
        known: Days = getattr(self, measure)
        awaited = self.logged if measure == "jobs" else self.billed(measure)
        if provider and (measure != "jobs" or provider in known):
            known = {provider: known.get(provider, set())}
            awaited = {one: span for one, span in awaited.items() if one == provider}
        if reason := unknown(self.sides, known, awaited, CALLED[measure]):
            return reason
        return "" if measure == "jobs" else self.still_open(awaited)

    def still_open(self, awaited: Mapping[str, Span]) -> str:
        """A provider without a closed day holds no other back, so that its open days lie within the sides."""
        for one in self.freshness.providers:
            days = awaited.get(one.provider, NO_DAYS)
            reached = days.clipped(self.sides.before).length or days.clipped(self.sides.now).length
            if reached and not one.closed and not one.late:
                return f"no day of {one.provider} is closed yet"
        return ""

    @cached_property
    def cost(self) -> Days:
        return self.of_rows(CostSnapshot, [*self.entries, *self.rates])

    @cached_property
    def metered(self) -> Days:
        entries = [entry for entry in self.entries if entry.gpu_hours is not None]
        rates = [rate for rate in self.rates if rate.per == Rate.Per.GPU_MONTH]
        return self.of_rows(UsageSnapshot, [*entries, *rates])

    @cached_property
    def jobs(self) -> Days:
        """Where no log is stored at all, whoever writes jobs is taken to write all of them."""
        spans = {p: days for p, days in Coverage.load(self.names).spans.items() if self.asks_for(p)}
        first, last = (None, None) if spans else job_days()
        if first and last:
            spans = {"": [Span.inclusive(first, last)]}
        return {provider: self.days_of(days) for provider, days in spans.items()}

    def billed(self, measure: str) -> Mapping[str, Span]:
        """The days that are awaited of each provider that has the measure, and the hardware, at all."""
        rows = [row for row in self.names.written if self.asks_for_type(row.gpu_type)]
        told = {self.names.provider(row.provider) for row in rows if row.source in TOLD_BY[measure]}
        told |= {self.names.provider(row.provider) for row in rows} & getattr(self, measure).keys()
        return {
            one.provider: self.awaited(one.first, one.last, one.late)
            for one in self.freshness.providers
            if one.provider in told and self.asks_for(one.provider)
        }

    @cached_property
    def freshness(self) -> Freshness:
        return self.names.once("freshness", lambda: Freshness.load(self.names))

    @cached_property
    def logged(self) -> Mapping[str, Span]:
        """The same of job logs, which end where others have gone on for long."""
        logs = Coverage.load(self.names).spans
        ends = {provider: spans[-1].last for provider, spans in logs.items() if spans}
        return {
            provider: self.awaited(logs[provider][0].start, last, last < max(ends.values()) - GONE_AFTER)
            for provider, last in ends.items()
            if self.asks_for(provider)
        }

    def awaited(self, first: date, last: date, has_ended: bool) -> Span:
        until = last + ONE_DAY if has_ended else self.sides.now.end
        return Span(first, max(first, until))

    def of_rows(self, model: Any, typed_in: Iterable[PeriodEntry | Rate]) -> Days:
        found: defaultdict[str, set[date]] = defaultdict(set)
        asked = "known", model._meta.db_table, self.sides, self.scope.providers
        for provider, day in until_written(asked, lambda: self.stored(model)):
            found[provider].add(day)
        for one in typed_in:
            provider = self.names.provider(one.provider)
            if self.asks_for(provider):
                days = Span.inclusive(one.first_day, one.last_day or self.sides.now.last)
                found[provider] |= self.days_of([days])
        return found

    def stored(self, model: Any) -> list[tuple[str, date]]:
        rows = narrowed(model.objects.filter(on(self.sides)), self.scope.but(gpu_types=()), self.names)
        days = rows.order_by().values_list("date", "provider").distinct()
        return [(self.names.provider(stored), day) for day, stored in days]

    @cached_property
    def entries(self) -> list[PeriodEntry]:
        return list(PeriodEntry.objects.during(self.hull))

    @cached_property
    def rates(self) -> list[Rate]:
        return list(Rate.objects.during(self.hull))

    @property
    def hull(self) -> Span:
        return Span(self.sides.before.start, self.sides.now.end)

    def asks_for(self, provider: str) -> bool:
        asked = {self.names.provider(name) for name in self.scope.providers}
        return not asked or provider in asked

    def asks_for_type(self, gpu_type: str) -> bool:
        asked = {self.names.gpu_type(name) for name in self.scope.gpu_types}
        return not asked or self.names.gpu_type(gpu_type) in asked

    def days_of(self, spans: Iterable[Span]) -> set[date]:
        sides = (self.sides.now, self.sides.before)
        return {day for span in spans for side in sides for day in span.clipped(side)}


def on(sides: Sides) -> Q:
    now, before = sides.now, sides.before
    return Q(date__gte=now.start, date__lt=now.end) | Q(date__gte=before.start, date__lt=before.end)


def unknown(sides: Sides, known: Days, awaited: Mapping[str, Span], called: str) -> str:
    """In words, the first thing that is missing on either side; the earlier side first."""
    for span, side in ((sides.before, " before"), (sides.now, "")):
        days = all_days(span).intersection(chain.from_iterable(known.values()))
        if not days:
            return f"no {called}{side or ' now'}"
        if missing := span.length - len(days):
            return f"no {called} on {missing} of {span.length} days{side}"
    for provider in sorted(awaited, key=str.casefold):
        for span, side in ((sides.before, " before"), (sides.now, "")):
            missing = len(all_days(awaited[provider].clipped(span)) - known.get(provider, set()))
            if missing == span.length:
                return f"no {called} of {provider}{side or ' now'}"
            if missing:
                return f"no {called} of {provider} on {missing} of {span.length} days{side}"
    return ""


all_days = lru_cache(maxsize=100)(frozenset[date])
