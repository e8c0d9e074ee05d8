"""Costs that no cloud bills: totals of periods, prices of own GPUs, and what contracts promise."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.forms import ModelForm
from django.http import HttpRequest

from ..access import may_export, may_import
from ..models import Commitment, PeriodEntry, Rate
from ..posted.spreading import billed_days
from ..templatetags.ui import exact, usd
from .base import YEARS, HelioxAdmin
from .fields import Dollars, KnownNames, short
from .filters import GpuTypeFilter, ProviderFilter, names_of
from .forms import OneLineForm
from .links import link, page_query

DAYS = ("first_day", "last_day")
NUMBERS = ("usd", "gpus")
NAMES_OF_THE_BILL = "As bills and jobs call them: suggestions come from what is stored."


class ContractForm(OneLineForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in NUMBERS:
            number = getattr(self.instance, name, None)
            if number is not None:
                self.initial[name] = short(number)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in DAYS:
            day = cleaned.get(name)
            if day and day.year not in YEARS:
                self.add_error(name, f"Give a day from {YEARS[0]} to {YEARS[-1]}.")
        return cleaned


class PeriodEntryForm(ContractForm):
    cost_usd = Dollars(label="Cost in USD", help_text="Of the whole period. A credit is negative.")

    class Meta:
        model = PeriodEntry
        fields = ("provider", "gpu_type", *DAYS, "cost_usd", "gpu_hours", "note")
        error_messages = {"gpu_hours": {"min_value": "Metered hours are never negative."}}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors and self.is_there():
            words = "The total of these days is typed in already for this provider and GPU type: change it."
            self.add_error("first_day", words)
        return cleaned

    def is_there(self) -> bool:
        """Under whatever spelling: the two would add up."""
        typed = PeriodEntry(**{name: self.cleaned_data[name] for name in ("provider", "gpu_type", *DAYS)})
        others = PeriodEntry.objects.filter(first_day=typed.first_day, last_day=typed.last_day)
        return any(typed.same_hardware(other) for other in others.exclude(pk=self.instance.pk))


class RateForm(ContractForm):
    class Meta:
        model = Rate
        fields = ("provider", "gpu_type", *DAYS, "per", "usd", "gpus", "note")
        field_classes = {"usd": Dollars}
        error_messages = {
            "usd": {"min_value": "A price is not negative."},
            "gpus": {"min_value": "A price is for more than 0 GPUs."},
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("per") == Rate.Per.GPU_HOUR and cleaned.get("gpus"):
            self.add_error("gpus", "Leave this empty: the hours of jobs say how many GPUs they held.")
        return cleaned


class CommitmentForm(ContractForm):
    class Meta:
        model = Commitment
        fields = ("provider", "gpu_type", *DAYS, "gpus", "note")
        error_messages = {"gpus": {"min_value": "A contract is for more than 0 GPUs."}}


def price_in_words(rate: Rate) -> str:
    unit = "GPU-hour" if rate.per == Rate.Per.GPU_HOUR else "GPU and month"
    return f"${exact(rate.usd)} per {unit}"


class ContractAdmin(KnownNames, HelioxAdmin):
    list_filter = [ProviderFilter, GpuTypeFilter]
    search_fields = ["provider", "gpu_type", "note"]
    page_name = "contracts"
    page_filters = ("provider", "gpu_type")
    file_name = ""  # of the page's files that hold these rows

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        query, links = page_query(request, self.page_filters, None), []
        if query is not None:
            links.append(link("Show on its page", self.page_name, **query))
        if query is not None and self.file_name and may_export(request.user):
            links.append(link("Download CSV", self.page_name, **query, file=self.file_name, _export="csv"))
        if self.file_name and may_import(request.user):
            links.append(link("Import files", "imports"))
        return links


@admin.register(PeriodEntry)
class PeriodEntryAdmin(ContractAdmin):
    form = PeriodEntryForm
    list_display = ["first_day", "last_day", "provider", "gpu_type", "cost", "metered", "written_by", "note"]
    ordering = ["-first_day", "provider", "gpu_type"]
    readonly_fields = ["id", "written_by", "created_at", "updated_at"]
    file_name = "entries"
    adding_up = ("cost_usd", "gpu_hours")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        words = (
            "The total is shared among the days when a page is read: by contracted capacity where a "
            "commitment covers any of them, else by metered hours, else by elapsed time."
        )
        sets: list[Any] = [
            ("GPUs", {"fields": ["provider", "gpu_type"], "description": NAMES_OF_THE_BILL}),
            ("Period", {"fields": [*DAYS]}),
            ("Total", {"fields": ["cost_usd", "gpu_hours", "note"], "description": words}),
        ]
        if obj:
            sets.append(("Row", {"fields": self.readonly_fields, "classes": ["collapse"]}))
        return sets

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """From now on it is a person's, and an import asks before it touches it."""
        obj.imported_by = None
        super().save_model(request, obj, form, change)
        if days := billed_days([obj], names_of(request)):
            have = "has" if days == 1 else "have"
            words = (
                f"{days:,} of its days {have} a bill of the same GPUs, and both count. "
                "Shorten the entry, or delete it, unless that is meant: Data quality lists these days."
            )
            self.message_user(request, words, messages.WARNING)

    @admin.display(description="cost", ordering="cost_usd")
    def cost(self, entry: PeriodEntry) -> str:
        return usd(entry.cost_usd)

    @admin.display(description="metered GPU-hours", ordering="gpu_hours", empty_value="unknown")
    def metered(self, entry: PeriodEntry) -> str | None:
        return None if entry.gpu_hours is None else f"{entry.gpu_hours:,}"

    @admin.display(description="written by")
    def written_by(self, entry: PeriodEntry) -> str:
        return f"import {entry.imported_by_id}" if entry.imported_by_id else "hand"


@admin.register(Rate)
class RateAdmin(ContractAdmin):
    form = RateForm
    list_display = ["provider", "gpu_type", "first_day", "last", "price", "number_of_gpus", "note"]
    list_filter = [*ContractAdmin.list_filter, "per"]
    ordering = ["provider", "gpu_type", "-first_day"]
    fieldsets = [
        ("GPUs", {"fields": ["provider", "gpu_type"], "description": NAMES_OF_THE_BILL}),
        ("Days", {"fields": [*DAYS]}),
        (
            "Price",
            {
                "fields": ["per", "usd", "gpus", "note"],
                "description": "A rate posts nothing on days whose cost is known otherwise.",
            },
        ),
    ]

    @admin.display(description="to", ordering="last_day", empty_value="open")
    def last(self, rate: Rate) -> Any:
        return rate.last_day

    @admin.display(description="price", ordering="usd")
    def price(self, rate: Rate) -> str:
        return price_in_words(rate)

    @admin.display(description="GPUs", ordering="gpus")
    def number_of_gpus(self, rate: Rate) -> str | None:
        return None if rate.gpus is None else f"{rate.gpus.normalize():f}"


@admin.register(Commitment)
class CommitmentAdmin(ContractAdmin):
    form = CommitmentForm
    list_display = ["provider", "gpu_type", "number_of_gpus", "first_day", "last_day", "note"]
    ordering = ["last_day", "provider", "gpu_type"]
    fieldsets = [
        ("GPUs", {"fields": ["provider", "gpu_type", "gpus"], "description": NAMES_OF_THE_BILL}),
        (
            "Contract",
            {
                "fields": [*DAYS, "note"],
                "description": "A commitment costs nothing by itself: its last day is its expiry, and period "
                "entries of the same GPUs are shared among its days.",
            },
        ),
    ]

    @admin.display(description="GPUs", ordering="gpus")
    def number_of_gpus(self, commitment: Commitment) -> str:
        return f"{commitment.gpus.normalize():f}"
