"""What a page is asked about: one frozen value that the table, the chart and the file share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from uuid import UUID

ONE_DAY = timedelta(days=1)
BUCKETS = ("day", "week", "month", "quarter")


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open days [start, end). People see it inclusive."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"a span cannot end ({self.end}) before it starts ({self.start})")

    @classmethod
    def inclusive(cls, first: date, last: date) -> Span:
        return cls(first, last + ONE_DAY)

    @property
    def last(self) -> date:
        return self.end - ONE_DAY

    @property
    def length(self) -> int:
        return (self.end - self.start).days

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.start <= day < self.end

    def __iter__(self) -> Iterator[date]:
        return (self.start + timedelta(days=n) for n in range(self.length))

    def clipped(self, other: Span) -> Span:
        start = max(self.start, other.start)
        return Span(start, max(start, min(self.end, other.end)))

    @property
    def in_months(self) -> Span:
        """With the other days of its months."""
        if not self.length:
            return self
        return Span(self.start.replace(day=1), shift_month(self.last.replace(day=1), 1))

    def before(self) -> Span:
        """The same number of days that end where this span starts."""
        return Span(self.start - (self.end - self.start), self.start)


@dataclass(frozen=True, slots=True)
class Scope:
    """span None means everything stored, rows without a date included.

    providers, gpu_types: display names; teams: ids; statuses, models: as stored; quality: checks of
    data quality. Empty means all.
    """

    span: Span | None = None
    providers: tuple[str, ...] = ()
    gpu_types: tuple[str, ...] = ()
    teams: tuple[UUID, ...] = ()
    statuses: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    q: str = ""
    bucket: str = "day"
    group_by: str = "provider"
    basis: str = "effective"
    idle: str = "apart"
    by: str = "team"
    then_by: str = ""
    compare: str = "previous"
    quality: tuple[str, ...] = ()

    @property
    def seeks_jobs(self) -> bool:
        """By a search or by checks of data quality, of which no sums know."""
        return bool(self.q or self.quality)

    def over(self, span: Span | None) -> Scope:
        return replace(self, span=span)

    def but(self, **changes: object) -> Scope:
        return replace(self, **changes)  # type: ignore[arg-type]


@lru_cache(maxsize=20_000)
def bucket_start(day: date, bucket: str, fiscal_month: int = 1) -> date:
    """First day of the bucket that holds `day`; weeks start on Monday, quarters follow the fiscal year."""
    if bucket == "week":
        return day - timedelta(days=day.weekday())
    if bucket == "month":
        return day.replace(day=1)
    if bucket == "quarter":
        return shift_month(day.replace(day=1), -((day.month - fiscal_month) % 3))
    return day


def bucket_end(start: date, bucket: str) -> date:
    """The day after the last of the bucket that begins at `start`."""
    if bucket == "week":
        return start + timedelta(days=7)
    if bucket == "month":
        return shift_month(start, 1)
    if bucket == "quarter":
        return shift_month(start, 3)
    return start + ONE_DAY


def buckets(span: Span, bucket: str, fiscal_month: int = 1) -> list[date]:
    starts, at = [], bucket_start(span.start, bucket, fiscal_month)
    while at < span.end:
        starts.append(at)
        at = bucket_end(at, bucket)
    return starts


def shift_month(first: date, months: int) -> date:
    index = first.year * 12 + first.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def fiscal_year_start(day: date, fiscal_month: int = 1) -> date:
    year = day.year if day.month >= fiscal_month else day.year - 1
    return date(year, fiscal_month, 1)
