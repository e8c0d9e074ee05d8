from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ..access import viewing
from ..glossary import SECTIONS


@viewing
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/help.html", {"sections": SECTIONS})
