"""Which days lack a cost, metered hours or a job log: as a calendar, in words and as a file."""

from __future__ import annotations

from calendar import day_name
from collections.abc import Iterable
from datetime import date
from itertools import groupby
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from ..counted import counted
from ..periods import day_in_words, in_words
from ..reports.gaps import JUDGED, KINDS, STATES, Calendar, Day, Gap, Gaps, gaps
from .asked import Asked, figure
from .panels import PRESET, panel

COLUMNS = ("date", "provider", "state", "cost_row", "metered_row", "job_log")
SHORT = {
    "complete": "complete",
    "no-log": "no job log",
    "no-cost": "no cost",
    "no-metered": "no metered hours",
    "nothing": "neither",
    "open": "open",
    "outside": "outside",
}
# Letters tell the states apart where colours do not: in print, and to many eyes.
MARKS = {"no-log": "J", "no-cost": "C", "no-metered": "M", "nothing": "×"}
LEADS_TO = {"cost": "costs", "metered": "usage", "log": "jobs"}
MOST_MONTHS = 13
MOST_GAPS = 100


def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, ["provider"], preset=PRESET)
    found = gaps(asked.scope, asked.names, asked.freshness)
    if file := asked.export("gaps", COLUMNS, lambda: file_rows(found), control(found)):
        return file
    months = list(dict.fromkeys(day.replace(day=1) for day in found.span)) if found.span else []
    context = asked.context(
        **panel(asked, "gaps"),
        figures=figures(asked, found) if found.calendars else [],
        counts=[counts(asked, calendar) for calendar in found.calendars],
        totals=[found.counts[state] for state in STATES],
        days=sum(found.counts.values()),
        judged=any(found.counts[state] for state in JUDGED),
        gaps=[told(asked, gap) for gap in found.gaps[:MOST_GAPS]],
        more_gaps=len(found.gaps) - MOST_GAPS,
        unbilled=found.unbilled,
        calendars=[drawn(asked, calendar, months[-MOST_MONTHS:]) for calendar in found.calendars],
        months_drawn=MOST_MONTHS if len(months) > MOST_MONTHS else 0,
        legend=[(state, SHORT[state], STATES[state], MARKS.get(state, "")) for state in STATES],
        weekdays=[(day[:2], day) for day in day_name],
        how_counts=asked.how("data-gaps", money=False, rows=counted(sum(found.counts.values()), "day")),
    )
    return render(request, "dashboard/reconcile_gaps.html", context)


def figures(asked: Asked, found: Gaps) -> list[dict[str, Any]]:
    by_kind = {kind: sum(gap.span.length for gap in found.gaps if gap.kind == kind) for kind in KINDS}
    days = counted(sum(found.counts.values()), "day")
    labels = {"cost": "Without cost", "metered": "Without metered hours", "log": "Without a job log"}
    return [
        figure(
            label,
            counted(by_kind[kind], "day"),
            f"in {counted(len([gap for gap in found.gaps if gap.kind == kind]), 'gap')}",
            how=asked.how("log-coverage" if kind == "log" else "data-gaps", money=False, rows=days),
        )
        for kind, label in labels.items()
    ] + [
        figure(
            "Complete",
            counted(found.counts["complete"], "day"),
            f"of {days}",
            how=asked.how("data-gaps", money=False, rows=days),
        )
    ]


def counts(asked: Asked, calendar: Calendar) -> dict[str, Any]:
    return {
        "provider": calendar.provider,
        "url": asked.here(provider=calendar.provider, page=""),
        "counts": [calendar.counts[state] for state in STATES],
        "days": len(calendar.days),
    }


def told(asked: Asked, gap: Gap) -> dict[str, str]:
    where = {"start": gap.span.start, "end": gap.span.last, "provider": gap.provider}
    return {
        "days": in_words(gap.span),
        "words": f"{KINDS[gap.kind]} of {gap.provider}",
        "length": counted(gap.span.length, "day"),
        "url": asked.link(LEADS_TO[gap.kind], **where),
    }


# The calendar


def drawn(asked: Asked, calendar: Calendar, months: list[date]) -> dict[str, Any]:
    by_month = groupby(calendar.days, key=lambda day: day.day.replace(day=1))
    return {
        "provider": calendar.provider,
        "months": [
            {"label": f"{month:%B %Y}", "weeks": weeks(asked, calendar.provider, month, list(days))}
            for month, days in by_month
            if month in months
        ],
    }


def weeks(asked: Asked, provider: str, month: date, days: list[Day]) -> list[list[dict[str, Any] | None]]:
    """Weeks from Monday on; None where the month or the range has no such day."""
    boxes: list[dict[str, Any] | None] = [None] * (month.weekday() + days[0].day.day - 1)
    boxes += [box(asked, provider, day) for day in days]
    boxes += [None] * (-len(boxes) % 7)
    found = [boxes[place : place + 7] for place in range(0, len(boxes), 7)]
    return [week for week in found if any(week)]


def box(asked: Asked, provider: str, day: Day) -> dict[str, Any]:
    known = day.state != "outside"
    return {
        "number": day.day.day,
        "state": day.state,
        "mark": MARKS.get(day.state, ""),
        "words": f"{day_in_words(day.day)}: {STATES[day.state]}",
        "url": asked.link("usage", start=day.day, end=day.day, provider=provider) if known else "",
    }


# The file


def file_rows(found: Gaps) -> Iterable[tuple[Any, ...]]:
    for calendar in found.calendars:
        for day in calendar.days:
            there = ("yes" if there else "no" for there in (day.cost, day.metered, day.log))
            yield day.day, calendar.provider, SHORT[day.state], *there


def control(found: Gaps) -> str:
    return "; ".join(f"{SHORT[state]}: {counted(found.counts[state], 'day')}" for state in STATES)
