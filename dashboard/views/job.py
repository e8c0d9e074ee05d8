"""Everything about one job: what the log says, its hours by day and what it cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from .. import gpu_time, joblist
from ..access import teams_of, viewing_own_teams
from ..clock import now
from ..exports import plain_number
from ..filters import query
from ..models import Job
from ..naming import Names
from ..periods import in_words
from ..reports.job_cost import JobCost, job_cost
from ..scope import Span
from ..tables import duration_in_words, moment
from ..templatetags import ui
from .asked import figure, help_link
from .how import how

DAYS_OF_CLOCK = "of the provider’s bill clock, {}"
DAYS_LISTED = 400


@viewing_own_teams
@require_safe
def page(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    job = get_object_or_404(Job.objects.select_related("team", "imported_by"), pk=pk)
    names = Names.load()
    clock = names.clock(job.provider)
    cost = job_cost(job, names)
    context = {
        "job": job,
        "provider": names.provider(job.provider),
        "gpu_type": names.gpu_type(job.gpu_type),
        "clock": clock,
        "facts": facts(job),
        "hours": gpu_time.job_gpu_hours(job),
        "cost": cost,
        "days": cost.days[-DAYS_LISTED:],
        "is_limited": teams_of(request.user) is not None,
        "days_listed": DAYS_LISTED,
        "figures": figures(job, cost, clock, names.gpu_type(job.gpu_type)),
        "basis": settings.HELIOX_COST_BASIS,
        "oddity": oddity(job),
        "same_model": reverse("jobs") + query(model=job.model_name),
        "same_team": reverse("jobs") + query(team=job.team_id),
        "help_url": help_link("job-hours"),
        "crumbs": [{"label": "Jobs", "url": reverse("jobs")}, {"label": str(job), "url": None}],
    }
    return render(request, "dashboard/job.html", context)


def facts(job: Job) -> list[tuple[str, Any]]:
    """What the log and the database say, without what they do not know."""
    waited = job.start_time - job.submit_time if job.start_time and job.submit_time else None
    said = [
        ("Submitted", job.submit_time and moment(job.submit_time)),
        ("Start", moment(job.start_time)),
        ("End", moment(job.end_time)),
        ("Duration", duration_in_words(joblist.duration(job))),
        ("Waited", waited and duration_in_words(waited)),
        ("Scheduler’s id", job.external_id),
        ("Cluster", job.cluster),
        ("Partition", job.partition),
        ("Account", job.account),
        ("Submitted by", job.submitted_by),
        ("GPU type in the log", job.raw_gpu_type),
        ("GPUs in the log", job.raw_gpu_count and plain_number(job.raw_gpu_count)),
        ("Stored as", f"{job.provider} / {job.gpu_type}"),
        ("Heliox’ id", job.pk),
        ("Written", f"{moment(job.created_at)}, last changed {moment(job.updated_at)}"),
    ]
    return [(label, value) for label, value in said if value not in (None, "")]


def figures(job: Job, cost: JobCost, clock: str, gpu_type: str) -> list[dict[str, Any]]:
    """The job's cost; what its running hours are expected to add is told apart."""
    if not cost.days:
        return [hours_figure(job, gpu_type, [("Days", DAYS_OF_CLOCK.format(clock))])]
    facts, hourly = days_in_words(cost, clock), ui.rate(price(cost))
    billed = ui.usd(cost.billed if cost.is_billed else None)
    formula = f"{billed} ÷ {ui.long_hours(billed_hours(cost))} = {hourly}"
    return [
        figure("Cost", billed, waiting(cost), how=how("job-cost", facts)),
        figure(
            "Cost of a GPU-hour",
            hourly,
            "of the billed days, idle cost left out",
            how=how("job-cost", facts, formula),
        ),
        hours_figure(job, gpu_type, facts),
    ]


def hours_figure(job: Job, gpu_type: str, facts: list[tuple[str, str]]) -> dict[str, Any]:
    ran, gpus = joblist.duration(job), plain_number(job.gpu_count)
    held = ui.hours(gpu_time.job_gpu_hours(job))
    formula = (
        f"{duration_in_words(ran)} × {gpus} = {held}" if ran is not None else f"no running time = {held}"
    )
    said = f"{gpus} × {gpu_type}" + (f" for {duration_in_words(ran)}" if ran is not None else "")
    about = [fact for fact in facts if fact[0] in ("Period", "Days")]
    return figure("Job GPU-hours", held, said, how=how("job-hours", about, formula))


def billed_hours(cost: JobCost) -> Decimal:
    return sum((d.gpu_hours for d in cost.days if d.pool), Decimal(0))


def price(cost: JobCost) -> Decimal | None:
    hours = billed_hours(cost)
    return cost.billed / hours if hours > 0 and cost.billed > 0 else None


def waiting(cost: JobCost) -> str:
    said = (
        [f"and about {ui.usd(cost.estimated)} on days that are not closed or billed yet"]
        if cost.estimated
        else []
    )
    if cost.unpriced:
        days = "day stands" if cost.unpriced == 1 else "days stand"
        said.append(f"{ui.count(cost.unpriced)} {days} on no bill")
    return "; ".join(said)


def days_in_words(cost: JobCost, clock: str) -> list[tuple[str, str]]:
    first, last = cost.days[0].day, cost.days[-1].day
    return [
        ("Period", in_words(Span.inclusive(first, last))),
        ("Days", DAYS_OF_CLOCK.format(clock)),
        ("Basis", settings.HELIOX_COST_BASIS),
        ("Formula, day by day", "in the table below, with its numbers"),
    ]


def oddity(job: Job) -> str:
    """What is wrong with the record, for the one who can mend it; empty where nothing is."""
    if job.start_time and job.end_time and job.end_time < job.start_time:
        return "The job ends before it starts, so its hours count as 0."
    if job.status == "pending" and job.start_time:
        return "The job is pending and yet has a start, so its hours count as 0."
    if job.status == "running" and job.end_time:
        return "The job is said to run and yet has an end; its hours count up to that end."
    if job.status in ("completed", "failed", "cancelled") and job.start_time and not job.end_time:
        return "The job has finished but no end is known, so its hours count as 0."
    if job.start_time and job.start_time > now():
        return "The job starts in the future, so its hours count as 0 until then."
    return ""
