"""Metered and job GPU-hours, their ratio and the price of an hour; each is summed alone, then joined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from .. import gpu_time, posted
from ..models import UsageSnapshot
from ..naming import Names
from ..scope import Scope
from .job_time import time_by
from .spend import cells_of, narrowed, posted_alone, rows_and_posted

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Hours:
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
    rows = narrowed(UsageSnapshot.objects.within(scope.span), scope, names)
    cells: defaultdict[posted.Cell, Decimal] = defaultdict(lambda: ZERO)
    for day, provider, gpu_type, amount in rows.values_list("date", "provider", "gpu_type", "gpu_hours"):
        cells[day, names.provider(provider), names.gpu_type(gpu_type)] += amount
    stored = set(cells)
    for posting in (found or posted_alone(scope, names)).postings:
        if posting.gpu_hours is not None and posting.cell not in stored:
            cells[posting.cell] += posting.gpu_hours
    return [Hours(*cell, metered=amount) for cell, amount in sorted(cells.items())]


def job_hours(scope: Scope, names: Names) -> list[Hours]:
    cells: defaultdict[tuple[date, str, str], int] = defaultdict(int)
    rows = time_by(["day", "provider", "gpu_type"], scope, names, scope.span)
    for day, provider, gpu_type, microseconds, *_ in rows:
        cells[day, names.provider(provider), names.gpu_type(gpu_type)] += microseconds
    return [Hours(*cell, job_microseconds=us) for cell, us in sorted(cells.items()) if us]


def cells(scope: Scope, names: Names) -> list[Hours]:
    """Every cell with cost, metered or job hours, oldest first."""
    rows, found = rows_and_posted(scope, names)
    joined = {(h.day, h.provider, h.gpu_type): h for h in metered(scope, names, found)}
    for h in job_hours(scope, names):
        cell = (h.day, h.provider, h.gpu_type)
        joined[cell] = replace(joined.get(cell, Hours(*cell)), job_microseconds=h.job_microseconds)
    for c in cells_of(rows, names):
        cell = (c.day, c.provider, c.gpu_type)
        joined[cell] = replace(joined.get(cell, Hours(*cell)), usd=c.usd)
    return [joined[cell] for cell in sorted(joined)]


@dataclass(frozen=True, slots=True)
class Sum:
    """Sums over cells. None: no row at all, which is not the same as nought.

    unmetered_microseconds is the part of the job time that lies in cells without metered hours.
    """

    metered: Decimal | None
    job_microseconds: int
    usd: Decimal | None
    unmetered_microseconds: int = 0

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
        """USD per metered GPU-hour; None (n/a) where hours or net cost are not above zero."""
        if not self.metered or self.metered <= 0 or self.usd is None or self.usd <= 0:
            return None
        return self.usd / self.metered


def total(cells: Iterable[Hours]) -> Sum:
    metered = usd = None
    microseconds = unmetered = 0
    for cell in cells:
        if cell.metered is None:
            unmetered += cell.job_microseconds
        else:
            metered = (metered or ZERO) + cell.metered
        if cell.usd is not None:
            usd = (usd or Decimal("0.00")) + cell.usd
        microseconds += cell.job_microseconds
    return Sum(metered, microseconds, usd, unmetered)


def idle_hours(cells: Iterable[Hours]) -> Decimal:
    """max(metered − job, 0) of each cell: one cell's overuse never fills another's idleness."""
    return sum((max(c.metered - c.job_hours, ZERO) for c in cells if c.metered is not None), ZERO)
