"""Metered against job GPU-hours, utilisation and the price of an hour over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from ..access import viewing
from ..gpu_time import six_decimals
from ..models import UsageSnapshot
from ..reports import usage
from ..reports.spend import narrowed
from ..tables import UsageTable
from ..templatetags import ui
from . import drawn
from .asked import Asked, figure, help_link

COLUMNS = ("date", "provider", "gpu_type", "metered_gpu_hours", "job_gpu_hours", "cost_usd")
PEAK_DAYS = 10


@viewing
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, ["provider", "gpu_type", "bucket", "basis"])
    cells = usage.cells(asked.scope, asked.names)
    total = usage.total(cells)
    table = asked.sorted(
        UsageTable(bucketed(asked, cells), label=asked.bucket_label, link=lambda row: address(asked, row))
    )
    if answer := asked.export("usage", COLUMNS, lambda: file_rows(table), control(total)):
        return answer
    context = asked.context(
        figures=figures(asked, cells, total) if cells else [],
        charts=drawn.usage(asked, cells),
        peaks=peaks(asked),
        by_provider=by_provider(asked, cells),
        table=asked.one_page(table),
        total=total,
    )
    return render(request, "dashboard/usage.html", context)


def bucketed(asked: Asked, cells: Iterable[usage.Hours]) -> list[dict[str, Any]]:
    groups: defaultdict[tuple[date, str, str], list[usage.Hours]] = defaultdict(list)
    for cell in cells:
        groups[asked.bucket_of(cell.day), cell.provider, cell.gpu_type].append(cell)
    return [row(*key, usage.total(groups[key])) for key in sorted(groups)]


def file_rows(table: UsageTable) -> Iterable[tuple[Any, ...]]:
    for row in table.rows:
        got = row.record
        cell = got["day"], got["provider"], got["gpu_type"]
        yield *cell, got["metered"], six_decimals(got["job_hours"]), got["usd"]


def control(total: usage.Sum) -> str:
    jobs = six_decimals(total.job_hours)
    return f"{total.metered} metered GPU-hours, {jobs} job GPU-hours, {total.usd} USD"


def row(day: date, provider: str, gpu_type: str, sums: usage.Sum) -> dict[str, Any]:
    return {
        "day": day,
        "provider": provider,
        "gpu_type": gpu_type,
        "metered": sums.metered,
        "job_hours": sums.job_hours,
        "utilisation": sums.utilisation,
        "usd": sums.usd,
        "unit_price": sums.unit_price,
    }


def address(asked: Asked, row: dict[str, Any]) -> str:
    days = asked.days_of(row["day"], asked.scope.bucket)
    parameters = days | {"provider": row["provider"], "gpu_type": row["gpu_type"]}
    return asked.link("jobs", **parameters)


def figures(asked: Asked, cells: list[usage.Hours], total: usage.Sum) -> list[dict[str, Any]]:
    return [
        figure("Metered GPU-hours", ui.hours(total.metered), help_url=help_link("metered")),
        figure(
            "Job GPU-hours",
            ui.hours(total.job_hours),
            help_url=help_link("job-hours"),
            link=asked.link("jobs"),
        ),
        figure(
            "Idle GPU-hours",
            ui.hours(usage.idle_hours(cells)),
            "metered and held by no job, cell by cell",
            help_url=help_link("idle"),
        ),
        *share_and_price(total),
    ]


def share_and_price(total: usage.Sum) -> list[dict[str, Any]]:
    return [
        figure(
            "Utilisation",
            ui.percent(total.utilisation),
            note_of(total),
            help_url=help_link("utilisation"),
        ),
        figure(
            "Average price",
            ui.rate(total.unit_price),
            "per metered GPU-hour, blended",
            help_url=help_link("unit-price"),
        ),
    ]


def note_of(total: usage.Sum) -> str:
    left_out = f"; {ui.hours(total.unmetered_hours)} on hardware that is not metered left out"
    return "allocated to jobs, not necessarily busy" + (left_out if total.unmetered_microseconds else "")


def peaks(asked: Asked) -> list[dict[str, Any]]:
    snapshots = narrowed(UsageSnapshot.objects.within(asked.scope.span), asked.scope, asked.names)
    return [
        {"day": day, "hours": hours, "url": asked.link("jobs", start=day, end=day)}
        for day, hours in snapshots.peak_days(PEAK_DAYS)
    ]


def by_provider(asked: Asked, cells: Iterable[usage.Hours]) -> list[dict[str, Any]]:
    groups: defaultdict[str, list[usage.Hours]] = defaultdict(list)
    for cell in cells:
        groups[cell.provider].append(cell)
    return [
        {"provider": name, "url": asked.here(provider=name), "sums": usage.total(groups[name])}
        for name in sorted(groups, key=str.casefold)
    ]
