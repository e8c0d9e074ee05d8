"""What the month and the quarter will cost, how sure that is, and how such answers did before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ..access import viewing
from ..charts import Chart, Series
from ..clock import today
from ..filters import query
from ..periods import day_in_words, in_words
from ..reports.forecast import (
    ASKED_ON,
    Daily,
    Outlook,
    Past,
    Record,
    month_of,
    outlook,
    quarter_of,
    record,
    series_of,
)
from ..scope import ONE_DAY, Span
from ..templatetags import ui
from .asked import Asked, figure
from .how import How
from .kept import kept

USES = ["provider", "gpu_type", "basis"]
COLUMNS = ("date", "provider", "state", "cost_usd")
ZERO = Decimal("0.00")


@viewing
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    """Its file has the days of the quarter: booked ones, and expected ones in the cents of the total."""
    asked = Asked.of(request, USES, fixed=lambda _: quarter_of(today(), settings.HELIOX_FISCAL_MONTH))
    series = series_of(asked.scope, asked.names, asked.freshness)
    month = outlook(series, month_of(today()))
    quarter = outlook(series, asked.filter.fixed or month.span)
    rows = list(file_rows(series, quarter))
    if answer := asked.export("forecast", COLUMNS, lambda: rows, f"{quarter.total} USD"):
        return answer
    told = record(series)
    context = asked.context(
        month=month,
        quarter=quarter,
        figures=figures(asked, month, quarter, told) if not quarter.reason else [],
        charts=[so_far(asked, series, month), per_day(asked, rows, quarter)] if not quarter.reason else [],
        providers=providers(asked, month, quarter),
        record=told,
        pasts=[past_row(past) for past in told.pasts],
        errors={way: told.error(way) for way in ("said", "last_month", "run_rate")},
        asked_on=", ".join(str(day) for day in ASKED_ON),
        how_forecast=how_of(asked),
        how_error=asked.how("forecast-error"),
    )
    return render(request, "dashboard/forecast.html", context)


def file_rows(series: Sequence[Daily], found: Outlook) -> Iterator[tuple[Any, ...]]:
    """Oldest first; a day that nobody knows has no row."""
    rows = []
    booked = {part.provider for part in found.parts}
    for daily in series:
        if daily.provider in booked:
            days = [day for day in found.span if day <= daily.through and day in daily.usd]
            rows += [(day, daily.provider, "booked", daily.usd[day]) for day in days]
    for part in found.parts:
        rows += [(day, part.provider, "expected", usd) for day, usd in part.days.items()]
    yield from sorted(rows, key=lambda row: (row[0], row[1].casefold()))


# Figures


def figures(asked: Asked, month: Outlook, quarter: Outlook, told: Record) -> list[dict[str, Any]]:
    return [
        month_end(asked, month, told),
        figure("Forecast to quarter end", ui.usd(quarter.total), within(quarter), how=how_of(asked, quarter)),
        figure(
            "Booked this month",
            ui.usd(month.booked),
            f"of closed days; {ui.usd(month.expected)} is expected of the others",
            how=asked.how("closed-days"),
            link=asked.link("costs", **days_of(month.span)),
        ),
        figure(
            "Mean error lately",
            ui.percent(told.error("said")),
            compared(told) or "no month is wholly closed yet",
            how=asked.how("forecast-error"),
        ),
    ]


def month_end(asked: Asked, month: Outlook, told: Record, link: str | None = None) -> dict[str, Any]:
    error = told.error("said")
    sure = f"; error lately {ui.percent(error)} ({compared(told)})" if error is not None else ""
    return figure(
        "Forecast to month end",
        ui.usd(month.total) if not month.reason else ui.NOTHING,
        month.reason or within(month) + sure,
        how=how_of(asked, month),
        link=link,
    )


def within(found: Outlook) -> str:
    if found.is_closed:
        return "all days are closed"
    if found.low is None or found.high is None:
        return "too little history to say how sure"
    return f"four of five times {ui.usd(found.low)} to {ui.usd(found.high)}"


def compared(told: Record) -> str:
    last_month, run_rate = told.error("last_month"), told.error("run_rate")
    if last_month is None or run_rate is None:
        return ""
    return f"last month again {ui.percent(last_month)}, run rate {ui.percent(run_rate)}"


def how_of(asked: Asked, found: Outlook | None = None) -> How:
    formula = (
        f"{ui.usd(found.booked)} booked + {ui.usd(found.expected)} expected = {ui.usd(found.total)}"
        if found and not found.reason
        else ""
    )
    return asked.how("forecast", formula=formula, rows="Cost rows of the days", rows_url=asked.link("costs"))


def days_of(span: Span) -> dict[str, str]:
    return {"start": span.start.isoformat(), "end": span.last.isoformat()}


# Charts


def so_far(asked: Asked, series: Sequence[Daily], month: Outlook) -> Chart:
    """What has added up by each day of the month, and the band of what is to come."""
    days, through = list(month.span), last_closed(series, month)
    sums = dict(zip(days, accumulate(on_each(month, series)), strict=True))
    edges = {name: edge_of(month, sums, through, name) for name in ("low", "high")}
    links = [asked.link("costs", start=str(day), end=str(day)) for day in days]
    drawn = [
        added_up("Booked", [sums[d] if through and d <= through else None for d in days], "line", 0),
        added_up("Expected", [sums[d] if not through or d >= through else None for d in days], "line", 1),
        added_up("Lowest", [edges["low"](d) for d in days], "edge", "muted"),
        added_up("Highest", [edges["high"](d) for d in days], "band", "muted"),
    ]
    return Chart(
        "month",
        f"Cost of {month.span.start:%B %Y}, added up",
        [day.isoformat() for day in days],
        [one for one in drawn if any(value is not None for value in one.values)],
        "Booked are days closed at every provider. In four of five cases the month ends within the band; "
        "before its end the band is drawn in proportion.",
        links=links,
        how=how_of(asked, month),
    )


def added_up(name: str, values: Sequence[Decimal | None], kind: str, colour: int | str) -> Series:
    return Series(name, values, "usd", kind, colour=colour, levels=True)


def on_each(found: Outlook, series: Sequence[Daily]) -> Iterator[Decimal]:
    """USD of each day of the span, booked and expected together."""
    told, expected = {part.provider for part in found.parts}, found.days
    for day in found.span:
        booked = (d.usd.get(day, ZERO) for d in series if d.provider in told and day <= d.through)
        yield sum(booked, ZERO) + expected.get(day, ZERO)


def last_closed(series: Sequence[Daily], found: Outlook) -> date | None:
    """The last day of the span that is closed at every provider; None where there is none."""
    told = {part.provider for part in found.parts if not part.ended}
    through = min((daily.through for daily in series if daily.provider in told), default=found.span.last)
    return through if through >= found.span.start else None


def edge_of(
    found: Outlook, sums: dict[date, Decimal], through: date | None, name: str
) -> Callable[[date], Decimal | None]:
    edge = getattr(found, name)
    begun = sums.get(through, ZERO) if through else ZERO

    def at(day: date) -> Decimal | None:
        if edge is None or not found.expected or found.is_closed or (through and day < through):
            return None
        return sums[day] + (edge - found.total) * (sums[day] - begun) / (found.total - begun)

    return at


def per_day(asked: Asked, rows: Sequence[tuple[Any, ...]], quarter: Outlook) -> Chart:
    days = list(quarter.span)
    amounts: dict[str, dict[date, Decimal]] = {"booked": {}, "expected": {}}
    for day, _, state, usd in rows:
        amounts[state][day] = amounts[state].get(day, ZERO) + usd
    links = [asked.link("costs", start=str(day), end=str(day)) for day in days]
    drawn = [
        Series(state.capitalize(), [usd.get(day) for day in days], stack="usd", colour=place, links=links)
        for place, (state, usd) in enumerate(amounts.items())
        if usd
    ]
    return Chart(
        "days",
        f"Cost per day, {in_words(quarter.span)}",
        [day.isoformat() for day in days],
        drawn,
        "A day that some providers have closed and others not has both. A day without a bill is a gap.",
        links=links,
        how=how_of(asked, quarter),
    )


# Tables


def providers(asked: Asked, month: Outlook, quarter: Outlook) -> list[dict[str, Any]]:
    ends = {part.provider: part for part in quarter.parts}
    return [
        {
            "name": part.provider,
            "url": reverse("forecast") + query(provider=part.provider, basis=asked.request.GET.get("basis")),
            "booked": part.booked,
            "expected": part.expected,
            "total": part.total,
            "quarter": ends[part.provider].total,
            "ended": part.ended,
        }
        for part in month.parts
    ]


def past_row(past: Past) -> dict[str, Any]:
    return {
        "month": past.month,
        "asked_on": day_in_words(past.asked_on),
        "said": past.said,
        "low": past.low,
        "high": past.high,
        "came": past.came,
        "held": past.held,
        "url": reverse("costs") + query(**days_of(Span(past.month, month_of(past.month).last + ONE_DAY))),
        "off": signed(past.off(past.said)),
        "last_month": signed(past.off(past.last_month)),
        "run_rate": signed(past.off(past.run_rate)),
    }


def signed(off: Decimal | None) -> str:
    return ui.NOTHING if off is None else ("+" if off > 0 else "") + ui.percent(off)
