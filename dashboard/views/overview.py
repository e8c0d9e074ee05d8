"""The first page: what was spent, on how many hours, how well used, by whom."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ..access import teams_of, viewing_own_teams
from ..clock import today
from ..counted import counted
from ..filters import query
from ..gpu_time import six_decimals
from ..reports import usage
from ..reports.breakdown import Breakdown
from ..reports.forecast import month_of, outlook, record, series_of
from ..reports.overview import Overview, overview
from ..reports.spend import Cost
from ..tables import JobTable
from ..templatetags import ui
from . import anomalies, drawn
from .asked import Asked, figure
from .changes import sides
from .forecast import month_end
from .kept import kept
from .measures import Measures, how_now, rows_url, team_url

TOP_TEAMS = 8


@viewing_own_teams
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    if teams_of(request.user) is not None:
        return redirect("teams")  # what is here is of all together
    asked = Asked.of(request, ["provider", "gpu_type", "bucket", "group_by", "basis", "compare"])
    cells = usage.cells(asked.scope, asked.names)
    total = usage.total(cells)
    if answer := asked.export("overview", CELL_COLUMNS, lambda: cell_rows(cells), ui.usd(total.usd)):
        return answer
    shown = overview(cells, asked.scope, sides(asked), asked.names)
    costs = [Cost(c.day, c.provider, c.gpu_type, c.usd) for c in cells if c.usd is not None]
    running: dict[str, Any] = {
        "names": asked.names,
        "orderable": False,
        "exclude": ("end", "status", "start", "provider"),
        "empty_text": "No job is running.",
    }
    context = asked.context(
        figures=figures(asked, shown, total),
        charts=[drawn.spend(asked, costs, cells), top_teams(asked, shown)],
        stood_out=anomalies.lately_panel(asked),
        newest=JobTable(shown.newest, **running),
        longest=JobTable(shown.longest, **running),
        running_url=reverse("jobs") + "?status=running",
        how_running=how_now("job-hours"),
    )
    return render(request, "dashboard/overview.html", context)


CELL_COLUMNS = ("date", "provider", "gpu_type", "cost_usd", "metered_gpu_hours", "job_gpu_hours")


def cell_rows(cells: list[usage.Hours]) -> list[tuple]:
    return [(c.day, c.provider, c.gpu_type, c.usd, c.metered, six_decimals(c.job_hours)) for c in cells]


def figures(asked: Asked, shown: Overview, total: usage.Sum) -> list[dict]:
    measures = Measures(asked, shown.cells, total, shown.changes)
    return [
        measures.spend(),
        measures.metered(),
        measures.job_hours(),
        measures.utilisation(),
        measures.unit_price(),
        forecast_now(asked),
        running_now(asked, shown.running),
    ]


def forecast_now(asked: Asked) -> dict:
    """Of the month that it is, whatever the range."""
    series = series_of(asked.scope, asked.names, asked.freshness)
    kept = {"provider": asked.scope.providers, "gpu_type": asked.scope.gpu_types}
    url = reverse("forecast") + query(basis=asked.request.GET.get("basis"), **kept)
    return month_end(asked, outlook(series, month_of(today())), record(series), url)


def running_now(asked: Asked, running: int) -> dict:
    kept = {"provider": asked.scope.providers, "gpu_type": asked.scope.gpu_types}
    url = reverse("jobs") + query(status="running", **kept)
    return figure(
        "Running jobs now",
        ui.count(running),
        "at the moment printed below, whatever the range",
        how=how_now("running", rows=counted(running, "job"), rows_url=url),
        link=url,
    )


def top_teams(asked: Asked, shown: Overview) -> drawn.Chart:
    """By cost; by hours where nothing is billed."""
    if shown.shares:
        return team_costs(asked, shown.shares)
    teams = [team for team in shown.teams if team.microseconds][:TOP_TEAMS]
    rows = [(t.name, t.gpu_hours, team_url(asked, t.id)) for t in teams]
    how = asked.how("job-hours", money=False, rows="Jobs of the range", rows_url=rows_url(asked, "jobs"))
    return drawn.ranking("teams", "Teams with most job GPU-hours", rows, "Team", "hours", how)


def team_costs(asked: Asked, shares: Breakdown) -> drawn.Chart:
    teams = [row for row in shares.rows if not row.is_nobody]
    nobody = [row for row in shares.rows if row.is_nobody]
    rows = [
        (row.name, row.sum.usd, asked.link("allocation", team=row.team)) for row in teams[:TOP_TEAMS] + nobody
    ]
    if rest := teams[TOP_TEAMS:]:
        others = sum((row.sum.usd for row in rest), Decimal("0.00"))
        rows.insert(TOP_TEAMS, (counted(len(rest), "more team"), others, asked.link("allocation")))
    how = asked.how("allocation", rows="Every row of the cost by team", rows_url=asked.link("allocation"))
    return drawn.ranking("teams", "Cost by team", rows, "Team", "usd", how)
