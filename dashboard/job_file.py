"""The file of jobs: every job of the list with its display names, duration and GPU-hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from .gpu_time import job_gpu_hours, six_decimals
from .joblist import duration
from .models import Job
from .naming import Names
from .scope import Span

COLUMNS = (
    "id",
    "job_id",
    "team",
    "model_name",
    "gpu_type",
    "gpu_count",
    "provider",
    "status",
    "start_time",
    "end_time",
    "duration_seconds",
    "job_gpu_hours",
)


def rows_of(jobs: QuerySet[Job], names: Names, span: Span | None) -> Iterator[tuple[Any, ...]]:
    for job in jobs.select_related("team").iterator(chunk_size=2000):
        ran = duration(job)
        yield (
            str(job.pk),
            job.external_id,
            job.team.name,
            job.model_name,
            names.gpu_type(job.gpu_type),
            plain_number(job.gpu_count),
            names.provider(job.provider),
            job.status,
            job.start_time,
            job.end_time,
            None if ran is None else plain_number(Decimal(ran // timedelta(microseconds=1)).scaleb(-6)),
            rounded_hours(job, names, span),
        )


def rounded_hours(job: Job, names: Names, span: Span | None) -> Decimal:
    return six_decimals(job_gpu_hours(job, span, names.clock(job.provider)))


def plain_number(number: Decimal) -> Decimal:
    """2.500000 as 2.5, 100 as 100 and never 1E+2."""
    short = number.normalize()
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short
