"""Up to which day each provider's bill is complete, and from where to where data reach."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Max, Min

from ..clock import today
from ..models import CostSnapshot, Job, LogSpan, UsageSnapshot
from ..naming import Names
from ..scope import ONE_DAY, Span

# A provider without rows for this long has ended; it does not hold the others back.
GONE_AFTER = timedelta(days=35)


@dataclass(frozen=True)
class Completeness:
    """A provider's bill is complete through a day (included); `first` and `last` are its days with rows."""

    provider: str
    through: date
    first: date
    last: date
    late: bool


@dataclass(frozen=True)
class Freshness:
    """first, last: days with any data; through: the last closed day; all None when nothing is stored."""

    providers: tuple[Completeness, ...] = ()
    first: date | None = None
    last: date | None = None

    @classmethod
    def load(cls, names: Names) -> Freshness:
        ranges = day_ranges(names)
        newest = max((last for _, last in ranges.values()), default=None)
        providers = tuple(
            completeness(provider, first, last, names.lag(provider), newest)
            for provider, (first, last) in sorted(ranges.items(), key=lambda item: item[0].casefold())
        )
        first, last = (
            (min(p.first for p in providers), max(p.last for p in providers)) if providers else job_days()
        )
        return cls(providers, first, last)

    def through(self, chosen: tuple[str, ...] = ()) -> date | None:
        """The last closed day of all these providers that still bill; of all when none is chosen."""
        asked = [p for p in self.providers if not chosen or p.provider in chosen]
        live = [p for p in asked if not p.late] or asked
        if live:
            return min(p.through for p in live)
        return jobs_through()

    def span(self) -> Span | None:
        return None if self.first is None or self.last is None else Span.inclusive(self.first, self.last)


def jobs_through() -> date | None:
    """The last day that the job logs speak of to its end; bills may lag behind it or have ended before."""
    _, last = job_days()
    return None if last is None else min(last, today()) - ONE_DAY


def day_ranges(names: Names) -> dict[str, tuple[date, date]]:
    ranges: dict[str, tuple[date, date]] = {}
    for model in (CostSnapshot, UsageSnapshot):
        rows = model.objects.order_by().values_list("provider").annotate(Min("date"), Max("date"))
        for stored, first, last in rows:
            known = ranges.get(shown := names.provider(stored), (first, last))
            ranges[shown] = (min(first, known[0]), max(last, known[1]))
    return ranges


def completeness(provider: str, first: date, last: date, lag: int, newest: date | None) -> Completeness:
    through = min(last - timedelta(days=lag), today() - ONE_DAY)
    return Completeness(provider, through, first, last, newest is not None and last < newest - GONE_AFTER)


def job_days() -> tuple[date | None, date | None]:
    """Without any bill, the days that jobs or their logs speak of."""
    log = LogSpan.objects.aggregate(first=Min("first"), last=Max("last"))
    jobs = Job.objects.aggregate(first=Min("start_time"), last=Max("start_time"))
    first = min((t for t in (log["first"], jobs["first"]) if t), default=None)
    last = max((t for t in (log["last"], jobs["last"]) if t), default=None)
    return (first.date() if first else None, min(last.date(), today()) if last else None)
