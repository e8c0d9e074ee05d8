"""Jobs that are likely stuck: they run longer than others of their kind, or their times belie the status."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from ..clock import now, today
from ..databases import database_id, reading
from ..gpu_time import MICROSECOND, sqlite_microseconds
from ..models import Job
from ..models.calendar import midnight
from ..naming import Names
from ..remembered import until_written
from ..scope import Scope
from .job_cost import TOLD, BeforeToday, RunningJob, began, that_run
from .job_time import jobs_of, picked

NEWEST, FEWEST = 300, 100  # finished runs that a percentile is taken of
LATELY = timedelta(days=183)  # before today, in which they began
MOST_KINDS, MOST_LISTED = 400, 5_000
ROWS_OF_ONE_BELIED = 8  # that a remembered one weighs as much as; a full list of them fits
TOO_LONG, HAS_END, NO_END, HAS_START = "too-long", "running-with-end", "no-end", "pending-with-start"
BELIED = (HAS_END, NO_END, HAS_START)  # also checks of data quality, by these names
Kind = tuple[UUID, str]  # team and model


@dataclass(frozen=True, slots=True)
class Usual:
    """The 99th percentile of how long the newest finished runs took, and how many these are."""

    runs: int
    length: timedelta


@dataclass(frozen=True, slots=True)
class Stuck:
    """why: one of the reasons above. usual: only where it runs too long. usd: so far; None where unknown."""

    job: Job
    why: str
    since: datetime
    usual: Usual | None = None
    gpu_hours: Decimal | None = None
    usd: Decimal | None = None
    usd_per_hour: Decimal | None = None


@dataclass(frozen=True)
class StuckJobs:
    """unjudged: running jobs whose team and model have too few finished runs for a claim."""

    jobs: list[Stuck]
    running: int
    unjudged: int
    left_out: bool

    @property
    def usd(self) -> Decimal:
        return sum((one.usd for one in self.jobs if one.usd is not None), Decimal("0.00"))

    @property
    def usd_per_hour(self) -> Decimal:
        return sum((one.usd_per_hour for one in self.jobs if one.usd_per_hour is not None), Decimal(0))


def stuck_jobs(scope: Scope, names: Names) -> StuckJobs:
    """As of now, whatever the days of the scope: the dearest by the hour first, then the longest stuck."""
    running, at = that_run(scope, names)
    by_kind = kinds_of(running)
    # Of the kinds that began first: one statement takes no more of them.
    usual = usual_lengths(list(by_kind)[:MOST_KINDS])
    too_long = [
        stuck(one.as_of(at), known)
        for kind, known in usual.items()
        for one in by_kind[kind]
        if at - began(one.job) > known.length
    ]
    belied = status_belied(scope, names)
    found = too_long + belied[:MOST_LISTED]
    judged = sum(len(by_kind[kind]) for kind in usual)
    ordered = sorted(found, key=lambda one: (-(one.usd_per_hour or 0), one.since, str(one.job.pk)))
    return StuckJobs(ordered, len(running), len(running) - judged, len(belied) > MOST_LISTED)


def kinds_of(running: Iterable[BeforeToday]) -> dict[Kind, list[BeforeToday]]:
    """The jobs of each kind, by the first start among them."""
    by_kind: defaultdict[Kind, list[BeforeToday]] = defaultdict(list)
    for one in sorted(running, key=lambda one: began(one.job)):
        by_kind[one.job.team_id, one.job.model_name].append(one)
    return by_kind


def stuck(one: RunningJob, usual: Usual) -> Stuck:
    return Stuck(one.job, TOO_LONG, began(one.job), usual, one.gpu_hours, one.usd, one.usd_per_hour)


def status_belied(scope: Scope, names: Names) -> list[Stuck]:
    """The newest of them; which they are is known until something is written."""

    def read() -> list[Job]:
        jobs = jobs_of(scope.but(quality=BELIED), names).select_related("team").only(*TOLD)
        return list(jobs.newest_first()[: MOST_LISTED + 1])

    asked = "status belied", picked(scope, names).as_key(), scope.q
    jobs = until_written(asked, read, weight=ROWS_OF_ONE_BELIED)
    return [Stuck(job, why(job), job.start_time or now()) for job in jobs]


def why(job: Job) -> str:
    if job.status == "running":
        return HAS_END
    return HAS_START if job.status == "pending" else NO_END


# How long such jobs usually run


def usual_lengths(kinds: Iterable[Kind]) -> dict[Kind, Usual]:
    """Of each kind with enough finished runs."""
    asked = sorted(kinds, key=lambda kind: (kind[0].int, kind[1]))
    if not asked:
        return {}
    lately = midnight(today() - LATELY, "UTC")
    known_by = [(team.int, model) for team, model in asked]
    return until_written(("usual lengths", known_by, lately), lambda: newest_lengths(asked, lately))


def newest_lengths(asked: list[Kind], lately: datetime) -> dict[Kind, Usual]:
    """One statement that reads the newest runs of each kind by index."""
    newest = " UNION ALL ".join(newest_runs(place) for place in range(len(asked)))
    sql = f"""
        SELECT place, runs, length FROM (
            SELECT place, length, COUNT(*) OVER (PARTITION BY place) AS runs,
                ROW_NUMBER() OVER (PARTITION BY place ORDER BY length) AS nth
            FROM ({newest}) AS newest
        ) AS ranked WHERE runs >= {FEWEST} AND nth = (99 * runs + 99) / 100"""
    since = reading().ops.adapt_datetimefield_value(lately)
    params = [value for team, model in asked for value in (model, database_id(team), since)]
    return {
        asked[place]: Usual(runs, int(length) * MICROSECOND) for place, runs, length in fetched(sql, params)
    }


def newest_runs(place: int) -> str:
    """SQL: how many microseconds each of the newest finished runs of a kind took.

    They are found in the index on models alone, which knows no ends; only those are looked up then.
    """
    return f"""SELECT {place} AS place, {elapsed()} AS length FROM jobs
        WHERE end_time >= start_time AND id IN (SELECT id FROM (
            SELECT id FROM jobs
            WHERE model_name = %s AND team_id = %s AND status IN ('completed', 'failed', 'cancelled')
                AND start_time >= %s
            ORDER BY start_time DESC, id DESC LIMIT {NEWEST}) AS kind{place})"""


def elapsed() -> str:
    if reading().vendor == "postgresql":
        return "ROUND(EXTRACT(EPOCH FROM end_time - start_time) * 1000000)"
    return f"({sqlite_microseconds('end_time')} - {sqlite_microseconds('start_time')})".replace("%", "%%")


def fetched(sql: str, params: Sequence[object]) -> list[tuple[int, int, int]]:
    with reading().cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
