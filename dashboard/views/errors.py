"""What is answered where no page can be: in plain words, with the request's number, and nothing else."""

from __future__ import annotations

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import render_to_string

from .. import current
from ..access import sees_nothing
from ..trouble import outages


def said(request: HttpRequest, template: str, status: int, **context: Any) -> HttpResponse:
    """Without context processors: none of them may fail here once more."""
    known = {"request": request, "theme": request.COOKIES.get("theme", "")}
    response = HttpResponse(render_to_string(template, known | context), status=status)
    response["Cache-Control"] = "no-store"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return said(request, "400.html", 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    request.refused_because = str(exception)  # type: ignore[attr-defined]
    may_leave = {"csrf_token": get_token(request)} if sees_nothing(request.user) else {}
    return said(request, "403.html", 403, exception=str(exception), **may_leave)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return said(request, "404.html", 404)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    request.refused_because = f"Form: {reason}"  # type: ignore[attr-defined]
    return said(request, "403_csrf.html", 403)


def server_error(request: HttpRequest) -> HttpResponse:
    """Where only the database is at fault, it is worth to come back in a moment."""
    error = sys.exc_info()[1]
    try:
        if outages.is_outage(error):
            outages.gone.note(error)
            return unavailable(request, outages.in_words(error))
        return said(request, "500.html", 500)
    except (TemplateDoesNotExist, TemplateSyntaxError, ValueError):  # e.g. static files were not collected
        words = f"Something went wrong. Request {current.request_id()}."
        return HttpResponse(words, status=500, content_type="text/plain; charset=utf-8")


def unavailable(request: HttpRequest, reason: str) -> HttpResponse:
    response = said(request, "503.html", 503, reason=reason)
    response["Retry-After"] = str(outages.RETRY_AFTER)
    return response
