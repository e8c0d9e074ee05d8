"""What one team, or nobody, owes by a closed month: of closed lines alone, so that nothing moves it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from ..gpu_time import hours
from ..models import ClosedLine, MonthClose
from ..money import usd
from .allocation import DIRECT, IDLE
from .closing import ACCRUAL, PRIOR

Key = tuple[date, str, str, str]  # month it is the cost of, provider, GPU type, kind
KINDS = {"current": "current", ACCRUAL: "accrual", PRIOR: "prior period"}


def kind_of(line: str) -> str:
    return line if line in KINDS else "current"


@dataclass(slots=True)
class ClosedRow:
    """One month, provider, GPU type and kind of a statement. Amounts are cents."""

    of_month: date
    provider: str
    gpu_type: str
    kind: str
    microseconds: int = 0
    shared: int = 0
    idle: int = 0
    direct: int = 0
    is_billed: bool = False

    def add(self, line: ClosedLine) -> None:
        self.microseconds += line.microseconds
        if line.cents is None:
            return
        self.is_billed = True
        part = {IDLE: "idle", DIRECT: "direct"}.get(line.line, "shared")
        setattr(self, part, getattr(self, part) + line.cents)

    @property
    def cents(self) -> int:
        return self.shared + self.idle + self.direct

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
        return hours(self.microseconds)


@dataclass(frozen=True)
class ClosedStatement:
    """name and cost centre as they were. models: (name, GPU microseconds, cents), the dearest first.

    is_whole: whether it is all that the team owes.
    """

    close: MonthClose
    name: str
    cost_centre: str
    rows: list[ClosedRow]
    models: list[tuple[str, int, int | None]] = field(default_factory=list)
    is_whole: bool = True

    @property
    def total(self) -> Decimal:
        return usd(sum(row.cents for row in self.rows))

    @property
    def gpu_hours(self) -> Decimal:
        """Of the month itself: what earlier months came to is told in its rows."""
        return hours(sum(row.microseconds for row in self.rows if row.kind == "current"))

    def of_kind(self, kind: str) -> Decimal:
        return usd(sum(row.cents for row in self.rows if row.kind == kind))


def close_in_force(month: date) -> MonthClose | None:
    return MonthClose.objects.filter(month=month, withdrawn_at=None).defer("setup").first()


def closed_statement(close: MonthClose, team: UUID | None, with_spread: bool = True) -> ClosedStatement:
    """team: None for all that is no team's. with_spread: also what earlier months came to since of which
    the idle cost was spread.
    """
    lines = list(ClosedLine.objects.filter(close=close, team=team))
    told = lines if with_spread else without_spread(lines)
    first = lines[0] if lines else ClosedLine()
    whole = len(told) == len(lines)
    return ClosedStatement(close, first.team_name, first.cost_centre, rows_of(told), models_of(told), whole)


def without_spread(lines: Iterable[ClosedLine]) -> list[ClosedLine]:
    apart = MonthClose.objects.filter(withdrawn_at=None, idle="apart")
    months = set(apart.values_list("month", flat=True))
    return [line for line in lines if line.line != PRIOR or line.of_month in months]


def rows_of(lines: Iterable[ClosedLine]) -> list[ClosedRow]:
    """What is current first, then what is expected, then what earlier months came to."""
    rows: dict[Key, ClosedRow] = {}
    for line in lines:
        key = line.of_month, line.provider, line.gpu_type, kind_of(line.line)
        rows.setdefault(key, ClosedRow(*key)).add(line)
    kinds = list(KINDS)
    return sorted(
        rows.values(),
        key=lambda row: (kinds.index(row.kind), row.of_month, -row.cents, row.provider, row.gpu_type),
    )


def models_of(lines: Iterable[ClosedLine]) -> list[tuple[str, int, int | None]]:
    """Accruals and prior periods are of no model."""
    hours: defaultdict[str, int] = defaultdict(int)
    cents: dict[str, int] = {}
    for line in lines:
        model = line.model if kind_of(line.line) == "current" else f"({KINDS[line.line]})"
        hours[model] += line.microseconds
        if line.cents is not None:
            cents[model] = cents.get(model, 0) + line.cents
    dearest = sorted(hours, key=lambda model: (-cents.get(model, 0), model))
    return [(model, hours[model], cents.get(model)) for model in dearest]
