"""What a month is closed with: its allocation, bills still to come, and what earlier months came to since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID

from ..models import ClosedLine, MonthClose
from ..money import share_out
from ..naming import Names
from ..scope import Scope, Span, shift_month
from .allocation import NOBODY, UNALLOCATED, UNBILLED, Allocation, Share, allocate
from .sharing import in_order

ACCRUAL, PRIOR = "accrual", "prior"
Hardware = tuple[str, str]  # provider and GPU type


class Part(NamedTuple):
    """Whose and of what a line is; model tells which nobody it is where it is no team's."""

    of_month: date
    team: UUID | None
    line: str
    provider: str
    gpu_type: str
    model: str


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


Lines = dict[Part, Amount]


@dataclass(frozen=True)
class Expected:
    """What a bill that has not come is taken to ask for."""

    provider: str
    gpu_type: str
    cents: int
    reason: str = ""

    @property
    def hardware(self) -> Hardware:
        return self.provider, self.gpu_type


@dataclass(frozen=True)
class ToClose:
    """lines: all that would be stored. whole: the month's allocation, which the current lines add up to."""

    month: date
    whole: Allocation
    lines: Lines
    expected: list[Expected] = field(default_factory=list)

    def cents(self, *kinds: str) -> int:
        return sum(amount.cents or 0 for part, amount in self.lines.items() if part.line in kinds)

    @property
    def accrued(self) -> int:
        return self.cents(ACCRUAL)

    @property
    def prior(self) -> int:
        return self.cents(PRIOR)

    @property
    def current(self) -> int:
        return sum(amount.cents or 0 for amount in self.lines.values()) - self.accrued - self.prior


def to_close(month: date, basis: str, idle: str, names: Names, expected: Iterable[Expected] = ()) -> ToClose:
    """Earlier months are looked at as they were closed, on their own basis and idle view."""
    expected = list(expected)
    whole = allocate(Scope(month_of(month), basis=basis, idle=idle), names, by_model=True)
    lines = by_part(month, whole.shares) | accrued(month, whole.shares, expected) | prior_lines(month, names)
    return ToClose(month, whole, lines, expected)


def month_of(first: date) -> Span:
    return Span(first, shift_month(first, 1))


def by_part(month: date, shares: Iterable[Share]) -> Lines:
    """The days of a month added up."""
    lines: defaultdict[Part, Amount] = defaultdict(Amount)
    for one in shares:
        part = Part(month, one.team, one.line, one.provider, one.gpu_type, one.model)
        lines[part].add(one.microseconds, one.cents)
    return dict(lines)


def open_before(month: date, first: date | None) -> list[date]:
    """Months since the first day of data that are not closed, the earliest first."""
    closed = set(MonthClose.objects.filter(withdrawn_at=None).values_list("month", flat=True))
    found, one = [], month if first is None else first.replace(day=1)
    while one < month:
        found += [] if one in closed else [one]
        one = shift_month(one, 1)
    return found


# Bills still to come


def accrued(month: date, shares: Iterable[Share], expected: Iterable[Expected]) -> Lines:
    """To those whose jobs ran unbilled, by their hours; where nobody's did, nobody can tell."""
    ran = unbilled_by_team(shares)
    lines: Lines = {}
    for one in expected:
        for team, cents in upon(one, ran.get(one.hardware, {}), month.toordinal()).items():
            model = NOBODY[UNALLOCATED] if team is None else ""
            lines[Part(month, team, ACCRUAL, *one.hardware, model)] = Amount(0, cents)
    return lines


def unbilled_by_team(shares: Iterable[Share]) -> dict[Hardware, dict[UUID, int]]:
    ran: defaultdict[Hardware, defaultdict[UUID, int]] = defaultdict(lambda: defaultdict(int))
    for one in shares:
        if one.line == UNBILLED and one.team is not None and one.microseconds > 0:
            ran[one.provider, one.gpu_type][one.team] += one.microseconds
    return {hardware: dict(teams) for hardware, teams in ran.items()}


def upon(one: Expected, teams: Mapping[UUID, int], turn: int) -> dict[UUID | None, int]:
    if not one.cents:
        return {}
    if not teams:
        return {None: one.cents}
    owners = in_order(teams, turn)
    return dict(zip(owners, share_out(one.cents, [teams[owner] for owner in owners]), strict=True))


# Months closed before


def prior_lines(month: date, names: Names) -> Lines:
    """What months before, closed already, come to now beyond what closed lines have said of them."""
    closes = list(MonthClose.objects.filter(month__lt=month, withdrawn_at=None).defer("setup"))
    stored, now = stored_lines(one.month for one in closes), shares_now(closes, names)
    lines: Lines = {}
    for close in closes:
        lines |= prior(close.month, now[close.month], stored.get(close.month, {}))
    return lines


def shares_now(closes: Iterable[MonthClose], names: Names) -> defaultdict[date, list[Share]]:
    """By month. All months closed on one basis and idle view are read at once."""
    alike: defaultdict[tuple[str, str], set[date]] = defaultdict(set)
    for one in closes:
        alike[one.basis, one.idle].add(one.month)
    now: defaultdict[date, list[Share]] = defaultdict(list)
    for (basis, idle), months in alike.items():
        span = Span(min(months), month_of(max(months)).end)
        for share in allocate(Scope(span, basis=basis, idle=idle), names).shares:
            if (first := share.day.replace(day=1)) in months:
                now[first].append(share)
    return now


def stored_lines(months: Iterable[date]) -> dict[date, dict[Owed, Amount]]:
    rows = ClosedLine.objects.filter(of_month__in=list(months), close__withdrawn_at=None)
    found: defaultdict[date, defaultdict[Owed, Amount]] = defaultdict(lambda: defaultdict(Amount))
    columns = "of_month", "team", "model", "provider", "gpu_type", "microseconds", "cents"
    for first, team, model, provider, gpu_type, microseconds, cents in rows.values_list(*columns):
        owed = Owed(team, model if team is None else "", provider, gpu_type)
        found[first][owed].add(microseconds, cents)
    return {first: dict(owed) for first, owed in found.items()}


def prior(of_month: date, now: Iterable[Share], stored: Mapping[Owed, Amount]) -> Lines:
    """Now less closed; hours and cents of the same team, provider and GPU type."""
    amounts = owed_by(now)
    for owed in stored.keys() - amounts.keys():
        amounts[owed] = Amount()
    lines: Lines = {}
    for owed, amount in amounts.items():
        was = stored.get(owed, Amount())
        change = Amount(amount.microseconds - was.microseconds, difference(amount.cents, was.cents))
        if not change.is_nothing:
            lines[Part(of_month, owed.team, PRIOR, owed.provider, owed.gpu_type, owed.nobody)] = change
    return lines


def owed_by(shares: Iterable[Share]) -> dict[Owed, Amount]:
    amounts: defaultdict[Owed, Amount] = defaultdict(Amount)
    for one in shares:
        nobody = NOBODY[one.line] if one.team is None else ""
        amounts[Owed(one.team, nobody, one.provider, one.gpu_type)].add(one.microseconds, one.cents)
    return dict(amounts)


def difference(now: int | None, was: int | None) -> int | None:
    return None if now is None and was is None else (now or 0) - (was or 0)
