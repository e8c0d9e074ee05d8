"""Teams by GPU-hours, and one team in detail."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from ..access import viewing
from ..filters import query
from ..gpu_time import hours, six_decimals
from ..models import Job, Team
from ..reports import teams
from ..scope import Scope
from ..tables import JobTable, TeamTable
from ..templatetags import ui
from . import drawn
from .asked import Asked, figure, help_link

COLUMNS = ("date", "team", "provider", "gpu_type", "job_gpu_hours", "jobs")
LATEST = 10


@dataclass(frozen=True, slots=True)
class TeamRow:
    name: str
    gpu_hours: Decimal
    share: Decimal | None
    jobs: int
    running: int
    success: Decimal | None
    models: int
    url: str
    jobs_url: str


@viewing
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, ["provider", "gpu_type", "team", "status", "model", "bucket"], about_jobs=True)
    use = teams.team_use(asked.scope, asked.names)
    total = sum(team.microseconds for team in use)
    if answer := asked.export("teams", COLUMNS, lambda: file_rows(asked, asked.scope), control(total)):
        return answer
    table = TeamTable([row(asked, team, total) for team in use])
    days = teams.team_days(asked.scope, asked.names)
    context = asked.context(
        figures=figures(asked, use, total) if use else [],
        charts=[drawn.team_hours(asked, days, {team.name: team.id for team in use})],
        table=asked.one_page(asked.sorted(table)),
    )
    return render(request, "dashboard/teams.html", context)


def address(asked: Asked, team: UUID) -> str:
    kept = {"provider": asked.scope.providers, "gpu_type": asked.scope.gpu_types}
    return reverse("team", args=[team]) + query(**asked.range_parameters(), **kept)


def control(total: int) -> str:
    return f"{six_decimals(hours(total))} job GPU-hours"


def file_rows(asked: Asked, scope: Scope) -> list[tuple[Any, ...]]:
    cells = teams.team_days(scope, asked.names, asked.bucket_of)
    return [(c.day, c.team, c.provider, c.gpu_type, six_decimals(c.gpu_hours), c.jobs) for c in cells]


def row(asked: Asked, use: teams.TeamUse, total: int) -> TeamRow:
    return TeamRow(
        use.name,
        use.gpu_hours,
        Decimal(use.microseconds) / total if total else None,
        use.jobs,
        use.running,
        use.success,
        use.models,
        address(asked, use.id),
        asked.link("jobs", team=use.id, status=asked.scope.statuses, model=asked.scope.models),
    )


def figures(asked: Asked, use: list[teams.TeamUse], total: int) -> list[dict[str, Any]]:
    running = Team.objects.with_running_jobs().count()
    return [
        figure("Job GPU-hours", ui.hours(hours(total)), help_url=help_link("job-hours")),
        figure("Jobs", ui.count(sum(t.jobs for t in use)), "that overlap the range", link=asked.link("jobs")),
        figure("Teams", ui.count(len(use)), f"{running} with running jobs now"),
    ]


@viewing
def one(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    team = get_object_or_404(Team, pk=pk)
    asked = Asked.of(
        request, ["provider", "gpu_type", "status", "model", "bucket", "group_by"], "last90", about_jobs=True
    )
    scope = asked.scope.but(teams=(team.pk,))
    [use] = teams.team_use(scope, asked.names) or [teams.TeamUse(team.pk, team.name)]
    days = teams.team_days(scope, asked.names)
    if answer := asked.export("team", COLUMNS, lambda: file_rows(asked, scope), control(use.microseconds)):
        return answer
    latest = Job.objects.of_team(team).newest_first().select_related("team")[:LATEST]
    context = asked.context(
        team=team,
        figures=team_figures(asked, use),
        charts=[drawn.team_trend(asked, days, str(team.pk))],
        models=[
            {"use": m, "url": asked.link("jobs", team=team.pk, model=m.name)}
            for m in teams.model_use(scope, asked.names)
        ],
        latest=JobTable(list(latest), names=asked.names, orderable=False, exclude=("team",)),
        jobs_url=reverse("jobs") + query(team=team.pk),
        crumbs=[{"label": "Teams", "url": reverse("teams")}, {"label": team.name, "url": None}],
    )
    return render(request, "dashboard/team.html", context)


def team_figures(asked: Asked, use: teams.TeamUse) -> list[dict[str, Any]]:
    jobs = asked.link("jobs", team=use.id)
    return [
        figure("Job GPU-hours", ui.hours(use.gpu_hours), help_url=help_link("job-hours"), link=jobs),
        figure("Jobs", ui.count(use.jobs), "that overlap the range", link=jobs),
        figure(
            "Success rate",
            ui.percent(use.success),
            f"{use.by_status['completed']:,} completed, {use.by_status['failed']:,} failed",
            help_url=help_link("success-rate"),
        ),
        figure(
            "Running now", ui.count(use.running), link=reverse("jobs") + query(team=use.id, status="running")
        ),
        figure("Models", ui.count(use.models)),
    ]
