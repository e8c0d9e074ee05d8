"""The admin site: Heliox' brand, one door for all who sign in, and its subjects in their order."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from dashboard.access import teams_of

SUBJECTS = (
    "Team",
    "Job",
    "CostSnapshot",
    "UsageSnapshot",
    "ClusterMapping",
    "AccountMapping",
    "SpendMapping",
    "Provider",
    "NameAlias",
    "ImportRun",
    "BillLine",
)
# One door for everybody; and links go straight to pages: Django's detour by content type
# answers 500 to a key that is no UUID.
ELSEWHERE = {"view_on_site", "password_change", "password_change_done"}


class HelioxAdminSite(AdminSite):
    site_title = site_header = "Heliox"
    index_title = "Administration"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        """Its lists are of all teams."""
        return super().has_permission(request) and teams_of(request.user) is None

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Nobody signs in here: the middleware has sent strangers to the one sign-in page."""
        if not self.has_permission(request):
            raise PermissionDenied("Your role has no part in the administration.")
        return HttpResponseRedirect(reverse("admin:index"))

    def get_urls(self) -> list[Any]:
        return [url for url in super().get_urls() if getattr(url, "name", "") not in ELSEWHERE]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda model: place(model["object_name"]))
        return sorted(apps, key=lambda app: app["app_label"] != "dashboard")


def place(subject: str) -> int:
    return SUBJECTS.index(subject) if subject in SUBJECTS else len(SUBJECTS)
