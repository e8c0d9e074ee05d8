"""The first page: what was spent, on how many hours, how well used, by whom."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from ..access import viewing
from ..filters import query
from ..gpu_time import six_decimals
from ..periods import in_words
from ..reports.compare import Comparison
from ..reports.overview import Overview, overview
from ..reports.spend import Cost
from ..tables import JobTable
from ..templatetags import ui
from . import drawn
from .asked import Asked, figure, help_link
from .usage import share_and_price

TOP_TEAMS = 8


@viewing
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, ["provider", "gpu_type", "bucket", "group_by", "basis"])
    shown = overview(asked.scope, asked.filter.preset_in_force, asked.names, asked.freshness)
    costs = [Cost(c.day, c.provider, c.gpu_type, c.usd) for c in shown.cells if c.usd is not None]
    if answer := asked.export("overview", CELL_COLUMNS, lambda: cell_rows(shown), ui.usd(shown.total.usd)):
        return answer
    running: dict[str, Any] = {
        "names": asked.names,
        "orderable": False,
        "exclude": ("end", "status", "start", "provider"),
        "empty_text": "No job is running.",
    }
    context = asked.context(
        figures=figures(asked, shown),
        charts=[drawn.spend(asked, costs, shown.cells), top_teams(asked, shown)],
        newest=JobTable(shown.newest, **running),
        longest=JobTable(shown.longest, **running),
        running_url=reverse("jobs") + "?status=running",
    )
    return render(request, "dashboard/overview.html", context)


CELL_COLUMNS = ("date", "provider", "gpu_type", "cost_usd", "metered_gpu_hours", "job_gpu_hours")


def cell_rows(shown: Overview) -> list[tuple]:
    return [(c.day, c.provider, c.gpu_type, c.usd, c.metered, six_decimals(c.job_hours)) for c in shown.cells]


def figures(asked: Asked, shown: Overview) -> list[dict]:
    total = shown.total
    return [
        figure(
            "Spend",
            ui.usd(total.usd),
            delta=delta(shown.change),
            help_url=help_link("spend"),
            link=asked.link("costs"),
        ),
        figure(
            "Metered GPU-hours",
            ui.hours(total.metered),
            help_url=help_link("metered"),
            link=asked.link("usage"),
        ),
        *share_and_price(total),
        figure(
            "Running jobs now",
            ui.count(shown.running),
            "at the moment printed below, whatever the range",
            link=reverse("jobs")
            + query(status="running", provider=asked.scope.providers, gpu_type=asked.scope.gpu_types),
        ),
    ]


def delta(change: Comparison | None) -> dict | None:
    if change is None:
        return {"text": "No comparison: no closed day", "direction": "none", "good": None, "spans": ""}
    now = f"{in_words(change.span)} {ui.usd(change.usd)}"
    spans = f"{now} against {in_words(change.before)} {ui.usd(change.usd_before)}"
    if change.change is None:
        return {"text": f"No percentage: {change.reason}", "direction": "none", "good": None, "spans": spans}
    direction = "up" if change.change > 0 else "down" if change.change < 0 else "flat"
    return {"text": ui.percent(abs(change.change)), "direction": direction, "good": None, "spans": spans}


def top_teams(asked: Asked, shown: Overview) -> drawn.Chart:
    teams = [team for team in shown.teams if team.microseconds][:TOP_TEAMS]
    rows = [
        (t.name, t.gpu_hours, reverse("team", args=[t.id]) + query(**asked.range_parameters())) for t in teams
    ]
    return drawn.ranking("teams", "Teams with most job GPU-hours", rows, "Team", "hours")
