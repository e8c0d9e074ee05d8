"""The list of jobs: what it can be sorted by and its pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    Case,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Greatest, Least

from ..gpu_time import end_of_run
from ..models import Job
from ..models.calendar import midnight
from ..models.entities import JobQuerySet
from ..naming import DEFAULT_CLOCK, Names
from ..scope import Span
from .paging import Order, first_keys, loaded

NEWEST = "-start"
COLUMNS = {
    "team": "team__name",
    "model": "model_name",
    "gpu_type": "gpu_type",
    "gpus": "gpu_count",
    "provider": "provider",
    "status": "status",
    "start": "start_time",
    "end": "end_time",
}
SORTS = (*COLUMNS, "duration", "gpu_hours")
WITHOUT_VALUE = ("start", "end", "duration", "gpu_hours")  # some jobs have none of these
SHOWN = ("pk", "team_id", "team_name", *(c for name, c in COLUMNS.items() if name != "team"), "sort_value")
SORTED = 100_000  # more jobs than these come only in an order that an index has


def order_of(sort: str, jobs: QuerySet[Job], number: int, span: Span | None) -> Order | None:
    """None where the number of the jobs is such that they cannot be sorted by that."""
    name, descending = sort.lstrip("-"), sort.startswith("-")
    if name == "start":
        return Order(descending, nullable=span is None)
    if name == "end" and (number > SORTED or not jobs.query.where):
        return Order(descending)
    if number > SORTED:
        return None
    return Order(descending, indexed=False, nullable=name in WITHOUT_VALUE)


def shown(jobs: JobQuerySet) -> QuerySet[Any]:
    """What the list shows of each job, by name. Only of those on the page: to find them needs no team."""
    return jobs.with_team_name().values_list(*SHOWN, named=True)


def newest(jobs: JobQuerySet, upto: int, first: int = 0) -> list[Job]:
    """With their `team_name`."""
    rows = jobs.annotate(sort_value=F("start_time"))
    keys = first_keys(rows, Order(descending=True), upto)
    return loaded(rows.with_team_name().select_related("team"), keys[first:])


def sorted_by(sort: str, jobs: QuerySet[Job], names: Names, span: Span | None, at: datetime) -> QuerySet[Job]:
    """The jobs annotated with `sort_value`; running ones are measured at `at`."""
    name = sort.lstrip("-")
    if name in COLUMNS:
        return jobs.annotate(sort_value=F(COLUMNS[name]))
    start: Any = F("start_time")
    until: Any = Value(at, output_field=DateTimeField())
    if name == "gpu_hours" and span is not None:
        start, until = Greatest(start, edge(span, names, "start")), Least(until, edge(span, names, "end"))
    # Clipped within the branches: PostgreSQL's LEAST skips a null, so an unknown end would become the span's.
    ended: Any = Case(
        When(Q(start_time__gt=at) | Q(status="pending"), then=None),
        When(end_time__gte=F("start_time"), then=Least("end_time", until)),
        When(end_time__isnull=True, status="running", then=until),
        output_field=DateTimeField(),
    )
    if name == "duration":
        return jobs.annotate(sort_value=elapsed(start, ended))
    gpu_time = ExpressionWrapper(elapsed(start, ended) * F("gpu_count"), output_field=DurationField())
    return jobs.annotate(sort_value=gpu_time)


def elapsed(start: Any, end: Any) -> ExpressionWrapper:
    return ExpressionWrapper(end - start, output_field=DurationField())


def edge(span: Span, names: Names, side: str) -> Case:
    """The instant at which the span starts or ends by the clock of each job's provider."""
    whens = [
        When(provider__in=stored, then=Value(midnight(getattr(span, side), clock)))
        for clock, stored in names.spellings_by_clock().items()
        if clock != DEFAULT_CLOCK
    ]
    default = Value(midnight(getattr(span, side), DEFAULT_CLOCK))
    return Case(*whens, default=default, output_field=DateTimeField())


def duration(job: Job) -> timedelta | None:
    end = end_of_run(job)
    return None if end is None or job.start_time is None else end - job.start_time
