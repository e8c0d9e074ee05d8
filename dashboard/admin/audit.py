"""Who did what, and when: to read and to search, for admins only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.text import Truncator

from ..audit import ACTIONS
from ..models import AuditEvent
from .base import ReadOnlyAdmin
from .jobs import AtLeast

MOST_LISTED = 5_000
MOST_PEOPLE = 200
DAYS = {"1": "the last day", "7": "the last 7 days", "30": "the last 30 days", "365": "the last year"}


class PagesOfEvents(Paginator):
    """No more than can be turned quickly: filters lead to the others."""

    @cached_property
    def count(self) -> int:
        events: Any = self.object_list
        number = events.order_by()[: MOST_LISTED + 1].count()
        return number if number <= MOST_LISTED else AtLeast(MOST_LISTED)


class WhatFilter(admin.SimpleListFilter):
    title, parameter_name = "what", "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(ACTIONS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(action=self.value()) if self.value() in ACTIONS else queryset


class WhoFilter(admin.SimpleListFilter):
    title, parameter_name = "who", "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        people = User.objects.order_by("username").values_list("pk", "username")
        return [(str(pk), name) for pk, name in people[:MOST_PEOPLE]]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        known = {key for key, _ in self.lookup_choices}
        return queryset.filter(user_id=self.value()) if self.value() in known else queryset


class WhenFilter(admin.SimpleListFilter):
    title, parameter_name = "when", "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(DAYS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in DAYS:
            return queryset
        return queryset.filter(at__gte=timezone.now() - timedelta(days=int(self.value() or 0)))


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["moment", "who", "did", "what", "in_short", "rows", "address"]
    list_filter = [WhatFilter, WhenFilter, WhoFilter]
    search_fields = ["who", "subject", "details", "address", "request_id"]
    search_help_text = "Who, what, details, address or the number of a request."
    fields = ["moment", "who", "user_id", "did", "subject", "details", "rows", "address", "request_id"]
    readonly_fields = ["moment", "did"]
    date_hierarchy = "at"
    ordering = ["-id"]
    sortable_by = ()
    show_full_result_count = False
    paginator = PagesOfEvents

    @admin.display(description="at")
    def moment(self, event: AuditEvent) -> str:
        return f"{timezone.localtime(event.at):%Y-%m-%d %H:%M:%S}"

    @admin.display(description="what")
    def what(self, event: AuditEvent) -> str:
        return Truncator(event.subject).chars(60)

    @admin.display(description="details")
    def in_short(self, event: AuditEvent) -> str:
        return Truncator(event.details).chars(100)

    @admin.display(description="did")
    def did(self, event: AuditEvent) -> str:
        return ACTIONS.get(event.action, event.action)
