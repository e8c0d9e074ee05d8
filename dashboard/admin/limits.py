"""Who sees the figures of some teams only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ..models import TeamLimit
from .base import HelioxAdmin


@admin.register(TeamLimit)
class TeamLimitAdmin(HelioxAdmin):
    moves_figures = False
    list_display = ["user", "of_teams"]
    search_fields = ["user__username", "teams__name"]
    filter_horizontal = ["teams"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("user").prefetch_related("teams")

    @admin.display(description="sees")
    def of_teams(self, limit: TeamLimit) -> str:
        if limit.user.has_perm("dashboard.see_all_teams"):
            return "all teams, by the role"
        return ", ".join(sorted(team.name for team in limit.teams.all())) or "nothing"
