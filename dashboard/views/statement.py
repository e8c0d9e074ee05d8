"""What one team owes for one month, on one sheet that can be printed or sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from ..access import viewing_own_teams
from ..clock import today
from ..counted import counted
from ..gpu_time import six_decimals
from ..models import MonthClose, Team
from ..money import usd
from ..reports.allocation import NOBODY
from ..reports.allocation_changes import AllocationChanges
from ..reports.compare import Sides, spans_to_compare
from ..reports.freshness import Freshness
from ..reports.owed import beyond_what_was_said
from ..reports.sharing import IDLE_VIEWS
from ..reports.statement import Statement, statement
from ..scope import ONE_DAY, Span, shift_month
from ..templatetags import ui
from .asked import Asked, figure
from .changes import delta
from .closed_statement import close_shown, closed_page
from .how import How
from .kept import kept
from .months import month_named
from .sheet import COLUMNS, crumbs, days, jobs, mail, models, neighbours


@viewing_own_teams
@require_safe
@kept
def page(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    team = get_object_or_404(Team, pk=pk)
    asked = Asked.of(
        request,
        ["idle", "basis", "compare"],
        fixed=lambda known: month_asked(request.GET.get("month", ""), known),
    )
    month = asked.filter.fixed or Span(today(), today())
    close = close_shown(asked, month)
    if close and request.GET.get("as") != "now":
        return closed_page(asked, team, close)
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
        models=models(asked, found.models, team),
        idle_view="left out" if asked.scope.idle == "apart" else IDLE_VIEWS[asked.scope.idle],
        months=neighbours(asked, month),
        open_days=open_days(asked, month),
        nobody=[] if asked.is_limited else nobody(found),
        closed=close,
        closed_url=asked.here(**{"as": "", "basis": "", "idle": ""}),
        carried=carried(asked, team, month),
        whole_url=asked.link("allocation", idle=asked.scope.idle, **days(month)),
        mail_url=mail(asked, team, month, found.total.usd if found.total.is_billed else None, found.lines),
        costs_url=asked.link("allocation", team=team.pk, idle=asked.scope.idle, **days(month)),
        crumbs=crumbs(team, month.start),
    )
    return render(request, "dashboard/statement.html", context)


def carried(asked: Asked, team: Team, month: Span) -> Decimal:
    """What closed months came to since, which the close of this one will put on the team's statement."""
    closes = MonthClose.objects.filter(month__lt=month.start, withdrawn_at=None).defer("setup")
    if asked.is_limited:
        closes = closes.filter(idle="apart")
    waiting = beyond_what_was_said(closes, asked.names).values()
    cents = sum(
        amount.cents or 0 for amounts in waiting for owed, amount in amounts.items() if owed.team == team.pk
    )
    return usd(cents)


def month_asked(text: str, known: Freshness) -> Span:
    """The month of the address, else the last one that is closed, else this one."""
    first = month_named(text)
    if first is None:
        through = known.through() or today()
        after = (through + ONE_DAY).replace(day=1)
        first = shift_month(after, -1) if known.last else after
        if known.first and known.first >= after:
            first = known.first.replace(day=1)
    return Span(first, shift_month(first, 1))


def open_days(asked: Asked, month: Span) -> int:
    through = asked.freshness.through()
    return month.length if through is None else len([day for day in month if day > through])


def nobody(found: Statement) -> list[tuple[str, Decimal]]:
    """What stands in no team's statement, so that all of them and this are the bill."""
    return [(name, found.whole.part(line)) for line, name in NOBODY.items() if found.whole.parts.get(line)]


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
    return asked.how(
        "allocation", rows=f"{counted(len(found.lines), 'line')}, added up below", rows_url="#lines"
    )


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
