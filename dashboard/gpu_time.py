"""GPU time of jobs, cut into days at midnight of the provider's bill clock.

A job's piece of a day is its running microseconds × gpu_count, rounded half up to a whole
microsecond, so that sums are exact integers on both databases. Whoever needs hours divides once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Case, DateTimeField, F, QuerySet, Value, When
from django.db.models.functions import Floor, Least

from . import workers
from .clock import now
from .databases import reading
from .models import Job
from .models.calendar import FIRST_INSTANT, midnight
from .naming import DEFAULT_CLOCK, Names
from .scope import Span

MICROSECOND = timedelta(microseconds=1)
HOUR = Decimal(3_600_000_000)
MICROHOUR = Decimal("0.000001")

COLUMNS = {
    "day": "d.day",
    "team": "j.team_id",
    "provider": "j.provider",
    "gpu_type": "j.gpu_type",
    "model": "j.model_name",
    "status": "j.status",
    "job": "j.id",
    "cluster": "j.cluster",
    "partition": "j.partition",
    "raw_gpu_type": "j.raw_gpu_type",
    "account": "j.account",
}
# No day of any clock is longer than 26 hours: this bounds the calendar rows that one job looks at.
SINCE = {"postgresql": "j.start_time - interval '26 hours'", "sqlite": "datetime(j.start_time, '-26 hours')"}
# From each job to its few days, never the other way: left to itself, PostgreSQL sorts and merges the whole
# calendar with all jobs, and SQLite scans it.
JOINED = {
    "postgresql": "CROSS JOIN LATERAL (SELECT * FROM bill_days d WHERE {days} OFFSET 0) d",
    "sqlite": "CROSS JOIN bill_days d ON {days}",
    "citus": "JOIN bill_days d ON {days}",  # which refuses an offset in what is lateral
}
LATEST = {"postgresql": "GREATEST", "sqlite": "MAX"}
EARLIEST = {"postgresql": "LEAST", "sqlite": "MIN"}


def hours(microseconds: int) -> Decimal:
    return Decimal(microseconds) / HOUR


def six_decimals(hours: Decimal) -> Decimal:
    """Hours as files hold them, half up."""
    return hours.quantize(MICROHOUR, ROUND_HALF_UP)


def gpu_microseconds(elapsed: timedelta, gpu_count: Decimal) -> int:
    exact = Decimal(elapsed // MICROSECOND) * gpu_count
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def split_by_day(start: datetime, end: datetime, gpu_count: Decimal, clock: str) -> list[tuple[date, int]]:
    """(day, GPU microseconds) of [start, end) by that clock; nothing when end is not after start."""
    pieces, day = [], start.astimezone(ZoneInfo(clock)).date()
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    while start < end:
        until = min(end, midnight(day + timedelta(days=1), clock))
        pieces.append((day, gpu_microseconds(until - start, gpu_count)))
        start, day = until, day + timedelta(days=1)
    return pieces


def end_of_run(job: Job, at: datetime | None = None) -> datetime | None:
    """Until when the job's hours count, never later than now; None where they count not at all."""
    at = at or now()
    if job.start_time is None or job.status == "pending" or job.start_time > at:
        return None
    if job.end_time is None:
        return at if job.status == "running" else None
    return min(job.end_time, at) if job.end_time >= job.start_time else None


def job_gpu_hours(job: Job, span: Span | None = None, clock: str = DEFAULT_CLOCK) -> Decimal:
    """Hours of one job, clipped to the span by its provider's clock."""
    start, end = job.start_time, end_of_run(job)
    if start is None or end is None:
        return Decimal(0)
    if span is not None:
        start, end = max(start, midnight(span.start, clock)), min(end, midnight(span.end, clock))
    return hours(gpu_microseconds(end - start, job.gpu_count)) if end > start else Decimal(0)


def counted(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """The jobs whose hours count, with `ended`: their end, or now while they run."""
    at = Value(now(), output_field=DateTimeField())
    ended = Case(
        When(end_time__isnull=False, then=Least("end_time", at)),
        When(status="running", then=at),
        output_field=DateTimeField(),
    )
    return begun(jobs).annotate(ended=ended).filter(ended__gte=F("start_time"))


def begun(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Those that have a start on the calendar and do not wait."""
    return jobs.filter(start_time__gte=FIRST_INSTANT).exclude(status="pending")


def by(
    keys: Sequence[str], jobs: QuerySet[Job], names: Names, span: Span | None = None
) -> list[tuple[Any, ...]]:
    """(one value per key …, GPU microseconds, job-days): what `measured` says, without the jobs."""
    return [row[:-1] for row in measured(keys, jobs, names, span)]


def measured(
    keys: Sequence[str], jobs: QuerySet[Job], names: Names, span: Span | None = None
) -> list[tuple[Any, ...]]:
    """(one value per key …, GPU microseconds, job-days, jobs) for the jobs' time within the span.

    Keys are those of COLUMNS. Providers and GPU types come as stored; fold them by `names`.
    A job counts once on every day that it overlaps among the job-days, and on its first among the jobs.
    """
    if span is not None:
        jobs = jobs.overlapping(*bounds(span, names))  # type: ignore[attr-defined]
    picked, params = picked_jobs(jobs)
    clock, clock_params = clock_of_provider(names)
    vendor = reading().vendor
    within, days = days_within(span, vendor)
    later = f"{LATEST[vendor]}(j.start_time, d.starts_at)"
    sooner = f"{EARLIEST[vendor]}(j.ended, d.ends_at)"
    sql = f"""
        WITH j AS ({picked})
        SELECT {listed(keys)} SUM({piece(later, sooner)}),
            {number("j.ended > d.starts_at")}, {number("j.start_time >= d.starts_at")}
        FROM j {with_days(clock, vendor, jobs.model._meta.db_table)}
        WHERE (d.starts_at < j.ended OR j.ended = j.start_time) {within}
        {grouped(keys)}
    """
    return rows_of(sql, (*params, *clock_params, *days), keys)


def spent_by(
    keys: Sequence[str], jobs: QuerySet[Job], names: Names, span: Span | None = None
) -> list[tuple[Any, ...]]:
    """(one value per key …, GPU microseconds), to the microsecond what `by` adds up to; keys know no day."""
    if span is not None:
        return [row[:-1] for row in by(keys, jobs, names, span)]
    # A whole GPU's day pieces are whole microseconds: uncut they add up to the same, many times quicker.
    spent: Counter[tuple[Any, ...]] = Counter()
    for *key, microseconds, _ in by(keys, jobs.exclude(gpu_count=Floor("gpu_count")), names):
        spent[tuple(key)] += microseconds
    for *key, microseconds in uncut(keys, jobs.filter(gpu_count=Floor("gpu_count"))):
        spent[tuple(key)] += microseconds
    return [(*key, microseconds) for key, microseconds in spent.items()]


def uncut(keys: Sequence[str], jobs: QuerySet[Job]) -> list[tuple[Any, ...]]:
    picked, params = picked_jobs(jobs)
    microseconds = f"SUM({piece('j.start_time', 'j.ended')})"
    sql = f"WITH j AS ({picked}) SELECT {listed(keys)} {microseconds} FROM j {grouped(keys)}"
    return rows_of(sql, params, keys)


def picked_jobs(jobs: QuerySet[Job]) -> tuple[str, tuple[Any, ...]]:
    fields = [column.removeprefix("j.") for column in COLUMNS.values() if column.startswith("j.")]
    timed = counted(jobs.order_by()).values(*fields, "gpu_count", "start_time", "ended")
    return timed.query.sql_with_params()


def listed(keys: Sequence[str]) -> str:
    return "".join(f"{COLUMNS[key]}, " for key in keys)


def grouped(keys: Sequence[str]) -> str:
    return "GROUP BY " + ", ".join(COLUMNS[key] for key in keys) if keys else ""


def number(condition: str) -> str:
    return f"COUNT(CASE WHEN {condition} THEN 1 END)"


def rows_of(sql: str, params: Sequence[Any], keys: Sequence[str]) -> list[tuple[Any, ...]]:
    with reading().cursor() as cursor:
        cursor.execute(sql, params)
        width = len(keys)
        return [
            (*map(plain, keys, row), *(int(amount or 0) for amount in row[width:]))
            for row in cursor.fetchall()
        ]


def with_days(clock: str, vendor: str, table: str = "jobs") -> str:
    """SQL: beside each job j its days d. table: where the jobs are; no worker holds those of an import."""
    dialect = workers.dialect(reading()) if table == "jobs" else vendor
    return JOINED[dialect].format(days=days_of_job(clock, vendor))


def days_of_job(clock: str, vendor: str) -> str:
    return (
        f"d.clock = {clock} AND d.starts_at > {SINCE[vendor]}"
        " AND d.starts_at <= j.ended AND d.ends_at > j.start_time"
    )


def days_within(span: Span | None, vendor: str) -> tuple[str, list[str]]:
    """SQL that narrows the days d of each job j, and its parameters.

    On SQLite it names the job: for a condition on days alone it would first make a filter of all days.
    """
    if span is None:
        return "", []
    of_job = " || substr(j.provider, 1, 0)" if vendor == "sqlite" else ""
    days = [span.start.isoformat(), span.end.isoformat()]
    return f" AND d.day >= %s{of_job} AND d.day < %s{of_job}", days


def gpu_hours(jobs: QuerySet[Job], names: Names | None = None, span: Span | None = None) -> Decimal:
    [(microseconds,)] = spent_by([], jobs, names or Names(), span)
    return hours(microseconds)


def bounds(span: Span, names: Names) -> tuple[datetime, datetime]:
    """The first and the last instant that belongs to the span by any clock in use."""
    clocks = {DEFAULT_CLOCK, *names.clocks.values()}
    starts = min(midnight(span.start, clock) for clock in clocks)
    return starts, max(midnight(span.end, clock) for clock in clocks)


def clock_of_provider(names: Names) -> tuple[str, list[str]]:
    """SQL that gives the bill clock of j.provider, and its parameters."""
    others = {c: p for c, p in names.spellings_by_clock().items() if c != DEFAULT_CLOCK}
    if not others:
        return "%s", [DEFAULT_CLOCK]
    whens, params = [], []
    for clock, providers in others.items():
        whens.append(f"WHEN j.provider IN ({', '.join(['%s'] * len(providers))}) THEN %s")
        params += [*providers, clock]
    return f"CASE {' '.join(whens)} ELSE %s END", [*params, DEFAULT_CLOCK]


def piece(start: str, end: str, any_length: bool = False) -> str:
    """SQL for the GPU microseconds of job j between two instants.

    On PostgreSQL a double holds those of a hundred years to the last one, and is quicker than a numeric.
    """
    if reading().vendor == "postgresql":
        seconds = (
            f"EXTRACT(EPOCH FROM {end} - {start})" if any_length else f"date_part('epoch', {end} - {start})"
        )
        return f"ROUND(({seconds} * 1000000)::bigint * j.gpu_count)"
    return sqlite_piece(start, end).replace("%", "%%")


def sqlite_piece(start: str, end: str) -> str:
    elapsed = f"({sqlite_microseconds(end)} - {sqlite_microseconds(start)})"
    whole = "CAST(j.gpu_count AS INTEGER)"
    # Whole GPUs and millionths apart: a product of the two would not fit 64 bits.
    millionths = f"CAST(ROUND((j.gpu_count - {whole}) * 1000000) AS INTEGER)"
    return f"{elapsed} * {whole} + ({elapsed} * {millionths} + 500000) / 1000000"


def sqlite_microseconds(instant: str) -> str:
    # Only whole seconds: SQLite would round 59.999999 up to the next minute.
    seconds = f"CAST(STRFTIME('%s', SUBSTR({instant}, 1, 19)) AS INTEGER)"
    fraction = f"CAST(SUBSTR(SUBSTR({instant}, 21) || '000000', 1, 6) AS INTEGER)"
    return f"({seconds} * 1000000 + {fraction})"


def plain(key: str, value: Any) -> Any:
    """What SQLite gives as text, as the value that PostgreSQL gives."""
    if key == "day" and isinstance(value, str):
        return date.fromisoformat(value)
    if key in ("team", "job") and isinstance(value, str):
        return UUID(value)
    return bool(value) if key == "team_set_by_hand" else value


def sqlite_text(moment: datetime) -> str:
    """As SQLite stores it."""
    return str(moment.astimezone(UTC).replace(tzinfo=None))
