"""The waste of each day; months are remembered, so that a comparison costs next to nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import partial

from ..clock import today
from ..money import usd
from ..naming import Names
from ..scope import Scope, Span
from . import shared_months
from .allocation import IDLE, UNUSED, CellPool, wanted
from .billed import Billed
from .idle import idle_cents
from .job_time import remembered
from .outcomes import Outcome, by_outcome

Days = dict[date, Counter[str]]  # cents by FAILED, CANCELLED, IDLE and UNUSED


def daily_waste(scope: Scope, names: Names, span: Span) -> Days:
    """Of the days of the span, and of others of its months."""
    scope = scope.but(idle="apart").over(in_whole_months(span))

    def read() -> Days:
        question = "waste", scope.teams, scope.models
        months = shared_months.by_month(question, scope, names, partial(by_month, names), len)
        return {day: parts for month in months for day, parts in month.items()}

    asked = "waste by day", scope.providers, scope.gpu_types, scope.basis
    return remembered(asked, scope, names, read)


def in_whole_months(span: Span) -> Span:
    """With the other days of its months, as far as these are over."""
    whole = span.in_months
    return whole if whole.end <= today() else Span(whole.start, span.end)


def by_month(names: Names, scope: Scope, billed: Billed) -> dict[date, Days]:
    months = by_outcome(names, scope, billed)
    return {month: by_day(one.shared.pools, one.lost, scope) for month, one in months.items()}


def by_day(pools: Iterable[CellPool], lost: Iterable[Outcome], scope: Scope) -> Days:
    """lost: what failed or was cancelled, of whatever team and model."""
    days: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for part in lost:
        if wanted(part, scope):
            days[part.day][part.status] += part.cents or 0
    for pool in [] if is_narrowed(scope) else pools:
        days[pool.cell[0]][IDLE] += idle_cents(pool)
        days[pool.cell[0]][UNUSED] += pool.unused
    return dict(days)


def is_narrowed(scope: Scope) -> bool:
    """To teams or models: idle GPUs and unused commitment are nobody's."""
    return bool(scope.teams or scope.models)


def added_up(days: Days, span: Span) -> Decimal:
    return usd(sum(sum(parts.values()) for day, parts in days.items() if day in span))
