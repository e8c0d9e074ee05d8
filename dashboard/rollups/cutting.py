"""SQL that cuts jobs into the rows of the roll-ups; triggers, rebuilding and verifying share it.

Most jobs begin and end on one UTC day of a provider that bills by UTC: those need no look at the calendar.
"""

from __future__ import annotations

from ..models.calendar import FIRST_INSTANT, LAST_INSTANT
from ..models.rollups import NO_DAY

SUBJECTS = (
    "team_id",
    "provider",
    "gpu_type",
    "model_name",
    "status",
    "cluster",
    "partition",
    "raw_gpu_type",
    "account",
    "team_set_by_hand",
    "has_external_id",
)
MEASURES = ("microseconds", "job_days", "jobs")
COLUMNS = ("day", *SUBJECTS, *MEASURES)
# What a change of a job's row must touch to change a sum.
WATCHED = (*SUBJECTS[:-1], "external_id", "start_time", "end_time", "gpu_count")

BEFORE_CALENDAR, AFTER_CALENDAR = f"{FIRST_INSTANT:%Y-%m-%d}", f"{LAST_INSTANT:%Y-%m-%d}"
ZONE = {"postgresql": " 00:00:00+00", "sqlite": " 00:00:00"}


def columns(names: tuple[str, ...] = COLUMNS, alias: str = "") -> str:
    return ", ".join(f'{alias}."{name}"' if alias else f'"{name}"' for name in names)


INTO_CHANGES = f"INSERT INTO gpu_time_changes ({columns()})"


def subjects(alias: str) -> str:
    return f'{columns(SUBJECTS[:-1], alias)}, {alias}.external_id IS NOT NULL AS "has_external_id"'


def held(alias: str, vendor: str) -> str:
    """SQL: the job's hours are known and will not change by themselves."""
    first, last = (f"'{day}{ZONE[vendor]}'" for day in (BEFORE_CALENDAR, AFTER_CALENDAR))
    return (
        f"({alias}.end_time IS NOT NULL AND {alias}.start_time IS NOT NULL AND {alias}.status <> 'pending' "
        f"AND {alias}.end_time >= {alias}.start_time "
        f"AND {alias}.start_time >= {first} AND {alias}.end_time < {last})"
    )


def changes(vendor: str, *signed: tuple[str, int]) -> str:
    """SQL: the summed rows of these tables of jobs, each by its sign; none that is nought."""
    pieces = " UNION ALL ".join(PIECES[vendor](source, sign) for source, sign in signed)
    sums = ", ".join(f"SUM({name}) AS {name}" for name in MEASURES)
    nought = " OR ".join(f"SUM({name}) <> 0" for name in MEASURES)
    keys = columns(("day", *SUBJECTS))
    return f"SELECT {keys}, {sums} FROM ({pieces}) AS pieces GROUP BY {keys} HAVING {nought}"


def on_postgresql(source: str, sign: int) -> str:
    return f"""
    SELECT p.day, {subjects("j")},
        {sign} * p.microseconds AS microseconds, {sign} * p.job_days AS job_days, {sign} * p.jobs AS jobs
    FROM (SELECT {columns(WATCHED, "t")}, {held("t", "postgresql")} AS held,
            (t.start_time AT TIME ZONE 'UTC')::date AS first_day,
            (t.end_time AT TIME ZONE 'UTC')::date AS last_day FROM {source} t OFFSET 0) j
    LEFT JOIN provider_clocks c ON c.provider = j.provider
    CROSS JOIN LATERAL (
        SELECT DATE '{NO_DAY}' AS day, 0::bigint AS microseconds, 0 AS job_days, 1 AS jobs
        WHERE j.held IS NOT TRUE
        UNION ALL
        SELECT j.first_day, {gpu_microseconds("j.start_time", "j.end_time")},
            (j.end_time > j.first_day::timestamp AT TIME ZONE 'UTC')::int, 1
        WHERE j.held AND c.clock IS NULL AND j.first_day = j.last_day
        UNION ALL
        SELECT d.day,
            {gpu_microseconds("GREATEST(j.start_time, d.starts_at)", "LEAST(j.end_time, d.ends_at)")},
            (j.end_time > d.starts_at)::int, (j.start_time >= d.starts_at)::int
        FROM bill_days d
        WHERE j.held AND (c.clock IS NOT NULL OR j.first_day <> j.last_day)
            AND d.clock = COALESCE(c.clock, 'UTC') AND d.starts_at > j.start_time - interval '26 hours'
            AND d.starts_at <= j.end_time AND d.ends_at > j.start_time
            AND (d.starts_at < j.end_time OR j.end_time = j.start_time)
    ) p"""


def gpu_microseconds(start: str, end: str) -> str:
    """PostgreSQL: a double holds any job's microseconds exactly, and is many times quicker than a numeric."""
    return f"ROUND((date_part('epoch', {end} - {start}) * 1000000)::bigint * j.gpu_count)::bigint"


def on_sqlite(source: str, sign: int) -> str:
    from ..gpu_time import sqlite_piece

    piece = sqlite_piece("MAX(j.start_time, d.starts_at)", "MIN(j.end_time, d.ends_at)")
    known, first_day = held("j", "sqlite"), "substr(j.start_time, 1, 10)"
    within = f"c.clock IS NULL AND {first_day} = substr(j.end_time, 1, 10)"
    jobs = f"{source} j LEFT JOIN provider_clocks c ON c.provider = j.provider"
    return f"""
    SELECT '{NO_DAY}' AS day, {subjects("j")}, 0 AS microseconds, 0 AS job_days, {sign} AS jobs
    FROM {source} j WHERE {known} IS NOT TRUE
    UNION ALL
    SELECT {first_day}, {subjects("j")}, {sign} * ({sqlite_piece("j.start_time", "j.end_time")}),
        {sign} * (j.end_time > {first_day} || '{ZONE["sqlite"]}'), {sign}
    FROM {jobs} WHERE {known} AND {within}
    UNION ALL
    SELECT d.day, {subjects("j")}, {sign} * ({piece}),
        {sign} * (j.end_time > d.starts_at), {sign} * (j.start_time >= d.starts_at)
    FROM {jobs} CROSS JOIN bill_days d ON d.clock = COALESCE(c.clock, 'UTC')
        AND d.starts_at > datetime(j.start_time, '-26 hours')
        AND d.starts_at <= j.end_time AND d.ends_at > j.start_time
    WHERE {known} AND NOT ({within}) AND (d.starts_at < j.end_time OR j.end_time = j.start_time)"""


def on_citus(source: str, sign: int) -> str:
    """Plain joins with tables that each worker holds, summed there: nothing of it looks back at the job."""
    known = held("j", "postgresql")
    first_day, last_day = (f"(j.{edge}_time AT TIME ZONE 'UTC')::date" for edge in ("start", "end"))
    jobs = f"{source} j LEFT JOIN provider_clocks c ON c.provider = j.provider"
    within = f"{known} AND c.clock IS NULL AND {first_day} = {last_day}"
    spent = gpu_microseconds("j.start_time", "j.end_time")
    piece = gpu_microseconds("GREATEST(j.start_time, d.starts_at)", "LEAST(j.end_time, d.ends_at)")
    days = (
        f"{jobs} JOIN bill_days d ON d.clock = COALESCE(c.clock, 'UTC') "
        "AND d.starts_at > j.start_time - interval '26 hours' AND d.starts_at <= j.end_time "
        "AND d.ends_at > j.start_time AND (d.starts_at < j.end_time OR j.end_time = j.start_time)"
    )
    return " UNION ALL ".join(
        [
            summed(sign, f"DATE '{NO_DAY}'", ("0", "0", "1"), f"{source} j", f"{known} IS NOT TRUE"),
            summed(
                sign,
                first_day,
                (spent, f"(j.end_time > {first_day}::timestamp AT TIME ZONE 'UTC')::int", "1"),
                jobs,
                within,
            ),
            summed(
                sign,
                "d.day",
                (piece, "(j.end_time > d.starts_at)::int", "(j.start_time >= d.starts_at)::int"),
                days,
                f"{known} AND (c.clock IS NOT NULL OR {first_day} <> {last_day})",
            ),
        ]
    )


def summed(sign: int, day: str, measures: tuple[str, ...], source: str, where: str) -> str:
    sums = ", ".join(f"{sign} * SUM({sql}) AS {name}" for name, sql in zip(MEASURES, measures, strict=True))
    places = ", ".join(str(place + 1) for place in range(len(SUBJECTS) + 1))
    return f'SELECT {day} AS "day", {subjects("j")}, {sums} FROM {source} WHERE {where} GROUP BY {places}'


PIECES = {"postgresql": on_postgresql, "sqlite": on_sqlite, "citus": on_citus}
