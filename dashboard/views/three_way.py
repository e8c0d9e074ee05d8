"""To the jobs: the seven states of cost, metered and job hours, and the cells behind each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import django_tables2 as tables
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.html import format_html, format_html_join

from ..counted import counted
from ..gpu_time import six_decimals
from ..reports.three_way import BY_KEY, OVER_REPORTED, STATES, Match, State, excess, match, state_of
from ..reports.usage import Hours
from ..tables import NUMBER, UsageTable, two_places
from ..templatetags import ui
from .asked import Asked, amount, figure
from .how import How
from .panels import PRESET, panel

COLUMNS = (
    "date",
    "provider",
    "gpu_type",
    "state",
    "cost_usd",
    "metered_gpu_hours",
    "job_gpu_hours",
    "over_reported_gpu_hours",
)
WHOLE = {"td": {"class": "nowrap"}}
ON_SCREEN = {"th": {"class": "no-print"}, "td": {"class": "no-print"}}
MOST_OVER = 10
GO_TO = {"costs": "Costs", "usage": "Usage", "jobs": "Jobs"}


class MatchTable(UsageTable):
    """One row per day, provider and GPU type."""

    day = tables.Column(attrs=WHOLE)
    gpu_type = tables.Column(verbose_name="GPU type", attrs=WHOLE)
    state = tables.Column(verbose_name="State")
    over = tables.Column(verbose_name="Over-reported", attrs=NUMBER)
    go = tables.Column(verbose_name="Show", orderable=False, attrs=ON_SCREEN)

    class Meta(UsageTable.Meta):
        sequence = ("day", "provider", "gpu_type", "state", "usd", "metered", "job_hours", "over", "go")
        exclude = ("utilisation", "unit_price")
        empty_text = "No day, provider and GPU type is in this state."

    def render_over(self, value: Any) -> str:
        return two_places(value)

    def render_go(self, value: Mapping[str, str]) -> str:
        links = format_html_join(" · ", '<a href="{}">{}</a>', ((value[page], GO_TO[page]) for page in GO_TO))
        return format_html('<span class="nowrap">{}</span>', links)


def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, ["provider", "gpu_type"], preset=PRESET)
    found = match(asked.scope, asked.names)
    chosen = request.GET.get("state", "")
    chosen = chosen if chosen in BY_KEY or chosen == OVER_REPORTED else ""
    table = asked.sorted(table_of(asked, found.of(chosen)))
    if file := asked.export(file_name(chosen), COLUMNS, lambda: file_rows(table), control(found, chosen)):
        return file
    context = asked.context(
        **panel(asked, "match", state=chosen),
        figures=figures(asked, found) if found.cells else [],
        states=[line(asked, found, state, chosen) for state in STATES],
        total=found.total,
        cells=len(found.cells),
        over=over(asked, found),
        chosen=title(chosen),
        all_url=asked.here(state="", page=""),
        how_states=asked.how("three-way-match", formula=equation(found), **behind(asked, found)),
        table=asked.one_page(table),
    )
    return render(request, "dashboard/reconcile_match.html", context)


def table_of(asked: Asked, cells: Iterable[Hours]) -> MatchTable:
    rows = [cell_row(asked, cell) for cell in cells]
    return MatchTable(rows, **asked.by_bucket, link=lambda row: row["go"]["usage"])


def cell_row(asked: Asked, cell: Hours) -> dict[str, Any]:
    where = {"start": cell.day, "end": cell.day, "provider": cell.provider, "gpu_type": cell.gpu_type}
    return {
        "day": cell.day,
        "provider": cell.provider,
        "gpu_type": cell.gpu_type,
        "state": state_of(cell).name,
        "usd": cell.usd,
        "metered": cell.metered,
        "job_hours": cell.job_hours if cell.job_microseconds else None,
        "over": excess(cell),
        "go": {page: asked.link(page, **where) for page in GO_TO},
    }


def file_name(chosen: str) -> str:
    return f"match_{chosen}" if chosen else "match"


def file_rows(table: MatchTable) -> Iterable[tuple[Any, ...]]:
    for row in table.rows:
        got = row.record
        hours = (None if got[name] is None else six_decimals(got[name]) for name in ("job_hours", "over"))
        yield got["day"], got["provider"], got["gpu_type"], got["state"], got["usd"], got["metered"], *hours


def control(found: Match, chosen: str) -> str:
    sums = Match(found.of(chosen)).total
    jobs = six_decimals(sums.job_hours)
    metered = amount(sums.metered, "metered GPU-hours")
    return f"{amount(sums.usd, 'USD')}, {metered}, {jobs} job GPU-hours"


# The figures


def figures(asked: Asked, found: Match) -> list[dict[str, Any]]:
    sums = found.sums()
    matched = sums["matched"]
    return [
        figure(
            "Money that matches",
            share(matched.usd, found.total.usd),
            f"{ui.usd(matched.usd or 0)} of {ui.usd(found.total.usd)}",
            how=how_state(asked, found, BY_KEY["matched"]),
            link=url(asked, "matched"),
        ),
        stake(asked, found, "nobody-ran", ui.usd(sums["nobody-ran"].usd or 0)),
        stake(asked, found, "jobs-only", ui.hours(sums["jobs-only"].job_hours)),
        figure(
            "Over-reported",
            ui.hours(sum((excess(cell) or 0 for cell in found.over_reported), 0)),
            f"in {counted(len(found.over_reported), 'cell')}",
            how=asked.how("over-reported", money=False, **behind(asked, found)),
            link=url(asked, OVER_REPORTED),
        ),
    ]


def stake(asked: Asked, found: Match, key: str, value: str) -> dict[str, Any]:
    state = BY_KEY[key]
    cells = counted(len(found.by_state[key]), "cell")
    how = how_state(asked, found, state)
    return figure(state.name, value, f"in {cells}", how=how, link=url(asked, key))


def share(part: Any, whole: Any) -> str:
    return ui.percent(part / whole if part is not None and whole else None)


def url(asked: Asked, key: str) -> str:
    return asked.here(state=key, page="", sort="") + "#rows"


def how_state(asked: Asked, found: Match, state: State) -> How:
    cells = counted(len(found.by_state[state.key]), "cell")
    return asked.how(state.anchor, rows=cells, rows_url=url(asked, state.key))


def behind(asked: Asked, found: Match) -> dict[str, Any]:
    return {"rows": counted(len(found.cells), "cell"), "rows_url": asked.link("usage")}


def equation(found: Match) -> str:
    parts = [ui.usd(sums.usd) for sums in found.sums().values() if sums.usd is not None]
    return f"{' + '.join(parts)} = {ui.usd(found.total.usd)}" if parts else ""


def line(asked: Asked, found: Match, state: State, chosen: str) -> dict[str, Any]:
    cells, sums = found.by_state[state.key], found.sums()[state.key]
    return {
        "state": state,
        "cells": len(cells),
        "sums": sums,
        "job_hours": sums.job_hours if sums.job_microseconds else None,
        "url": url(asked, state.key) if cells else "",
        "chosen": state.key == chosen,
    }


def over(asked: Asked, found: Match) -> dict[str, Any]:
    """The worst of the over-reported cells."""
    return {
        "rows": [cell_row(asked, cell) for cell in found.over_reported[:MOST_OVER]],
        "count": len(found.over_reported),
        "url": url(asked, OVER_REPORTED),
        "more": len(found.over_reported) > MOST_OVER,
        "how": asked.how("over-reported", money=False, **behind(asked, found)),
    }


def title(chosen: str) -> str:
    if chosen == OVER_REPORTED:
        return "Over-reported"
    return BY_KEY[chosen].name if chosen else ""
