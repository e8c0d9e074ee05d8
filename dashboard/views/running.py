"""What runs now, what it cost so far and what every further hour costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ..access import viewing_own_teams
from ..clock import today
from ..counted import counted
from ..gpu_time import six_decimals
from ..money import to_cents
from ..reports.job_cost import RunningJob, running_jobs
from ..scope import Span
from ..tables import RunningTable
from ..templatetags import ui
from .asked import Asked, figure
from .how import How
from .kept import kept
from .measures import how_now

USES = ["provider", "gpu_type", "team", "model", "basis"]
COLUMNS = (
    "id",
    "team",
    "model",
    "provider",
    "gpu_type",
    "gpus",
    "start",
    "gpu_hours",
    "usd_per_hour",
    "cost_usd",
    "estimated_usd",
)
ZERO = Decimal("0.00")


@viewing_own_teams
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, USES, fixed=lambda _: Span.inclusive(today(), today()))
    found = running_jobs(asked.scope, asked.names)
    table = asked.sorted(RunningTable(found, names=asked.names))
    so_far = sum((row.usd or ZERO for row in found), ZERO)
    if answer := asked.export("running", COLUMNS, lambda: file_rows(asked, table), f"{so_far} USD"):
        return answer
    context = asked.context(
        figures=figures(asked, found, so_far) if found else [],
        table=asked.one_page(table),
        total=so_far,
        how_running=how_running(asked, found),
    )
    return render(request, "dashboard/running.html", context)


def file_rows(asked: Asked, table: RunningTable) -> list[tuple[Any, ...]]:
    return [file_row(asked, row.record) for row in table.rows]


def file_row(asked: Asked, row: RunningJob) -> tuple[Any, ...]:
    job, hourly = row.job, row.usd_per_hour
    return (
        str(job.pk),
        job.team.name,
        job.model_name,
        asked.names.provider(job.provider),
        asked.names.gpu_type(job.gpu_type),
        job.gpu_count,
        job.start_time,
        six_decimals(row.gpu_hours),
        None if hourly is None else six_decimals(hourly),
        row.usd,
        row.estimated,
    )


def how_running(asked: Asked, found: list[RunningJob]) -> How:
    return asked.how("running-cost", rows=counted(len(found), "running job"), rows_url="#rows")


def figures(asked: Asked, found: list[RunningJob], so_far: Decimal) -> list[dict[str, Any]]:
    hourly = sum((row.usd_per_hour or ZERO for row in found), ZERO)
    estimated = sum((row.estimated or ZERO for row in found), ZERO)
    unpriced = sum(1 for row in found if row.usd is None)
    how = how_running(asked, found)
    return [
        figure(
            "Running jobs",
            ui.count(len(found)),
            f"{unpriced} without a known price" if unpriced else "",
            how=how_now("running", rows=counted(len(found), "job"), rows_url="#rows"),
        ),
        figure("Cost of another hour", ui.usd(to_cents(hourly)), "at the last known prices", how=how),
        figure("Cost so far", ui.usd(so_far), f"{ui.usd(estimated)} of it estimated", how=how),
    ]
