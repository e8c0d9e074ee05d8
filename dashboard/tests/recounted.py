"""What the pages of teams and of the shared bill must say, counted anew in fractions from rows of the ORM."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.clock import now
from dashboard.models import Job
from dashboard.models.calendar import midnight
from dashboard.naming import Names

HOUR = 3_600_000_000  # microseconds
UNALLOCATED, IDLE = "(unallocated)", "(idle)"
Cell = tuple[date, str, str]  # day, provider, GPU type
Key = tuple[date, str, str, str, str]  # first day of the bucket, team, model, provider, GPU type


@dataclass
class Part:
    """microseconds: GPU time of the jobs. usd: exact, of so many daily costs; None where no bill speaks."""

    microseconds: Fraction = Fraction(0)
    jobs: set[Any] = field(default_factory=set)
    usd: Fraction | None = None
    costs: int = 0

    @property
    def hours(self) -> Fraction:
        return self.microseconds / HOUR

    def ran(self, job: Job, microseconds: Fraction) -> None:
        self.microseconds += microseconds
        self.jobs.add(job.pk)

    def pays(self, usd: Fraction) -> None:
        self.usd = (self.usd or 0) + usd
        self.costs += 1


def pieces(jobs: Iterable[Job], first: date, last: date) -> Iterator[tuple[date, Job, Fraction]]:
    """GPU microseconds of each job on each of these days, cut by its provider's clock."""
    names = Names.load()
    for job in jobs:
        clock, start, end = names.clock(job.provider), job.start_time, job.end_time or now()
        assert start is not None
        day = max(start.astimezone(ZoneInfo(clock)).date(), first)
        while day <= last and midnight(day, clock) < end:
            ends = min(end, midnight(day + timedelta(days=1), clock))
            yield day, job, elapsed(max(start, midnight(day, clock)), ends) * Fraction(job.gpu_count)
            day += timedelta(days=1)


def elapsed(start: datetime, end: datetime) -> Fraction:
    return Fraction((end - start) // timedelta(microseconds=1))


def used(parts: Iterable[tuple[date, Job, Fraction]], bucket: Callable[[date], date]) -> dict[Key, Part]:
    found: defaultdict[Key, Part] = defaultdict(Part)
    for day, job, spent in parts:
        found[bucket(day), job.team.name, "", job.provider, job.gpu_type].ran(job, spent)
    return found


def shared(
    costs: Mapping[Cell, Fraction],
    metered: Mapping[Cell, Fraction],
    parts: Iterable[tuple[date, Job, Fraction]],
    bucket: Callable[[date], date],
    by_model: bool,
) -> dict[Key, Part]:
    """Each cell's USD by job hours ÷ max(metered, job hours); the rest is idle; without jobs, nobody's.

    What stands on no bill has hours and no USD.
    """
    found: defaultdict[Key, Part] = defaultdict(Part)
    spent: defaultdict[Cell, defaultdict[tuple[str, str], Fraction]]
    spent = defaultdict(lambda: defaultdict(Fraction))
    for day, job, microseconds in parts:
        owner = job.team.name, job.model_name if by_model else ""
        found[bucket(day), *owner, job.provider, job.gpu_type].ran(job, microseconds)
        spent[day, job.provider, job.gpu_type][owner] += microseconds / HOUR
    for (day, *hardware), usd in costs.items():
        owners = spent[day, *hardware]
        everyone = sum(owners.values(), Fraction(0))
        base = max(metered.get((day, *hardware), Fraction(0)), everyone)
        for owner, hours in owners.items():
            found[bucket(day), *owner, *hardware].pays(usd * hours / base)
        if rest := usd * (base - everyone) / base if everyone else usd:
            nobody = IDLE if everyone else UNALLOCATED
            found[bucket(day), nobody, nobody if by_model else "", *hardware].pays(rest)
    return found
