"""Range presets in words and in days. "Last 7 days" are seven closed days."""

from __future__ import annotations

from datetime import date, timedelta

from .scope import ONE_DAY, Span, fiscal_year_start, shift_month

PRESETS = {
    "mtd": "Month to date",
    "last7": "Last 7 days",
    "last30": "Last 30 days",
    "last90": "Last 90 days",
    "last_month": "Last month",
    "last_quarter": "Last quarter",
    "ytd": "Year to date",
    "all": "All",
}
LAST_DAYS = {"last7": 7, "last30": 30, "last90": 90}


def preset_span(preset: str, today: date, through: date | None, fiscal_month: int = 1) -> Span | None:
    """Days of a preset, None for all. Those of closed days end at `through`; others follow the calendar."""
    if preset in LAST_DAYS:
        last = through or today - ONE_DAY
        return Span.inclusive(last - timedelta(days=LAST_DAYS[preset] - 1), last)
    this_month = today.replace(day=1)
    if preset == "mtd":
        return Span(this_month, today + ONE_DAY)
    if preset == "last_month":
        return Span(shift_month(this_month, -1), this_month)
    if preset == "last_quarter":
        quarter = shift_month(this_month, -((today.month - fiscal_month) % 3))
        return Span(shift_month(quarter, -3), quarter)
    if preset == "ytd":
        return Span(fiscal_year_start(today, fiscal_month), today + ONE_DAY)
    return None


def in_words(span: Span | None) -> str:
    if span is None:
        return "All days"
    first, last = span.start, span.last
    if span.length <= 1:
        return day_in_words(first)
    if first.year != last.year:
        return f"{day_in_words(first)} – {day_in_words(last)}"
    if first.month != last.month:
        return f"{first.day} {first:%b} – {day_in_words(last)}"
    return f"{first.day}–{day_in_words(last)}"


def day_in_words(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
