"""Which people see the figures of some teams only."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from .entities import Team


class TeamLimit(models.Model):
    """Its being there limits the person; with no team left they see no figure at all."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="team_limit")
    teams = models.ManyToManyField(
        Team,
        blank=True,
        db_table="team_limits_teams",
        help_text="The person sees the hours, shares and rates of these teams, and nothing of all together.",
    )

    class Meta:
        db_table = "team_limits"
        db_table_comment = "People who see the figures of some teams only"
        verbose_name = "limit to teams"
        verbose_name_plural = "limits to teams"
        permissions = [("see_all_teams", "Can see all teams, whatever limit is set")]

    def __str__(self) -> str:
        return f"{self.user}’s teams"
