"""Metered against job GPU-hours, utilisation and the price of an hour over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ..access import viewing
from ..gpu_time import six_decimals
from ..reports import usage
from ..reports.changes import Changes
from ..reports.in_passing import bucket_by_bucket, days_of_hours, month_by_month
from ..tables import UsageTable
from . import drawn
from .asked import Asked, amount
from .changes import in_row, note, sides
from .kept import kept
from .measures import Measures

PRICE = "usd_per_metered_gpu_hour"
COLUMNS = ("date", "provider", "gpu_type", "metered_gpu_hours", "job_gpu_hours", "cost_usd", PRICE)
PEAK_DAYS = 10


@viewing
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, ["provider", "gpu_type", "bucket", "basis", "compare"])
    if file := file_by_days(asked):
        return file
    cells = usage.cells(asked.scope, asked.names)
    axis = drawn.Axis.over(asked, (cell.day for cell in cells))
    parts = usage.parts(cells, axis.of)
    total = usage.Sum.of(parts)
    rows, link = bucketed(asked, cells), partial(address, asked)
    table = asked.sorted(UsageTable(rows, **asked.by_bucket, link=link))
    if answer := asked.export("usage", COLUMNS, lambda: file_rows(table), control(total)):
        return answer
    changes = Changes.of(asked.scope, cells, sides(asked), asked.names)
    measures = Measures(asked, cells, total, changes)
    context = asked.context(
        figures=figures(measures) if cells else [],
        charts=drawn.usage(asked, axis, parts, len(cells)),
        peaks=peaks(asked, cells),
        by_provider=by_provider(asked, parts, changes),
        changed=changed(changes),
        compared=note(changes.sides),
        how_utilisation=measures.utilisation()["how"],
        how_price=measures.unit_price()["how"],
        how_peak=asked.how("metered", money=False, **measures.metered_rows),
        table=asked.one_page(table),
        total=total,
    )
    return render(request, "dashboard/usage.html", context)


@dataclass(frozen=True, slots=True)
class Row:
    """A bucket of the table; most are never shown, so they are summed when they are."""

    day: date
    provider: str
    gpu_type: str
    cells: Sequence[usage.Hours]

    @property
    def sums(self) -> usage.Sum:
        return usage.total(self.cells)

    @property
    def metered(self) -> Decimal | None:
        return self.sums.metered

    @property
    def job_hours(self) -> Decimal:
        return self.sums.job_hours

    @property
    def utilisation(self) -> Decimal | None:
        return self.sums.utilisation

    @property
    def usd(self) -> Decimal | None:
        return self.sums.usd

    @property
    def unit_price(self) -> Decimal | None:
        return self.sums.unit_price


def bucketed(asked: Asked, cells: Sequence[usage.Hours]) -> Sequence[usage.Hours | Row]:
    if asked.scope.bucket == "day":
        return cells
    groups: defaultdict[tuple[date, str, str], list[usage.Hours]] = defaultdict(list)
    for day, of_day in groupby(cells, key=attrgetter("day")):
        start = asked.bucket_of(day)
        for cell in of_day:
            groups[start, cell.provider, cell.gpu_type].append(cell)
    return [Row(*key, groups[key]) for key in sorted(groups)]


def file_by_days(asked: Asked) -> HttpResponseBase | None:
    """The file in the order of its days, however many, leaves as they are read."""
    days = days_of_hours(asked.scope, asked.names) if asked.is_unsorted_csv(UsageTable) else None
    if days is None:
        return None
    cells = month_by_month(usage.cells, asked.scope, asked.names, days)
    rows = bucket_by_bucket(cells, asked.bucket_of, partial(bucketed, asked))
    return asked.export("usage", COLUMNS, lambda: written(rows), "")


def file_rows(table: UsageTable) -> Iterable[tuple[Any, ...]]:
    return written(row.record for row in table.rows)


def written(rows: Iterable[usage.Hours | Row]) -> Iterable[tuple[Any, ...]]:
    for got in rows:
        sums = got.sums
        cell = got.day, got.provider, got.gpu_type
        price = sums.unit_price
        of_price = None if price is None else six_decimals(price)
        yield *cell, sums.metered, six_decimals(sums.job_hours), sums.usd, of_price


def control(total: usage.Sum) -> str:
    jobs = six_decimals(total.job_hours)
    metered = amount(total.metered, "metered GPU-hours")
    return f"{metered}, {jobs} job GPU-hours, {amount(total.usd, 'USD')}"


def address(asked: Asked, row: Row) -> str:
    days = asked.days_of(row.day, asked.scope.bucket)
    return asked.link("jobs", **days, provider=row.provider, gpu_type=row.gpu_type)


def figures(measures: Measures) -> list[dict[str, Any]]:
    return [
        measures.metered(),
        measures.job_hours(),
        measures.idle(),
        measures.utilisation(),
        measures.unit_price(),
    ]


def peaks(asked: Asked, cells: Iterable[usage.Hours]) -> list[dict[str, Any]]:
    hours: defaultdict[date, Decimal] = defaultdict(Decimal)
    for cell in cells:
        if cell.metered is not None:
            hours[cell.day] += cell.metered
    busiest = sorted(hours, key=lambda day: (-hours[day], day))[:PEAK_DAYS]
    return [
        {"day": day, "hours": hours[day], "url": asked.link("jobs", start=day, end=day)} for day in busiest
    ]


def by_provider(asked: Asked, parts: Iterable[usage.Part], changes: Changes) -> list[dict[str, Any]]:
    groups: defaultdict[str, list[usage.Part]] = defaultdict(list)
    for part in parts:
        groups[part.provider].append(part)
    return [
        {"provider": name, "url": asked.here(provider=name), "sums": usage.Sum.of(groups[name])}
        | {"changed": changed(changes.of_provider(name))}
        for name in sorted(groups, key=str.casefold)
    ]


def changed(changes: Changes) -> dict[str, Any]:
    return {
        "metered": in_row(changes.metered),
        "job_hours": in_row(changes.job_hours),
        "utilisation": in_row(changes.utilisation, more_is_good=True),
        "usd": in_row(changes.spend),
        "unit_price": in_row(changes.unit_price),
    }
