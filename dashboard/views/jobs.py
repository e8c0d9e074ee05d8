"""The list of jobs, and everything about one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from .. import gpu_time, joblist
from ..access import viewing
from ..clock import now
from ..filters import query
from ..models import Job
from ..naming import Names
from ..paging import BadCursor, Cursor, Page, keyset_page, order
from ..tables import JobTable, duration_in_words, moment
from .asked import Asked, help_link

USES = ["provider", "gpu_type", "team", "status", "model", "q"]
# Exact counts of millions of rows cost more than they tell.
COUNTED = 100_000
DAYS_LISTED = 400


@viewing
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, USES, preset="all", about_jobs=True)
    sort = request.GET.get("sort", joblist.NEWEST)
    sort = sort if sort.lstrip("-") in joblist.SORTS and not sort.startswith("--") else joblist.NEWEST
    jobs, span = asked.filter.qs, asked.scope.span
    hours = gpu_time.gpu_hours(jobs, asked.names, span)
    if request.GET.get("_export"):
        ordered = joblist.sorted_by(sort, jobs, asked.names, span, now()).order_by(*keys(sort))
        rows = joblist.export_rows(ordered, asked.names, span)
        total = f"{gpu_time.six_decimals(hours)} job GPU-hours"
        if answer := asked.export("jobs", joblist.EXPORT_COLUMNS, lambda: rows, total):
            return answer
    listed, measured_at, problem = one_page(asked, jobs, sort)
    table = JobTable(listed.rows, names=asked.names, span=span, order_by=sort)
    context = asked.context(
        table=table,
        pages=links(asked, listed),
        count=shown_count(jobs),
        hours=hours,
        clipped=span is not None,
        problem=problem,
        help_url=help_link("job-hours"),
        measured_at=measured_at,
    )
    return render(request, "dashboard/jobs.html", context)


def keys(sort: str) -> list[Any]:
    return order(sort.startswith("-"), backwards=False)


def one_page(asked: Asked, jobs: Any, sort: str) -> tuple[Page, datetime, str]:
    """The page that after or before asks for; the first one, with words, where the address is broken."""
    got, descending = asked.request.GET, sort.startswith("-")
    try:
        after = Cursor.read(got["after"]) if got.get("after") else None
        before = Cursor.read(got["before"]) if got.get("before") else None
        at = (before or after).moment if (before or after) else now()  # type: ignore[union-attr]
        rows = joblist.sorted_by(sort, jobs.select_related("team"), asked.names, asked.scope.span, at)
        return keyset_page(rows, descending, asked.per_page, at, after, before), at, ""
    except BadCursor:
        rows = joblist.sorted_by(sort, jobs.select_related("team"), asked.names, asked.scope.span, now())
        first = keyset_page(rows, descending, asked.per_page, now())
        return first, now(), "The address of that page cannot be read; this is the first page."


def links(asked: Asked, listed: Page) -> dict[str, Any]:
    return {
        "newer_url": asked.here(before=listed.before, after="") if listed.before else None,
        "older_url": asked.here(after=listed.after, before="") if listed.after else None,
        "first_url": asked.here(after="", before="") if listed.before else None,
        "last_url": None,
        "shown": f"{len(listed.rows)} jobs on this page",
    }


def shown_count(jobs: Any) -> str:
    count = jobs.order_by()[: COUNTED + 1].count()
    return f"{COUNTED:,}+" if count > COUNTED else f"{count:,}"


@viewing
def one(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    job = get_object_or_404(Job.objects.select_related("team", "imported_by"), pk=pk)
    names = Names.load()
    clock = names.clock(job.provider)
    context = {
        "job": job,
        "provider": names.provider(job.provider),
        "gpu_type": names.gpu_type(job.gpu_type),
        "gpus": joblist.plain_number(job.gpu_count),
        "clock": clock,
        "duration_shown": duration_in_words(joblist.duration(job)),
        "facts": facts(job),
        "hours": gpu_time.job_gpu_hours(job),
        "days": days(job, clock),
        "days_listed": DAYS_LISTED,
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
        ("GPUs in the log", job.raw_gpu_count and joblist.plain_number(job.raw_gpu_count)),
        ("Stored as", f"{job.provider} / {job.gpu_type}"),
        ("Heliox’ id", job.pk),
        ("Written", f"{moment(job.created_at)}, last changed {moment(job.updated_at)}"),
    ]
    return [(label, value) for label, value in said if value not in (None, "")]


def days(job: Job, clock: str) -> list[dict[str, Any]]:
    end = gpu_time.end_of_run(job)
    if end is None or job.start_time is None:
        return []
    pieces = gpu_time.split_by_day(job.start_time, end, job.gpu_count, clock)
    return [{"day": day, "hours": gpu_time.hours(us)} for day, us in pieces[-DAYS_LISTED:]]


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
