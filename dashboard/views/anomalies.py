"""Days that stand out, which of them are explained, and the notes that people left on days."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from ..access import viewing
from ..filters import query
from ..money import usd
from ..periods import day_in_words, in_words
from ..reports import anomalies as report
from ..reports import notes
from ..reports.anomalies import FLOOR_SHARE, Anomaly
from ..reports.standing_out import LEAST_DAYS, RECENT, THRESHOLD, WEEKS
from ..scope import ONE_DAY, Span
from ..templatetags import ui
from . import remarks
from .asked import Asked, figure
from .kept import kept

USES = ["provider", "gpu_type"]
COLUMNS = (
    *("first_day", "last_day", "provider", "gpu_type", "what", "expected_usd", "actual_usd"),
    *("difference_usd", "by_hours_usd", "by_rate_usd", "moved", "dismissed_by", "dismissed_at", "reason"),
)
DISMISSED = "dismissed-"
MOVED = {"hours": "hours", "rate": "rate", "": ui.NOTHING}


@viewing
@require_http_methods(["GET", "HEAD", "POST"])
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, USES, preset="last90")
    sent = remarks.answer(request, asked.names) if request.method == "POST" else None
    if sent and sent.saved:
        return HttpResponseRedirect(remarks.back(request, sent))
    found = report.anomalies(asked.scope, asked.names, asked.freshness)
    if file := asked.export("anomalies", COLUMNS, lambda: map(file_row, in_order(found)), control(found)):
        return file
    open_ones = report.undismissed(found)
    dismissed = [one for one in found if one.dismissed]
    context = asked.context(
        figures=figures(asked, open_ones),
        anomalies=asked.listed(open_ones, partial(row, asked, sent=sent)),
        dismissed=asked.listed(dismissed, partial(row, asked, sent=sent), DISMISSED),
        dismissed_open=f"{DISMISSED}page" in request.GET,
        how_anomaly=asked.how("anomaly"),
        rule=RULE,
        may_dismiss=remarks.may_dismiss(request.user),
        **remarks.panel(asked, notes.of_scope(asked.scope, asked.names), sent),
    )
    return render(request, "dashboard/anomalies.html", context)


def in_order(found: list[Anomaly]) -> list[Anomaly]:
    """As the page shows them: what is dismissed comes last."""
    return sorted(found, key=lambda one: one.dismissed is not None)


RULE = {
    "weeks": WEEKS,
    "recent": RECENT,
    "threshold": THRESHOLD,
    "least": LEAST_DAYS,
    "floor": f"{FLOOR_SHARE.numerator * 100 // FLOOR_SHARE.denominator} %",
    "least_floor": f"${report.LEAST_FLOOR // 100}",
}


def control(found: list[Anomaly]) -> str:
    return f"{usd(sum(one.found.difference or 0 for one in found))} USD of differences"


def figures(asked: Asked, found: list[Anomaly]) -> list[dict[str, Any]]:
    above = [one for one in found if (one.found.difference or 0) > 0]
    below = [one for one in found if (one.found.difference or 0) < 0]
    missing = [one for one in found if one.found.kind == "missing"]
    how = asked.how("anomaly")
    return [
        figure("Stand out", ui.count(len(found)), "nobody has dismissed them", how=how),
        figure("Above what was expected", total(above), counted(above), how=how),
        figure("Below what was expected", total(below), counted(below), how=how),
        figure("Days without a row", ui.count(sum(len(one.found.days) for one in missing)), counted(missing)),
    ]


def total(found: Iterable[Anomaly]) -> str:
    return ui.usd(usd(sum(one.found.difference or 0 for one in found)))


def counted(found: list[Anomaly]) -> str:
    return f"{len(found)} {'anomaly' if len(found) == 1 else 'anomalies'}"


def money(cents: int | None) -> Decimal | None:
    return None if cents is None else usd(cents)


def row(asked: Asked, one: Anomaly, sent: remarks.Answer | None) -> dict[str, Any]:
    found = one.found
    return {
        "anomaly": one,
        "id": remarks.anchor(*one.key),
        "days": in_words(Span(found.first, found.last + ONE_DAY)),
        "what": what(one),
        "expected": money(found.expected),
        "actual": money(found.actual),
        "difference": money(found.difference),
        "by_hours": money(found.by_hours),
        "by_rate": money(found.by_rate),
        "moved": MOVED[found.moved],
        "hours": hours_in_words(one),
        "links": links(asked, one),
        "form": remarks.dismissal(asked.request, one.key, sent),
    }


def what(one: Anomaly) -> str:
    found = one.found
    if found.kind == "level":
        return f"new level since {day_in_words(found.first)}, its first {len(found.days)} days"
    if found.kind == "missing":
        return "no row in the bill"
    if found.actual is not None and found.actual < 0:
        return "a credit or refund"
    return "cost more" if (found.difference or 0) > 0 else "cost less"


def hours_in_words(one: Anomaly) -> str:
    before, now = one.found.expected_hours, one.found.gpu_hours
    return "" if before is None or now is None else f"{ui.hours(before)} → {ui.hours(now)}"


def links(asked: Asked, one: Anomaly) -> list[dict[str, str]]:
    """The days of the cell on other pages; of the bill, its lines."""
    days: dict[str, Any] = {"start": one.found.first, "end": one.found.last}
    cell = days | {"provider": one.provider, "gpu_type": one.gpu_type}
    pages = {"costs": "Costs and bill lines", "usage": "Usage", "jobs": "Jobs"}
    return [{"label": label, "url": reverse(name) + query(**cell)} for name, label in pages.items()]


def file_row(one: Anomaly) -> tuple[Any, ...]:
    found, known = one.found, one.dismissed
    return (
        found.first,
        found.last,
        one.provider,
        one.gpu_type,
        what(one),
        money(found.expected),
        money(found.actual),
        money(found.difference),
        money(found.by_hours),
        money(found.by_rate),
        MOVED[found.moved],
        str(known.author or "") if known else "",
        known.created_at if known else None,
        known.reason if known else "",
    )


def lately_panel(asked: Asked) -> list[dict[str, Any]]:
    """For the first page: the three with the most dollars of the last 30 closed days."""
    found = report.lately(asked.names, asked.freshness, asked.scope)
    return [row_lately(asked, one) for one in found[:3]]


def row_lately(asked: Asked, one: Anomaly) -> dict[str, Any]:
    days: dict[str, Any] = {"start": one.found.first, "end": one.found.last}
    cell = {"provider": one.provider, "gpu_type": one.gpu_type}
    return {
        "days": in_words(Span(one.found.first, one.found.last + ONE_DAY)),
        "name": f"{one.provider} {one.gpu_type}",
        "what": what(one),
        "difference": money(one.found.difference),
        "expected": money(one.found.expected),
        "url": reverse("anomalies") + query(**days, **cell),
    }
