"""The bill by team: who used what it charged, and what nobody used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ..access import viewing_own_teams
from ..charts import Chart, Grid, Series
from ..counted import counted
from ..filters import SHARED_BY, query
from ..gpu_time import hours, six_decimals
from ..models import Team
from ..money import usd
from ..reports.allocation import (
    BLENDED,
    IDLE,
    NOBODY,
    OUTRUN,
    OVER,
    TEAMS,
    UNALLOCATED,
    UNMETERED,
    UNUSED,
    Allocation,
    allocate,
)
from ..reports.allocation_changes import AllocationChanges
from ..reports.breakdown import Breakdown, Cell, Row, Sum, broken_down, cells, label
from ..reports.compare import Change
from ..reports.sharing import IDLE_VIEWS
from ..tables import ShareTable
from ..templatetags import ui
from . import drawn
from .asked import Asked, figure
from .changes import delta, in_row, note, sides
from .how import How
from .kept import kept

USES = ["provider", "gpu_type", "team", "model", "by", "then_by", "idle", "bucket", "basis", "compare"]
MOST_ROWS = 100
LINES = {
    TEAMS: "Teams",
    IDLE: "Idle",
    UNUSED: "Unused commitment",
    UNALLOCATED: "Unallocated",
}
TERMS = {TEAMS: "allocation", IDLE: "idle-cost", UNUSED: "unused-commitment", UNALLOCATED: "unallocated"}


@viewing_own_teams
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, USES)
    scope = asked.scope
    by_model = "model" in (scope.by, scope.then_by) or bool(scope.models)
    found = allocate(scope, asked.names, by_model)
    teams = dict(Team.objects.values_list("pk", "name"))
    rows = cells(found.shares, teams, asked.bucket_of)
    table = asked.sorted(share_table(asked, rows, by_model, flags(asked, found)))
    columns, control = file_columns(by_model), f"{found.total} USD"
    if answer := asked.export("allocation", columns, lambda: file_rows(table, by_model), control):
        return answer
    changes = AllocationChanges.of(scope, found, sides(asked), asked.names, by_model)
    context = asked.context(
        figures=figures(asked, found, changes) if found.shares else [],
        charts=[chart(asked, found, teams)],
        groups=shown(asked, found, changes, teams),
        changed=note(changes.sides),
        equation=None if asked.is_limited else equation(asked, found),
        notes=[] if asked.is_limited else notes(asked, found),
        table=asked.one_page(table),
        rows_open=asked.is_asked_for(table),
        total=found.total,
        how_shared=how_shared(asked, found),
        idle_view=IDLE_VIEWS[scope.idle],
    )
    return render(request, "dashboard/allocation.html", context)


def then_by(asked: Asked) -> str:
    return "" if asked.scope.then_by == asked.scope.by else asked.scope.then_by


# The file


def file_columns(by_model: bool) -> Sequence[str]:
    model = ["model"] if by_model else []
    return ["date", "team", *model, "provider", "gpu_type", "job_gpu_hours", "cost_usd"]


def file_rows(table: ShareTable, by_model: bool) -> Iterable[tuple[Any, ...]]:
    for row in table.rows:
        cell = row.record
        model = [cell.model] if by_model else []
        hardware = cell.provider, cell.gpu_type
        yield cell.day, cell.team, *model, *hardware, six_decimals(cell.gpu_hours), cell.usd


def flags(asked: Asked, found: Allocation) -> dict[tuple[date, str, str], str]:
    said: defaultdict[tuple[date, str, str], list[str]] = defaultdict(list)
    for pool in found.pools:
        if pool.flags:
            day, provider, gpu_type = pool.cell
            said[asked.bucket_of(day), provider, gpu_type] += pool.flags
    return {cell: ", ".join(sorted(set(words))) for cell, words in said.items()}


def share_table(
    asked: Asked, rows: list[Any], by_model: bool, flags: dict[tuple[date, str, str], str]
) -> ShareTable:
    exclude = () if by_model else ("model",)
    return ShareTable(
        rows, flags=flags, **asked.by_bucket, link=lambda cell: behind(asked, cell), exclude=exclude
    )


def behind(asked: Asked, cell: Cell) -> str:
    """What a row comes from: a team's jobs, the hours of what is idle, the cost of the rest."""
    where: dict[str, Any] = {"provider": cell.provider, "gpu_type": cell.gpu_type}
    where |= asked.days_of(cell.day, asked.scope.bucket)
    if cell.microseconds:
        return asked.link("jobs", **where, team=cell.owner, model=cell.model)
    if asked.is_limited:
        return ""
    return asked.link("usage" if cell.team == NOBODY[IDLE] else "costs", **where)


# The page


def figures(asked: Asked, found: Allocation, changes: AllocationChanges) -> list[dict[str, Any]]:
    if asked.scope.teams or asked.scope.models:
        return [chosen_figure(asked, found, changes)]
    whole = Decimal(found.bill)
    return [
        figure(
            LINES[line],
            ui.usd(found.part(line)),
            f"{ui.percent(Decimal(found.parts.get(line, 0)) / whole)} of the bill" if whole > 0 else "",
            how=asked.how(TERMS[line], rows=pools_in_words(found), rows_url=asked.link("costs")),
            delta=delta(changes.part(line), changes.sides, ui.usd),
        )
        for line in LINES
    ]


def chosen_figure(asked: Asked, found: Allocation, changes: AllocationChanges) -> dict[str, Any]:
    return figure(
        "Your teams" if asked.is_limited else "Chosen teams and models",
        ui.usd(found.total),
        "" if asked.is_limited else f"their share of a bill of {ui.usd(usd(found.bill))}",
        how=how_shared(asked, found),
        delta=delta(changes.total, changes.sides, ui.usd),
    )


def how_shared(asked: Asked, found: Allocation) -> How:
    if asked.is_limited:
        return asked.how("allocation")
    return asked.how("allocation", rows=pools_in_words(found), rows_url=asked.link("costs"))


def pools_in_words(found: Allocation) -> str:
    return f"{counted(len(found.pools), 'daily cost')} of a provider and GPU type"


def equation(asked: Asked, found: Allocation) -> dict[str, Any]:
    """Teams + idle + unused commitment + unallocated = bill, with the difference."""
    return {
        "parts": [(name, found.part(line)) for line, name in LINES.items()],
        "bill": usd(found.bill),
        "difference": found.difference,
        "how": asked.how("conservation", rows=pools_in_words(found), rows_url=asked.link("costs")),
    }


@dataclass(frozen=True, slots=True)
class Line:
    row: Row
    url: str
    statement_url: str
    share: Decimal | None
    change: dict[str, Any]
    cells: list[Decimal | None]


def shown(
    asked: Asked, found: Allocation, changes: AllocationChanges, teams: dict[UUID, str]
) -> dict[str, Any]:
    by, then = asked.scope.by, then_by(asked)
    groups = broken_down(found.shares, by, then, teams)
    changed = changes.rows(by, then, teams)
    lines = [line(asked, groups, row, changed.get(row.name, changes.row(None, None))) for row in groups.rows]
    return {
        "by": SHARED_BY[by],
        "then_by": SHARED_BY.get(then, ""),
        "columns": groups.columns,
        "lines": lines[:MOST_ROWS],
        "left_out": len(lines[MOST_ROWS:]),
        "total": line(asked, groups, groups.total, changes.total),
        "has_idle": any(row.sum.idle for row in groups.rows),
        "has_direct": any(row.sum.direct for row in groups.rows),
    }


def line(asked: Asked, groups: Breakdown, row: Row, change: Change) -> Line:
    whole = groups.total.sum.cents
    return Line(
        row,
        "" if row is groups.total else narrowed(asked, row),
        statement(asked, row.team) if row.team else "",
        Decimal(row.sum.cents) / whole if whole > 0 else None,
        in_row(change),
        [amount(row.columns.get(name)) for name in groups.columns],
    )


def amount(one: Sum | None) -> Decimal | None:
    return one.usd if one and one.is_billed else None


def narrowed(asked: Asked, row: Row) -> str:
    """This page for one row: its team, model, provider or GPU type."""
    if row.is_nobody:
        return ""
    return asked.here(**{asked.scope.by: row.team or row.model or row.name}, page="")


def statement(asked: Asked, team: UUID) -> str:
    """Of the last month of the range, in the same view."""
    span, shown = asked.scope.span, asked.request.GET
    month = f"{span.last:%Y-%m}" if span and span.length else ""
    return reverse("statement", args=[team]) + query(
        month=month, basis=shown.get("basis"), idle=shown.get("idle")
    )


def chart(asked: Asked, found: Allocation, teams: dict[UUID, str]) -> Chart:
    axis, by = drawn.Axis.over(asked, (one.day for one in found.shares)), asked.scope.by
    grid, nobody = Grid(axis.starts), Grid(axis.starts)
    ids = {name: pk for pk, name in teams.items()}
    kept = {name: asked.request.GET.getlist(name) for name in ("team", "model", "by", "then_by", "idle")}
    cents: defaultdict[tuple[date, str], int] = defaultdict(int)
    for day, of_day in groupby(found.shares, key=attrgetter("day")):
        start = axis.of(day)
        for one in of_day:
            if one.cents is not None:
                cents[start, label(one, by, "", teams)] += one.cents
    for (start, name), amount in cents.items():
        (nobody if name in NOBODY.values() else grid).add(start, name, usd(amount))

    def link(start: Any, names: list[str]) -> str:
        return axis.link("allocation", start, **(kept | {by: [ids.get(name) or name for name in names]}))

    series = grid.stacked("usd", link) + [
        Series(name, grid_values(nobody, name), stack="usd", colour=line)
        for line, name in NOBODY.items()
        if name in nobody.amounts
    ]
    title = f"Cost by {SHARED_BY[by]}"
    shown = drawn.time_chart(
        axis, "allocation", title, series, CAPTION, "allocation", how_shared(asked, found)
    )
    return replace(shown, links=[axis.link("allocation", start, **kept) for start in axis.starts])


def grid_values(grid: Grid, name: str) -> list[Decimal | None]:
    return [grid.amounts[name].get(start) for start in grid.labels]


CAPTION = "Each day’s cost of a provider’s GPU type, by the job GPU-hours of the day. Credits are below zero."


UNSURE = (
    (UNMETERED, "job hours and no metered ones: {}. Jobs alone share their cost.", "reconcile"),
    (
        OVER,
        "more job hours than metered ones: {}. Jobs share by their hours.",
        "reconcile",
    ),
    (
        OUTRUN,
        "more job hours than direct cost left over: {}. Jobs that ran on what a team pays for directly are "
        "charged once more.",
        "mappings",
    ),
    (BLENDED, "prices of several kinds: {}. Their shares are blended.", "unit_prices"),
)


def notes(asked: Asked, found: Allocation) -> list[dict[str, str]]:
    """What makes shares less sure than they look, each with the rows behind it."""
    said = []
    for flag, words, where in UNSURE:
        if number := sum(flag in pool.flags for pool in found.pools):
            text = f"Daily costs with {words.format(ui.count(number))}"
            said.append({"text": text, "url": leading(asked, where)})
    if found.unbilled:
        words = f"{ui.hours(hours(found.unbilled))} of jobs stand on no bill and cost nothing here."
        said.append({"text": words, "url": leading(asked, "reconcile")})
    return said


def leading(asked: Asked, where: str) -> str:
    return asked.link(where, **({"view": "match"} if where == "reconcile" else {}))
