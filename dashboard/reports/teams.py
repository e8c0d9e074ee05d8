"""What each team's jobs used: hours, jobs, success rate and models."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from .. import gpu_time
from ..models import Job, Team
from ..naming import Names
from ..remembered import until_written
from ..scope import Scope, bucket_start
from .job_time import count_by, jobs_of, models_by_team, picked, remembered, spent_by, time_by


@dataclass
class TeamUse:
    """GPU microseconds and jobs (those that overlap the scope's days) of one team; running: right now."""

    id: UUID
    name: str
    microseconds: int = 0
    jobs: int = 0
    running: int = 0
    models: int = 0
    by_status: Counter[str] = field(default_factory=Counter)

    @property
    def gpu_hours(self) -> Decimal:
        return gpu_time.hours(self.microseconds)

    @property
    def success(self) -> Decimal | None:
        return success_rate(self.by_status)


def success_rate(by_status: Counter[str]) -> Decimal | None:
    """Completed among completed and failed jobs (cancelling is a choice); None without either."""
    ended = by_status["completed"] + by_status["failed"]
    return Decimal(by_status["completed"]) / ended if ended else None


@dataclass
class Work:
    """GPU microseconds, and jobs that overlap the scope's days by status."""

    microseconds: int = 0
    by_status: Counter[str] = field(default_factory=Counter)


def total_work(done: Iterable[Work]) -> Work:
    total = Work()
    for one in done:
        total.microseconds += one.microseconds
        total.by_status += one.by_status
    return total


def work(scope: Scope, names: Names) -> dict[UUID, Work]:
    """What each team's jobs did within the scope."""
    done = defaultdict[UUID, Work](Work)
    for team, microseconds in spent_by(["team"], scope, names).items():
        done[team].microseconds = microseconds
    for team, status, count in count_by(["team", "status"], scope, names):
        done[team].by_status[status] = count
    return done


def team_use(scope: Scope, names: Names) -> list[TeamUse]:
    """Teams with jobs in the scope or running now, most hours first."""
    use: dict[UUID, TeamUse] = {}
    names_of_teams = dict(Team.objects.values_list("pk", "name"))

    def of(team: UUID) -> TeamUse:
        return use.setdefault(team, TeamUse(team, names_of_teams[team]))

    for team, done in work(scope, names).items():
        of(team).microseconds, of(team).by_status = done.microseconds, done.by_status
        of(team).jobs = done.by_status.total()
    for team, count in models_by_team(scope, names).items():
        of(team).models = count
    for team, count in running_by_team(scope, names).items():
        of(team).running = count
    return sorted(use.values(), key=lambda t: (-t.microseconds, t.name.casefold()))


def running_by_team(scope: Scope, names: Names) -> dict[UUID, int]:
    """Jobs that run now, whatever the days of the scope."""

    def counted() -> dict[UUID, int]:
        return jobs_of(scope, names).running().per_team()

    if scope.seeks_jobs:
        return counted()
    return until_written(("running by team", picked(scope, names).as_key()), counted)


def hours_by_day(scope: Scope, names: Names) -> list[tuple[date, UUID, int]]:
    """(day, team, GPU microseconds)."""
    rows = time_by(["day", "team"], scope, names, scope.span)
    return [(day, team, microseconds) for day, team, microseconds, *_ in rows if microseconds]


def hours_by_bucket(scope: Scope, names: Names, bucket: str) -> list[tuple[date, UUID, int]]:
    """The same by the first days of weeks, months or quarters."""

    def summed() -> list[tuple[date, UUID, int]]:
        found = Counter[tuple[date, UUID]]()
        for day, team, microseconds in hours_by_day(scope, names):
            found[bucket_start(day, bucket, settings.HELIOX_FISCAL_MONTH), team] += microseconds
        return [(*of, microseconds) for of, microseconds in found.items()]

    return remembered(("hours by team", bucket), scope, names, summed)


@dataclass(frozen=True, slots=True)
class TeamDay:
    day: date
    team: str
    provider: str
    gpu_type: str
    microseconds: int
    jobs: int

    @property
    def gpu_hours(self) -> Decimal:
        return gpu_time.hours(self.microseconds)


def team_days(scope: Scope, names: Names, bucket: Callable[[date], date] | None = None) -> list[TeamDay]:
    """Hours and overlapping jobs of every day, team, provider and GPU type, oldest first.

    With `bucket`, days are gathered under the first day that it gives, and a job counts once in each.
    """
    teams = dict(Team.objects.values_list("pk", "name"))
    cells: defaultdict[tuple[date, str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    rows = time_by(["day", "team", "provider", "gpu_type"], scope, names, scope.span)
    for day, team, provider, gpu_type, microseconds, job_days, begun in rows:
        first = bucket(day) if bucket else day
        cell = cells[first, teams[team], names.provider(provider), names.gpu_type(gpu_type)]
        cell[0] += microseconds
        cell[1] += job_days if day == (max(first, scope.span.start) if scope.span else first) else begun
    return [TeamDay(*key, *cell) for key, cell in sorted(cells.items())]


@dataclass(frozen=True, slots=True)
class ModelUse:
    name: str
    microseconds: int
    jobs: int
    success: Decimal | None

    @property
    def gpu_hours(self) -> Decimal:
        return gpu_time.hours(self.microseconds)


def model_use(scope: Scope, names: Names) -> list[ModelUse]:
    statuses: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for model, status, count in count_by(["model", "status"], scope, names):
        statuses[model][status] = count
    spent = spent_by(["model"], scope, names)
    rows = [
        ModelUse(model, spent.get(model, 0), sum(by_status.values()), success_rate(by_status))
        for model, by_status in statuses.items()
    ]
    return sorted(rows, key=lambda m: (-m.microseconds, m.name.casefold()))


def running_now(scope: Scope, names: Names) -> int:
    return jobs_of(scope, names).running().count()


def newest_and_longest(scope: Scope, names: Names, most: int = 5) -> tuple[list[Job], list[Job]]:
    """Running jobs with their `team_name`: those that began last, and those that began first."""
    running = jobs_of(scope, names).running().with_team_name()
    return list(running.newest_first()[:most]), list(running.order_by("start_time", "pk")[:most])
