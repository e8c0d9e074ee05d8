"""Shares of the bill summed in rows, and in rows and columns: by team, model, provider or GPU type."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from .. import gpu_time
from ..money import usd
from .allocation import DIRECT, IDLE, NO_MODEL, NOBODY, UNBILLED, USE, Share

OTHER = "Other"
LAST = {label: place for place, label in enumerate(NOBODY.values())}
OF_A_TEAM = ("team", "model")
OF_JOBS = (USE, UNBILLED)
RESERVED = {*NOBODY.values(), *NO_MODEL.values()}


@dataclass(slots=True)
class Sum:
    """Cents, of them those shared by use, idle cost spread upon teams and cost attributed directly.

    microseconds: of jobs, of them unbilled. is_billed: whether any bill speaks of it; 0.00 is then a fact.
    """

    cents: int = 0
    shared: int = 0
    idle: int = 0
    direct: int = 0
    microseconds: int = 0
    unbilled: int = 0
    is_billed: bool = False

    def add(self, one: Share) -> None:
        self.cents += one.cents or 0
        self.is_billed = self.is_billed or one.cents is not None
        self.microseconds += one.microseconds
        self.unbilled += one.microseconds if one.line == UNBILLED else 0
        if one.team is not None:
            self.shared += one.cents or 0 if one.line == USE else 0
            self.idle += one.cents or 0 if one.line == IDLE else 0
            self.direct += one.cents or 0 if one.line == DIRECT else 0

    @property
    def usd(self) -> Decimal:
        return usd(self.cents)

    @property
    def shared_usd(self) -> Decimal:
        return usd(self.shared)

    @property
    def idle_usd(self) -> Decimal:
        return usd(self.idle)

    @property
    def direct_usd(self) -> Decimal:
        return usd(self.direct)

    @property
    def gpu_hours(self) -> Decimal:
        return gpu_time.hours(self.microseconds)

    @property
    def unbilled_hours(self) -> Decimal:
        return gpu_time.hours(self.unbilled)

    @property
    def usd_per_hour(self) -> Decimal | None:
        """What an hour of billed jobs cost by what is shared; None where either is not above 0."""
        billed = self.microseconds - self.unbilled
        return self.shared_usd / gpu_time.hours(billed) if self.shared > 0 and billed > 0 else None


@dataclass
class Row:
    """name: as shown. team, model: where the row is one. columns: by name of the second grouping."""

    name: str
    sum: Sum = field(default_factory=Sum)
    team: UUID | None = None
    model: str = ""
    columns: defaultdict[str, Sum] = field(default_factory=lambda: defaultdict(Sum))

    @property
    def is_nobody(self) -> bool:
        return self.name in LAST


@dataclass(frozen=True)
class Breakdown:
    rows: list[Row]
    columns: list[str]
    total: Row


def broken_down(
    shares: Iterable[Share], by: str, then_by: str, teams: Mapping[UUID, str], most_columns: int = 8
) -> Breakdown:
    """The dearest row first, what is nobody's last; columns likewise, the tail of them as one."""
    rows: dict[str, Row] = {}
    total = Row("Total")
    for one in of_no_day(shares):
        name = label(one, by, then_by, teams)
        row = rows.get(name) or rows.setdefault(name, row_of(name, one, by))
        for target in (row, total):
            target.sum.add(one)
            if then_by:
                target.columns[label(one, then_by, by, teams)].add(one)
    columns = fold_tail(ordered(total.columns), [*rows.values(), total], most_columns)
    return Breakdown([rows[name] for name in ordered({r.name: r.sum for r in rows.values()})], columns, total)


def of_no_day(shares: Iterable[Share]) -> list[Share]:
    """Added up over days, which no row and column tells apart: of years there are few left."""
    alike: defaultdict[tuple[Any, ...], list[Share]] = defaultdict(list)
    for one in shares:
        alike[one.team, one.line, one.model, one.provider, one.gpu_type].append(one)
    return [summed(group) for group in alike.values()]


def summed(alike: Sequence[Share]) -> Share:
    microseconds, cents = added_up(alike)
    return alike[0]._replace(day=date.min, microseconds=microseconds, cents=cents)


def added_up(shares: Sequence[Share]) -> tuple[int, int | None]:
    """Microseconds and cents; None where nothing is billed."""
    if len(shares) == 1:
        return shares[0].microseconds, shares[0].cents
    billed = [one.cents for one in shares if one.cents is not None]
    return sum(one.microseconds for one in shares), sum(billed) if billed else None


def row_of(name: str, one: Share, by: str) -> Row:
    return Row(name, team=one.team if by == "team" else None, model=one.model if by == "model" else "")


def label(one: Share, by: str, other: str, teams: Mapping[UUID, str]) -> str:
    """What is nobody's stays a row of its own, unless the other grouping tells it apart."""
    if by == "team":
        return NOBODY[one.line] if one.team is None else told_apart(teams[one.team], "team")
    if by == "model":
        return told_apart(one.model, "model") if one.line in OF_JOBS else one.model
    if one.team is None and other not in OF_A_TEAM:
        return NOBODY[one.line]
    return one.provider if by == "provider" else one.gpu_type


def told_apart(name: str, of: str) -> str:
    """A team or model that is called like what is nobody's must not be taken for it."""
    return f"{name} [{of}]" if name in RESERVED else name


def ordered(sums: Mapping[str, Sum]) -> list[str]:
    return sorted(sums, key=lambda name: (LAST.get(name, -1), -sums[name].cents, name.casefold()))


def fold_tail(columns: list[str], rows: Iterable[Row], most: int) -> list[str]:
    named = [name for name in columns if name not in LAST]
    tail = named[most - 1 :] if len(named) > most else []
    if not tail:
        return columns
    other = f"{OTHER} ({len(tail)})"
    for row in rows:
        for name in tail:
            merge(row.columns[other], row.columns.pop(name, Sum()))
    return [*named[: most - 1], other, *(name for name in columns if name in LAST)]


def merge(into: Sum, one: Sum) -> None:
    into.cents += one.cents
    into.shared += one.shared
    into.idle += one.idle
    into.direct += one.direct
    into.microseconds += one.microseconds
    into.unbilled += one.unbilled
    into.is_billed = into.is_billed or one.is_billed


class Cell(NamedTuple):
    """A row of the file: cents None where jobs ran and nothing is billed. owner: the team, None of nobody."""

    day: date
    team: str
    model: str
    provider: str
    gpu_type: str
    microseconds: int
    cents: int | None
    owner: UUID | None

    @property
    def gpu_hours(self) -> Decimal:
        return gpu_time.hours(self.microseconds)

    @property
    def usd(self) -> Decimal | None:
        return None if self.cents is None else usd(self.cents)


Key = tuple[date, str, str, str, str]
first = itemgetter(0)


def cells(shares: Iterable[Share], teams: Mapping[UUID, str], bucket: Callable[[date], date]) -> list[Cell]:
    """One per bucket, team (or nobody), model, provider and GPU type, oldest first."""
    found: defaultdict[Key, list[Share]] = defaultdict(list)
    labels: dict[tuple[UUID | None, str, str], tuple[str, str]] = {}
    for day, of_day in groupby(shares, key=attrgetter("day")):
        start = bucket(day)
        for one in of_day:
            whose = one.team, one.line, one.model
            if (told := labels.get(whose)) is None:
                told = labels[whose] = label(one, "team", "", teams), label(one, "model", "", teams)
            found[start, *told, one.provider, one.gpu_type].append(one)
    return [Cell(*key, *added_up(alike), alike[0].team) for key, alike in sorted(found.items(), key=first)]
