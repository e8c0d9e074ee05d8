"""Costs that no cloud bills: what was typed in, what it posts, and whether internal prices cover the cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ..access import User, may_add, may_administer, viewing
from ..admin.contracts import price_in_words
from ..charts import Chart, Series
from ..clock import today
from ..counted import counted
from ..gpu_time import hours, six_decimals
from ..models import Commitment, PeriodEntry, Rate
from ..posted.spreading import CAPACITY, ELAPSED, METERED
from ..reports.recovery import Contracts, Entered, Priced, Recovery, contracts
from ..tables.contracts import RecoveryTable
from ..templatetags import ui
from .asked import Asked, bucket_label, figure, refusal
from .how import How
from .kept import kept

COLUMNS = (
    "month",
    "provider",
    "gpu_type",
    "job_gpu_hours",
    "charged_usd",
    "compared_usd",
    "actual_usd",
    "over_usd",
)
ENTRY_COLUMNS = ("from", "to", "provider", "gpu_type", "cost_usd", "gpu_hours", "note")
ENTRIES = "entries"
SPREAD_BY = {CAPACITY: "contracted capacity", METERED: "metered hours", ELAPSED: "elapsed time"}
ZERO = Decimal("0.00")


@viewing
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    """Its files are the recovery table, or with `file=entries` the period entries as an import reads them."""
    asked = Asked.of(request, ["provider", "gpu_type", "basis"], preset="last90")
    if (file := request.GET.get("file", "")) not in ("", ENTRIES):
        return refusal(f"“{file[:20]}” is no file of this page. Ask for {ENTRIES}, or leave it out.")
    found = contracts(asked.scope, asked.names)
    table = recovery_table(asked, found)
    if answer := file_of_entries(asked, found) if file else file_of_recovery(asked, found, table):
        return answer
    context = asked.context(
        found=found,
        figures=figures(asked, found),
        charts=charts(asked, found),
        entries=asked.listed(found.entries, partial(entry_row, asked), "entries-"),
        rates=asked.listed(found.rates, partial(rate_row, asked), "rates-"),
        commitments=asked.listed(found.commitments, partial(commitment_row, asked), "commitments-"),
        entry_files=asked.links_to_file(ENTRIES),
        table=asked.one_page(table),
        sums=sums(found),
        exports=asked.export_links() if found.recoveries else [],
        actions=actions(request.user),
        how=hows(asked, found),
    )
    return render(request, "dashboard/contracts.html", context)


# Recovery: the table and its file


def recovery_table(asked: Asked, found: Contracts) -> RecoveryTable:
    rows = [recovery_row(one) for one in found.recoveries]
    return asked.sorted(
        RecoveryTable(
            rows,
            bucket="month",
            label=lambda month: bucket_label(month, "month"),
            link=lambda row: costs_of(asked, row),
        )
    )


def recovery_row(one: Recovery) -> dict[str, Any]:
    return {
        "day": one.month,
        "provider": one.provider,
        "gpu_type": one.gpu_type,
        "job_hours": hours(one.microseconds),
        "charged": one.charged,
        "compared": one.compared,
        "actual": one.actual,
        "over": one.over,
    }


def costs_of(asked: Asked, row: dict[str, Any]) -> str:
    days = asked.days_of(row["day"], "month")
    return asked.link("costs", provider=row["provider"], gpu_type=row["gpu_type"], **days)


def file_of_recovery(asked: Asked, found: Contracts, table: RecoveryTable) -> HttpResponseBase | None:
    control = f"{sums(found)['charged']} USD charged, {sums(found)['actual']} USD actual cost"
    return asked.export("recovery", COLUMNS, lambda: recovery_rows(table), control)


def recovery_rows(table: RecoveryTable) -> Iterator[tuple[Any, ...]]:
    for row in table.rows:
        day, provider, gpu_type, job_hours, *usd = row.record.values()
        yield day, provider, gpu_type, six_decimals(job_hours), *usd


def sums(found: Contracts) -> dict[str, Decimal]:
    """Of the recovery table; actual cost is compared with `compared`."""
    return {
        "charged": sum((one.charged for one in found.recoveries), ZERO),
        "compared": sum((one.compared for one in found.recoveries), ZERO),
        "actual": sum((one.actual or ZERO for one in found.recoveries), ZERO),
        "over": sum((one.over or ZERO for one in found.recoveries), ZERO),
    }


def charts(asked: Asked, found: Contracts) -> list[Chart]:
    """Where an actual cost is known: what was charged beside it, month by month."""
    months: defaultdict[date, list[Recovery]] = defaultdict(list)
    for one in found.recoveries:
        if one.actual is not None:
            months[one.month].append(one)
    if not months:
        return []
    links = [asked.link("costs", **asked.days_of(month, "month")) for month in months]
    charged = [sum((one.compared for one in months[month]), ZERO) for month in months]
    actual = [sum((one.actual or ZERO for one in months[month]), ZERO) for month in months]
    return [
        Chart(
            "recovery",
            "Charged and actual cost per month",
            [bucket_label(month, "month") for month in months],
            [
                Series("Charged at the rate", charged, colour=0, links=links),
                Series("Actual cost", actual, colour=1, links=links),
            ],
            "Days whose actual cost is known. Charged above actual: over-recovered.",
            "Month",
            links=links,
            how=asked.how("recovery"),
        )
    ]


# What was typed in


def entry_row(asked: Asked, one: Entered) -> dict[str, Any]:
    entry = one.spread.entry
    return named(asked, entry) | {
        "entry": entry,
        "by": SPREAD_BY[one.spread.by],
        "usd": one.usd,
        "url": asked.here(start=entry.first_day, end=entry.last_day, preset=""),
    }


def rate_row(asked: Asked, one: Priced) -> dict[str, Any]:
    is_hourly = one.rate.per == Rate.Per.GPU_HOUR
    return named(asked, one.rate) | {
        "rate": one.rate,
        "price": price_in_words(one.rate),
        "gpus": one.rate.gpus and f"{one.rate.gpus.normalize():,f}",
        "usd": one.usd,
        "gpu_hours": one.gpu_hours,
        "charged": one.charged if is_hourly else None,
    }


def commitment_row(asked: Asked, one: Commitment) -> dict[str, Any]:
    return named(asked, one) | {
        "commitment": one,
        "gpus": f"{one.gpus.normalize():,f}",
        "expiry": expiry_in_words(one),
    }


def named(asked: Asked, contract: PeriodEntry | Rate | Commitment) -> dict[str, Any]:
    """Display names, and where those who may can change it."""
    model = contract._meta.model_name
    user: User = asked.request.user
    may_change = may_administer(user) and user.has_perm(f"dashboard.change_{model}")
    return {
        "provider": asked.names.provider(contract.provider),
        "gpu_type": asked.names.gpu_type(contract.gpu_type),
        "edit_url": reverse(f"admin:dashboard_{model}_change", args=[contract.pk]) if may_change else "",
    }


def expiry_in_words(commitment: Commitment) -> str:
    days = (commitment.last_day - today()).days
    if commitment.first_day > today():
        return "has not begun"
    if days == 0:
        return "ends today"
    number = counted(abs(days), "day")
    return f"{number} left" if days > 0 else f"ended {number} ago"


def actions(user: User) -> list[dict[str, str]]:
    if not may_administer(user):
        return []
    return [
        {
            "label": f"Add {label}",
            "url": reverse(f"admin:dashboard_{model._meta.model_name}_add"),
        }
        for label, model in (("a period entry", PeriodEntry), ("a rate", Rate), ("a commitment", Commitment))
        if may_add(user, model)
    ]


# The file of period entries


def file_of_entries(asked: Asked, found: Contracts) -> HttpResponseBase | None:
    total = sum((one.spread.entry.cost_usd for one in found.entries), ZERO)
    control = f"{total} USD, whole entries"
    return asked.export("period-entries", ENTRY_COLUMNS, lambda: entry_rows(asked, found.entries), control)


def entry_rows(asked: Asked, entered: Iterable[Entered]) -> Iterator[tuple[Any, ...]]:
    """Entries that an alias has made one are one row, as an import would read them."""
    same: defaultdict[tuple[date, date, str, str], list[PeriodEntry]] = defaultdict(list)
    for one in entered:
        entry = one.spread.entry
        names = asked.names.provider(entry.provider), asked.names.gpu_type(entry.gpu_type)
        same[entry.first_day, entry.last_day, *names].append(entry)
    for key in sorted(same):
        known = [entry.gpu_hours for entry in same[key] if entry.gpu_hours is not None]
        notes = dict.fromkeys(entry.note for entry in same[key] if entry.note)
        usd = sum((entry.cost_usd for entry in same[key]), ZERO)
        yield *key, usd, sum(known, ZERO) if known else None, "; ".join(notes)


# The figures


def figures(asked: Asked, found: Contracts) -> list[dict[str, Any]]:
    how = hows(asked, found)
    shown = []
    if found.entries:
        usd, words = ui.usd(total_of(found.entries)), "their part in this range"
        shown.append(figure("From period entries", usd, words, how=how["entries"], link="#entries"))
    if found.rates:
        usd, words = ui.usd(total_of(found.rates)), "posted where no other cost is known"
        shown.append(figure("From rates", usd, words, how=how["rates"], link="#rates"))
    if any(one.actual is not None for one in found.recoveries):
        over = sums(found)["over"]
        label = "Under-recovered" if over < 0 else "Over-recovered"
        words = f"charged {'less' if over < 0 else 'more'} than it cost"
        shown.append(figure(label, ui.usd(abs(over)), words, how=how["recovery"], link="#rows"))
    return shown


def total_of(rows: Iterable[Entered | Priced]) -> Decimal:
    return sum((row.usd for row in rows), ZERO)


def hows(asked: Asked, found: Contracts) -> dict[str, How]:
    recovered = {name: ui.usd(amount) for name, amount in sums(found).items()}
    spread, priced = ui.usd(total_of(found.entries)), ui.usd(total_of(found.rates))
    return {
        "entries": asked.how(
            "period-entry",
            formula=f"Σ of the days in the range = {spread}",
            rows=counted(len(found.entries), "period entry", "period entries"),
            rows_url="#entries",
        ),
        "rates": asked.how(
            "rate",
            formula=f"Σ of what each rate posts in the range = {priced}",
            rows=counted(len(found.rates), "rate"),
            rows_url="#rates",
        ),
        "recovery": asked.how(
            "recovery",
            formula=f"{recovered['compared']} − {recovered['actual']} = {recovered['over']}",
            rows=counted(len(found.recoveries), "month"),
            rows_url="#rows",
        ),
        "commitments": asked.how("contracted-capacity", money=False),
    }
