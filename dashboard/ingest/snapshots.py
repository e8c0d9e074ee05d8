"""Snapshots of one table as they are and as an import wants them; written with what it takes to go back."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils import timezone

from ..models import CostSnapshot, ImportRun, UsageSnapshot
from ..models.calendar import FIRST_DAY
from ..models.exact import CentSum
from ..models.names import name_key
from ..naming import Names
from ..scope import Span, shift_month
from .rows import pieces, remember_created, remember_ids, upsert
from .summary import Tally

AMOUNT = {CostSnapshot: "cost_usd", UsageSnapshot: "gpu_hours"}
MEASURE = {CostSnapshot: "cost_usd", UsageSnapshot: "metered_gpu_hours"}
CHOICES = "choose to keep it, to replace it, or to add the two"
TOO_MUCH = Decimal(10) ** 10  # the column holds ten digits before the point

Snapshot = CostSnapshot | UsageSnapshot
Cell = tuple[date, str, str]  # day, provider and GPU type as spelled


@dataclass(frozen=True, slots=True)
class Figure:
    day: date
    provider: str
    gpu_type: str
    amount: Decimal
    from_lines: bool = False
    basis: str = ""

    @property
    def cell(self) -> Cell:
        return self.day, self.provider, self.gpu_type


class SnapshotPlan:
    """Cells are the same when names and aliases say so, whatever their spelling."""

    def __init__(self, model: Any, names: Names, days: Iterable[date], lock: bool) -> None:
        self.model, self.names, self.amount = model, names, AMOUNT[model]
        self.stored: dict[Cell, list[Any]] = defaultdict(list)
        self.changed: dict[UUID, tuple[Any, Figure]] = {}
        self.created: list[Figure] = []
        self.removed: dict[UUID, Any] = {}
        self.span = Span(FIRST_DAY, FIRST_DAY)
        if days := sorted(set(days)):
            self.span = Span.inclusive(days[0], days[-1])
            rows = model.objects.within(self.span).order_by("pk")
            for row in rows.select_for_update() if lock else rows:
                self.stored[self.key((row.date, row.provider, row.gpu_type))].append(row)

    def key(self, cell: Cell) -> Cell:
        day, provider, gpu_type = cell
        return day, name_key(self.names.provider(provider)), name_key(self.names.gpu_type(gpu_type))

    def at(self, cell: Cell) -> list[Any]:
        return self.stored.get(self.key(cell), [])

    def amount_of(self, rows: Iterable[Any]) -> Decimal:
        return sum((getattr(row, self.amount) for row in rows), Decimal("0.00"))

    def put(self, figure: Figure, over: list[Any]) -> str:
        """The figure takes the place of these stored rows; says whether that inserts, updates or nothing."""
        if not over:
            self.created.append(figure)
            return "inserted"
        same = next((row for row in over if (row.provider, row.gpu_type) == figure.cell[1:]), over[0])
        for row in over:
            if row is not same:
                self.remove(row)
        if len(over) == 1 and self.is_already(same, figure):
            return "unchanged"
        self.changed[same.pk] = same, figure
        return "updated"

    def is_already(self, row: Any, figure: Figure) -> bool:
        return (
            (row.provider, row.gpu_type, row.from_lines) == (*figure.cell[1:], figure.from_lines)
            and getattr(row, self.amount) == figure.amount
            and getattr(row, "basis", figure.basis) == figure.basis
        )

    def remove(self, row: Any) -> None:
        self.removed[row.pk] = row

    @property
    def size(self) -> int:
        return len(self.created) + len(self.changed) + len(self.removed)

    def report(self, tally: Tally) -> None:
        table = self.model._meta.db_table
        tally.table(table, len(self.created), len(self.changed), len(self.removed))
        for row, figure in self.changed.values():
            old = getattr(row, self.amount)
            tally.example(f"{row}", None, {self.amount: (f"{old:.2f}", f"{figure.amount:.2f}")})
        self.sum_months(tally)

    def sum_months(self, tally: Tally) -> None:
        change: Counter[date] = Counter()
        for figure in self.created:
            change[figure.day.replace(day=1)] += figure.amount  # type: ignore[assignment]
        for row, figure in self.changed.values():
            change[row.date.replace(day=1)] += figure.amount - getattr(row, self.amount)
        for row in self.removed.values():
            change[row.date.replace(day=1)] -= getattr(row, self.amount)
        tally.touch(change)
        for month in sorted(month for month in change if change[month]):
            before = self.total(month)
            tally.month(MEASURE[self.model], month, before, before + change[month])

    def total(self, month: date) -> Decimal:
        rows = self.model.objects.filter(date__gte=month, date__lt=shift_month(month, 1))
        return rows.aggregate(total=CentSum(self.amount))["total"] or Decimal("0.00")

    def write(self, run: ImportRun | None) -> None:
        """Without a run the rows stay those of the imports that wrote them, and nothing is remembered."""
        created = [(uuid.uuid4(), figure) for figure in self.created]
        if run is not None:
            remember_ids(run, self.model, self.removed, removed=True)
            remember_ids(run, self.model, self.changed)
            remember_created(run, self.model, (pk for pk, _ in created))
        for ids in pieces(self.removed):
            self.model.objects.filter(pk__in=ids).delete()
        upsert(self.model, [self.columns(pk, new, run, old) for pk, (old, new) in self.changed.items()])
        upsert(self.model, [self.columns(pk, figure, run) for pk, figure in created])

    def columns(self, pk: UUID, figure: Figure, run: ImportRun | None, old: Any = None) -> dict[str, Any]:
        basis = {"basis": figure.basis} if self.model is CostSnapshot else {}
        written_at = run.written_at if run else timezone.now()
        return {
            "id": pk,
            "created_at": written_at,
            "updated_at": written_at,
            "imported_by_id": run.pk if run else getattr(old, "imported_by_id", None),
            "date": figure.day,
            "provider": figure.provider,
            "gpu_type": figure.gpu_type,
            self.amount: figure.amount,
            "from_lines": figure.from_lines,
            **basis,
        }


def whose(rows: Iterable[Any]) -> str:
    """Who brought the stored figure, in words that end a sentence."""
    row = next(iter(rows))
    if row.from_lines:
        return "which comes from a bill"
    return f"which import {row.imported_by_id} brought" if row.imported_by_id else "which was entered by hand"
