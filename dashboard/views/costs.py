"""What the GPUs cost, over time and cell by cell, down to the lines of the bill."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from ..access import viewing
from ..reports import spend
from ..reports.bill import lines_behind
from ..tables import CostTable
from ..templatetags import ui
from . import drawn
from .asked import Asked, figure, help_link

COLUMNS = ("date", "provider", "gpu_type", "cost_usd")
DAYS_WITH_LINES = 31


@viewing
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, ["provider", "gpu_type", "bucket", "group_by", "basis"])
    cells = spend.costs(asked.scope, asked.names)
    sums = spend.totals(cells)
    table = asked.sorted(
        CostTable(bucketed(asked, cells), label=asked.bucket_label, link=lambda row: address(asked, row))
    )
    if answer := asked.export("costs", COLUMNS, lambda: file_rows(table), f"{sums.net} USD"):
        return answer
    context = asked.context(
        figures=figures(sums) if cells else [],
        charts=[drawn.spend(asked, cells)],
        by_provider=by_provider(asked, cells),
        table=asked.one_page(table),
        total=sums.net,
        lines=lines(asked),
        no_lines=asked.scope.basis != asked.filter.defaults()["basis"] and not spend.has_lines(),
    )
    return render(request, "dashboard/costs.html", context)


def bucketed(asked: Asked, cells: Iterable[spend.Cost]) -> list[dict[str, Any]]:
    sums: defaultdict[tuple[date, str, str], Decimal] = defaultdict(lambda: spend.ZERO)
    for cell in cells:
        sums[asked.bucket_of(cell.day), cell.provider, cell.gpu_type] += cell.usd
    return [
        {"day": day, "provider": provider, "gpu_type": gpu_type, "usd": usd}
        for (day, provider, gpu_type), usd in sorted(sums.items())
    ]


def file_rows(table: CostTable) -> Iterable[tuple[Any, ...]]:
    return (tuple(row.record.values()) for row in table.rows)


def address(asked: Asked, row: dict[str, Any]) -> str:
    days = asked.days_of(row["day"], asked.scope.bucket)
    return asked.here(
        **days, preset="", bucket="", provider=row["provider"], gpu_type=row["gpu_type"], page=""
    )


def figures(sums: spend.Totals) -> list[dict[str, Any]]:
    return [
        figure("Gross", ui.usd(sums.gross), "rows above zero", help_url=help_link("gross")),
        figure("Credits", ui.usd(sums.credits), "rows below zero", help_url=help_link("credits")),
        figure("Net", ui.usd(sums.net), "gross and credits together", help_url=help_link("spend")),
    ]


def by_provider(asked: Asked, cells: Iterable[spend.Cost]) -> list[dict[str, Any]]:
    sums: defaultdict[str, list[spend.Cost]] = defaultdict(list)
    for cell in cells:
        sums[cell.provider].append(cell)
    return [
        {"provider": provider, "url": asked.here(provider=provider), "totals": spend.totals(sums[provider])}
        for provider in sorted(sums, key=str.casefold)
    ]


def lines(asked: Asked) -> list[Any]:
    span = asked.scope.span
    if span is None or span.length > DAYS_WITH_LINES:
        return []
    return lines_behind(asked.scope, asked.names)
