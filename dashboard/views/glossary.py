from __future__ import annotations

from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from ..access import viewing_own_teams
from ..glossary import SECTIONS
from .kept import kept


@viewing_own_teams
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/help.html", {"glossary": glossary_html()})


@cache
def glossary_html() -> str:
    """Made once: nothing that is stored is in it, and nothing of who reads."""
    return render_to_string("dashboard/_glossary.html", {"sections": SECTIONS})
