"""Imports and the bill lines that they brought: to look at, never to change by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from ..models import BillLine, ImportRun
from .base import ReadOnlyAdmin

COUNTS = ("read", "inserted", "updated", "unchanged", "refused", "ignored")


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyAdmin):
    list_display = ["id", "file_names", "format", "status", "user", "written_at", "rows"]
    list_filter = ["status", "format"]
    list_select_related = ["user"]
    date_hierarchy = "written_at"
    fields = [
        "file_names",
        "format",
        "status",
        "user",
        "written_at",
        "rows",
        "undone_at",
        "undone_by",
        "its_page",
    ]
    readonly_fields = ["file_names", "rows", "its_page"]

    @admin.display(description="files")
    def file_names(self, run: ImportRun) -> str:
        return ", ".join(file.get("name", "") for file in run.files)

    @admin.display(description="rows")
    def rows(self, run: ImportRun) -> str:
        counts = [(name, run.summary.get(name)) for name in COUNTS]
        return ", ".join(f"{count:,} {name}" for name, count in counts if isinstance(count, int) and count)

    @admin.display(description="page")
    def its_page(self, run: ImportRun) -> str:
        return format_html('<a href="{}">What it did, and undo</a>', reverse("import", args=[run.pk]))


class CurrentFilter(admin.SimpleListFilter):
    title, parameter_name = "delivery", "current"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "current"), ("no", "replaced")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(delivery__current=self.value() == "yes")


@admin.register(BillLine)
class BillLineAdmin(ReadOnlyAdmin):
    list_display = [
        "day",
        "provider",
        "account",
        "sub_account",
        "tag",
        "kind",
        "service_category",
        "gpu_type",
        "billed_usd",
        "effective_usd",
        "metered",
    ]
    list_filter = [CurrentFilter, "kind"]
    list_select_related = ["delivery"]
    search_fields = ["provider", "account", "sub_account", "tag", "service_category", "gpu_type"]
    date_hierarchy = "day"
    ordering = ["-day", "provider", "-pk"]
    show_full_result_count = False

    @admin.display(description="billed, USD")
    def billed_usd(self, line: BillLine) -> str:
        return exact(line.billed)

    @admin.display(description="effective, USD")
    def effective_usd(self, line: BillLine) -> str:
        return exact(line.effective)

    @admin.display(description="GPU-hours")
    def metered(self, line: BillLine) -> str:
        return exact(line.gpu_hours)


def exact(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount.normalize():f}"
