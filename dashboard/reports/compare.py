"""Like for like: as many closed days on both sides, or a reason in words why there is no percentage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ..scope import ONE_DAY, Scope, Span, shift_month

ONE_CENT = Decimal("0.01")
AGAINST = {
    "previous": "previous period",
    "last_month": "same days last month",
    "last_year": "same days last year",
}
MONTHS_BACK = {"last_month": 1, "last_year": 12}
NO_DAYS = Span(date(2000, 1, 1), date(2000, 1, 1))


@dataclass(frozen=True, slots=True)
class Sides:
    """Closed days of a range and as many earlier ones; both are empty where `reason` says why."""

    now: Span = NO_DAYS
    before: Span = NO_DAYS
    reason: str = ""

    def those_now(self, rows: Iterable[Any]) -> list[Any]:
        """The rows whose `day` is compared with one before."""
        start, end = self.now.start, self.now.end
        return [row for row in rows if start <= row.day < end]


def sides(scope: Scope, preset: str, through: date | None) -> Sides:
    """through: the last closed day of what is compared. preset: the range's, empty for free dates."""
    if scope.span is None:
        return Sides(reason="all days are shown")
    if through is None or through < scope.span.start:
        return Sides(reason="no closed day in the range")
    return spans_to_compare(scope.span, through, preset, scope.compare)


def spans_to_compare(span: Span, through: date, preset: str, against: str = "previous") -> Sides:
    """Both begin with their first day; the longer one is cut at its end.

    A month, whole or to date, has the month before as its previous period, from the same day on.
    """
    closed = span.clipped(Span(span.start, max(span.start, through + ONE_DAY)))
    if against == "previous" and preset in ("mtd", "last_month") and closed.start.day == 1:
        against = "last_month"
    months = MONTHS_BACK.get(against)
    before = months_earlier(closed, months) if months else closed.before()
    days = min(closed.length, before.length)
    if not days:
        return Sides(reason="there are no such days to compare with")
    now, before = first_days(closed, days), first_days(before, days)
    if before.end > now.start:
        return Sides(reason=f"the range is longer than a {'month' if months == 1 else 'year'}")
    return Sides(now, before)


def months_earlier(span: Span, months: int) -> Span:
    """The same days of earlier months, without those that a shorter month does not have."""
    first, last = span.start, span.last
    start, end = day_of_month(first, -months), day_of_month(last, -months)
    end = end + ONE_DAY if end.day == last.day else end
    return Span(start, max(start, end))


def day_of_month(day: date, months: int) -> date:
    """That day of another month; the first of the next month where there is no such day."""
    month = shift_month(day.replace(day=1), months)
    return min(month + (day - day.replace(day=1)), shift_month(month, 1))


def first_days(span: Span, days: int) -> Span:
    return Span(span.start, span.start + days * ONE_DAY)


@dataclass(frozen=True, slots=True)
class Change:
    """by: (now − before) ÷ before, or with `in_points` now − before; None where `reason` says why not."""

    now: Decimal | None
    before: Decimal | None
    by: Decimal | None = None
    reason: str = ""
    in_points: bool = False


def change(
    now: Decimal | None, before: Decimal | None, reason: str = "", too_small: str = "less than 1 cent before"
) -> Change:
    """Relative to before. reason: what stands against it already; too_small: what to say of a small base."""
    reason = reason or absent(now, before)
    if reason or now is None or before is None:
        return Change(now, before, None, reason)
    if before < ONE_CENT:
        return Change(now, before, None, too_small)
    return Change(now, before, (now - before) / before)


def hours_change(now: Decimal | None, before: Decimal | None, reason: str = "") -> Change:
    return change(now, before, reason, "less than 0.01 h before")


def points(now: Decimal | None, before: Decimal | None, reason: str = "") -> Change:
    """The difference of two shares of one."""
    reason = reason or absent(now, before)
    if reason or now is None or before is None:
        return Change(now, before, None, reason, in_points=True)
    return Change(now, before, now - before, in_points=True)


def absent(now: Decimal | None, before: Decimal | None) -> str:
    if before is None:
        return "none before"
    return "none now" if now is None else ""
