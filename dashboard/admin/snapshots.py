"""Daily cost and daily usage. What bill lines add up to is shown, and changed only by a bill."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from ..counted import are
from ..models import CostSnapshot, UsageSnapshot
from ..templatetags.ui import usd
from .base import HelioxAdmin
from .fields import KnownNames
from .filters import GpuTypeFilter, ProviderFilter, WrittenByFilter
from .forms import CostForm, UsageForm


class SnapshotAdmin(KnownNames, HelioxAdmin):
    list_filter = [ProviderFilter, GpuTypeFilter, WrittenByFilter]
    search_fields = ["provider", "gpu_type"]
    date_hierarchy = "date"
    ordering = ["-date", "provider", "gpu_type"]
    show_full_result_count = False
    readonly_fields = ["id", "written_by", "created_at", "updated_at"]
    actions = ["delete_selected"]
    amount = ""
    page_filters = ("provider", "gpu_type")

    @admin.display(description="written by")
    def written_by(self, snapshot: Any) -> str:
        if snapshot.from_lines:
            return "bill lines"
        return f"import {snapshot.imported_by_id}" if snapshot.imported_by_id else "hand or other tools"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        words = self.words_on_lines(obj) if obj and obj.from_lines else ""
        sets: list[Any] = [
            (None, {"fields": ["date", "provider", "gpu_type", self.amount], "description": words})
        ]
        if obj:
            sets.append(("Row", {"fields": self.readonly_fields, "classes": ["collapse"]}))
        return sets

    def words_on_lines(self, snapshot: Any) -> str:
        cell = {
            "day": snapshot.date,
            "provider": snapshot.provider,
            "gpu_type": snapshot.gpu_type,
            "current": "yes",
        }
        run = snapshot.imported_by_id
        return format_html(
            'This amount is the sum of <a href="{}?{}">bill lines</a>, rounded. To change it, '
            '<a href="{}">import</a> a corrected bill or undo <a href="{}">the import that brought it</a>.',
            reverse("admin:dashboard_billline_changelist"),
            urlencode(cell),
            reverse("imports"),
            reverse("import", args=[run]) if run else reverse("imports"),
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not (obj and obj.from_lines) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not (obj and obj.from_lines) and super().has_delete_permission(request, obj)

    @admin.action(description="Delete the selected rows", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, snapshots: QuerySet) -> HttpResponse | None:
        derived = snapshots.filter(from_lines=True).count()
        if derived:
            of_lines = f"{derived:,} of these rows {are(derived)} made of bill lines"
            words = f"{of_lines}: undo their import. Nothing was deleted."
            self.message_user(request, words, messages.ERROR)
            return None
        return delete_selected(self, request, snapshots)

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        obj.imported_by = None
        super().save_model(request, obj, form, change)


@admin.register(CostSnapshot)
class CostSnapshotAdmin(SnapshotAdmin):
    form = CostForm
    list_display = ["date", "provider", "gpu_type", "cost", "written_by"]
    amount = "cost_usd"
    adding_up = ("cost_usd",)
    page_name = "costs"

    @admin.display(description="cost", ordering="cost_usd")
    def cost(self, snapshot: CostSnapshot) -> str:
        return usd(snapshot.cost_usd)


@admin.register(UsageSnapshot)
class UsageSnapshotAdmin(SnapshotAdmin):
    form = UsageForm
    list_display = ["date", "provider", "gpu_type", "metered", "written_by"]
    amount = "gpu_hours"
    adding_up = ("gpu_hours",)
    page_name = "usage"

    @admin.display(description="metered GPU-hours", ordering="gpu_hours")
    def metered(self, snapshot: UsageSnapshot) -> str:
        return f"{snapshot.gpu_hours:,}"
