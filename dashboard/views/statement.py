"""What one team owes for one month, on one sheet that can be printed or sent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ..access import may_export, viewing_own_teams
from ..clock import today
from ..filters import query
from ..gpu_time import hours, six_decimals
from ..models import Team
from ..models.calendar import FIRST_DAY, LAST_DAY
from ..money import usd
from ..reports.allocation import NOBODY
from ..reports.allocation_changes import AllocationChanges
from ..reports.closed_statement import close_in_force, closed_statement
from ..reports.compare import Sides, spans_to_compare
from ..reports.freshness import Freshness
from ..reports.sharing import IDLE_VIEWS
from ..reports.statement import Statement, statement
from ..scope import ONE_DAY, Span, shift_month
from ..templatetags import ui
from .asked import Asked, figure
from .changes import delta
from .how import How

COLUMNS = (
    "month",
    "team",
    "provider",
    "gpu_type",
    "job_gpu_hours",
    "shared_usd",
    "idle_usd",
    "direct_usd",
    "cost_usd",
)
MOST_MODELS = 10
MOST_MAILED = 20  # lines; mail programs take only so long an address


@viewing_own_teams
@require_safe
def page(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    team = get_object_or_404(Team, pk=pk)
    asked = Asked.of(
        request,
        ["idle", "basis", "compare"],
        fixed=lambda known: month_asked(request.GET.get("month", ""), known),
    )
    month = asked.filter.fixed or Span(today(), today())
    found = statement(team.pk, asked.scope, asked.names)
    name = f"statement_{team.name}_{month.start:%Y-%m}"
    if answer := asked.export(name, COLUMNS, lambda: file_rows(found, team, month), f"{found.total.usd} USD"):
        return answer
    context = asked.context(
        team=team,
        month=month,
        found=found,
        figures=figures(asked, found, team, changes(asked, found, team, month)),
        how_shared=how_shared(asked, found),
        models=models(asked, found, team),
        idle_view="left out" if asked.scope.idle == "apart" else IDLE_VIEWS[asked.scope.idle],
        months=neighbours(asked, month),
        open_days=open_days(asked, month),
        nobody=[] if asked.is_limited else nobody(found),
        closed=as_closed(asked, team, month),
        whole_url=asked.link("allocation", idle=asked.scope.idle, **days(month)),
        mail_url=mail(asked, found, team, month) if may_export(request.user) else "",
        costs_url=asked.link("allocation", team=team.pk, idle=asked.scope.idle, **days(month)),
        crumbs=[
            {"label": "Teams", "url": reverse("teams")},
            {"label": team.name, "url": team.get_absolute_url()},
            {"label": f"Statement for {month.start:%B %Y}", "url": None},
        ],
    )
    return render(request, "dashboard/statement.html", context)


def as_closed(asked: Asked, team: Team, month: Span) -> dict[str, Any] | None:
    """What the team owes by the close that is in force.

    A part of spread idle cost would tell who is limited to teams what the others left.
    """
    close = close_in_force(month.start)
    if close is None or (asked.is_limited and close.idle != "apart"):
        return None
    told = closed_statement(close, team.pk)
    return {"close": close, "rows": told.rows, "total": told.total, "centre": told.cost_centre}


def month_asked(text: str, known: Freshness) -> Span:
    """The month of the address, else the last one that is closed, else this one."""
    try:
        first = date.fromisoformat(f"{text}-01") if len(text) == 7 else None
    except ValueError:
        first = None
    if first is None or not FIRST_DAY <= first <= LAST_DAY:
        through = known.through() or today()
        after = (through + ONE_DAY).replace(day=1)
        first = shift_month(after, -1) if known.last else after
        if known.first and known.first >= after:
            first = known.first.replace(day=1)
    return Span(first, shift_month(first, 1))


def days(month: Span) -> dict[str, str]:
    return {"start": month.start.isoformat(), "end": month.last.isoformat()}


def open_days(asked: Asked, month: Span) -> int:
    through = asked.freshness.through()
    return month.length if through is None else len([day for day in month if day > through])


def neighbours(asked: Asked, month: Span) -> dict[str, Any]:
    before, after = shift_month(month.start, -1), month.end
    return {
        "before": {"label": f"{before:%B %Y}", "url": asked.here(month=f"{before:%Y-%m}")},
        "after": {"label": f"{after:%B %Y}", "url": asked.here(month=f"{after:%Y-%m}")}
        if after <= today()
        else None,
        "value": f"{month.start:%Y-%m}",
    }


def nobody(found: Statement) -> list[tuple[str, Decimal]]:
    """What stands in no team's statement, so that all of them and this are the bill."""
    return [(name, found.whole.part(line)) for line, name in NOBODY.items() if found.whole.parts.get(line)]


def mail(asked: Asked, found: Statement, team: Team, month: Span) -> str:
    """Opens the reader's own mail program; nothing is sent from here."""
    title = f"GPU cost of {team.name}, {month.start:%B %Y}"
    lines = [f"{line.provider} {line.gpu_type}: {ui.usd(line.usd)}" for line in found.lines if line.is_billed]
    page = asked.request.build_absolute_uri()
    text = "\n".join([f"{title}: {ui.usd(found.total.usd)}", "", *lines[:MOST_MAILED], "", page])
    return f"mailto:?subject={quote(title)}&body={quote(text)}"


def file_rows(found: Statement, team: Team, month: Span) -> list[tuple[Any, ...]]:
    return [
        (
            f"{month.start:%Y-%m}",
            team.name,
            line.provider,
            line.gpu_type,
            six_decimals(line.gpu_hours),
            *((line.shared_usd, line.idle_usd, line.direct_usd, line.usd) if line.is_billed else [None] * 4),
        )
        for line in found.lines
    ]


def changes(asked: Asked, found: Statement, team: Team, month: Span) -> AllocationChanges:
    """Against the month before, however many days it has, or the same month last year."""
    through = asked.freshness.through()
    sides = (
        spans_to_compare(month, through, "last_month", asked.scope.compare)
        if through and through >= month.start
        else Sides(reason="no closed day in the month")
    )
    return AllocationChanges.of(asked.scope.but(teams=(team.pk,)), found.whole, sides, asked.names, False)


def how_shared(asked: Asked, found: Statement) -> How:
    return asked.how("allocation", rows=f"{len(found.lines)} lines, added up below", rows_url="#lines")


def figures(asked: Asked, found: Statement, team: Team, changed: AllocationChanges) -> list[dict[str, Any]]:
    is_billed = found.total.is_billed
    is_told = is_billed and found.share is not None and not asked.is_limited
    share = f"{ui.percent(found.share)} of the GPU bill of all" if is_told else ""
    amount = ui.usd(found.total.usd if is_billed else None)
    change = delta(changed.total, changed.sides, ui.usd)
    return [
        figure(
            "Amount",
            amount,
            share,
            how=how_shared(asked, found),
            delta=change,
        ),
        figure(
            "Job GPU-hours",
            ui.hours(found.total.gpu_hours),
            how=asked.how("job-hours", money=False, rows="jobs of the month", rows_url=jobs(asked, team)),
            link=jobs(asked, team),
        ),
        figure(
            "Average price",
            ui.rate(found.total.usd_per_hour),
            "of what is shared by hours",
            how=asked.how("team-price"),
        ),
    ]


def jobs(asked: Asked, team: Team, **more: Any) -> str:
    span = asked.scope.span
    return reverse("jobs") + query(team=team.pk, **(days(span) if span else {}), **more)


def models(asked: Asked, found: Statement, team: Team) -> list[dict[str, Any]]:
    rows = [
        {
            "name": name,
            "hours": hours(microseconds),
            "usd": None if cents is None else usd(cents),
            "url": "" if name.startswith("(") else jobs(asked, team, model=name),
        }
        for name, microseconds, cents in found.models[:MOST_MODELS]
    ]
    if rest := found.models[MOST_MODELS:]:
        spent, cost = sum(row[1] for row in rest), sum(row[2] or 0 for row in rest)
        rows.append({"name": f"{len(rest)} more", "hours": hours(spent), "usd": usd(cost), "url": ""})
    return rows
