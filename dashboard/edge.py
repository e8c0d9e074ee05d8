"""Requests that no page could read are refused before one tries."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

LONGEST_QUERY = 8_000
LONGEST_VALUE = 2_000


def refuse_unreadable(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable:
    def middleware(request: HttpRequest) -> HttpResponse:
        if is_readable(request):
            return get_response(request)
        return render(request, "400.html", status=400)

    return middleware


def is_readable(request: HttpRequest) -> bool:
    """PostgreSQL stores no NUL; the lengths are far beyond anything that a person asks for."""
    if len(request.META.get("QUERY_STRING", "")) > LONGEST_QUERY or "\0" in request.path:
        return False
    texts = [text for key, values in request.GET.lists() for text in (key, *values)]
    return all("\0" not in text and len(text) <= LONGEST_VALUE for text in texts)
