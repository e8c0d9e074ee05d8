"""List filters that ask for little: none looks for its choices in the jobs themselves.

Their parameters are those of the pages, so that a link carries them over as they are.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from ..models import Team
from ..models.entities import KNOWN_STATUSES
from ..naming import Names
from ..reports.oddities import ODDITIES, odd

MOST_TEAMS = 100
UNKNOWN = "unknown"


def names_of(request: HttpRequest) -> Names:
    """Loaded once for a request, however many filters and fields ask."""
    if not hasattr(request, "heliox_names"):
        request.heliox_names = Names.load()  # type: ignore[attr-defined]
    return request.heliox_names  # type: ignore[attr-defined]


class ProviderFilter(SimpleListFilter):
    title = parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.names = names_of(request)
        return [(name, name) for name in self.names.provider_choices()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not self.value():
            return queryset
        return queryset.filter(provider__in=self.names.provider_spellings([str(self.value())]))


class GpuTypeFilter(SimpleListFilter):
    title, parameter_name = "GPU type", "gpu_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.names = names_of(request)
        return [(name, name) for name in self.names.gpu_choices()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not self.value():
            return queryset
        return queryset.filter(gpu_type__in=self.names.gpu_spellings([str(self.value())]))


class StatusFilter(SimpleListFilter):
    title = parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status, status) for status in KNOWN_STATUSES] + [(UNKNOWN, "any other")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == UNKNOWN:
            return queryset.exclude(status__in=KNOWN_STATUSES)
        return queryset.filter(status=self.value()) if self.value() else queryset


class TeamFilter(SimpleListFilter):
    title = parameter_name = "team"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(team.pk), team.name) for team in Team.objects.all()[:MOST_TEAMS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(team=self.value()) if self.value() else queryset


class EndFilter(SimpleListFilter):
    title, parameter_name = "end", "end"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("none", "has none"), ("missing", "finished without one")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "none":
            return queryset.filter(end_time=None)
        if self.value() == "missing":
            open_ended = Q(status__in=("pending", "running"))
            return queryset.filter(~open_ended, end_time=None)
        return queryset


class QualityFilter(SimpleListFilter):
    title, parameter_name = "data quality", "quality"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(oddity.key, oddity.title) for oddity in ODDITIES]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return odd(queryset, [str(self.value())]) if self.value() else queryset


class WrittenByFilter(SimpleListFilter):
    title, parameter_name = "written by", "by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("lines", "bill lines"), ("import", "an imported table"), ("hand", "hand or other tools")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "lines":
                return queryset.filter(from_lines=True)
            case "import":
                return queryset.filter(from_lines=False, imported_by__isnull=False)
            case "hand":
                return queryset.filter(from_lines=False, imported_by=None)
        return queryset
