"""From bill lines at full precision to the figures of snapshots, month by month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Q

from ..credits import spread_credits
from ..models import BillLine, CostSnapshot
from ..models.exact import PreciseSum
from ..money import WIDE, carry_cents
from ..scope import ONE_DAY, shift_month
from .snapshots import Cell, Figure

Group = tuple[str, str, date]  # provider, GPU type, first of the month: cents are carried within it
ENTERED_HOURS = Q(kind=BillLine.Kind.ENTERED, gpu_hours__isnull=False)  # carries no dollars, not even none


@dataclass(slots=True)
class Sum:
    """None where no line speaks of it."""

    cost: Decimal | None = None
    hours: Decimal | None = None

    def add(self, cost: Decimal | None, hours: Decimal | None) -> None:
        self.cost, self.hours = plus(self.cost, cost), plus(self.hours, hours)

    def of(self, model: Any) -> Decimal | None:
        return self.cost if model is CostSnapshot else self.hours


def plus(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    if one is None or other is None:
        return other if one is None else one
    return WIDE.add(one, other)


def group_of(cell: Cell) -> Group:
    day, provider, gpu_type = cell
    return provider, gpu_type, day.replace(day=1)


def reach(groups: Iterable[Group]) -> list[date]:
    """The first and the last day of the groups' months."""
    months = {month for _, _, month in groups}
    return [min(months), shift_month(max(months), 1) - ONE_DAY] if months else []


def line_sums(groups: set[Group], without: Iterable[int] = ()) -> dict[Cell, Sum]:
    """Sums per cell over the current deliveries, but for those named."""
    if not groups:
        return {}
    first, last = reach(groups)
    lines = (
        BillLine.objects.current()
        .gpu()
        .exclude(delivery__in=list(without))
        .filter(
            day__gte=first,
            day__lte=last,
            provider__in={provider for provider, _, _ in groups},
            gpu_type__in={gpu_type for _, gpu_type, _ in groups},
        )
    )
    cost = PreciseSum(settings.HELIOX_COST_BASIS, filter=~ENTERED_HOURS)
    sums = lines.order_by().values("day", "provider", "gpu_type")
    sums = sums.annotate(cost=cost, hours=PreciseSum("gpu_hours"))
    found = {(row["day"], row["provider"], row["gpu_type"]): Sum(row["cost"], row["hours"]) for row in sums}
    keys = "day", "provider", "gpu_type"
    for cell, credit in spread_credits(lines, keys, settings.HELIOX_COST_BASIS).items():
        found[cell].add(credit, None)
    return {cell: total for cell, total in found.items() if group_of(cell) in groups}


def all_groups() -> set[Group]:
    lines = BillLine.objects.current().gpu().order_by()
    return {
        (provider, gpu_type, day.replace(day=1))
        for provider, gpu_type, day in lines.values_list("provider", "gpu_type", "day").distinct()
    }


def figures(model: Any, sums: dict[Cell, Sum]) -> dict[Cell, Figure]:
    """The snapshots that these sums make; the sums must hold whole months of each provider and GPU type."""
    days: dict[Group, list[tuple[Cell, Decimal]]] = defaultdict(list)
    for cell in sorted(sums):
        amount = sums[cell].of(model)
        if amount is not None:
            days[group_of(cell)].append((cell, amount))
    basis = settings.HELIOX_COST_BASIS if model is CostSnapshot else ""
    made = {}
    for month in days.values():
        for (cell, _), cents in zip(month, carry_cents(amount for _, amount in month), strict=True):
            made[cell] = Figure(*cell, amount=cents, from_lines=True, basis=basis)
    return made
