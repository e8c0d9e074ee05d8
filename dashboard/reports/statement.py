"""What one team pays for one month, line by line."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from .. import gpu_time
from ..money import usd
from ..naming import Names
from ..scope import Scope
from .allocation import DIRECT, IDLE, UNBILLED, Allocation, allocate


@dataclass(slots=True)
class Line:
    """One provider and GPU type: cents by rule, and job GPU microseconds, of them not billed.

    is_billed: whether any bill speaks of it; 0.00 is then a fact.
    """

    provider: str
    gpu_type: str
    shared: int = 0
    idle: int = 0
    direct: int = 0
    microseconds: int = 0
    unbilled: int = 0
    is_billed: bool = False

    @property
    def cents(self) -> int:
        return self.shared + self.idle + self.direct

    @property
    def gpu_hours(self) -> Decimal:
        return gpu_time.hours(self.microseconds)

    @property
    def unbilled_hours(self) -> Decimal:
        return gpu_time.hours(self.unbilled)

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
    def usd(self) -> Decimal:
        return usd(self.cents)

    @property
    def usd_per_hour(self) -> Decimal | None:
        """Of what was shared by hours; None where hours or cost are not above zero."""
        billed = self.microseconds - self.unbilled
        if billed <= 0 or self.shared <= 0:
            return None
        return self.shared_usd / gpu_time.hours(billed)


@dataclass(frozen=True)
class Statement:
    """models: (name, GPU microseconds, cents) of the team, the dearest first; they add up to the total.

    Cents are None where no bill speaks of the model's hours.
    """

    lines: list[Line]
    total: Line
    models: list[tuple[str, int, int | None]]
    whole: Allocation

    @property
    def share(self) -> Decimal | None:
        return Decimal(self.total.cents) / self.whole.bill if self.whole.bill > 0 else None


def statement(team: UUID, scope: Scope, names: Names) -> Statement:
    """scope: the month, the basis and the idle view; of whatever team."""
    found = allocate(scope.but(teams=(team,)), names, by_model=True)
    lines: dict[tuple[str, str], Line] = {}
    hours: defaultdict[str, int] = defaultdict(int)
    cents: dict[str, int] = {}
    total = Line("", "")
    for one in found.shares:
        line = lines.setdefault((one.provider, one.gpu_type), Line(one.provider, one.gpu_type))
        for target in (line, total):
            target.microseconds += one.microseconds
            target.unbilled += one.microseconds if one.line == UNBILLED else 0
            target.is_billed = target.is_billed or one.cents is not None
            rule = {IDLE: "idle", DIRECT: "direct"}.get(one.line, "shared")
            setattr(target, rule, getattr(target, rule) + (one.cents or 0))
        hours[one.model] += one.microseconds
        if one.cents is not None:
            cents[one.model] = cents.get(one.model, 0) + one.cents
    dearest = sorted(hours, key=lambda model: (-cents.get(model, 0), model))
    ordered = sorted(lines.values(), key=lambda line: (-line.cents, line.provider, line.gpu_type))
    return Statement(ordered, total, [(name, hours[name], cents.get(name)) for name in dearest], found)
