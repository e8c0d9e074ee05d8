"""The list of jobs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .. import gpu_time, job_file, joblist
from ..access import viewing_own_teams
from ..clock import now
from ..counted import counted
from ..filters import check_day
from ..joblist import paging
from ..joblist.paging import LAST, BadCursor, Cursor, Order, Page, Place, keyset_page
from ..models.calendar import FIRST_DAY, LAST_DAY, midnight
from ..reports import job_time
from ..scope import ONE_DAY, Span
from ..tables import JobTable
from ..templatetags import ui
from .asked import Asked
from .kept import kept

DATED = ("start", "end")  # the sorts that a day can be looked up in
USES = ["provider", "gpu_type", "team", "status", "model", "quality", "q"]


@viewing_own_teams
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, USES, preset="all", about_jobs=True)
    sort = request.GET.get("sort", joblist.NEWEST)
    sort = sort if sort.lstrip("-") in joblist.SORTS and not sort.startswith("--") else joblist.NEWEST
    if request.GET.get("jump") and sort.lstrip("-") not in DATED:
        sort = joblist.NEWEST
    jobs, span = asked.filter.qs, asked.scope.span
    number = job_time.count(asked.scope, asked.names)
    sort, order, refused = order_in_force(sort, jobs, number, span)
    if request.GET.get("_export") and (file := file_of(asked, sort, order, jobs)):
        return file
    hours = gpu_time.hours(job_time.gpu_microseconds(asked.scope, asked.names))
    listed, measured_at, misread = one_page(asked, jobs, sort, order)
    table = JobTable(listed.rows, names=asked.names, span=span, order_by=sort)
    rows = f"{ui.count(number)} job{'' if number == 1 else 's'}"
    context = asked.context(
        table=table,
        pages=links(asked, listed),
        jump=jump(asked, sort),
        number=number,
        hours=hours,
        clipped=span is not None,
        problems=[words for words in (refused, misread) if words],
        how=asked.how("job-hours", formula=formula(hours), rows=rows, money=False),
        measured_at=measured_at,
    )
    return render(request, "dashboard/jobs.html", context)


def file_of(asked: Asked, sort: str, order: Order, jobs: Any) -> HttpResponseBase | None:
    names, span, at = asked.names, asked.scope.span, now()
    rows = joblist.sorted_by(sort, jobs, names, span, at)
    way = "-" if order.descending else ""
    parts = [part.order_by(f"{way}sort_value", f"{way}pk") for part, _ in paging.segments(rows, order)]
    file = job_file.JobFile(parts, names, span, at)

    def total() -> str:
        spent = job_time.gpu_microseconds(asked.scope, names)
        return f"{gpu_time.six_decimals(gpu_time.hours(spent))} job GPU-hours"

    return asked.export("jobs", job_file.COLUMNS, file.rows, total, lines=file.lines)


def formula(hours: Decimal) -> str:
    return f"Σ of the jobs’ running time within the range × GPUs = {ui.hours(hours)}"


def order_in_force(sort: str, jobs: Any, number: int, span: Span | None) -> tuple[str, Order, str]:
    """The sort that is asked for, or newest first and why. number: of the jobs."""
    if order := joblist.order_of(sort, jobs, number, span):
        return sort, order, ""
    title = JobTable.base_columns[sort.lstrip("-")].verbose_name
    words = (
        f"More than {joblist.SORTED:,} jobs match, too many to sort by {title}: the newest come first. "
        "Narrow the filters to sort them, or sort by start or end."
    )
    return joblist.NEWEST, Order(descending=True, nullable=span is None), words


def one_page(asked: Asked, jobs: Any, sort: str, order: Order) -> tuple[Page, datetime, str]:
    """The page that the address asks for; the first one, with words, where it cannot be read."""
    given = asked.request.GET

    def page(place: Place) -> tuple[Page, datetime]:
        rows = joblist.sorted_by(sort, jobs, asked.names, asked.scope.span, place.moment)
        return keyset_page(rows, order, asked.per_page, place, joblist.shown), place.moment

    try:
        place = place_of_day(given["jump"], order) if given.get("jump") else Place.read(given, now())
        return *page(place), ""
    except BadCursor as problem:
        return *page(Place(now())), f"{problem} This is the first page."


def place_of_day(text: str, order: Order) -> Place:
    """Just before the day's first job in this order. The day is one of the display zone, as the times are."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
        check_day(day)
    except ValueError:
        raise BadCursor(f"“{text[:20]}” is no day.") from None
    except ValidationError as error:
        raise BadCursor(str(error.message)) from None
    begins = midnight(day + ONE_DAY if order.descending else day, settings.TIME_ZONE)
    return Place(now(), after=Cursor(begins, UUID(int=0), now()))


def jump(asked: Asked, sort: str) -> dict[str, Any]:
    """The form that leads to a day, with what the page is narrowed to; by start unless sorted by end."""
    by = sort.lstrip("-") if sort.lstrip("-") in DATED else "start"
    left_out = {"jump", "after", "before"} | (set() if by in sort else {"sort"})
    return {
        "label": f"Go to the day of {by}",
        "day": asked.request.GET.get("jump", ""),
        "first": FIRST_DAY.isoformat(),
        "last": LAST_DAY.isoformat(),
        "kept": [
            (name, value)
            for name, values in asked.request.GET.lists()
            for value in values
            if name not in left_out
        ],
    }


def links(asked: Asked, listed: Page) -> dict[str, Any]:
    def there(**place: Any) -> str:
        return asked.here(**({"after": "", "before": "", "jump": ""} | place))

    return {
        "newer_url": there(before=listed.before) if listed.before else None,
        "older_url": there(after=listed.after) if listed.after else None,
        "first_url": there() if listed.before else None,
        "last_url": there(before=LAST) if listed.after else None,
        "shown": f"{counted(len(listed.rows), 'job')} on this page",
    }
