"""Budgets of a month: what was spent, at which pace, and where the month will end."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial
from itertools import accumulate
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ..access import User, may_add, may_administer, may_change, viewing
from ..charts import Chart, Series
from ..clock import today
from ..filters import BASES, query
from ..models import Budget
from ..periods import day_in_words
from ..reports.budgets import WORDS, BudgetState, budget_states
from ..reports.sharing import IDLE_VIEWS
from ..scope import Span, fiscal_year_start, shift_month
from ..templatetags import ui
from .asked import Asked
from .kept import kept
from .months import beside, month_named

COLUMNS = (
    *("month", "budget_for", "name", "budget_usd", "spent_usd", "used", "pace_usd", "forecast_usd"),
    *("reached_on", "threshold", "state", "year_budget_usd", "year_spent_usd", "basis", "idle"),
)
ZERO = Decimal("0.00")
MOST_DRAWN = 12


@viewing
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    """No filter narrows it: a budget has a basis and an idle view of its own."""
    month = month_asked(request.GET.get("month", ""))
    asked = Asked.of(request, [], fixed=lambda _: month)
    found = budget_states(month.start, asked.names, asked.freshness)
    control = f"{sum((one.booked for one in found), ZERO)} USD spent, budgets that overlap counted each"
    if answer := asked.export("budgets", COLUMNS, lambda: map(file_row, found), control):
        return answer
    listed = asked.listed(found, partial(row, asked))
    context = asked.context(
        month=month,
        months=beside(
            month.start,
            lambda first: asked.here(month=f"{first:%Y-%m}"),
            asked=request.GET.get("month", ""),
        ),
        budgets=listed,
        charts=[burn_down(asked, one) for one in listed.page[:MOST_DRAWN]],
        undrawn=max(len(listed.rows) - MOST_DRAWN, 0),
        fiscal_year=fiscal_year_start(month.start, settings.HELIOX_FISCAL_MONTH),
        how_budget=asked.how("budget"),
        actions=actions(request.user),
    )
    return render(request, "dashboard/budgets.html", context)


def month_asked(text: str) -> Span:
    """The month of the address, else this one."""
    first = month_named(text) or today().replace(day=1)
    return Span(first, shift_month(first, 1))


def actions(user: User) -> list[dict[str, str]]:
    if not (may_administer(user) and may_add(user, Budget)):
        return []
    return [
        {"label": "Add a budget", "url": reverse("admin:dashboard_budget_add")},
        {"label": "All budgets", "url": reverse("admin:dashboard_budget_changelist")},
    ]


def row(asked: Asked, one: BudgetState) -> dict[str, Any]:
    budget, through = one.budget, one.spent.through
    return {
        "state": one,
        "name": budget.subject,
        "kind": kind_of(budget),
        "url": costs_of(one),
        "words": WORDS[one.status],
        "view": view_of(budget),
        "crossed": "" if one.crossed is None else f"{one.crossed.normalize():f} %",
        "reached": reached(one),
        "through": day_in_words(through) if through else "",
        "edit": edit(asked, budget),
    }


def kind_of(budget: Budget) -> str:
    if budget.provider:
        return "provider"
    if budget.gpu_type:
        return "GPU type"
    return "team" if budget.team_id else "all GPUs"


def view_of(budget: Budget) -> str:
    basis = f"{BASES[budget.basis]} cost"
    return f"{basis}, idle {IDLE_VIEWS[budget.idle]}" if budget.team_id else basis


def costs_of(one: BudgetState) -> str:
    """The rows behind: of a team its shares, else the bill, on the budget's own basis."""
    budget = one.budget
    days = {"start": one.month.start, "end": one.month.last, "basis": budget.basis}
    if budget.team_id:
        return reverse("allocation") + query(team=budget.team_id, idle=budget.idle, **days)
    return reverse("costs") + query(provider=budget.provider, gpu_type=budget.gpu_type, **days)


def edit(asked: Asked, budget: Budget) -> str:
    user: User = asked.request.user
    if not (may_administer(user) and may_change(user, "budget")):
        return ""
    return reverse("admin:dashboard_budget_change", args=[budget.pk])


def reached(one: BudgetState) -> str:
    if one.reached_on is None:
        return "not this month" if one.spent.expected is not None else ui.NOTHING
    closed = one.spent.through is not None and one.reached_on <= one.spent.through
    return ("on " if closed else "expected ") + day_in_words(one.reached_on)


def file_row(one: BudgetState) -> tuple[Any, ...]:
    budget = one.budget
    return (
        f"{one.month.start:%Y-%m}",
        kind_of(budget),
        budget.subject,
        one.amount,
        one.booked,
        one.used.quantize(Decimal("0.0001")),
        one.pace,
        one.forecast,
        one.reached_on,
        one.crossed,
        WORDS[one.status],
        one.year_amount,
        one.year_spent,
        budget.basis,
        budget.idle if budget.team_id else None,
    )


def burn_down(asked: Asked, one: BudgetState) -> Chart:
    days = list(one.month)
    closed, expected = one.spent.closed, one.spent.expected or {}
    through = one.spent.through
    sums = list(accumulate(closed.get(day, ZERO) + expected.get(day, ZERO) for day in days))
    links = [costs_of(one)] * len(days)
    drawn = [
        drawn_line("Spent", [s if through and d <= through else None for d, s in at(days, sums)], 0),
        drawn_line("Expected", [s if is_ahead(d, one) else None for d, s in at(days, sums)], 1),
        drawn_line("Pace", [one.amount * n / len(days) for n in range(1, len(days) + 1)], "other", "edge"),
        drawn_line("Budget", [one.amount] * len(days), 3, "edge"),
    ]
    return Chart(
        f"budget-{one.budget.pk.hex[:8]}",
        f"{one.budget.subject}: {WORDS[one.status]}",
        [day.isoformat() for day in days],
        [line for line in drawn if any(value is not None for value in line.values)],
        f"Added up over {one.month.start:%B %Y}, {view_of(one.budget)}. The pace is the budget day by day.",
        links=links,
        how=asked.how("budget"),
    )


def at(days: list[date], sums: list[Decimal]) -> list[tuple[date, Decimal]]:
    return list(zip(days, sums, strict=True))


def is_ahead(day: date, one: BudgetState) -> bool:
    """From the last closed day on, so that the lines meet."""
    through = one.spent.through
    return one.spent.expected is not None and (through is None or day >= through)


def drawn_line(name: str, values: Any, colour: int | str, kind: str = "line") -> Series:
    return Series(name, values, "usd", kind, colour=colour, levels=True)
