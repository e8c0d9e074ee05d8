"""From a list of the admin to the page and the file that show the same rows."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from .filters import UNKNOWN

ORDER_AND_PAGE = {"o", "p", "all", "e"}


def link(label: str, page: str, **query: Any) -> dict[str, str]:
    url = reverse(page)
    return {"label": label, "url": f"{url}?{urlencode(query, doseq=True)}" if query else url}


def page_query(
    request: HttpRequest, page_filters: tuple[str, ...], date_field: str | None
) -> dict[str, Any] | None:
    """The filters of the admin's list as the page names them; None where the page has no such filter."""
    days = {f"{date_field}__{part}" for part in ("year", "month", "day")}
    asked = {name: values for name, values in request.GET.lists() if name not in ORDER_AND_PAGE | days}
    if asked.keys() - set(page_filters) or asked.get("status") == [UNKNOWN]:
        return None
    return asked | chosen_days(request, date_field)


def chosen_days(request: HttpRequest, date_field: str | None) -> dict[str, str]:
    try:
        year, month, day = (chosen(request, f"{date_field}__{part}") for part in ("year", "month", "day"))
        first = date(year, month or 1, day or 1)
        last = date(year, month or 12, day or monthrange(year, month or 12)[1])
    except (ValueError, OverflowError):
        return {"preset": "all"}
    return {"start": first.isoformat(), "end": last.isoformat()}


def chosen(request: HttpRequest, name: str) -> int:
    return int(request.GET.get(name) or 0)
