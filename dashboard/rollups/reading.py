"""GPU time and jobs by day, hardware, team, status and model, from the smallest sums that know.

Ended jobs come from the sums and from what is noted and not yet settled. Jobs that still run, and those
whose end lies ahead, are few and come from `jobs` as of now. So every answer is that of the jobs, to the
microsecond.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import chain
from operator import add
from typing import Any
from uuid import UUID

from django.db.models import DateTimeField, Expression, Q, Value
from django.db.models.functions import Coalesce

from .. import gpu_time
from ..databases import database_id, reading
from ..models import Job
from ..models.among import among
from ..models.calendar import FIRST_INSTANT
from ..models.entities import AFTER_ALL, AMONG_UNUSUAL, TIMELESS, JobQuerySet
from ..models.overlap import looked_at
from ..models.rollups import NO_DAY
from ..naming import Names
from ..scope import ONE_DAY, Span, shift_month
from .cutting import MEASURES, held
from .unsettled import NOTED, Condition, if_any

KEYS = {
    "day": "day",
    "team": "team_id",
    "provider": "provider",
    "gpu_type": "gpu_type",
    "status": "status",
    "model": "model_name",
    "cluster": "cluster",
    "partition": "partition",
    "raw_gpu_type": "raw_gpu_type",
    "account": "account",
    "team_set_by_hand": "team_set_by_hand",
}
OF_JOBS = tuple(column for key, column in KEYS.items() if key != "day")
SAID = ("cluster", "partition", "raw_gpu_type", "account")  # by the log, or empty
OF_LOGS = (*SAID, "team", "provider", "gpu_type", "team_set_by_hand")
OF_MODELS, DAYS, MONTHS, LOGGED = "gpu_days_of_models", "gpu_days", "gpu_months", "logged_gpu_time"


@dataclass(frozen=True)
class Picked:
    """Jobs by what the sums know of them, as stored; an empty list of anything means any."""

    providers: Sequence[str] = ()
    gpu_types: Sequence[str] = ()
    teams: Sequence[UUID] = ()
    statuses: Sequence[str] = ()
    models: Sequence[str] = ()

    def jobs(self) -> JobQuerySet:
        jobs = Job.objects.on(self.providers, self.gpu_types)
        jobs = jobs.of_team(*self.teams) if self.teams else jobs
        jobs = jobs.with_status(*self.statuses) if self.statuses else jobs
        return jobs.filter(model_name__among=self.models) if self.models else jobs

    def among_few(self) -> JobQuerySet:
        """The same of the unusual jobs, said so that only their own index fits: any other holds millions."""
        chosen = {
            "provider": self.providers,
            "gpu_type": self.gpu_types,
            "team": self.teams,
        }
        jobs = Job.objects.all()
        if reading().vendor == "sqlite":  # which would take the index of all statuses
            chosen["status"] = self.statuses
        elif self.statuses:
            jobs = jobs.with_status(*self.statuses)
        conditions = {f"{name}__in": values for name, values in chosen.items() if values}
        if self.models:
            conditions["model_name__among"] = self.models
        return jobs.filter(looked_at(Q(**conditions))) if conditions else jobs

    def as_key(self) -> tuple[tuple[Any, ...], ...]:
        return tuple(tuple(values) for values in astuple(self))

    def conditions(self) -> Iterator[tuple[str, Sequence[Any]]]:
        """Column and the values that it may have."""
        teams = [database_id(team) for team in self.teams]
        chosen = (self.providers, self.gpu_types, teams, self.statuses, self.models)
        for key, values in zip(("provider", "gpu_type", "team", "status", "model"), chosen, strict=True):
            if values:
                yield KEYS[key], list(values)


@dataclass
class Sql:
    text: str
    params: list[Any]

    def __add__(self, other: Sql) -> Sql:
        return Sql(f"{self.text} UNION ALL {other.text}", [*self.params, *other.params])

    def where(self, condition: Condition) -> Sql:
        """Of a text that ends with its conditions: with this one too."""
        text, params = condition
        return Sql(f"{self.text} AND {text}", [*self.params, *params])


def pieces(
    keys: Sequence[str], picked: Picked, names: Names, span: Span | None = None
) -> list[tuple[Any, ...]]:
    """(one value per key …, GPU microseconds) in rows that are yet to be added up.

    For keys so fine that the database would sort the rows of years only to add up next to none.
    """
    return asked_once(read_pieces, keys, picked, names, span)


def asked_once(question: Any, keys: Sequence[str], picked: Picked, names: Names, span: Span | None) -> Any:
    asked = question, tuple(keys), picked.as_key(), span
    return names.once(asked, lambda: question(keys, picked, names, span))


def summed_by(keys: Sequence[str], picked: Picked, names: Names, span: Span | None) -> list[tuple[Any, ...]]:
    stale = names.stale_clocks()
    tables = summing_parts(keys, picked, span)
    ended = Ended(keys, picked, span, ", ".join(MEASURES), but=stale).parts(tables, names)
    live = going_on(keys, picked, names, span, but=stale)
    known = rows_of(keys, ended + live, MEASURES)
    if not stale:
        return known
    return added(keys, known, gpu_time.measured(keys, picked.jobs().filter(provider__in=stale), names, span))


def read_pieces(
    keys: Sequence[str], picked: Picked, names: Names, span: Span | None
) -> list[tuple[Any, ...]]:
    stale = names.stale_clocks()
    tables = summing_parts(keys, picked, span)
    ended = Ended(keys, picked, span, "microseconds", but=stale).parts(tables, names)
    live = going_on(keys, picked, names, span, but=stale)
    columns = ", ".join([*(KEYS[key] for key in keys), "microseconds"])
    live.text = f"SELECT {columns} FROM ({live.text}) AS live"
    source = ended + live
    known = fetched(keys, source.text, source.params)
    if not stale:
        return known
    jobs = picked.jobs().filter(provider__in=stale)
    return known + [row[: len(keys) + 1] for row in gpu_time.measured(keys, jobs, names, span)]


def added(keys: Sequence[str], *parts: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of keys and measures, each key once."""
    width, found = len(keys), dict[tuple[Any, ...], tuple[int, ...]]()
    for row in chain(*parts):
        key, sums = row[:width], row[width:]
        found[key] = tuple(map(add, found[key], sums)) if key in found else sums
    return [(*key, *sums) for key, sums in found.items() if any(sums)]


def counted_by(keys: Sequence[str], picked: Picked, names: Names, span: Span | None) -> list[tuple[Any, ...]]:
    return rows_of(keys, counting(keys, picked, names, span), ["jobs"])


def by_log(names: Names) -> list[tuple[Any, ...]]:
    """(cluster, partition, GPU type in the log, account, team, provider, GPU type, whether the team was set
    by hand, GPU microseconds, jobs) of all jobs, as of now.
    """
    measures = "microseconds, jobs"
    settled, since = (
        Sql(f"SELECT {listed(OF_LOGS)}{measures} FROM {table} WHERE 1 = 1", []) for table in (LOGGED, NOTED)
    )
    live = going_on(OF_LOGS, Picked(), names, None)  # their number is known already
    live.text = (
        f"SELECT {', '.join(KEYS[key] for key in OF_LOGS)}, microseconds, 0 FROM ({live.text}) AS live"
    )
    return rows_of(OF_LOGS, settled + since.where(if_any(names)) + live, measures.split(", "))


def in_several_logs() -> list[tuple[UUID, str, str]]:
    """Each (team, provider, GPU type) whose jobs are of more than one cluster's log, or some of none."""
    rows = " UNION ALL ".join(
        f"SELECT {listed(['team', 'provider', 'gpu_type', 'cluster'])}has_external_id, jobs FROM {table}"
        for table in (LOGGED, "gpu_time_changes")
    )
    logs = f"""
        SELECT team_id, provider, gpu_type, cluster, has_external_id FROM ({rows}) AS noted
        GROUP BY team_id, provider, gpu_type, cluster, has_external_id HAVING SUM(jobs) > 0"""
    with reading().cursor() as cursor:
        cursor.execute(f"""
            SELECT team_id, provider, gpu_type FROM ({logs}) AS logs GROUP BY team_id, provider, gpu_type
            HAVING COUNT(DISTINCT COALESCE(cluster, '')) > 1
                OR COUNT(CASE WHEN NOT has_external_id THEN 1 END) > 0""")
        return [(gpu_time.plain("team", team), *hardware) for team, *hardware in cursor.fetchall()]


def count_models(picked: Picked, names: Names, span: Span | None = None) -> dict[UUID, int]:
    """Of the jobs that overlap the span, by team."""
    counted, keys = counting(["team", "model"], picked, names, span), ["team", "model"]
    sql, params = summed(keys, counted, ["jobs"])
    with reading().cursor() as cursor:
        cursor.execute(f"SELECT team_id, COUNT(*) FROM ({sql}) AS models GROUP BY team_id", params)
        return {gpu_time.plain("team", team): number for team, number in cursor.fetchall()}


# A job that began before the span counts on the span's first day, any other on its own.
COUNTED = "CASE WHEN day = {first} THEN job_days ELSE jobs END AS jobs"


# Sums


def counting(keys: Sequence[str], picked: Picked, names: Names, span: Span | None) -> Sql:
    stale = names.stale_clocks() if span else {}
    tables = counting_parts(keys, picked, span)
    counted = Ended(keys, picked, span, COUNTED if span else "jobs", but=stale).parts(tables, names)
    if span is None:
        return counted
    clocks = names.spellings_by_clock()
    timeless = picked.among_few().order_by().unusual_within(span, clocks).filter(TIMELESS)
    counted += each(keys, timeless.exclude(provider__in=stale))
    of_stale = picked.jobs().order_by().within(span, clocks).filter(provider__in=stale)
    return counted + each(keys, of_stale) if stale else counted


def rows_of(keys: Sequence[str], source: Sql, measures: Sequence[str]) -> list[tuple[Any, ...]]:
    return fetched(keys, *summed(keys, source, measures))


def fetched(keys: Sequence[str], sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    with reading().cursor() as cursor:
        cursor.execute(sql, params)
        found = cursor.fetchall()
    if reading().vendor == "postgresql":
        return found
    columns = list(zip(*found, strict=True))
    for place, key in enumerate(keys if found else ()):
        columns[place] = plain_column(key, columns[place])
    return list(zip(*columns, strict=True))


def plain_column(key: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """Days and ids are text on SQLite; each of the few is read once."""
    plain = {value: gpu_time.plain(key, value) for value in set(values)}
    return tuple(plain[value] for value in values)


def summed(keys: Sequence[str], source: Sql, measures: Sequence[str]) -> tuple[str, list[Any]]:
    grouped = ", ".join(KEYS[key] for key in keys)
    sums = ", ".join(f"CAST(SUM({name}) AS BIGINT) AS {name}" for name in measures)
    picked = ", ".join(filter(None, (grouped, sums)))
    group = f" GROUP BY {grouped}" if keys else ""
    some = " OR ".join(f"SUM({name}) <> 0" for name in measures)
    return f"SELECT {picked} FROM ({source.text}) AS parts{group} HAVING {some}", source.params


Part = tuple[str, Span | None]  # a table, and which of its days


def summing_parts(keys: Sequence[str], picked: Picked, span: Span | None) -> list[Part]:
    if "day" in keys or picked.models or "model" in keys:
        return [(days_for(keys, picked), span)]
    return [(MONTHS, None)] if span is None else by_months(days_for(keys, picked), span, span.start)


def counting_parts(keys: Sequence[str], picked: Picked, span: Span | None) -> list[Part]:
    if picked.models or "model" in keys:
        return [(OF_MODELS, span)]
    # The first day is told from the others, so no month may hold it.
    return [(MONTHS, None)] if span is None else by_months(days_for(keys, picked), span, span.start + ONE_DAY)


def days_for(keys: Sequence[str], picked: Picked) -> str:
    finer = picked.models or picked.statuses or {"model", "status"} & set(keys)
    return OF_MODELS if finer else DAYS


def by_months(days: str, span: Span, since: date) -> list[Part]:
    """The span's days before its whole months, these months, and the days after."""
    first = since if since.day == 1 else shift_month(since.replace(day=1), 1)
    last = span.end.replace(day=1)
    if first >= last:
        return [(days, span)]
    return [(days, Span(span.start, first)), (MONTHS, Span(first, last)), (days, Span(last, span.end))]


@dataclass(frozen=True)
class Ended:
    """Of the jobs that have ended: the settled rows, and those noted since.

    span: all that is asked for, of which a table has some days. but: providers that are read elsewhere.
    """

    keys: Sequence[str]
    picked: Picked
    span: Span | None
    measures: str
    but: Collection[str] = ()

    def parts(self, tables: list[Part], names: Names) -> Sql:
        settled = [(table, days) for table, days in tables if days is None or days.length] or tables[:1]
        noted = self.part(NOTED, self.span).where(if_any(names))
        return union([*(self.part(table, days) for table, days in settled), noted])

    def part(self, table: str, days: Span | None) -> Sql:
        where, params = ["1 = 1"], []
        measures = self.measures
        if "{first}" in measures and self.span:
            measures, params = measures.format(first="%s"), [self.span.start.isoformat()]
        if days is not None:
            where.append("day >= %s AND day < %s")
            params += [days.start.isoformat(), days.end.isoformat()]
        elif not self.counts_what_has_no_day:
            where.append(f"day > '{NO_DAY}'")
        for column, values in self.picked.conditions():
            condition, given = among(column, values, reading().vendor)
            where.append(condition)
            params += given
        if self.but:
            where.append(f"provider NOT IN ({', '.join(['%s'] * len(self.but))})")
            params += self.but
        return Sql(f"SELECT {listed(self.keys)}{measures} FROM {table} WHERE {' AND '.join(where)}", params)

    @property
    def counts_what_has_no_day(self) -> bool:
        return self.span is None and self.measures == "jobs"


def union(found: Iterable[Sql]) -> Sql:
    first, *others = found
    for other in others:
        first += other
    return first


def listed(keys: Sequence[str], alias: str = "") -> str:
    """Columns of a SELECT that measures follow; what a log did not say is empty in every table."""
    plain = {key: f"{alias}{column}" for key, column in KEYS.items()}
    said = {key: f"COALESCE({plain[key]}, '') AS {key}" for key in SAID}
    return "".join(f"{(plain | said)[key]}, " for key in keys)


# Jobs themselves


def each(keys: Sequence[str], jobs: JobQuerySet) -> Sql:
    sql, params = jobs.values(*OF_JOBS).query.sql_with_params()
    return Sql(f"SELECT {listed(keys)}1 AS jobs FROM ({sql}) AS j", list(params))


# Said so that only the index of unusual jobs fits: an index on ends holds all that have none.
RUNNING = AMONG_UNUSUAL & Q(status="running", until=AFTER_ALL, start_time__isnull=False)


AT = object()  # in the place of a moment that is yet to be told
FEW_NAMES = 50  # of models: a search may find thousands, and another one others, which nobody asks for again


class Moment(Expression):
    output_field = DateTimeField()

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [AT]


IN_TIME = ("start_time", "end_time", "gpu_count", *OF_JOBS)


def that_go_on(picked: Picked, names: Names, but: Iterable[str]) -> tuple[datetime, Sql]:
    """Jobs that run at the moment, or will: the same moment for all figures of a page. but: providers."""
    at = names.moment()
    moment = at if reading().vendor == "postgresql" else gpu_time.sqlite_text(at)
    make = going_on_at_any_moment if len(picked.models) <= FEW_NAMES else going_on_at_any_moment.__wrapped__
    text, params = make(reading().vendor, picked.as_key(), tuple(but))
    return at, Sql(text, [moment if one is AT else one for one in params])


@lru_cache(maxsize=500)
def going_on_at_any_moment(
    vendor: str, picked: tuple[tuple[Any, ...], ...], but: tuple[str, ...]
) -> tuple[str, tuple[Any, ...]]:
    """The SQL, with AT among its parameters: to make it takes Django longer than the database to answer."""
    jobs = Picked(*picked).among_few().alias(until=Coalesce("end_time", Value(AFTER_ALL)))
    jobs = jobs.filter(RUNNING | Q(end_time__gt=Moment())).exclude(provider__in=but)
    jobs = jobs.filter(looked_at(Q(start_time__gte=FIRST_INSTANT) & ~Q(status="pending")))
    return jobs.order_by().values(*IN_TIME).query.sql_with_params()


def going_on(
    keys: Sequence[str], picked: Picked, names: Names, span: Span | None, but: Iterable[str] = ()
) -> Sql:
    """What running jobs add as of now; less what those whose end lies ahead will have added by then.

    but: providers, as stored, whose jobs are left out.
    """
    (at, jobs), vendor = that_go_on(picked, names, but), reading().vendor
    clock, clock_params = gpu_time.clock_of_provider(names)
    moment = at if vendor == "postgresql" else gpu_time.sqlite_text(at)
    later, sooner = gpu_time.LATEST[vendor], gpu_time.EARLIEST[vendor]
    began = f"{later}(j.start_time, d.starts_at)"
    so_far = gpu_time.piece(began, f"{sooner}(j.upto, d.ends_at)")
    whole = gpu_time.piece(began, f"{sooner}(j.end_time, d.ends_at)")
    within, days = gpu_time.days_within(span, vendor)
    columns = ", ".join(f"q.{name}" for name in IN_TIME)
    text = f"""
        SELECT {"".join(listed([key], "d." if key == "day" else "j.") for key in keys)}
            CAST(CASE WHEN j.upto > d.starts_at AND j.upto > j.start_time THEN {so_far} ELSE 0 END
                - CASE WHEN j.held = 1 THEN {whole} ELSE 0 END AS BIGINT) AS microseconds,
            j.begun * CASE WHEN j.upto > d.starts_at THEN 1 ELSE 0 END
                - j.held * CASE WHEN j.end_time > d.starts_at THEN 1 ELSE 0 END AS job_days,
            (j.begun - j.held) * CASE WHEN j.start_time >= d.starts_at THEN 1 ELSE 0 END AS jobs
        FROM (SELECT {columns},
                CASE WHEN {held("q", vendor)} THEN 1 ELSE 0 END AS held,
                CASE WHEN q.start_time <= {{at}} THEN 1 ELSE 0 END AS begun,
                {later}(q.start_time, {sooner}(COALESCE(q.end_time, {{at}}), {{at}})) AS upto,
                {later}(q.start_time, COALESCE(q.end_time, {{at}})) AS ended
            FROM ({{jobs}}) AS q) AS j
        {gpu_time.with_days(clock, vendor)}
        WHERE (d.starts_at < j.ended OR j.ended = j.start_time){within}"""
    return Sql(text.format(at="%s", jobs=jobs.text), [moment] * 4 + jobs.params + clock_params + days)
