"""What a GPU-hour costs: billed and effective, by kind of purchase, commitments, and what is out of line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ..access import viewing
from ..charts import MOST_SERIES, Chart, Grid, Series
from ..clock import now
from ..counted import counted
from ..gpu_time import six_decimals
from ..money import usd
from ..periods import in_words
from ..reports.commitments import Commitments, Expiry, Place, Use
from ..reports.kinds import LABELS
from ..reports.outliers import Outlier, outliers
from ..reports.unit_prices import Dearer, Priced, Rates, closed, dearer, priced, rates, rates_by
from ..tables.rates import KindTable, PriceTable
from ..templatetags import ui
from . import drawn
from .asked import Asked, amount, figure
from .how import How
from .kept import kept
from .measures import Average

MOST_OUTLIERS = 50


@viewing
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, ["provider", "gpu_type", "bucket", "basis"], preset="last90", bucket="month")
    cells = priced(asked.scope, asked.names)
    total = rates(cells)
    whole = rates_by(cells, place_of(asked))
    kinds = table_of(asked, KindTable, kind_rows(asked, cells, whole), prefix="kinds-")
    prices = table_of(asked, PriceTable, [row(place, sums) for place, sums in whole.items()])
    columns = (asked.scope.bucket, *COLUMNS)
    if answer := asked.export("unit-prices", columns, lambda: file_rows(kinds), control(total)):
        return answer
    found = outliers(closed(cells, asked.freshness), asked.scope.basis)
    used = Commitments.load(asked.scope, cells, asked.names, asked.freshness, now())
    context = asked.context(
        figures=figures(asked, cells, total, used, found) if cells else [],
        charts=[rate_chart(asked, cells), gap_chart(asked, cells)],
        prices=asked.one_page(prices),
        kinds=asked.one_page(kinds),
        open={"prices": asked.is_asked_for(prices), "kinds": asked.is_asked_for(kinds)},
        total=total,
        commitments=asked.listed(
            list(used.by(asked.bucket_of).items()), lambda one: use_row(asked, *one), "commitments-"
        ),
        contracts=asked.listed(used.expiries, partial(contract_row, used), "contracts-"),
        untold=used.untold,
        outliers=[outlier_row(asked, one) for one in found[:MOST_OUTLIERS]],
        more_outliers=len(found) - MOST_OUTLIERS,
        dearer=[dearer_row(asked, one) for one in dearer(cells, asked.scope.basis)],
        how=hows(asked, cells),
    )
    return render(request, "dashboard/unit_prices.html", context)


# The tables and the file

COLUMNS = (
    *("provider", "gpu_type", "kind", "metered_gpu_hours", "billed_usd", "effective_usd"),
    *("billed_rate", "effective_rate"),
)


def table_of(asked: Asked, table: type, rows: list[dict[str, Any]], prefix: str = "") -> Any:
    link = partial(costs_of, asked)
    return asked.sorted(table(rows, **asked.by_bucket, link=link, prefix=prefix, attrs={}))


def costs_of(asked: Asked, row: dict[str, Any]) -> str:
    """The cost rows of a bucket."""
    days = asked.days_of(row["day"], asked.scope.bucket)
    return cell_url(asked, row["provider"], row["gpu_type"], **days)


def cell_url(asked: Asked, provider: str, gpu_type: str, **days: Any) -> str:
    basis = asked.request.GET.get("basis")
    return asked.link("costs", provider=provider, gpu_type=gpu_type, basis=basis, **days)


def place_of(asked: Asked) -> Callable[[Priced], Place]:
    return lambda cell: (asked.bucket_of(cell.day), cell.provider, cell.gpu_type)


def kind_rows(asked: Asked, cells: list[Priced], whole: dict[Place, Rates]) -> list[dict[str, Any]]:
    """Each kind with its share of the hours and of the cost of its provider, GPU type and bucket."""
    place = place_of(asked)
    by_kind = rates_by(cells, lambda cell: (*place(cell), cell.kind))
    return [
        row(key[:3], sums)
        | {
            "kind": key[3],
            "kind_label": LABELS.get(key[3], key[3]),
            "hours_share": share(sums.gpu_hours, whole[key[:3]].gpu_hours),
            "cost_share": share(sums.usd(asked.scope.basis), whole[key[:3]].usd(asked.scope.basis)),
        }
        for key, sums in by_kind.items()
    ]


def row(place: Place, sums: Rates) -> dict[str, Any]:
    day, provider, gpu_type = place
    return {
        "day": day,
        "provider": provider,
        "gpu_type": gpu_type,
        "gpu_hours": sums.gpu_hours,
        "billed": sums.billed,
        "effective": sums.effective,
        "gap": sums.gap,
        "billed_rate": sums.billed_rate,
        "effective_rate": sums.effective_rate,
        "gap_rate": sums.gap_rate,
    }


def share(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    return part / whole if part is not None and whole is not None and whole > 0 else None


def file_rows(table: KindTable) -> Iterable[tuple[Any, ...]]:
    names = ("day", "provider", "gpu_type", "kind", "gpu_hours", "billed", "effective")
    for row in table.rows:
        of_both = (row.record[rate] for rate in ("billed_rate", "effective_rate"))
        rates_of = (None if rate is None else six_decimals(rate) for rate in of_both)
        yield *(row.record[name] for name in names), *rates_of


def control(total: Rates) -> str:
    metered = amount(total.gpu_hours, "metered GPU-hours")
    return f"{metered}, {total.billed} USD billed, {total.effective} USD effective"


# Commitments


def use_row(asked: Asked, place: Place, use: Use) -> dict[str, Any]:
    day, provider, gpu_type = place
    return {
        "bucket": asked.bucket_label(day),
        "open": is_open(asked, day, provider),
        "provider": provider,
        "gpu_type": gpu_type,
        "use": use,
        "url": costs_of(asked, {"day": day, "provider": provider, "gpu_type": gpu_type}),
    }


def is_open(asked: Asked, day: date, provider: str) -> bool:
    """Whether some days of that bucket are not complete on the provider's bill."""
    last = date.fromisoformat(asked.days_of(day, asked.scope.bucket)["end"])
    through = asked.freshness.through((provider,))
    return through is not None and last > through


def contract_row(used: Commitments, expiry: Expiry) -> dict[str, Any]:
    contract = expiry.contract
    return {
        "contract": contract,
        "gpus": f"{contract.gpus.normalize():,f}",
        "hours": used.contracted_hours(contract),
        "covered_last": expiry.covered_last,
        "expiry": expiry,
        "told": ending(expiry),
        "flag": expiry.outlived or expiry.ends_within > 0,
    }


def ending(expiry: Expiry) -> str:
    days = abs(expiry.days_left)
    if expiry.outlived:
        return f"ended {counted(days, 'day')} ago, and the bill still shows covered hours"
    if expiry.is_over:
        return f"ended {counted(days, 'day')} ago"
    left = "ends today" if not days else f"{counted(days, 'day')} left"
    if expiry.renewed:
        return f"{left}, another contract follows"
    return f"{left}: within {expiry.ends_within} days" if expiry.ends_within else left


# What is out of line


def outlier_row(asked: Asked, one: Outlier) -> dict[str, Any]:
    days = {"start": one.days.start.isoformat(), "end": one.days.last.isoformat()}
    return {
        "outlier": one,
        "days": in_words(one.days),
        "kind": LABELS.get(one.kind, one.kind),
        "more": ui.usd(one.more) if one.more < 0 else f"+{ui.usd(one.more)}",
        "url": cell_url(asked, one.provider, one.gpu_type, **days),
    }


def dearer_row(asked: Asked, one: Dearer) -> dict[str, Any]:
    return {"dearer": one, "url": cell_url(asked, one.provider, one.gpu_type)}


# The charts


def rate_chart(asked: Asked, cells: list[Priced]) -> Chart:
    """One line for each of the providers and GPU types that cost most."""
    axis = drawn.Axis.over(asked, (cell.day for cell in cells))
    basis = asked.scope.basis
    cost = rates_by(cells, lambda cell: (cell.provider, cell.gpu_type))
    dearest = sorted(cost, key=lambda hardware: -cost[hardware].usd(basis))[:MOST_SERIES]
    drawn_cells = [cell for cell in cells if cell.hardware in dearest]
    by_place = rates_by(drawn_cells, lambda cell: (axis.of(cell.day), *cell.hardware))
    nothing = rates([])
    series = [
        Series(
            " ".join(hardware),
            [by_place.get((start, *hardware), nothing).rate(basis) for start in axis.starts],
            "usd_per_hour",
            "line",
            colour=place,
            links=[
                axis.link("costs", start, provider=hardware[0], gpu_type=hardware[1]) for start in axis.starts
            ],
        )
        for place, hardware in enumerate(dearest)
    ]
    caption = (
        f"{basis.capitalize()} cost ÷ metered GPU-hours, all kinds of purchase blended, unused commitment "
        f"included, of GPUs that have both. A gap: hours or cost are not above 0."
    )
    if len(cost) > MOST_SERIES:
        caption += f" The {MOST_SERIES} with the highest cost of {len(cost)}."
    how = hows(asked, cells)[basis]
    return drawn.time_chart(axis, "rates", f"{basis.capitalize()} rate", series, caption, "costs", how)


def gap_chart(asked: Asked, cells: list[Priced]) -> Chart:
    axis = drawn.Axis.over(asked, (cell.day for cell in cells))
    grid, gaps = Grid(axis.starts), defaultdict[tuple[date, str], int](int)
    for cell in cells:
        gaps[axis.of(cell.day), cell.provider] += cell.effective - cell.billed
    for (start, provider), cents in gaps.items():
        grid.add(start, provider, usd(cents))
    series = grid.stacked("usd", lambda start, names: axis.link("costs", start, provider=names))
    caption = (
        "Effective less billed cost of the GPUs. Above 0: hours that were paid for in advance. "
        "The fee itself is a purchase on the bill and no GPU cost."
    )
    how = hows(asked, cells)["gap"]
    return drawn.time_chart(axis, "gap", "Gap between effective and billed", series, caption, "costs", how)


# The figures


def figures(
    asked: Asked, cells: list[Priced], total: Rates, used: Commitments, found: list[Outlier]
) -> list[dict[str, Any]]:
    how = hows(asked, cells)
    hours = ui.hours(total.gpu_hours)
    billed, effective = ui.usd(total.billed), ui.usd(total.effective)
    return [
        figure("Metered GPU-hours", hours, how=how["hours"]),
        figure("Billed", billed, rate_of(total, "billed"), how=how["billed"]),
        figure("Effective", effective, rate_of(total, "effective"), how=how["effective"]),
        figure(
            "Gap",
            ui.usd(total.gap),
            ui.rate(total.gap_rate),
            how=how["gap"],
        ),
        commitment_figure(asked, used),
        figure(
            "Outliers",
            ui.count(len(found)),
            "days or runs of days with an unusual rate",
            how=how["outlier"],
            link="#outliers" if found else None,
        ),
    ]


def average(total: Rates, basis: str) -> Average:
    return Average(total.usd(basis), total.gpu_hours, total.priced_usd(basis), total.priced_hours)


def rate_of(total: Rates, basis: str) -> str:
    return "; ".join([ui.rate(total.rate(basis)), *average(total, basis).left_out()])


def commitment_figure(asked: Asked, used: Commitments) -> dict[str, Any]:
    use = used.total
    covered, unused = ui.usd(use.covered.effective), ui.usd(use.unused)
    formula = f"{covered} ÷ ({covered} + {unused}) = {ui.percent(use.utilisation)}"
    return figure(
        "Commitment utilisation",
        ui.percent(use.utilisation),
        f"{unused} unused" if use.utilisation is not None else "no commitment on the bill",
        how=asked.how("commitment-utilisation", formula=formula),
        link="#commitments",
    )


def hows(asked: Asked, cells: list[Priced]) -> dict[str, How]:
    """How the figures and the tables of this page are computed."""
    total = rates(cells)
    rows: dict[str, Any] = {
        "rows": f"{len({(c.day, c.provider, c.gpu_type) for c in cells}):,} cells",
        "rows_url": asked.link("costs", basis=asked.request.GET.get("basis")),
    }
    hours = ui.hours(total.gpu_hours)

    def price(basis: str) -> str:
        return f"{average(total, basis).formula()} = {ui.rate(total.rate(basis))}"

    return {
        "hours": asked.how("metered", formula=f"Σ of the metered hours = {hours}", money=False, **rows),
        "billed": asked.how("billed-rate", formula=price("billed"), **rows),
        "effective": asked.how("effective-rate", formula=price("effective"), **rows),
        "gap": asked.how(
            "rate-gap",
            formula=f"{ui.usd(total.effective)} − {ui.usd(total.billed)} = {ui.usd(total.gap)}",
            **rows,
        ),
        "blended": asked.how("blended", **rows),
        "kinds": asked.how("kinds", **rows),
        "commitments": asked.how("commitment-utilisation"),
        "outlier": asked.how("outlier", **rows),
        "dearer": asked.how("cheapest", **rows),
    }
