"""Mappings, providers and other spellings. What is stored follows at once."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from ..ingest.reapply import reapply
from ..models import AccountMapping, ClusterMapping, NameAlias, Provider, SpendMapping
from .base import HelioxAdmin
from .fields import KnownNames, suggest
from .forms import OneLineForm


class MappingAdmin(KnownNames, HelioxAdmin):
    """Every change is applied to the jobs that are stored already."""

    form = OneLineForm

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self.reapply(request)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        self.reapply(request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        super().delete_queryset(request, queryset)
        self.reapply(request)

    def reapply(self, request: HttpRequest) -> None:
        self.message_user(request, moved_in_words(reapply()), messages.INFO)


def moved_in_words(jobs: int) -> str:
    if not jobs:
        return "No stored job changes by it."
    return "1 stored job follows it." if jobs == 1 else f"{jobs:,} stored jobs follow it."


@admin.register(ClusterMapping)
class ClusterMappingAdmin(MappingAdmin):
    list_display = [
        "cluster",
        "partition",
        "raw_gpu_type",
        "provider",
        "gpu_type",
        "factor",
        "valid_from",
        "valid_to",
    ]
    search_fields = ["cluster", "partition", "raw_gpu_type", "provider", "gpu_type"]
    fieldsets = [
        ("The log says", {"fields": ["cluster", "partition", "raw_gpu_type"]}),
        ("It is billed as", {"fields": ["provider", "gpu_type", "factor"]}),
        ("Days", {"fields": ["valid_from", "valid_to"]}),
    ]


@admin.register(AccountMapping)
class AccountMappingAdmin(MappingAdmin):
    list_display = ["cluster", "account", "team", "valid_from", "valid_to"]
    list_select_related = ["team"]
    search_fields = ["cluster", "account", "team__name"]
    autocomplete_fields = ["team"]


@admin.register(SpendMapping)
class SpendMappingAdmin(MappingAdmin):
    list_display = ["provider", "sub_account", "tag", "team", "valid_from", "valid_to"]
    list_select_related = ["team"]
    search_fields = ["provider", "sub_account", "tag", "team__name"]
    autocomplete_fields = ["team"]


@admin.register(Provider)
class ProviderAdmin(HelioxAdmin):
    form = OneLineForm
    list_display = ["name", "bill_clock", "lag_days"]
    search_fields = ["name"]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm]:
        form = super().get_form(request, obj, change, **kwargs)
        return suggest(form, bill_clock=sorted(available_timezones()))


@admin.register(NameAlias)
class NameAliasAdmin(HelioxAdmin):
    form = OneLineForm
    list_display = ["alias", "name", "kind"]
    list_filter = ["kind"]
    search_fields = ["alias", "name"]
