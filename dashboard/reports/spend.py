"""What the GPUs cost: per day, provider and GPU type, on either basis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings

from .. import posted
from ..credits import spread_credits
from ..models import BillLine, CostSnapshot
from ..models.exact import CentSum, PreciseSum
from ..money import carry_cents
from ..naming import Names
from ..posted import whole_months
from ..remembered.days_over import remembered_when_over
from ..scope import Scope
from .stored import rows_of

ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Cost:
    """USD, to the cent, of one day, provider and GPU type, under their display names.

    sources: those of its rows.
    """

    day: date
    provider: str
    gpu_type: str
    usd: Decimal
    sources: frozenset[str] = field(default=frozenset(), compare=False)


class Row(NamedTuple):
    """A cell's cost in cents from one source, under the names it is stored with.

    source: "lines" (the sum of bill lines), "entered" (by hand, by CSV, by plain SQL), "period" (spread
    from a period entry) or "rate" (of GPUs that nobody bills).
    """

    day: date
    provider: str
    gpu_type: str
    usd: Decimal
    source: str


def costs(scope: Scope, names: Names) -> list[Cost]:
    """Every cell within the scope with a cost, oldest first. A cell without a row is not there."""
    asked = "costs", scope.span, scope.providers, scope.gpu_types, scope.basis
    return remembered_when_over(asked, scope.span, names, lambda: cells_of(rows(scope, names), names))


def by_provider_and_day(scope: Scope, names: Names) -> dict[tuple[str, date], Decimal]:
    """The same added up over GPU types, by the database where it can."""
    sums: defaultdict[tuple[str, date], Decimal] = defaultdict(lambda: ZERO)
    if scope.basis != settings.HELIOX_COST_BASIS:
        for cell in costs(scope, names):
            sums[cell.provider, cell.day] += cell.usd
        return dict(sums)
    snapshots = narrowed(CostSnapshot.objects.within(scope.span), scope, names).order_by()
    for day, provider, usd in snapshots.values_list("date", "provider").annotate(CentSum("cost_usd")):
        sums[names.provider(provider), day] += usd
    for posting in posted_alone(scope, names).postings:
        sums[names.provider(posting.contract.provider), posting.day] += posting.usd
    return dict(sums)


def cells_of(found: Iterable[Row], names: Names) -> list[Cost]:
    cells: defaultdict[posted.Cell, list[Row]] = defaultdict(list)
    for row in found:
        cells[cell_of(row, names)].append(row)
    return [summed(cell, cells[cell]) for cell in sorted(cells)]


def summed(cell: posted.Cell, rows: Sequence[Row]) -> Cost:
    if len(rows) == 1:  # as nearly all are
        return Cost(*cell, rows[0].usd, alone(rows[0].source))
    return Cost(*cell, sum((row.usd for row in rows), ZERO), frozenset(row.source for row in rows))


@cache
def alone(source: str) -> frozenset[str]:
    return frozenset({source})


def cell_of(row: Row, names: Names) -> posted.Cell:
    return row.day, *names.hardware(row[1:3])


def rows(scope: Scope, names: Names) -> list[Row]:
    """What `costs` sums, row by row."""
    return rows_and_posted(scope, names)[0]


def rows_and_posted(scope: Scope, names: Names) -> tuple[list[Row], posted.Posted]:
    """The rows, and the period entries and rates that are told among them."""
    asked = rows_and_posted, scope.span, scope.providers, scope.gpu_types, scope.basis
    return names.once(asked, lambda: read(scope, names))


def read(scope: Scope, names: Names) -> tuple[list[Row], posted.Posted]:
    stored = stored_rows(scope, names)
    found = posted.post(scope, names, lambda: {cell_of(row, names) for row in stored})
    return stored + [as_row(posting) for posting in found.postings], found


def posted_alone(scope: Scope, names: Names) -> posted.Posted:
    """Without the rows, which are read only where a rate might post."""
    return posted.post(scope, names, lambda: {cell_of(row, names) for row in stored_rows(scope, names)})


def as_row(posting: posted.Posting) -> Row:
    return Row(posting.day, posting.contract.provider, posting.contract.gpu_type, posting.usd, posting.source)


def stored_rows(scope: Scope, names: Names) -> list[Row]:
    snapshots = narrowed(CostSnapshot.objects.within(scope.span), scope, names)
    stored = rows_of(snapshots, "cost_usd", as_stored)
    if scope.basis == settings.HELIOX_COST_BASIS:
        return stored
    derived = {(row.day, row.provider, row.gpu_type) for row in stored if row.source == "lines"}
    entered = [row for row in stored if row.source == "entered"]
    return entered + from_lines(scope, names, derived)


def as_stored(day: date, provider: str, gpu_type: str, usd: Decimal, of_lines: bool) -> Row:
    return Row(day, provider, gpu_type, usd, "lines" if of_lines else "entered")


def from_lines(scope: Scope, names: Names, derived: set[tuple[date, str, str]]) -> list[Row]:
    """The cells that bill lines stand under, on the other basis, rounded as snapshots are."""
    lines = narrowed(BillLine.objects.current().gpu(), scope, names)
    span = whole_months(scope.span)
    if span:
        lines = lines.filter(day__gte=span.start, day__lt=span.end)
    exact: defaultdict[tuple[str, str, int, int], dict[date, Decimal]] = defaultdict(dict)
    amounts = lines.order_by("day").values_list("day", "provider", "gpu_type")
    for day, provider, gpu_type, usd in amounts.annotate(PreciseSum(scope.basis)):
        exact[provider, gpu_type, day.year, day.month][day] = usd
    keys = "day", "provider", "gpu_type"
    for (day, provider, gpu_type), credit in spread_credits(lines, keys, scope.basis).items():
        exact[provider, gpu_type, day.year, day.month][day] += credit
    return [
        Row(day, provider, gpu_type, usd, "lines")
        for (provider, gpu_type, _, _), by_day in exact.items()
        for day, usd in zip(by_day, carry_cents(by_day.values()), strict=True)
        if (day, provider, gpu_type) in derived
    ]


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
