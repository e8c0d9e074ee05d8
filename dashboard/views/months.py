"""The month that an address names, and the way to those beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from ..models.calendar import FIRST_DAY, LAST_DAY
from ..scope import shift_month


def month_named(text: str) -> date | None:
    """Its first day; None where the text is no month like 2025-03, or lies beyond the calendar."""
    try:
        return on_calendar(date.fromisoformat(f"{text}-01")) if len(text) == 7 else None
    except ValueError:
        return None


def on_calendar(first: date) -> date | None:
    return first if FIRST_DAY <= first <= LAST_DAY else None


def beside(
    month: date, address: Callable[[date], str], last: date | None = None, asked: str = ""
) -> dict[str, Any]:
    """The months before and after, and the month as a field holds it. last: after which there is none.

    asked: what the address names, which may be no month.
    """
    wrong = f"“{asked[:20]}” is no month from {FIRST_DAY:%Y-%m} to {LAST_DAY:%Y-%m}. This is {month:%B %Y}."
    before, after = shift_month(month, -1), shift_month(month, 1)
    return {
        "before": link(before, address),
        "after": link(after, address) if last is None or after <= last else None,
        "value": f"{month:%Y-%m}",
        "wrong": wrong if asked and month_named(asked) is None else "",
    }


def link(month: date, address: Callable[[date], str]) -> dict[str, str]:
    return {"label": f"{month:%B %Y}", "url": address(month)}
