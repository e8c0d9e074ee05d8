from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ..access import viewing_own_teams
from ..glossary import SECTIONS
from .kept import kept


@viewing_own_teams
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/help.html", {"sections": SECTIONS})
