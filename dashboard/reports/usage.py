"""Metered and job GPU-hours, their ratio and the price of an hour; each is summed alone, then joined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, Self

from .. import gpu_time, posted
from ..models import UsageSnapshot
from ..naming import Names
from ..scope import Scope
from .job_time import remembered, time_by
from .spend import cell_of, narrowed, posted_alone, rows_and_posted
from .stored import rows_of

ZERO = Decimal(0)


class Hours(NamedTuple):
    """One day, provider and GPU type: metered GPU-hours and cost (None: no row), job GPU microseconds."""

    day: date
    provider: str
    gpu_type: str
    metered: Decimal | None = None
    job_microseconds: int = 0
    usd: Decimal | None = None

    @property
    def job_hours(self) -> Decimal:
        return gpu_time.hours(self.job_microseconds)

    @property
    def sums(self) -> Sum:
        return total([self])

    @property
    def utilisation(self) -> Decimal | None:
        return self.sums.utilisation

    @property
    def unit_price(self) -> Decimal | None:
        return self.sums.unit_price


def metered(scope: Scope, names: Names, found: posted.Posted | None = None) -> list[Hours]:
    """Stored metered hours, and those that period entries and rates post where none are stored.

    found: what is posted, where it is known already.
    """
    return [Hours(*cell, amount) for cell, amount in sorted(metered_by_cell(scope, names, found).items())]


def metered_by_cell(
    scope: Scope, names: Names, found: posted.Posted | None = None
) -> Mapping[posted.Cell, Decimal]:
    asked = metered_by_cell, scope.span, scope.providers, scope.gpu_types, scope.basis
    return names.once(asked, lambda: read_metered(scope, names, found))


def read_metered(scope: Scope, names: Names, found: posted.Posted | None) -> dict[posted.Cell, Decimal]:
    rows = narrowed(UsageSnapshot.objects.within(scope.span), scope, names)
    cells: defaultdict[posted.Cell, Decimal] = defaultdict(lambda: ZERO)
    for day, provider, gpu_type, amount, _ in rows_of(rows, "gpu_hours", as_told):
        cells[day, *names.hardware((provider, gpu_type))] += amount
    stored = set(cells)
    for posting in (found or posted_alone(scope, names)).postings:
        if posting.gpu_hours is not None and posting.cell not in stored:
            cells[posting.cell] += posting.gpu_hours
    return cells


def as_told(*row: Any) -> tuple[Any, ...]:
    return row


def job_hours(scope: Scope, names: Names) -> list[Hours]:
    return [Hours(*cell, None, us) for cell, us in sorted(jobs_by_cell(scope, names).items())]


def jobs_by_cell(scope: Scope, names: Names) -> dict[posted.Cell, int]:
    """GPU microseconds."""
    cells: defaultdict[posted.Cell, int] = defaultdict(int)
    for row in time_by(["day", "provider", "gpu_type"], scope, names, scope.span):
        cells[row[0], *names.hardware(row[1:3])] += row[3]
    return {cell: microseconds for cell, microseconds in cells.items() if microseconds}


def cells(scope: Scope, names: Names) -> list[Hours]:
    """Every cell with cost, metered or job hours, oldest first."""
    asked = "cells", scope.providers, scope.gpu_types, scope.basis
    return remembered(asked, scope, names, lambda: read_cells(scope, names))


def read_cells(scope: Scope, names: Names) -> list[Hours]:
    rows, found = rows_and_posted(scope, names)
    hours = metered_by_cell(scope, names, found)
    jobs = jobs_by_cell(scope, names)
    usd: dict[posted.Cell, Decimal] = {}
    for row in rows:
        cell = cell_of(row, names)
        usd[cell] = usd[cell] + row.usd if cell in usd else row.usd
    every = sorted(hours.keys() | jobs.keys() | usd.keys())
    return [Hours(*cell, hours.get(cell), jobs.get(cell, 0), usd.get(cell)) for cell in every]


class Part(NamedTuple):
    """Cells of one hardware that are summed. day: the first of the days that are.

    unmetered_microseconds: the part of the job time that lies in cells without metered hours.
    idle_microseconds: max(metered − job, 0) of each cell; the overuse of one never fills another's idleness.
    """

    day: date
    provider: str
    gpu_type: str
    metered: Decimal | None
    job_microseconds: int
    usd: Decimal | None
    unmetered_microseconds: int
    idle_microseconds: Decimal


def parts(cells: Iterable[Hours], start_of: Callable[[date], date] = lambda _: date.min) -> list[Part]:
    """Those of each hardware and bucket of days. start_of: the first day of a day's bucket."""
    sums: dict[posted.Cell, list[Any]] = {}
    for day, of_day in groupby(cells, key=itemgetter(0)):
        start = start_of(day)
        for _, provider, gpu_type, hours, of_jobs, cost in of_day:
            part = sums.get((start, provider, gpu_type))
            if part is None:
                part = sums[start, provider, gpu_type] = [None, 0, None, 0, ZERO]
            part[1] += of_jobs
            if hours is None:
                part[3] += of_jobs
            else:
                part[0] = hours if part[0] is None else part[0] + hours
                unheld = hours * gpu_time.HOUR - of_jobs
                if unheld > 0:
                    part[4] += unheld
            if cost is not None:
                part[2] = cost if part[2] is None else part[2] + cost
    return [Part(*key, *part) for key, part in sums.items()]


@dataclass(frozen=True, slots=True)
class Sum:
    """Sums over cells. None: no row at all, which is not the same as nought.

    priced_usd and priced_hours are those of hardware with both cost and metered hours.
    """

    metered: Decimal | None
    job_microseconds: int
    usd: Decimal | None
    unmetered_microseconds: int = 0
    idle_microseconds: Decimal = ZERO
    priced_usd: Decimal = ZERO
    priced_hours: Decimal = ZERO

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Self:
        metered: Decimal | None = None
        usd: Decimal | None = None
        of_jobs, unmetered, idle = 0, 0, ZERO
        hours_of: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        usd_of: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for part in parts:
            hardware = part.provider, part.gpu_type
            of_jobs += part.job_microseconds
            unmetered += part.unmetered_microseconds
            idle += part.idle_microseconds
            if part.metered is not None:
                metered = (metered or ZERO) + part.metered
                hours_of[hardware] += part.metered
            if part.usd is not None:
                usd = (usd or ZERO) + part.usd
                usd_of[hardware] += part.usd
        both = hours_of.keys() & usd_of.keys()
        priced = (sum((sums[one] for one in both), ZERO) for sums in (usd_of, hours_of))
        return cls(metered, of_jobs, usd, unmetered, idle, *priced)

    @property
    def job_hours(self) -> Decimal:
        return gpu_time.hours(self.job_microseconds)

    @property
    def idle_hours(self) -> Decimal:
        return self.idle_microseconds / gpu_time.HOUR

    @property
    def utilisation(self) -> Decimal | None:
        """Of the cells that are metered: time on hardware that nobody meters is no use of what is metered."""
        if not self.metered:
            return None
        return gpu_time.hours(self.job_microseconds - self.unmetered_microseconds) / self.metered

    @property
    def unmetered_hours(self) -> Decimal:
        return gpu_time.hours(self.unmetered_microseconds)

    @property
    def unit_price(self) -> Decimal | None:
        """USD per metered GPU-hour; None (n/a) where hours or net cost are not above zero.

        Of the hardware with both: hours of one GPU are no price of another's cost. Unused commitment and
        credits count on days without hours too.
        """
        if self.priced_hours <= 0 or self.priced_usd <= 0:
            return None
        return self.priced_usd / self.priced_hours


def total(cells: Iterable[Hours]) -> Sum:
    return Sum.of(parts(cells))
