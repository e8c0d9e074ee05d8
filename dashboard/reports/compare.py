"""Like for like: the same number of closed days on both sides, or a reason why there is no percentage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ..naming import Names
from ..scope import ONE_DAY, Scope, Span, shift_month
from .freshness import Freshness
from .spend import Cost, costs

ONE_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Comparison:
    """USD of two spans of closed days. change is None where `reason` says why there is no percentage."""

    span: Span
    before: Span
    usd: Decimal
    usd_before: Decimal
    change: Decimal | None
    reason: str = ""


def spans_to_compare(span: Span, through: date, preset: str) -> tuple[Span, Span]:
    """The closed days of the span, and as many before: days 1..d of the month before for month to date."""
    closed = Span(span.start, max(span.start, min(span.end, through + ONE_DAY)))
    if preset in ("mtd", "last_month") and closed.start.day == 1 and closed.length:
        start = shift_month(closed.start, -1)
        if preset == "last_month":
            return closed, Span(start, closed.start)
        return closed, Span(start, start + (closed.end - closed.start)).clipped(Span(start, closed.start))
    return closed, closed.before()


def spend_change(scope: Scope, preset: str, names: Names, freshness: Freshness) -> Comparison | None:
    """None where the scope has no bounds or no closed day."""
    through = freshness.through(scope.providers)
    if scope.span is None or through is None or through < scope.span.start:
        return None
    closed, before = spans_to_compare(scope.span, through, preset)
    return compared(costs(scope.over(closed), names), costs(scope.over(before), names), closed, before)


def compared(cells: list[Cost], cells_before: list[Cost], span: Span, before: Span) -> Comparison:
    usd = sum((c.usd for c in cells), Decimal("0.00"))
    usd_before = sum((c.usd for c in cells_before), Decimal("0.00"))
    reason = why_not(cells, cells_before, span, before, usd_before)
    change = None if reason else (usd - usd_before) / usd_before
    return Comparison(span, before, usd, usd_before, change, reason)


def why_not(cells: list[Cost], cells_before: list[Cost], span: Span, before: Span, base: Decimal) -> str:
    if not cells_before:
        return "no data before"
    if missing := before.length - len({c.day for c in cells_before}):
        return f"{missing} of {before.length} days before have no data"
    if missing := span.length - len({c.day for c in cells}):
        return f"{missing} of {span.length} days have no data"
    if base < ONE_CENT:
        return "less than 1 cent before"
    return ""
