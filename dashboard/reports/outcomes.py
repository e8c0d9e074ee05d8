"""The last link of allocation by what became of the jobs: a model's cents of a cell upon its statuses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import NamedTuple
from uuid import UUID

from ..naming import Names
from ..scope import Scope
from . import shared_months
from .allocation import UNBILLED, USE, Allocation, Share, Shared, Times, ToBeShared, job_times
from .billed import Billed
from .sharing import spread

FAILED, CANCELLED, COMPLETED = "failed", "cancelled", "completed"
LOST = (FAILED, CANCELLED)
Place = tuple[date, str, str, UUID, str]  # day, provider, GPU type, team, model


class Outcome(NamedTuple):
    """The part of a share that jobs of one status used; cents None where nothing is billed."""

    day: date
    provider: str
    gpu_type: str
    team: UUID
    model: str
    status: str
    microseconds: int
    cents: int | None


class Summed(NamedTuple):
    """Outcomes of some days added up. unbilled: of the GPU microseconds, those that stand on no bill."""

    team: UUID
    model: str
    provider: str
    gpu_type: str
    status: str
    microseconds: int
    unbilled: int
    cents: int
    days: frozenset[date]


class ByOutcome(NamedTuple):
    """Whoever's shares, by model, and the same by what became of the jobs: all, those of LOST, and summed."""

    shared: Shared
    outcomes: list[Outcome]
    lost: list[Outcome]
    sums: list[Summed]

    @classmethod
    def of(cls, shared: Shared, by_status: Mapping[Place, Mapping[str, int]]) -> ByOutcome:
        found = outcomes(shared.shares, by_status)
        return cls(shared, found, [one for one in found if one.status in LOST], summed(found))

    def size(self) -> int:
        return self.shared.size() + len(self.outcomes) + len(self.sums)


def shared_by_outcome(scope: Scope, names: Names) -> tuple[Allocation, list[ByOutcome]]:
    """The bill by model, and months of it by what became of the jobs, of whatever team and model."""
    months = shared_months.by_month("outcomes", scope, names, partial(by_outcome, names), ByOutcome.size)
    return Allocation.of((month.shared for month in months), scope), months


def by_outcome(names: Names, scope: Scope, billed: Billed) -> dict[date, ByOutcome]:
    times = job_times(scope, names, ["model", "status"], scope.span)
    to_be, by_status = ToBeShared.of(scope, names, True, billed, times), times_by_status(times, names)
    shared = {month: Shared.of(part, by_model=True) for month, part in to_be.by_month(scope.span).items()}
    return {month: ByOutcome.of(one, by_status) for month, one in shared.items()}


def summed(outcomes: Iterable[Outcome]) -> list[Summed]:
    groups: defaultdict[tuple[UUID, str, str, str, str], list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[one.team, one.model, one.provider, one.gpu_type, one.status].append(one)
    return [
        Summed(
            *of,
            sum(one.microseconds for one in group),
            sum(one.microseconds for one in group if one.cents is None),
            sum(one.cents or 0 for one in group),
            frozenset(one.day for one in group),
        )
        for of, group in groups.items()
    ]


def outcomes(shares: Iterable[Share], by_status: Mapping[Place, Mapping[str, int]]) -> list[Outcome]:
    """shares: by model. What teams pay for directly has no jobs and is left out."""
    of_jobs = (one for one in shares if one.line in (USE, UNBILLED))
    return [outcome for one in of_jobs for outcome in told_apart(one, by_status)]


def told_apart(one: Share, by_status: Mapping[Place, Mapping[str, int]]) -> Iterator[Outcome]:
    """The cents of the statuses add up to the share's."""
    assert one.team is not None
    place = one.day, one.provider, one.gpu_type, one.team, one.model
    spent = by_status.get(place, {})
    cents = spread(one.cents or 0, spent, "by_use", one.day.toordinal())
    for status in sorted(cents):
        yield Outcome(*place, status, spent[status], None if one.cents is None else cents[status])


def times_by_status(times: Times, names: Names) -> dict[Place, dict[str, int]]:
    """times: by model and status. GPU microseconds by status."""
    found: defaultdict[Place, dict[str, int]] = defaultdict(dict)
    for row in times:
        day, _, _, team, model, status, microseconds = row
        spent = found[day, *names.hardware(row[1:3]), team, model]
        spent[status] = spent.get(status, 0) + microseconds
    return found
