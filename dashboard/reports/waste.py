"""What was paid for without a result: jobs that failed or were cancelled, idle GPUs, unused commitment."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from ..gpu_time import hours
from ..money import usd
from ..naming import Names
from ..scope import Scope, Span
from .allocation import DIRECT, wanted
from .compare import Change, Sides, change
from .daily_waste import Days, added_up, by_day, daily_waste, is_narrowed
from .idle import Idle, idle_gpus
from .job_time import count_by, remembered
from .known import Known
from .outcomes import CANCELLED, COMPLETED, FAILED, LOST, Summed, shared_by_outcome

Jobs = Mapping[tuple[UUID, str, str, str], Counter[str]]  # by team, model, provider, GPU type; then status
ROWS_OF_A_SUM = 3  # that one of a remembered waste weighs as much as, with what tables make of it


@dataclass(slots=True)
class Lost:
    """What the failed and cancelled jobs of a team and model used of a provider's GPU type.

    jobs: that overlap the range, by status. unbilled: GPU microseconds that stand on no bill.
    """

    team: UUID
    model: str
    provider: str
    gpu_type: str
    jobs: Counter[str]
    cents: Counter[str] = field(default_factory=Counter)
    microseconds: int = 0
    unbilled: int = 0
    days: set[date] = field(default_factory=set)

    def add(self, one: Summed) -> None:
        self.microseconds += one.microseconds
        self.unbilled += one.unbilled
        self.cents[one.status] += one.cents
        self.days |= one.days

    @property
    def is_billed(self) -> bool:
        """Whether any bill speaks of it; 0.00 is then a fact."""
        return self.microseconds > self.unbilled or any(self.cents.values())

    @property
    def usd(self) -> Decimal:
        return usd(self.cents[FAILED] + self.cents[CANCELLED])

    @property
    def failed_usd(self) -> Decimal:
        return usd(self.cents[FAILED])

    @property
    def cancelled_usd(self) -> Decimal:
        return usd(self.cents[CANCELLED])

    @property
    def gpu_hours(self) -> Decimal:
        return hours(self.microseconds)

    @property
    def usd_per_hour(self) -> Decimal | None:
        billed = self.microseconds - self.unbilled
        return self.usd / hours(billed) if billed > 0 and self.usd > 0 else None


@dataclass(slots=True)
class Runs:
    """All that a team's model cost, whatever became of its jobs, and how many of them completed."""

    team: UUID
    model: str
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    cents: int = 0
    of_completed: int = 0
    microseconds: int = 0
    unbilled: int = 0

    @property
    def is_billed(self) -> bool:
        """Whether any bill speaks of it, or it used nothing; 0.00 is then a fact."""
        return not self.unbilled or self.microseconds > self.unbilled or bool(self.cents)

    @property
    def usd(self) -> Decimal:
        return usd(self.cents)

    @property
    def completed_usd(self) -> Decimal:
        return usd(self.of_completed)

    @property
    def gpu_hours(self) -> Decimal:
        return hours(self.microseconds)

    @property
    def usd_per_success(self) -> Decimal | None:
        """None where no run completed."""
        return self.usd / self.completed if self.completed else None

    @property
    def usd_per_completed(self) -> Decimal | None:
        """The same by what the completed runs alone cost."""
        return self.completed_usd / self.completed if self.completed else None


@dataclass(frozen=True)
class Waste:
    """bill: cents of all. idle: None where teams or models are chosen, since idle GPUs are nobody's.

    by_day: cents by FAILED, CANCELLED, IDLE and UNUSED. direct: cents that teams pay for directly, of
    which no job tells what became of them.
    """

    sums: list[Summed]
    jobs: Jobs
    idle: list[Idle] | None
    by_day: Days
    bill: int
    direct: int

    def __len__(self) -> int:
        return len(self.sums) + len(self.jobs)

    @classmethod
    def of(cls, scope: Scope, names: Names) -> Waste:
        """Of days that are over it is remembered until something is written; nobody changes it."""
        asked = "waste", scope.providers, scope.gpu_types, scope.basis
        return remembered(asked, scope, names, lambda: cls.read(scope, names), ROWS_OF_A_SUM)

    @classmethod
    def read(cls, scope: Scope, names: Names) -> Waste:
        scope = scope.but(idle="apart")
        found, months = shared_by_outcome(scope, names)
        return cls(
            [one for month in months for one in month.sums if wanted(one, scope)],
            numbers_of_jobs(scope, names),
            None if is_narrowed(scope) else idle_gpus(found.pools),
            by_day(found.pools, (one for month in months for one in month.lost), scope),
            found.bill,
            sum(one.cents or 0 for one in found.shares if one.line == DIRECT),
        )

    @cached_property
    def lost(self) -> list[Lost]:
        """The dearest first; also those without a bill yet, by their hours."""
        found: dict[tuple[UUID, str, str, str], Lost] = {}
        for one in self.sums:
            if one.status in LOST:
                key = one.team, one.model, one.provider, one.gpu_type
                if key not in found:
                    found[key] = Lost(*key, self.jobs.get(key, Counter()))
                found[key].add(one)
        return sorted(found.values(), key=lambda one: (-one.usd, -one.microseconds, one.team.int, one.model))

    @cached_property
    def runs(self) -> list[Runs]:
        """The dearest first."""
        found: dict[tuple[UUID, str], Runs] = {}
        for (team, model, *_), statuses in self.jobs.items():
            one = found.setdefault((team, model), Runs(team, model))
            one.completed += statuses[COMPLETED]
            one.failed += statuses[FAILED]
            one.cancelled += statuses[CANCELLED]
        for part in self.sums:
            one = found.setdefault((part.team, part.model), Runs(part.team, part.model))
            one.cents += part.cents
            one.of_completed += part.cents if part.status == COMPLETED else 0
            one.microseconds += part.microseconds
            one.unbilled += part.unbilled
        ended = [one for one in found.values() if one.cents or one.completed or one.failed or one.cancelled]
        return sorted(ended, key=lambda one: (-one.cents, one.team.int, one.model))

    def within(self, span: Span) -> Decimal:
        """The waste of these days, counted once."""
        return added_up(self.by_day, span)

    def cents_of(self, status: str) -> int:
        return sum(parts[status] for parts in self.by_day.values())

    @property
    def failed_usd(self) -> Decimal:
        return usd(self.cents_of(FAILED))

    @property
    def cancelled_usd(self) -> Decimal:
        return usd(self.cents_of(CANCELLED))

    @property
    def lost_usd(self) -> Decimal:
        return self.failed_usd + self.cancelled_usd

    @property
    def idle_usd(self) -> Decimal | None:
        return None if self.idle is None else added(one.usd for one in self.idle)

    @property
    def unused_usd(self) -> Decimal | None:
        return None if self.idle is None else added(one.unused_usd for one in self.idle)

    @property
    def usd(self) -> Decimal:
        """Counted once: these are different lines of the same bill."""
        return self.lost_usd + (self.idle_usd or 0) + (self.unused_usd or 0)

    @property
    def bill_usd(self) -> Decimal:
        return usd(self.bill)

    @property
    def is_empty(self) -> bool:
        return not (self.sums or self.idle or self.jobs or self.bill)


def changed(now: Waste, scope: Scope, sides: Sides, names: Names) -> Change:
    """Against the same number of closed days before."""
    if sides.reason:
        return Change(None, None, None, sides.reason)
    before = added_up(daily_waste(scope, names, sides.before), sides.before)
    return change(now.within(sides.now), before, Known(scope, sides, names).why_shares_cannot())


def added(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal("0.00"))


def numbers_of_jobs(scope: Scope, names: Names) -> Jobs:
    """Jobs that overlap the range."""
    keys = ["team", "model", "provider", "gpu_type", "status"]
    found: defaultdict[Any, Counter[str]] = defaultdict(Counter)
    for team, model, provider, gpu_type, status, number in count_by(keys, scope, names):
        found[team, model, names.provider(provider), names.gpu_type(gpu_type)][status] += number
    return dict(found)
