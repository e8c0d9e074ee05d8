"""PostgreSQL writes whole lines of the file of jobs by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    DateTimeField,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Greatest, Least

from .. import query_csv, workers
from ..databases import reading
from ..joblist import edge
from ..models import Job, Team
from ..naming import Names
from ..scope import Span

# The planner takes a limit that it cannot foresee for a tenth of the rows. So it walks an index in the order
# of the file where there is one, and the first row leaves at once, and sorts where a filter leaves few.
# Citus takes none but a number: it brings the rows of a part to the coordinator, and keeps their order.
ALL_ROWS = {"postgresql": "(SELECT 9223372036854775807)", "citus": "9223372036854775807"}
LINES = """
SELECT id, external_id, team, model_name, gpu_type, TRIM_SCALE(gpu_count), provider, status,
    CASE WHEN OCTET_LENGTH(began) = 19 THEN REPLACE(began, ' ', 'T') || 'Z'
         ELSE REPLACE(RPAD(began, 26, '0'), ' ', 'T') || 'Z' END,
    CASE WHEN OCTET_LENGTH(ended) = 19 THEN REPLACE(ended, ' ', 'T') || 'Z'
         ELSE REPLACE(RPAD(ended, 26, '0'), ' ', 'T') || 'Z' END,
    CASE WHEN MOD(ran, 1000000) = 0 THEN (ran / 1000000)::text ELSE TRIM_SCALE(ran * 0.000001)::text END,
    CASE WHEN {counted} > 0 THEN
        CASE WHEN {counted} < 9000000000000 AND MIN_SCALE(gpu_count) = 0
             THEN ({counted} * gpu_count::bigint + 1800) / 3600 * 0.000001
             ELSE DIV(ROUND({counted} * gpu_count) + 1800, 3600) * 0.000001 END
        ELSE 0.000000 END
FROM ({jobs} LIMIT {all_rows}) AS part
    (id, external_id, team, model_name, gpu_type, gpu_count, provider, status, began, ended, ran, counted)
"""
# More of them are joined: their names would take longer to plan than they save.
MOST_TEAMS = 500


class Microseconds(Func):
    """From the second instant to the first; a float holds those of 50 years to the last one."""

    template = "(DATE_PART('epoch', %(expressions)s) * 1000000)::bigint"
    arg_joiner = " - "
    output_field = BigIntegerField()


class ManyMicroseconds(Microseconds):
    template = "(EXTRACT(EPOCH FROM %(expressions)s) * 1000000)::bigint"


class AsText(Func):
    template = "%(expressions)s::timestamp::text"
    output_field = TextField()


def lines(parts: Sequence[QuerySet[Job]], names: Names, span: Span | None, at: datetime) -> Iterator[bytes]:
    """The parts are one query, hence of one moment."""
    measured = [values(jobs, names, span, at).query.sql_with_params() for jobs in parts]
    counted = "ran" if span is None else "counted"
    of_all = {"counted": counted, "all_rows": ALL_ROWS[workers.dialect(reading())]}
    sql = " UNION ALL ".join(LINES.format(jobs=jobs, **of_all) for jobs, _ in measured)
    return query_csv.copied(sql, [param for _, params in measured for param in params])


def values(jobs: QuerySet[Job], names: Names, span: Span | None, at: datetime) -> QuerySet[Job, Any]:
    """What LINES needs of each job. ran, counted: microseconds, NULL where a job's hours do not count."""
    gpu_types = sorted({gpu_type for provider, gpu_type in names.pairs if provider in names.cut_by})
    return jobs.annotate(
        team_name=name_of_team(list(Team.objects.order_by("pk").values_list("pk", "name")[: MOST_TEAMS + 1])),
        shown_gpu_type=shown("gpu_type", gpu_types, names.gpu_type),
        shown_provider=shown("provider", names.cut_by, names.provider),
        began=AsText("start_time"),
        ended=AsText("end_time"),
        ran=elapsed(F("start_time"), end_of_run(at), at),
        counted=counted_time(names, span, at) if span else Value(0),
    ).values_list(
        "id",
        "external_id",
        "team_name",
        "model_name",
        "shown_gpu_type",
        "gpu_count",
        "shown_provider",
        "status",
        "began",
        "ended",
        "ran",
        "counted",
    )


def name_of_team(teams: Sequence[tuple[UUID, str]]) -> Any:
    """A join would cost as much as all other cells together."""
    if len(teams) > MOST_TEAMS:
        return F("team__name")
    written_since = Subquery(Team.objects.order_by().filter(pk=OuterRef("team")).values("name"))
    return Coalesce(by_halves(teams), written_since, output_field=CharField()) if teams else written_since


def by_halves(teams: Sequence[tuple[UUID, str]]) -> Case:
    """The name of a job's team among these, which are sorted by key; NULL for any other."""
    middle = len(teams) // 2
    if middle < 4:
        return Case(*[When(team=pk, then=Value(name)) for pk, name in teams], output_field=CharField())
    first_half = When(team__lt=teams[middle][0], then=by_halves(teams[:middle]))
    return Case(first_half, default=by_halves(teams[middle:]), output_field=CharField())


def shown(column: str, stored: Iterable[str], display: Callable[[str], str]) -> Case:
    whens = [When(**{column: name}, then=Value(display(name))) for name in stored if display(name) != name]
    return Case(*whens, default=F(column), output_field=CharField())


def counted_time(names: Names, span: Span, at: datetime) -> Case:
    until = Least(Value(at, output_field=DateTimeField()), edge(span, names, "end"))
    return elapsed(Greatest("start_time", edge(span, names, "start")), end_of_run(at, until), at)


def end_of_run(at: datetime, cut: Any = None) -> Case:
    """gpu_time.end_of_run, at most `cut`: in each branch, since LEAST and GREATEST skip a null.

    Nearly all jobs meet the first condition.
    """
    ended = Q(end_time__gte=F("start_time")) & ~Q(status="pending")
    return Case(
        When(ended & Q(end_time__lte=at), then=Least("end_time", cut) if cut else F("end_time")),
        When(ended & Q(start_time__lte=at), then=cut or Value(at)),
        When(start_time__lte=at, end_time__isnull=True, status="running", then=cut or Value(at)),
        output_field=DateTimeField(),
    )


def elapsed(start: Any, end: Any, at: datetime) -> Case:
    recent = at - timedelta(days=50 * 365)
    return Case(
        When(start_time__gt=recent, then=Microseconds(end, start)), default=ManyMicroseconds(end, start)
    )
