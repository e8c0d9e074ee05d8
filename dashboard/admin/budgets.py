"""Budgets: monthly amounts for all GPUs, a provider, a GPU type or a team."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ..models import Budget
from ..templatetags.ui import usd
from .base import YEARS, HelioxAdmin
from .fields import Dollars, KnownNames
from .forms import OneLineForm
from .links import link

MONTHS = ("first_month", "last_month")


class BudgetForm(OneLineForm):
    monthly_usd = Dollars(label="USD a month")

    class Meta:
        model = Budget
        fields = (
            *("provider", "gpu_type", "team", *MONTHS, "monthly_usd"),
            *("basis", "idle", "thresholds", "note"),
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in MONTHS:
            day = cleaned.get(name)
            if day and day.year not in YEARS:
                self.add_error(name, f"Give a day from {YEARS[0]} to {YEARS[-1]}.")
        return cleaned


@admin.register(Budget)
class BudgetAdmin(KnownNames, HelioxAdmin):
    moves_figures = False
    form = BudgetForm
    list_display = ["subject", "first", "last", "amount", "basis", "idle", "thresholds", "note"]
    list_select_related = ["team"]
    list_filter = ["basis", "team"]
    search_fields = ["provider", "gpu_type", "team__name", "note"]
    ordering = ["provider", "gpu_type", "team__name", "-first_month"]
    fieldsets = [
        (
            "For",
            {
                "fields": ["provider", "gpu_type", "team"],
                "description": "One of the three; none of them: all GPUs.",
            },
        ),
        (
            "Months",
            {
                "fields": [*MONTHS],
                "description": "Any day of the first and of the last month; without a last one it goes on.",
            },
        ),
        ("Amount", {"fields": ["monthly_usd", "basis", "idle", "thresholds", "note"]}),
    ]

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        return [link("Show where they stand", "budgets")]

    @admin.display(description="for", ordering="provider")
    def subject(self, budget: Budget) -> str:
        return budget.subject

    @admin.display(description="from", ordering="first_month")
    def first(self, budget: Budget) -> str:
        return f"{budget.first_month:%Y-%m}"

    @admin.display(description="to", ordering="last_month", empty_value="open")
    def last(self, budget: Budget) -> str | None:
        return None if budget.last_month is None else f"{budget.last_month:%Y-%m}"

    @admin.display(description="USD a month", ordering="monthly_usd")
    def amount(self, budget: Budget) -> str:
        return usd(budget.monthly_usd)
