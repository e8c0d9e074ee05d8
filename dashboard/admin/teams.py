"""Teams. To delete one takes its name, typed, beside what goes with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import DELETION
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from .. import gpu_time, rollups
from ..counted import counted
from ..models import AccountMapping, Budget, CostCentre, SpendMapping, Team
from ..naming import Names
from ..templatetags.ui import hours
from . import history
from .base import HelioxAdmin
from .filters import names_of
from .forms import OneLineForm

MOST_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Loss:
    """What goes when the team goes."""

    team: Team
    jobs: int
    gpu_hours: Decimal
    mappings: int
    budgets: int
    cost_centres: int
    typed: str = ""

    @property
    def confirmed(self) -> bool:
        return self.typed.strip() == self.team.name

    @property
    def in_history(self) -> str:
        jobs = f"{counted(self.jobs, 'job')} of {hours(self.gpu_hours)}"
        others = (self.mappings, "mapping"), (self.budgets, "budget"), (self.cost_centres, "cost centre")
        along = [jobs, *(counted(number, thing) for number, thing in others if number)]
        return f"{history.removed(self.team)}; with it: {', '.join(along)}"

    def __str__(self) -> str:
        jobs, mappings = counted(self.jobs, "job"), counted(self.mappings, "mapping")
        return f"with {jobs} of {hours(self.gpu_hours)} and {mappings}"


def losses(teams: Iterable[Team], names: Names, typed: Any) -> list[Loss]:
    teams = list(teams)
    picked = rollups.Picked(teams=[team.pk for team in teams])
    counts: dict[Any, int] = dict(rollups.count_by(["team"], picked, names))
    time = {team: gpu_time.hours(spent) for team, spent in rollups.spent_by(["team"], picked, names)}
    mapped, budgets, centres = (
        Counter(
            chain(*(model.objects.filter(team__in=teams).values_list("team", flat=True) for model in models))
        )
        for models in ((AccountMapping, SpendMapping), (Budget,), (CostCentre,))
    )
    return [
        Loss(
            team,
            counts.get(team.pk, 0),
            time.get(team.pk, Decimal(0)),
            mapped[team.pk],
            budgets[team.pk],
            centres[team.pk],
            typed.get(f"name-{team.pk}", ""),
        )
        for team in teams
    ]


@admin.register(Team)
class TeamAdmin(HelioxAdmin):
    form = OneLineForm
    list_display = ["name", "its_jobs", "created_at", "updated_at"]
    search_fields = ["name"]
    given = ["id", "created_at", "updated_at"]
    actions = ["delete_selected"]
    page_name = "teams"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self.given if obj else []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return ["name", *self.get_readonly_fields(request, obj)]

    @admin.display(description="jobs")
    def its_jobs(self, team: Team) -> str:
        url = f"{reverse('admin:dashboard_job_changelist')}?team={team.pk}"
        return format_html('<a href="{}">Jobs<span class="visually-hidden"> of {}</span></a>', url, team)

    @admin.action(description="Delete the selected teams", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, teams: Any) -> HttpResponse | None:
        if teams.count() > MOST_AT_ONCE:
            self.message_user(request, f"Delete at most {MOST_AT_ONCE} teams at once.", messages.ERROR)
            return None
        return self.confirm_or_delete(request, teams)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        team = self.get_object(request, unquote(object_id))
        if not self.has_delete_permission(request, team):
            raise PermissionDenied
        if team is None:
            self.message_user(request, "There is no such team any more.", messages.WARNING)
            return HttpResponseRedirect(reverse("admin:index"))
        return self.confirm_or_delete(request, [team])

    def confirm_or_delete(self, request: HttpRequest, teams: Iterable[Team]) -> HttpResponse:
        typed = request.POST if "confirm" in request.POST else {}
        lost = losses(teams, names_of(request), typed)
        if typed and all(loss.confirmed for loss in lost):
            self.delete_with_jobs(request, lost)
            return HttpResponseRedirect(reverse("admin:dashboard_team_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Delete teams" if len(lost) > 1 else "Delete team",
            "opts": self.opts,
            "losses": lost,
            "wrong": bool(typed),
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/dashboard/team/delete.html", context)

    @transaction.atomic
    def delete_with_jobs(self, request: HttpRequest, lost: list[Loss]) -> None:
        history.log(request, {loss.in_history: [loss.team] for loss in lost}, DELETION)
        Team.objects.filter(pk__in=[loss.team.pk for loss in lost]).delete()
        for loss in lost:
            self.message_user(request, f"The team “{loss.team}” was deleted {loss}.", messages.SUCCESS)
