"""How the parts of the bill, and what each row of them costs, changed from one side to the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from uuid import UUID

from ..money import usd
from ..naming import Names
from ..scope import Scope
from .allocation import Allocation, Share, allocate, parts_of
from .breakdown import Row, broken_down
from .compare import Change, Sides, change
from .known import Known


@dataclass(frozen=True)
class AllocationChanges:
    known: Known
    now: Sequence[Share]
    before: Sequence[Share]

    @classmethod
    def of(
        cls, scope: Scope, found: Allocation, sides: Sides, names: Names, by_model: bool
    ) -> AllocationChanges:
        """found: of the scope; only the earlier side is asked of the database."""
        before = [] if sides.reason else allocate(scope.over(sides.before), names, by_model).shares
        return cls(Known(scope, sides, names), sides.those_now(found.shares), before)

    @property
    def sides(self) -> Sides:
        return self.known.sides

    @cached_property
    def why_not(self) -> str:
        return self.known.why_shares_cannot()

    @cached_property
    def parts(self) -> tuple[dict[str, int], dict[str, int]]:
        return parts_of(self.now), parts_of(self.before)

    def part(self, line: str) -> Change:
        now, before = (usd(parts.get(line, 0)) for parts in self.parts)
        return change(now, before, self.why_not)

    @property
    def total(self) -> Change:
        now, before = (usd(sum(parts.values())) for parts in self.parts)
        return change(now, before, self.why_not)

    def rows(self, by: str, then_by: str, teams: Mapping[UUID, str]) -> dict[str, Change]:
        """By the name of a row of the breakdown."""
        now, before = (
            {row.name: row for row in broken_down(shares, by, then_by, teams).rows}
            for shares in (self.now, self.before)
        )
        return {name: self.row(now.get(name), before.get(name)) for name in now | before}

    def row(self, now: Row | None, before: Row | None) -> Change:
        nothing = Decimal("0.00")
        return change(now.sum.usd if now else nothing, before.sum.usd if before else nothing, self.why_not)
