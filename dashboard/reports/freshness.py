"""Up to which day each provider's bill is complete, and from where to where data reach."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.db.models import Max, Min

from ..clock import today, today_by
from ..models import Job, LogSpan
from ..naming import DEFAULT_CLOCK, Names
from ..remembered import until_written
from ..scope import ONE_DAY, Span

# A provider without rows for this long has ended; it does not hold the others back.
GONE_AFTER = timedelta(days=35)

Days = tuple[date, date]  # the first and the last, included


@dataclass(frozen=True)
class Completeness:
    """A provider's bill is complete through a day (included); `first` and `last` are its days with rows."""

    provider: str
    through: date
    first: date
    last: date
    late: bool

    def up_to(self, day: date) -> Completeness:
        return replace(self, through=min(self.through, day), late=self.late and self.last + GONE_AFTER < day)

    @property
    def closed(self) -> date | None:
        """The last closed day; None where even the first day with rows is open."""
        return self.through if self.through >= self.first else None


@dataclass(frozen=True)
class Freshness:
    """first, last: days with any data; through: the last closed day; all None when nothing is stored."""

    providers: tuple[Completeness, ...] = ()
    first: date | None = None
    last: date | None = None

    @classmethod
    def load(cls, names: Names) -> Freshness:
        billed, typed_in = day_ranges(names), typed_in_ranges(names)
        providers = sorted(billed.keys() | typed_in.keys(), key=str.casefold)
        ranges = {p: [*([billed[p]] if p in billed else []), *typed_in[p]] for p in providers}
        newest = max((min(last, today()) for each in ranges.values() for _, last in each), default=None)
        complete = tuple(
            completeness(
                p, ranges[p], through(billed.get(p), typed_in[p], names.lag(p), names.clock(p)), newest
            )
            for p in providers
        )
        first, last = (
            (min(p.first for p in complete), max(p.last for p in complete)) if complete else job_days()
        )
        return cls(complete, first, last)

    def through(self, chosen: tuple[str, ...] = ()) -> date | None:
        """The last closed day of all these providers that still bill; of all when none is chosen.

        One without a closed day holds no other back; alone, all its days come after the day that is told.
        """
        asked = [p for p in self.providers if not chosen or p.provider in chosen]
        live = [p for p in asked if not p.late] or asked
        if live:
            return min(p.through for p in ([p for p in live if p.closed] or live))
        return jobs_through()

    def up_to(self, day: date) -> Freshness:
        """As if the day were the last one that is closed."""
        return replace(self, providers=tuple(one.up_to(day) for one in self.providers))

    def span(self) -> Span | None:
        return None if self.first is None or self.last is None else Span.inclusive(self.first, self.last)


def jobs_through() -> date | None:
    """The last day that the job logs speak of to its end; bills may lag behind it or have ended before."""
    _, last = job_days()
    return None if last is None else min(last, today()) - ONE_DAY


def day_ranges(names: Names) -> dict[str, Days]:
    ranges: dict[str, Days] = {}
    for row in names.written:
        if row.source in ("cost", "usage") and row.last is not None:
            known = ranges.get(shown := names.provider(row.provider), (row.first, row.last))
            ranges[shown] = (min(row.first, known[0]), max(row.last, known[1]))
    return ranges


def typed_in_ranges(names: Names) -> defaultdict[str, list[Days]]:
    """First and last day of each period entry, and of each rate through today."""
    ranges: defaultdict[str, list[Days]] = defaultdict(list)
    for row in names.written:
        shown = names.provider(row.provider)
        if row.source == "entry" and row.last is not None:
            ranges[shown].append((row.first, row.last))
        elif row.source == "rate" and row.first <= today():
            ranges[shown].append((row.first, min(row.last or today(), today())))
    return ranges


def through(billed: Days | None, typed_in: Iterable[Days], lag: int, clock: str = DEFAULT_CLOCK) -> date:
    """A bill is complete but for its lag, what was typed in to its end.

    While a provider bills daily, a total for some of the same days does not make its bill complete. No
    day is closed before it is over by the bill's clock: running jobs still add to it.
    """
    ends = [last for first, last in typed_in if billed is None or has_ended(billed, first, last)]
    bill = [] if billed is None else [billed[1] - timedelta(days=lag)]
    return min(max(bill + ends), today() - ONE_DAY, today_by(clock) - ONE_DAY)


def has_ended(billed: Days, first: date, last: date) -> bool:
    """No daily row since the first of these days, or none for long before the last of them."""
    return billed[1] < first or billed[1] < last - GONE_AFTER


def completeness(provider: str, ranges: list[Days], through: date, newest: date | None) -> Completeness:
    first, last = min(first for first, _ in ranges), max(last for _, last in ranges)
    return Completeness(provider, through, first, last, newest is not None and last < newest - GONE_AFTER)


def job_days() -> tuple[date | None, date | None]:
    """Without any bill, the days that jobs or their logs speak of."""
    first, last = until_written("moments of jobs", moments)
    return (first.date() if first else None, min(last.date(), today()) if last else None)


def moments() -> tuple[datetime | None, datetime | None]:
    """The first and the last that a job began at or a log speaks of."""
    logs, jobs = LogSpan.objects.aggregate(first=Min("first"), last=Max("last")), starts()
    first = min((t for t in (logs["first"], jobs[0]) if t), default=None)
    return first, max((t for t in (logs["last"], jobs[1]) if t), default=None)


def starts() -> tuple[datetime | None, datetime | None]:
    """The first and the last of all jobs. Each alone: SQLite looks only one up in an index.

    Whoever asks for the last passes over the rows that a long import has written and not yet committed.
    """
    first = Job.objects.aggregate(at=Min("start_time"))
    last = Job.objects.aggregate(at=Max("start_time"))
    return first["at"], last["at"]
