"""How cost, hours, utilisation and price of the same cells changed from one side to the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, Self
from uuid import UUID

from .. import gpu_time
from ..naming import Names
from ..scope import Scope
from . import spend, usage
from .allocation import team_costs
from .compare import Change, Sides, change, hours_change, points
from .known import Known
from .teams import Work, success_rate, total_work, work


@dataclass(frozen=True)
class OfCells:
    """now, before: the cells of the two sides. provider: of which one alone; empty for all of the scope."""

    known: Known
    now: Sequence[Any]
    before: Sequence[Any]
    provider: str = ""

    def of_provider(self, provider: str) -> Self:
        now, before = ([c for c in side if c.provider == provider] for side in (self.now, self.before))
        return replace(self, now=now, before=before, provider=provider)

    @property
    def sides(self) -> Sides:
        return self.known.sides

    def why_not(self, *measures: str) -> str:
        return self.known.why_not(*measures, provider=self.provider)


@dataclass(frozen=True)
class Changes(OfCells):
    """Of cost, hours, utilisation and price. now, before: sums of each hardware."""

    @classmethod
    def of(cls, scope: Scope, cells: Sequence[usage.Hours], sides: Sides, names: Names) -> Changes:
        """cells: those of the scope; only the earlier side's are asked of the database."""
        now, before = [], []
        if not sides.reason:
            now = usage.parts(sides.those_now(cells))
            before = usage.parts(usage.cells(scope.over(sides.before), names))
        return cls(Known(scope, sides, names), now, before)

    @cached_property
    def sums(self) -> tuple[usage.Sum, usage.Sum]:
        return usage.Sum.of(self.now), usage.Sum.of(self.before)

    @property
    def spend(self) -> Change:
        now, before = self.sums
        return change(now.usd, before.usd, self.why_not("cost"))

    @property
    def metered(self) -> Change:
        now, before = self.sums
        return hours_change(now.metered, before.metered, self.why_not("metered"))

    @property
    def job_hours(self) -> Change:
        now, before = self.sums
        return hours_change(now.job_hours, before.job_hours, self.why_not("jobs"))

    @property
    def idle(self) -> Change:
        now, before = self.sums
        return hours_change(now.idle_hours, before.idle_hours, self.why_not("metered", "jobs"))

    @property
    def utilisation(self) -> Change:
        now, before = self.sums
        return points(now.utilisation, before.utilisation, self.why_not("metered", "jobs"))

    @property
    def unit_price(self) -> Change:
        now, before = self.sums
        return change(now.unit_price, before.unit_price, self.why_not("cost", "metered"))


@dataclass(frozen=True)
class CostChanges(OfCells):
    """Of cost alone. Credits are compared by what they take off."""

    @classmethod
    def of(cls, scope: Scope, cells: Sequence[spend.Cost], sides: Sides, names: Names) -> CostChanges:
        before = [] if sides.reason else spend.costs(scope.over(sides.before), names)
        return cls(Known(scope, sides, names), sides.those_now(cells), before)

    @cached_property
    def totals(self) -> tuple[spend.Totals, spend.Totals]:
        return spend.totals(self.now), spend.totals(self.before)

    def compared(self, pick: Callable[[spend.Totals], Decimal]) -> Change:
        now, before = self.totals
        return change(pick(now), pick(before), self.why_not("cost"))

    @property
    def gross(self) -> Change:
        return self.compared(lambda totals: totals.gross)

    @property
    def credits(self) -> Change:
        return self.compared(lambda totals: -totals.credits)

    @property
    def net(self) -> Change:
        return self.compared(lambda totals: totals.net)


@dataclass(frozen=True)
class TeamChanges:
    """The same of the work of teams: hours, jobs and their success."""

    known: Known
    now: Mapping[UUID, Work]
    before: Mapping[UUID, Work]

    @classmethod
    def of(cls, scope: Scope, sides: Sides, names: Names) -> TeamChanges:
        known = Known(scope, sides, names)
        if sides.reason:
            return cls(known, {}, {})
        return cls(known, work(scope.over(sides.now), names), work(scope.over(sides.before), names))

    def of_team(self, team: UUID) -> TeamChanges:
        now, before = ({team: side[team]} if team in side else {} for side in (self.now, self.before))
        return replace(self, now=now, before=before)

    @property
    def sides(self) -> Sides:
        return self.known.sides

    @cached_property
    def sums(self) -> tuple[Work, Work]:
        return total_work(self.now.values()), total_work(self.before.values())

    @property
    def job_hours(self) -> Change:
        now, before = (gpu_time.hours(work.microseconds) for work in self.sums)
        return hours_change(now, before, self.known.why_not("jobs"))

    @property
    def jobs(self) -> Change:
        now, before = (Decimal(work.by_status.total()) for work in self.sums)
        return change(now, before, self.known.why_not("jobs"), "no job before")

    @property
    def success(self) -> Change:
        now, before = (success_rate(work.by_status) for work in self.sums)
        return points(now, before, self.known.why_not("jobs"))


@dataclass(frozen=True)
class TeamCostChanges:
    """What teams pay, idle cost left out. A side is known where both its bill and its jobs are."""

    known: Known
    now: Mapping[UUID, Decimal]
    before: Mapping[UUID, Decimal]

    @classmethod
    def of(cls, scope: Scope, sides: Sides, names: Names) -> TeamCostChanges:
        known = Known(scope, sides, names)
        if sides.reason:
            return cls(known, {}, {})
        now, before = (team_costs(scope.over(side), names) for side in (sides.now, sides.before))
        return cls(known, now, before)

    @property
    def sides(self) -> Sides:
        return self.known.sides

    def of_team(self, team: UUID) -> Change:
        return change(self.now.get(team), self.before.get(team), self.known.why_shares_cannot())
