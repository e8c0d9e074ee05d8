"""What a closed month came to since: by which import or edit, and what of it no statement has said yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from django.db.models import Sum

from ..models import ClosedLine, MonthClose, Restatement, Team
from ..money import usd
from ..naming import Names
from .closing import ACCRUAL, PRIOR
from .owed import Amounts, less, owed_now, stored_lines

GONE = "a team that is gone"


class Part(NamedTuple):
    """Whose: a team's name, or what is nobody's."""

    name: str
    provider: str
    gpu_type: str
    usd: Decimal


@dataclass(frozen=True)
class Move:
    """An import, an undo or an edit, and what it changed, the largest part first."""

    at: datetime
    who: str
    what: str
    parts: list[Part]

    @property
    def usd(self) -> Decimal:
        return sum((part.usd for part in self.parts), Decimal("0.00"))


@dataclass(frozen=True)
class Restated:
    """usd: the month now less as it was billed when it was closed.

    moves: the earliest first. accrued: what its close had expected; carried: what stands on later
    statements. waiting: what no statement says yet.
    """

    moves: list[Move]
    usd: Decimal
    accrued: Decimal
    carried: Decimal
    waiting: list[Part]

    @property
    def elsewhere(self) -> Decimal:
        """What nothing that was noted explains: written by another program, or moved by a setting."""
        return self.usd - sum((move.usd for move in self.moves), Decimal("0.00"))

    @property
    def waiting_usd(self) -> Decimal:
        """usd − accrued − carried."""
        return sum((part.usd for part in self.waiting), Decimal("0.00"))

    def __bool__(self) -> bool:
        return bool(self.moves or self.waiting or self.usd)


def restated(close: MonthClose, names: Names) -> Restated:
    now = owed_now([close], names)[close.month]
    lines = ClosedLine.objects.filter(of_month=close.month, close__withdrawn_at=None)
    current = cents_of(lines.filter(close=close).exclude(line__in=[ACCRUAL, PRIOR]))
    return Restated(
        moves_of(close),
        usd(sum(amount.cents or 0 for amount in now.values()) - current),
        usd(cents_of(lines.filter(line=ACCRUAL))),
        usd(cents_of(lines.filter(line=PRIOR))),
        parts_of(less(now, stored_lines([close.month]).get(close.month, {}))),
    )


def cents_of(lines: object) -> int:
    return lines.aggregate(cents=Sum("cents", default=0))["cents"]  # type: ignore[attr-defined]


def moves_of(close: MonthClose) -> list[Move]:
    rows = Restatement.objects.filter(close=close).order_by("at", "pk")
    return [
        Move(at, who, what, in_order(part_of(one) for one in ones if one.cents))
        for (at, who, what), ones in groupby(rows, attrgetter("at", "who", "what"))
    ]


def part_of(one: Restatement) -> Part:
    return Part(one.nobody or one.team_name or GONE, one.provider, one.gpu_type, usd(one.cents))


def parts_of(changes: Amounts) -> list[Part]:
    names = dict(Team.objects.values_list("pk", "name"))
    return in_order(
        Part(
            names.get(owed.team, GONE) if owed.team else owed.nobody, owed.provider, owed.gpu_type, usd(cents)
        )
        for owed, amount in changes.items()
        if (cents := amount.cents)
    )


def in_order(parts: Iterable[Part]) -> list[Part]:
    return sorted(parts, key=lambda part: (-abs(part.usd), *part[:3]))
