"""The bill held against the invoice, against meter and jobs, and the days that lack one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_http_methods

from ..access import viewing
from . import gaps, invoices, three_way
from .kept import kept

VIEWS: dict[str, Callable[[HttpRequest], HttpResponseBase]] = {
    "invoice": invoices.page,
    "match": three_way.page,
    "gaps": gaps.page,
}


@viewing
@require_http_methods(["GET", "HEAD", "POST"])
@kept
def page(request: HttpRequest) -> Any:
    """Totals are typed in on the view of invoices; the others only show."""
    view = VIEWS.get(request.GET.get("view", ""), invoices.page)
    return (invoices.page if request.method == "POST" else view)(request)
