"""What moved the spend from one period to another, in words, as a waterfall and cell by cell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ..access import viewing
from ..charts import Chart, Series
from ..counted import counted
from ..money import usd
from ..periods import in_words
from ..reports import compare
from ..reports.bridge import Bridge, Reason, Side, Step, bridge, reasons
from ..reports.compare import Change, Sides
from ..reports.kinds import ENTERED, LABELS
from ..reports.known import Known
from ..scope import Span
from ..tables.rates import BridgeTable, signed
from ..templatetags import ui
from .asked import Asked, figure
from .changes import sides
from .kept import kept

PARTS = {
    "volume": "Volume",
    "mix": "Mix",
    "rate": "Rate",
    "new": "New",
    "gone": "Gone",
    "no_rate": "No rate",
}
COLUMNS = (
    "provider",
    "gpu_type",
    "kind",
    "hours_before",
    "hours_now",
    "before_usd",
    "now_usd",
    *(f"{part}_usd" for part in PARTS),
    "change_usd",
)
NOT_SPLIT = {ENTERED, "lines", "period", "rate"}
WORTH_TELLING = 10  # a reason against the difference: from a tenth of it on


@viewing
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, ["provider", "gpu_type", "basis", "compare"])
    spans = sides(asked)
    found = Bridge([]) if spans.reason else bridge(asked.scope, spans, asked.names)
    table = asked.sorted(table_of(asked, found, spans))
    if answer := asked.export("bridge", COLUMNS, lambda: file_rows(table), control(found, spans)):
        return answer
    reason = Known(asked.scope, spans, asked.names).why_not("cost", "metered")
    change = compare.change(usd(found.now), usd(found.before), reason)
    context = asked.context(
        reason=spans.reason,
        why_not=f"A bridge needs two periods of the same length with closed days. Here {spans.reason}.",
        spans=in_spans(spans),
        figures=totals(asked, found, spans, change) if found.steps else [],
        parts=parts(asked, found) if found.steps else [],
        summary=summary(found, change),
        causes=causes(found),
        missing=reason,
        without_hours=without_hours(found),
        charts=[waterfall(asked, found, spans)],
        groups=[grouped(asked, found, "provider"), grouped(asked, found, "gpu_type")],
        table=asked.one_page(table),
        change=signed(usd(found.change)),
        how=asked.how("bridge", **behind(asked, found)),
    )
    return render(request, "dashboard/bridge.html", context)


def in_spans(spans: Sides) -> str:
    return f"{in_words(spans.now)} against {in_words(spans.before)}"


def costs_of(asked: Asked, span: Span, **narrower: Any) -> str:
    basis = asked.request.GET.get("basis")
    days = {"start": span.start.isoformat(), "end": span.last.isoformat()}
    return asked.link("costs", basis=basis, **(days | narrower))


# The table and its file


def table_of(asked: Asked, found: Bridge, spans: Sides) -> BridgeTable:
    rows = [row(asked, step, spans) for step in found.steps]
    return BridgeTable(rows, exclude=[] if any(one["otherwise"] for one in rows) else ["otherwise"])


def row(asked: Asked, step: Step, spans: Sides) -> dict[str, Any]:
    hardware = {"provider": step.provider, "gpu_type": step.gpu_type}
    parts = {part: usd(getattr(step.parts, part)) for part in PARTS}
    otherwise = next((part for part in ("new", "gone", "no_rate") if parts[part]), "")
    return {
        **hardware,
        "kind": step.kind,
        "kind_label": LABELS.get(step.kind, step.kind),
        **of_side(step.before, "before"),
        **of_side(step.now, "now"),
        **parts,
        "otherwise": PARTS.get(otherwise, "").lower(),
        "change": usd(step.change),
        "before_url": costs_of(asked, spans.before, **hardware),
        "now_url": costs_of(asked, spans.now, **hardware),
    }


def of_side(side: Side | None, name: str) -> dict[str, Any]:
    return {
        f"hours_{name}": side and side.gpu_hours,
        f"rate_{name}": side and side.rate,
        name: side and usd(side.cents),
    }


def file_rows(table: BridgeTable) -> Iterable[tuple[Any, ...]]:
    names = [column.removesuffix("_usd") for column in COLUMNS]
    return (tuple(row.record[name] for name in names) for row in table.rows)


def control(found: Bridge, spans: Sides) -> str:
    difference = f"{usd(found.now)} − {usd(found.before)} = {usd(found.change)} USD"
    return f"{difference}, {in_spans(spans)}" if not spans.reason else f"none: {spans.reason}"


def grouped(asked: Asked, found: Bridge, by: str) -> dict[str, Any]:
    groups = found.by(lambda step: getattr(step, by))
    return {
        "label": {"provider": "Provider", "gpu_type": "GPU type"}[by],
        "rows": [in_group(asked.here(**{by: name}), name, group) for name, group in groups.items()],
        "total": in_group("", "Total", found),
    }


def in_group(url: str, name: str, found: Bridge) -> dict[str, Any]:
    amounts = [signed(usd(part)) for part in (*astuple(found.parts), found.change)]
    return {
        "name": name,
        "url": url,
        "before": usd(found.before),
        "now": usd(found.now),
        "amounts": amounts,
    }


# The chart


def waterfall(asked: Asked, found: Bridge, spans: Sides) -> Chart:
    steps = [usd(part) for part in astuple(found.parts)]
    levels, at = [], usd(found.before)
    for step in steps:
        at += step
        levels.append(at)
    spend = Series(
        "Spend",
        [usd(found.before), *levels, usd(found.now)] if found.steps else [],
        kind="waterfall",
        steps=[None, *steps, None] if found.steps else [],
    )
    return Chart(
        "bridge",
        f"From {in_words(spans.before)} to {in_words(spans.now)}",
        ["Before", *PARTS.values(), "Now"] if found.steps else [],
        [spend],
        caption="Each bar begins where the one before it ends. A plus adds to the spend, a minus takes off.",
        first_header="Step",
        links=[costs_of(asked, spans.before), *[None] * len(steps), costs_of(asked, spans.now)],
        how=asked.how("bridge", **behind(asked, found)),
    )


# The figures


def totals(asked: Asked, found: Bridge, spans: Sides, change: Change) -> list[dict[str, Any]]:
    cells = behind(asked, found)

    def of_period(label: str, cents: int, span: Span) -> dict[str, Any]:
        formula, url = f"Σ of the cost rows = {ui.usd(usd(cents))}", costs_of(asked, span)
        how = asked.how("spend", formula=formula, rows=cells["rows"], rows_url=url)
        return figure(label, ui.usd(usd(cents)), in_words(span), how=how, link=url)

    difference = (
        f"{ui.usd(usd(found.now))} − {ui.usd(usd(found.before))} = {signed(usd(found.change), '$0.00')}"
    )
    return [
        of_period("Before", found.before, spans.before),
        of_period("Now", found.now, spans.now),
        figure(
            "Difference",
            signed(usd(found.change), none="$0.00"),
            percentage(change),
            how=asked.how("bridge", formula=difference, **cells),
        ),
    ]


def parts(asked: Asked, found: Bridge) -> list[dict[str, Any]]:
    cells = behind(asked, found)
    return [
        figure(
            label,
            signed(usd(getattr(found.parts, part)), none="$0.00"),
            how=asked.how(anchor(part), formula=formula(found, part), **cells),
        )
        for part, label in PARTS.items()
    ]


def behind(asked: Asked, found: Bridge) -> dict[str, Any]:
    return {"rows": counted(len(found.steps), "cell"), "rows_url": asked.here() + "#rows"}


def anchor(part: str) -> str:
    return "bridge-" + part.replace("_", "-")


def formula(found: Bridge, part: str) -> str:
    """With the numbers of the total, where one formula holds for the total; else the glossary's."""
    parts, both = found.parts, found.in_both
    before, now = both.hours
    if part == "volume" and before:
        grown = f"({ui.hours(now)} ÷ {ui.hours(before)} − 1)"
        return (
            f"{ui.usd(usd(both.before))} × {grown} = {signed(usd(parts.volume))}, to the cents of the cells"
        )
    if part == "mix":
        more_hours = ui.usd(usd(parts.volume + parts.mix))
        return f"{more_hours} for other hours at old rates − volume {ui.usd(usd(parts.volume))}"
    return ""


def percentage(change: Change) -> str:
    if change.by is None:
        return f"no percentage: {change.reason}"
    return f"{ui.percent(abs(change.by))} {'more' if change.by > 0 else 'less'}"


# In words


def summary(found: Bridge, change: Change) -> str:
    if not found.change:
        return "Spend stayed the same, to the cent."
    moved = "rose" if found.change > 0 else "fell"
    share = f" ({ui.percent(abs(change.by))})" if change.by is not None else ""
    return f"Spend {moved} by {ui.usd(usd(abs(found.change)))}{share}."


def without_hours(found: Bridge) -> str:
    """A rate is that of all days of a cell, as on Unit prices: hours that lack make the others dearer."""
    if not any(found.without_hours):
        return ""
    before, now = (ui.usd(usd(cents)) for cents in found.without_hours)
    return f"Cost on days without metered hours, {before} before and {now} now, shows as rate."


def causes(found: Bridge) -> list[tuple[str, str]]:
    """What moved it most and what worked against it: in words, and the amount."""
    if not found.change:
        return []
    with_it, against = reasons(found)
    told = [(weight(with_it, found), with_it)] if with_it else []
    if against and abs(against.cents) * WORTH_TELLING >= abs(found.change):
        told.append(("Against it", against))
    return [(f"{how}: {cause(reason)},", signed(usd(reason.cents))) for how, reason in told]


def weight(reason: Reason, found: Bridge) -> str:
    part, whole = abs(reason.cents), abs(found.change)
    if part > whole:
        return "The main reason"
    return "Most of it" if part * 2 > whole else "The largest part"


def cause(reason: Reason) -> str:
    step = reason.step
    kind = "" if step.kind in NOT_SPLIT else LABELS.get(step.kind, step.kind) + " "
    hours = f"{kind}{step.gpu_type} hours at {step.provider}"
    match reason.part:
        case "hours":
            more = hours_of(step.now) - hours_of(step.before)
            return f"{ui.count(abs(more))} {'more' if more > 0 else 'fewer'} {hours}"
        case "rate":
            return f"{hours} cost {rate_of(step.now)} instead of {rate_of(step.before)}"
        case "new":
            return f"{hours}, of which there were none before"
        case "gone":
            return f"{hours}, of which there are none any more"
        case _:
            return f"{kind or 'cost '}without a rate of {step.gpu_type} at {step.provider}"


def hours_of(side: Side | None) -> Decimal:
    return (side and side.gpu_hours) or Decimal(0)


def rate_of(side: Side | None) -> str:
    return ui.rate(side.rate if side else None)
