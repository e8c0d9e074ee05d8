"""Who owes what for a closed month as of now, and beyond what closed statements have said of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from ..models import ClosedLine, MonthClose
from ..naming import Names
from ..remembered import in_months
from ..scope import Scope, Span, shift_month
from . import shared_months
from .allocation import NOBODY, Share, ToBeShared
from .billed import Billed


class Owed(NamedTuple):
    """Of whom, for what, whatever the rule: the grain at which later closes look back."""

    team: UUID | None
    nobody: str
    provider: str
    gpu_type: str


@dataclass(slots=True)
class Amount:
    """cents: None while no bill speaks of the hours."""

    microseconds: int = 0
    cents: int | None = None

    def add(self, microseconds: int, cents: int | None) -> None:
        self.microseconds += microseconds
        if cents is not None:
            self.cents = (self.cents or 0) + cents

    @property
    def is_nothing(self) -> bool:
        return not self.microseconds and not self.cents


Amounts = Mapping[Owed, Amount]


def month_of(first: date) -> Span:
    return Span(first, shift_month(first, 1))


# As of now


def owed_now(closes: Iterable[MonthClose], names: Names) -> dict[date, Amounts]:
    """By month, on its own basis and idle view; whole months are remembered."""
    alike: defaultdict[tuple[str, str], set[date]] = defaultdict(set)
    for one in closes:
        alike[one.basis, one.idle].add(one.month)
    now: dict[date, Amounts] = {}
    for (basis, idle), months in alike.items():
        scope = Scope(Span(min(months), month_of(max(months)).end), basis=basis, idle=idle)
        found = shared_months.by_month("owed", scope, names, partial(owed_by_month, names), size)
        now |= {month: amounts for month, amounts in found if month in months}
    return now


def owed_by_month(names: Names, scope: Scope, billed: Billed) -> dict[date, tuple[date, Amounts]]:
    shares = ToBeShared.of(scope, names, by_model=False, billed=billed).lines(by_model=False)
    months = in_months(scope.span, shares, attrgetter("day"))
    return {month: (month, owed_by(ones)) for month, ones in months.items()}


def size(month: tuple[date, Amounts]) -> int:
    return len(month[1])


def owed_by(shares: Iterable[Share]) -> dict[Owed, Amount]:
    amounts: defaultdict[Owed, Amount] = defaultdict(Amount)
    for one in shares:
        nobody = NOBODY[one.line] if one.team is None else ""
        amounts[Owed(one.team, nobody, one.provider, one.gpu_type)].add(one.microseconds, one.cents)
    return dict(amounts)


# As closed


def stored_lines(months: Iterable[date]) -> dict[date, Amounts]:
    rows = ClosedLine.objects.filter(of_month__in=list(months), close__withdrawn_at=None)
    found: defaultdict[date, defaultdict[Owed, Amount]] = defaultdict(lambda: defaultdict(Amount))
    columns = "of_month", "team", "model", "provider", "gpu_type", "microseconds", "cents"
    for first, team, model, provider, gpu_type, microseconds, cents in rows.values_list(*columns):
        owed = Owed(team, model if team is None else "", provider, gpu_type)
        found[first][owed].add(microseconds, cents)
    return {first: dict(owed) for first, owed in found.items()}


def beyond_what_was_said(closes: Iterable[MonthClose], names: Names) -> dict[date, Amounts]:
    """Now less all that statements in force say of each month, later ones included."""
    closes = list(closes)
    said, now = stored_lines(one.month for one in closes), owed_now(closes, names)
    return {one.month: less(now.get(one.month, {}), said.get(one.month, {})) for one in closes}


# Their difference


def less(now: Amounts, was: Amounts) -> Amounts:
    """Hours and cents of the same team, provider and GPU type; without what is alike."""
    nothing, changes = Amount(), dict[Owed, Amount]()
    for owed in [*now, *(owed for owed in was if owed not in now)]:
        one, other = now.get(owed, nothing), was.get(owed, nothing)
        change = Amount(one.microseconds - other.microseconds, difference(one.cents, other.cents))
        if not change.is_nothing:
            changes[owed] = change
    return changes


def difference(now: int | None, was: int | None) -> int | None:
    return None if now is None and was is None else (now or 0) - (was or 0)
