"""What the GPUs cost: per day, provider and GPU type, on either basis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings

from ..models import BillLine, CostSnapshot
from ..models.exact import PreciseSum
from ..money import carry_cents
from ..naming import Names
from ..scope import Scope, Span

ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Cost:
    """USD, to the cent, of one day, provider and GPU type, under their display names."""

    day: date
    provider: str
    gpu_type: str
    usd: Decimal


def costs(scope: Scope, names: Names) -> list[Cost]:
    """Every cell within the scope with a stored cost, oldest first. A cell without a row is not there."""
    cells: defaultdict[tuple[date, str, str], Decimal] = defaultdict(lambda: ZERO)
    for day, provider, gpu_type, usd in stored(scope, names):
        cells[day, names.provider(provider), names.gpu_type(gpu_type)] += usd
    return [Cost(*cell, usd) for cell, usd in sorted(cells.items())]


def stored(scope: Scope, names: Names) -> Iterable[tuple[date, str, str, Decimal]]:
    snapshots = narrowed(CostSnapshot.objects.within(scope.span), scope, names)
    fields = ("date", "provider", "gpu_type", "cost_usd")
    if scope.basis == settings.HELIOX_COST_BASIS:
        return snapshots.values_list(*fields)
    entered = snapshots.filter(from_lines=False).values_list(*fields)
    return [*entered, *from_lines(scope, names, snapshots)]


def from_lines(scope: Scope, names: Names, snapshots: Any) -> list[tuple[date, str, str, Decimal]]:
    """The cells that bill lines stand under, on the other basis, rounded as snapshots are."""
    derived = set(snapshots.filter(from_lines=True).values_list("date", "provider", "gpu_type"))
    lines = narrowed(BillLine.objects.current().gpu(), scope, names)
    span = whole_months(scope.span)
    if span:
        lines = lines.filter(day__gte=span.start, day__lt=span.end)
    exact: defaultdict[tuple[str, str, int, int], dict[date, Decimal]] = defaultdict(dict)
    amounts = lines.order_by("day").values_list("day", "provider", "gpu_type")
    for day, provider, gpu_type, usd in amounts.annotate(PreciseSum(scope.basis)):
        exact[provider, gpu_type, day.year, day.month][day] = usd
    return [
        (day, provider, gpu_type, usd)
        for (provider, gpu_type, _, _), by_day in exact.items()
        for day, usd in zip(by_day, carry_cents(by_day.values()), strict=True)
        if (day, provider, gpu_type) in derived
    ]


def whole_months(span: Span | None) -> Span | None:
    """Cents are carried through a month, so a part of one is rounded within the whole."""
    if span is None:
        return None
    return Span(span.start.replace(day=1), span.end)


def narrowed(rows: Any, scope: Scope, names: Names) -> Any:
    if scope.providers:
        rows = rows.filter(provider__in=names.provider_spellings(scope.providers))
    if scope.gpu_types:
        rows = rows.filter(gpu_type__in=names.gpu_spellings(scope.gpu_types))
    return rows


@dataclass(frozen=True, slots=True)
class Totals:
    gross: Decimal
    credits: Decimal

    @property
    def net(self) -> Decimal:
        return self.gross + self.credits


def totals(cells: Iterable[Cost]) -> Totals:
    gross = credits = ZERO
    for cell in cells:
        if cell.usd < 0:
            credits += cell.usd
        else:
            gross += cell.usd
    return Totals(gross, credits)


def has_lines() -> bool:
    return CostSnapshot.objects.filter(from_lines=True).exists()
