"""Teams by GPU-hours, and one team in detail."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from .. import joblist
from ..access import viewing_own_teams
from ..counted import counted
from ..filters import query
from ..gpu_time import hours, six_decimals
from ..models import Job, Team
from ..reports import teams
from ..reports.allocation import team_costs
from ..reports.changes import TeamChanges, TeamCostChanges
from ..reports.compare import Change, Sides
from ..scope import Scope
from ..tables import JobTable, TeamTable
from ..templatetags import ui
from . import drawn
from .asked import Asked, figure
from .changes import bill_sides, delta, in_row, note, sides
from .kept import kept
from .measures import how_now, rows_url, team_url

COLUMNS = ("date", "team", "provider", "gpu_type", "job_gpu_hours", "jobs")
USES = ["provider", "gpu_type", "status", "model", "bucket", "compare"]
LATEST = 10
NOT_COMPARED = Decimal("-Infinity")  # last, the largest change first


@dataclass(frozen=True, slots=True)
class TeamRow:
    name: str
    usd: Decimal | None
    usd_change: dict[str, Any]
    usd_change_by: Decimal
    gpu_hours: Decimal
    change: dict[str, Any]
    change_by: Decimal
    share: Decimal | None
    jobs: int
    running: int
    success: Decimal | None
    models: int
    url: str
    jobs_url: str


@viewing_own_teams
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, [*USES, "team"], about_jobs=True)
    use = teams.team_use(asked.scope, asked.names)
    total = sum(team.microseconds for team in use)
    if answer := asked.export("teams", COLUMNS, lambda: file_rows(asked, asked.scope), control(total)):
        return answer
    changes = TeamChanges.of(asked.scope, sides(asked), asked.names)
    costs = costs_of(asked, asked.scope)
    cost_changes = TeamCostChanges.of(asked.scope, bill_sides(asked), asked.names) if costs else None
    rows = [row(asked, team, total, changes, costs.get(team.id), cost_changes) for team in use]
    table = TeamTable(rows, exclude=() if costs else ("usd", "usd_change"))
    context = asked.context(
        figures=figures(asked, use, total, changes) if use else [],
        charts=[drawn.team_hours(asked, {team.id: team.name for team in use})],
        table=asked.one_page(asked.sorted(table)),
        changed=notes(changes.sides, cost_changes),
        costs_url=rows_url(asked, "allocation", team=asked.filter.chosen_teams) if costs else "",
        how_shared=asked.how("share-of-hours", money=False),
        how_cost=asked.how(
            "allocation", rows="Every row of the cost by team", rows_url=rows_url(asked, "allocation")
        ),
    )
    return render(request, "dashboard/teams.html", context)


def control(total: int) -> str:
    return f"{six_decimals(hours(total))} job GPU-hours"


def file_rows(asked: Asked, scope: Scope) -> list[tuple[Any, ...]]:
    cells = teams.team_days(scope, asked.names, asked.bucket_of)
    return [(c.day, c.team, c.provider, c.gpu_type, six_decimals(c.gpu_hours), c.jobs) for c in cells]


def costs_of(asked: Asked, scope: Scope) -> dict[UUID, Decimal]:
    """Of each team; of some of its jobs alone no page tells."""
    return {} if scope.statuses or scope.models else team_costs(scope, asked.names)


def notes(of_hours: Sides, costs: TeamCostChanges | None) -> str:
    if costs is None or costs.sides == of_hours:
        return note(of_hours)
    return f"{note(costs.sides, 'cost')} {note(of_hours, 'hours')}"


def row(
    asked: Asked,
    use: teams.TeamUse,
    total: int,
    changes: TeamChanges,
    usd: Decimal | None,
    cost_changes: TeamCostChanges | None,
) -> TeamRow:
    change = changes.of_team(use.id).job_hours
    cost_change = cost_changes.of_team(use.id) if cost_changes else Change(None, None)
    return TeamRow(
        use.name,
        usd,
        in_row(cost_change),
        in_order(cost_change),
        use.gpu_hours,
        in_row(change),
        in_order(change),
        Decimal(use.microseconds) / total if total else None,
        use.jobs,
        use.running,
        use.success,
        use.models,
        team_url(asked, use.id),
        jobs_url(asked, team=use.id),
    )


def in_order(change: Change) -> Decimal:
    return NOT_COMPARED if change.by is None else change.by


def jobs_url(asked: Asked, **parameters: Any) -> str:
    kept = {"team": asked.filter.chosen_teams, "status": asked.scope.statuses, "model": asked.scope.models}
    return asked.link("jobs", **(kept | parameters))


def figures(asked: Asked, use: list[teams.TeamUse], total: int, changes: TeamChanges) -> list[dict[str, Any]]:
    running, own = teams.running_by_team(Scope(), asked.names), asked.filter.own_teams
    seen = [team for team in running if own is None or team in own]
    return [
        job_hours(asked, hours(total), sum(t.jobs for t in use), changes),
        jobs(asked, sum(t.jobs for t in use), changes),
        figure(
            "Teams",
            ui.count(len(use)),
            f"{len(seen)} with running jobs now",
            how=asked.how("teams-counted", rows=counted(len(use), "team"), rows_url="#rows", money=False),
        ),
    ]


def job_hours(
    asked: Asked, total: Decimal, count: int, changes: TeamChanges, **of_team: Any
) -> dict[str, Any]:
    url = jobs_url(asked, **of_team)
    formula = f"Σ of the jobs’ running time within the range × GPUs = {ui.hours(total)}"
    return figure(
        "Job GPU-hours",
        ui.hours(total),
        delta=delta(changes.job_hours, changes.sides, ui.hours),
        how=asked.how("job-hours", formula=formula, money=False, rows=counted(count, "job"), rows_url=url),
        link=url,
    )


def jobs(asked: Asked, count: int, changes: TeamChanges, **of_team: Any) -> dict[str, Any]:
    url = jobs_url(asked, **of_team)
    return figure(
        "Jobs",
        ui.count(count),
        "that overlap the range",
        delta=delta(changes.jobs, changes.sides, ui.count),
        how=asked.how("ranges", money=False, rows=counted(count, "job"), rows_url=url),
        link=url,
    )


@viewing_own_teams
@require_safe
@kept
def one(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    team = get_object_or_404(Team, pk=pk)
    asked = Asked.of(request, [*USES, "group_by"], "last90", about_jobs=True)
    scope = asked.scope.but(teams=(team.pk,))
    [use] = teams.team_use(scope, asked.names) or [teams.TeamUse(team.pk, team.name)]
    days = teams.team_days(scope, asked.names)
    if answer := asked.export("team", COLUMNS, lambda: file_rows(asked, scope), control(use.microseconds)):
        return answer
    changes = TeamChanges.of(scope, sides(asked), asked.names)
    latest = joblist.newest(Job.objects.of_team(team), LATEST)
    context = asked.context(
        team=team,
        figures=cost_figure(asked, scope, use) + team_figures(asked, use, changes),
        charts=[drawn.team_trend(asked, days, str(team.pk))],
        models=[
            {"use": m, "url": asked.link("jobs", team=team.pk, model=m.name)}
            for m in teams.model_use(scope, asked.names)
        ],
        latest=JobTable(latest, names=asked.names, orderable=False, exclude=("team",)),
        jobs_url=reverse("jobs") + query(team=team.pk),
        statement_url=reverse("statement", args=[team.pk]),
        how_models=job_hours(asked, use.gpu_hours, use.jobs, changes, team=use.id)["how"],
        how_latest=how_now("job-hours"),
        crumbs=[{"label": "Teams", "url": reverse("teams")}, {"label": team.name, "url": None}],
    )
    return render(request, "dashboard/team.html", context)


def cost_figure(asked: Asked, scope: Scope, use: teams.TeamUse) -> list[dict[str, Any]]:
    usd = costs_of(asked, scope).get(use.id)
    if usd is None:
        return []
    changes = TeamCostChanges.of(scope, bill_sides(asked), asked.names)
    url = rows_url(asked, "allocation", team=use.id)
    return [
        figure(
            "Cost",
            ui.usd(usd),
            "idle cost left out",
            delta=delta(changes.of_team(use.id), changes.sides, ui.usd),
            how=asked.how("allocation", rows="Day by day", rows_url=url),
            link=url,
        )
    ]


def team_figures(asked: Asked, use: teams.TeamUse, changes: TeamChanges) -> list[dict[str, Any]]:
    now_running = reverse("jobs") + query(team=use.id, status="running")
    return [
        job_hours(asked, use.gpu_hours, use.jobs, changes, team=use.id),
        jobs(asked, use.jobs, changes, team=use.id),
        success(asked, use, changes),
        figure(
            "Running now",
            ui.count(use.running),
            how=how_now("running", counted(use.running, "job"), now_running),
            link=now_running,
        ),
        figure(
            "Models",
            ui.count(use.models),
            how=asked.how("models", money=False, rows=counted(use.models, "model"), rows_url="#models"),
        ),
    ]


def success(asked: Asked, use: teams.TeamUse, changes: TeamChanges) -> dict[str, Any]:
    completed, failed = use.by_status["completed"], use.by_status["failed"]
    rate = ui.percent(use.success)
    return figure(
        "Success rate",
        rate,
        f"{completed:,} completed, {failed:,} failed",
        delta=delta(changes.success, changes.sides, ui.percent, more_is_good=True),
        how=asked.how(
            "success-rate",
            formula=f"{completed:,} ÷ ({completed:,} + {failed:,}) = {rate}",
            money=False,
            rows=counted(completed + failed, "job"),
            rows_url=jobs_url(asked, team=use.id, status=("completed", "failed")),
        ),
    )
