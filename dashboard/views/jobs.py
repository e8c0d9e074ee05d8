"""The list of jobs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from .. import gpu_time, job_file, joblist
from ..access import viewing
from ..clock import now
from ..paging import BadCursor, Cursor, Page, keyset_page, order
from ..tables import JobTable
from ..templatetags import ui
from .asked import Asked

USES = ["provider", "gpu_type", "team", "status", "model", "quality", "q"]


@viewing
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, USES, preset="all", about_jobs=True)
    sort = request.GET.get("sort", joblist.NEWEST)
    sort = sort if sort.lstrip("-") in joblist.SORTS and not sort.startswith("--") else joblist.NEWEST
    jobs, span = asked.filter.qs, asked.scope.span
    hours = gpu_time.gpu_hours(jobs, asked.names, span)
    if request.GET.get("_export"):
        ordered = joblist.sorted_by(sort, jobs, asked.names, span, now()).order_by(*keys(sort))
        rows = job_file.rows_of(ordered, asked.names, span)
        total = f"{gpu_time.six_decimals(hours)} job GPU-hours"
        if answer := asked.export("jobs", job_file.COLUMNS, lambda: rows, total):
            return answer
    listed, measured_at, problem = one_page(asked, jobs, sort)
    table = JobTable(listed.rows, names=asked.names, span=span, order_by=sort)
    count = joblist.shown_count(jobs)
    context = asked.context(
        table=table,
        pages=links(asked, listed),
        count=count,
        hours=hours,
        clipped=span is not None,
        problem=problem,
        how=asked.how("job-hours", formula=formula(hours), rows=f"{count} jobs", money=False),
        measured_at=measured_at,
    )
    return render(request, "dashboard/jobs.html", context)


def formula(hours: Decimal) -> str:
    return f"Σ of the jobs’ running time within the range × GPUs = {ui.hours(hours)}"


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
