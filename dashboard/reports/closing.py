"""What a month is closed with: its allocation, bills still to come, and what earlier months came to since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID

from ..models import MonthClose
from ..money import share_out
from ..naming import Names
from ..remembered import digest
from ..scope import Scope, shift_month
from .allocation import NOBODY, UNALLOCATED, UNBILLED, Allocation, Share, allocate
from .owed import Amount, beyond_what_was_said, month_of
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
    basis: str
    idle: str
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

    @property
    def seen(self) -> str:
        """Another text for other amounts or hours, of whomever; but for accruals, which are typed in."""
        told = (
            (*map(str, part), amount.microseconds, amount.cents or 0)
            for part, amount in self.lines.items()
            if part.line != ACCRUAL
        )
        return digest(*sorted(told)).hex()


def to_close(month: date, basis: str, idle: str, names: Names, expected: Iterable[Expected] = ()) -> ToClose:
    """Earlier months are looked at as they were closed, on their own basis and idle view."""
    expected = list(expected)
    whole = allocate(Scope(month_of(month), basis=basis, idle=idle), names, by_model=True)
    lines = by_part(month, whole.shares) | accrued(month, whole.shares, expected) | prior_lines(month, names)
    return ToClose(month, basis, idle, whole, lines, expected)


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
    return {
        Part(of_month, owed.team, PRIOR, owed.provider, owed.gpu_type, owed.nobody): change
        for of_month, changes in beyond_what_was_said(closes, names).items()
        for owed, change in changes.items()
    }
