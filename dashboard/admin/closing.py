"""Cost centres that the ledger books to; closed months are looked at and never edited."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from ..models import CostCentre
from .base import HelioxAdmin
from .links import link


@admin.register(CostCentre)
class CostCentreAdmin(HelioxAdmin):
    moves_figures = False
    list_display = ["subject", "code"]
    list_select_related = ["team"]
    search_fields = ["code", "team__name"]
    ordering = ["team__name", "line"]
    fields = ["team", "line", "code"]

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        return [link("Show the months", "closing")]

    @admin.display(description="for", ordering="team__name")
    def subject(self, centre: CostCentre) -> str:
        return str(centre.team or centre.get_line_display())
