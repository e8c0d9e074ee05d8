"""What the GPUs cost, over time and cell by cell, down to the lines of the bill."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from ..access import viewing
from ..counted import counted
from ..reports import notes, spend
from ..reports.bill import lines_behind
from ..reports.changes import CostChanges
from ..reports.compare import Change
from ..reports.in_passing import bucket_by_bucket, days_of_costs, month_by_month
from ..tables import CostTable
from ..templatetags import ui
from . import drawn, remarks
from .asked import Asked, figure
from .changes import delta, in_row, note, sides
from .how import How
from .kept import kept

COLUMNS = ("date", "provider", "gpu_type", "cost_usd")
DAYS_WITH_LINES = 31


@viewing
@require_http_methods(["GET", "HEAD", "POST"])
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, ["provider", "gpu_type", "bucket", "group_by", "basis", "compare"])
    sent = remarks.answer(request, asked.names, remarks.NOTES) if request.method == "POST" else None
    if sent and sent.saved:
        return HttpResponseRedirect(remarks.back(request, sent))
    if file := file_by_days(asked):
        return file
    cells = spend.costs(asked.scope, asked.names)
    sums = spend.totals(cells)
    rows, link = bucketed(asked, cells), partial(address, asked)
    table = asked.sorted(CostTable(rows, **asked.by_bucket, link=link))
    if answer := asked.export("costs", COLUMNS, lambda: file_rows(table), f"{sums.net} USD"):
        return answer
    changes = CostChanges.of(asked.scope, cells, sides(asked), asked.names)
    shown = figures(asked, cells, changes) if cells else []
    context = asked.context(
        figures=shown,
        how_net=shown[-1]["how"] if shown else None,
        charts=[drawn.spend(asked, cells)],
        by_provider=by_provider(asked, cells, changes),
        change_of_net=in_row(changes.net),
        changed=note(changes.sides),
        totals=sums,
        table=asked.one_page(table),
        sources=frozenset().union(*(cell.sources for cell in cells)),
        total=sums.net,
        lines=lines(asked),
        **remarks.panel(asked, notes.of_scope(asked.scope, asked.names), sent),
        no_lines=asked.scope.basis != asked.filter.defaults()["basis"] and not spend.has_lines(),
    )
    return render(request, "dashboard/costs.html", context)


def bucketed(asked: Asked, cells: list[spend.Cost]) -> list[spend.Cost]:
    if asked.scope.bucket == "day":
        return cells
    groups: defaultdict[tuple[date, str, str], list[spend.Cost]] = defaultdict(list)
    for cell in cells:
        groups[asked.bucket_of(cell.day), cell.provider, cell.gpu_type].append(cell)
    return [
        spend.Cost(
            *key,
            sum((cell.usd for cell in groups[key]), spend.ZERO),
            frozenset().union(*(cell.sources for cell in groups[key])),
        )
        for key in sorted(groups)
    ]


def file_by_days(asked: Asked) -> HttpResponseBase | None:
    """The file in the order of its days, however many, leaves as they are read."""
    days = days_of_costs(asked.scope, asked.names) if asked.is_unsorted_csv(CostTable) else None
    if days is None:
        return None
    cells = month_by_month(spend.costs, asked.scope, asked.names, days)
    rows = bucket_by_bucket(cells, asked.bucket_of, partial(bucketed, asked))
    return asked.export("costs", COLUMNS, lambda: written(rows), "")


def file_rows(table: CostTable) -> Iterable[tuple[Any, ...]]:
    return written(row.record for row in table.rows)


def written(rows: Iterable[spend.Cost]) -> Iterable[tuple[Any, ...]]:
    return ((got.day, got.provider, got.gpu_type, got.usd) for got in rows)


def address(asked: Asked, row: spend.Cost) -> str:
    days = asked.days_of(row.day, asked.scope.bucket)
    return asked.here(**days, preset="", bucket="", provider=row.provider, gpu_type=row.gpu_type, page="")


def figures(asked: Asked, cells: list[spend.Cost], changes: CostChanges) -> list[dict[str, Any]]:
    sums = spend.totals(cells)
    below = sum(cell.usd < 0 for cell in cells)
    gross, credits, net = ui.usd(sums.gross), ui.usd(sums.credits), ui.usd(sums.net)

    def how(anchor: str, formula: str, rows: int) -> How:
        return asked.how(
            anchor, formula=formula, rows=counted(rows, "cost row"), rows_url=asked.here(bucket="") + "#rows"
        )

    def delta_of(change: Change, shown: Callable[[Any], str] = ui.usd) -> dict[str, Any]:
        return delta(change, changes.sides, shown)

    return [
        figure(
            "Gross",
            gross,
            "rows above zero",
            delta=delta_of(changes.gross),
            how=how("gross", f"Σ of the cost rows above zero = {gross}", len(cells) - below),
        ),
        figure(
            "Credits",
            credits,
            "rows below zero",
            delta=delta_of(changes.credits, lambda taken_off: ui.usd(-taken_off)),
            how=how("credits", f"Σ of the cost rows below zero = {credits}", below),
        ),
        figure(
            "Net",
            net,
            "gross and credits together",
            delta=delta_of(changes.net),
            how=how("spend", f"{gross} + {credits} = {net}", len(cells)),
        ),
    ]


def by_provider(asked: Asked, cells: Iterable[spend.Cost], changes: CostChanges) -> list[dict[str, Any]]:
    sums: defaultdict[str, list[spend.Cost]] = defaultdict(list)
    for cell in cells:
        sums[cell.provider].append(cell)
    return [
        {
            "provider": provider,
            "url": asked.here(provider=provider),
            "totals": spend.totals(sums[provider]),
            "change": in_row(changes.of_provider(provider).net),
        }
        for provider in sorted(sums, key=str.casefold)
    ]


def lines(asked: Asked) -> list[Any]:
    span = asked.scope.span
    if span is None or span.length > DAYS_WITH_LINES:
        return []
    return lines_behind(asked.scope, asked.names)
