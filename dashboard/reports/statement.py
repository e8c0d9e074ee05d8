"""What one team pays for one month, line by line."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from ..naming import Names
from ..scope import Scope
from .allocation import Allocation, allocate
from .breakdown import Sum


@dataclass(slots=True)
class Line(Sum):
    """One provider and GPU type."""

    provider: str = ""
    gpu_type: str = ""


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
    models: defaultdict[str, Sum] = defaultdict(Sum)
    total = Line()
    for one in found.shares:
        hardware = one.provider, one.gpu_type
        line = lines.setdefault(hardware, Line(provider=one.provider, gpu_type=one.gpu_type))
        for target in (line, total, models[one.model]):
            target.add(one)
    dearest = sorted(models, key=lambda name: (-models[name].cents, name))
    ordered = sorted(lines.values(), key=lambda line: (-line.cents, line.provider, line.gpu_type))
    return Statement(ordered, total, [(name, *cost_of(models[name])) for name in dearest], found)


def cost_of(model: Sum) -> tuple[int, int | None]:
    return model.microseconds, model.cents if model.is_billed else None
