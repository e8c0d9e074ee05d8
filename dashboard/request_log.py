"""Each request gets a number and a log line; who was refused stands in the audit."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from . import audit, current, metrics

log = logging.getLogger("heliox.request")
PROBES = ("/healthz", "/readyz")


class RequestLog:
    """Middleware, the outermost: what the others answer by themselves is told, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = perf_counter()
        with current.asking(request):
            response = self.get_response(request)
            seconds = perf_counter() - began
            response["X-Request-ID"] = current.request_id()
            if response.status_code == 403:
                audit.refused(request.path, reason_of(request))
            metrics.answered(view_of(request), request.method or "", response.status_code, seconds)
            if not is_noise(request, response):
                tell(request, response, seconds)
        return response


def reason_of(request: HttpRequest) -> str:
    return getattr(request, "refused_because", "") or "Not allowed."


def view_of(request: HttpRequest) -> str:
    return request.resolver_match.view_name if request.resolver_match else ""


def is_noise(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Pictures and styles, and probes that were answered as always."""
    if response.status_code >= 400:
        return False
    return request.path in PROBES or request.path.startswith(settings.STATIC_URL)


def tell(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    """Without the query: what people search for, and whatever was pasted there, stays out of logs."""
    facts = {
        "method": request.method,
        "path": request.path[:500],
        "view": view_of(request),
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
    }
    level = logging.ERROR if response.status_code >= 500 else logging.INFO
    log.log(level, "%s %s", request.method, request.path[:500], extra={"facts": facts})
