"""How a change is told: arrow, percentage and both spans, or why there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..periods import in_words
from ..reports import compare
from ..reports.compare import Change, Sides
from ..templatetags import ui
from .asked import Asked


def sides(asked: Asked) -> Sides:
    """What the range is compared with: closed days of the bills, or of the job logs on pages about jobs."""
    through = asked.filter.jobs_through or asked.freshness.through(asked.scope.providers)
    return compare.sides(asked.scope, asked.filter.preset_in_force, through)


def bill_sides(asked: Asked) -> Sides:
    """Closed days of bills and job logs alike, for what a page about jobs tells of money."""
    ends = [asked.filter.jobs_through, asked.freshness.through(asked.scope.providers)]
    through = min((day for day in ends if day), default=None)
    return compare.sides(asked.scope, asked.filter.preset_in_force, through)


def delta(change: Change, sides: Sides, shown: Callable[[Any], str], more_is_good: bool = False) -> dict:
    """Beside a figure. shown: how its amounts are written."""
    if sides.reason:
        return {"text": f"No comparison: {sides.reason}", "direction": "none", "good": None, "spans": ""}
    told = in_row(change, more_is_good)
    if change.reason:
        told["text"] = f"No {'difference' if change.in_points else 'percentage'}: {change.reason}"
    now = f"{in_words(sides.now)} {shown(change.now)}"
    return told | {"spans": f"{now} against {in_words(sides.before)} {shown(change.before)}"}


def in_row(change: Change, more_is_good: bool = False) -> dict[str, Any]:
    """In a cell of a table whose note tells the spans."""
    if change.by is None:
        return {"text": change.reason, "direction": "none", "good": None}
    by = round(change.by, 3)  # what is printed as 0.0 % points nowhere
    direction = "up" if by > 0 else "down" if by < 0 else "flat"
    text = ui.percent(abs(change.by))
    if change.in_points:
        text = text.replace("%", "points")
    return {"text": text, "direction": direction, "good": by > 0 if more_is_good and by else None}


def note(sides: Sides, of: str = "") -> str:
    """Below a table with a column of changes. of: of what, where there are several."""
    change = f"change of {of}" if of else "change"
    if sides.reason:
        return f"No {change} is shown: {sides.reason}."
    return f"{change.capitalize()}: {in_words(sides.now)} against {in_words(sides.before)}, closed days only."
