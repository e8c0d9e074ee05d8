"""Metered and job GPU-hours, their ratio and the price of an hour; each is summed alone, then joined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

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
    asked = "cells", scope.span, scope.providers, scope.gpu_types, scope.basis
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


@dataclass(frozen=True, slots=True)
class Sum:
    """Sums over cells. None: no row at all, which is not the same as nought.

    unmetered_microseconds is the part of the job time that lies in cells without metered hours; priced_usd
    and priced_hours are those of hardware with both cost and metered hours.
    """

    metered: Decimal | None
    job_microseconds: int
    usd: Decimal | None
    unmetered_microseconds: int = 0
    priced_usd: Decimal = ZERO
    priced_hours: Decimal = ZERO

    @property
    def job_hours(self) -> Decimal:
        return gpu_time.hours(self.job_microseconds)

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
    metered: Decimal | None = None
    usd: Decimal | None = None
    microseconds = unmetered = 0
    hours_of: dict[tuple[str, str], Decimal] = {}
    usd_of: dict[tuple[str, str], Decimal] = {}
    for _, provider, gpu_type, hours, of_jobs, cost in cells:
        hardware = provider, gpu_type
        microseconds += of_jobs
        if hours is None:
            unmetered += of_jobs
        else:
            metered = hours if metered is None else metered + hours
            hours_of[hardware] = hours_of.get(hardware, ZERO) + hours
        if cost is not None:
            usd = cost if usd is None else usd + cost
            usd_of[hardware] = usd_of.get(hardware, ZERO) + cost
    both = hours_of.keys() & usd_of.keys()
    priced = (sum((sums[one] for one in both), ZERO) for sums in (usd_of, hours_of))
    return Sum(metered, microseconds, usd, unmetered, *priced)


def idle_hours(cells: Iterable[Hours]) -> Decimal:
    """max(metered − job, 0) of each cell: one cell's overuse never fills another's idleness."""
    idle = ZERO
    for _, _, _, hours, of_jobs, _ in cells:
        if hours is not None and (unheld := hours * gpu_time.HOUR - of_jobs) > 0:
            idle += unheld
    return idle / gpu_time.HOUR
