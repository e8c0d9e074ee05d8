"""What one job cost, day by day, and what running jobs cost so far and by the hour."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from .. import gpu_time
from ..clock import today
from ..models import Job
from ..money import to_cents, usd
from ..naming import Names
from ..scope import ONE_DAY, Scope, Span
from .allocation import USE, CellPool, allocate, cell_pools
from .freshness import Freshness
from .job_time import jobs_of
from .prices import PRICE_AGE, Hardware, Priced, Prices, priced_cells
from .sharing import Pool, spread


@dataclass(frozen=True, slots=True)
class JobDay:
    """One day of a job. pool: what its cost is a part of; None where no closed bill speaks of the day.

    usd: the job's share in whole cents, or where there is none an estimate, None without a known price.
    flags: what makes the shares of that day less sure, in words.
    """

    day: date
    microseconds: int
    pool: Pool | None
    usd: Decimal | None
    estimated: bool = False
    flags: tuple[str, ...] = ()

    @property
    def gpu_hours(self) -> Decimal:
        return gpu_time.hours(self.microseconds)

    @property
    def pool_usd(self) -> Decimal | None:
        return None if self.pool is None else usd(self.pool.cents)

    @property
    def usd_per_hour(self) -> Decimal | None:
        """Of the whole pool."""
        if self.pool is None or not self.pool.base:
            return None
        return usd(self.pool.cents) / gpu_time.hours(self.pool.base)

    @property
    def base_hours(self) -> Decimal | None:
        return None if self.pool is None else gpu_time.hours(self.pool.base)


@dataclass(frozen=True)
class JobCost:
    days: list[JobDay]

    @property
    def is_billed(self) -> bool:
        """Whether a closed bill speaks of any of its days; 0.00 is then a fact."""
        return any(d.pool for d in self.days)

    @property
    def billed(self) -> Decimal:
        return sum((d.usd for d in self.days if d.usd is not None and not d.estimated), Decimal("0.00"))

    @property
    def estimated(self) -> Decimal:
        return sum((d.usd for d in self.days if d.usd is not None and d.estimated), Decimal("0.00"))

    @property
    def unpriced(self) -> int:
        """Days without a bill and without a price to estimate by."""
        return sum(1 for d in self.days if d.usd is None)


def job_cost(job: Job, names: Names) -> JobCost:
    """The last link of the chain: a model's cents of a day go to its jobs by their hours."""
    pieces = pieces_of(job, names)
    if not pieces:
        return JobCost([])
    days = list(pieces)
    scope = of_hardware(job, names, Span.inclusive(days[0], days[-1]))
    found = allocate(scope, names, by_model=True)
    freshness = Freshness.load(names)
    closed = freshness.through(scope.providers)
    pools = {pool.cell[0]: pool for pool in found.pools if closed and pool.cell[0] <= closed}
    cents = {
        one.day: one.cents or 0
        for one in found.shares
        if (one.team, one.model, one.line) == (job.team_id, job.model_name, USE)
    }
    siblings = jobs_like(job, scope, names) if cents else {}
    known = [day_of(job, day, us, pools, cents, siblings) for day, us in pieces.items()]
    return JobCost(estimated(known, scope, names, freshness))


def pieces_of(job: Job, names: Names) -> dict[date, int]:
    end = gpu_time.end_of_run(job)
    if job.start_time is None or end is None:
        return {}
    clock = names.clock(job.provider)
    return dict(gpu_time.split_by_day(job.start_time, end, job.gpu_count, clock))


def of_hardware(job: Job, names: Names, span: Span) -> Scope:
    return Scope(
        span,
        providers=(names.provider(job.provider),),
        gpu_types=(names.gpu_type(job.gpu_type),),
        basis=settings.HELIOX_COST_BASIS,
    )


def jobs_like(job: Job, scope: Scope, names: Names) -> dict[date, dict[UUID, int]]:
    """GPU microseconds by day and job of the same team, model and hardware."""
    jobs = jobs_of(replace(scope, teams=(job.team_id,), models=(job.model_name,)), names)
    found: defaultdict[date, dict[UUID, int]] = defaultdict(dict)
    for day, pk, microseconds, _ in gpu_time.by(["day", "job"], jobs, names, scope.span):
        found[day][pk] = microseconds
    return found


def day_of(
    job: Job,
    day: date,
    microseconds: int,
    pools: dict[date, CellPool],
    cents: dict[date, int],
    siblings: dict[date, dict[UUID, int]],
) -> JobDay:
    if day not in pools:
        return JobDay(day, microseconds, None, None)
    shares = spread(cents.get(day, 0), siblings.get(day, {}), "by_use", day.toordinal())
    share = shares.get(job.pk, 0)
    return JobDay(day, microseconds, pools[day].pool, usd(share), flags=tuple(pools[day].flags))


# Days whose bill is missing or not closed: a part of a day's bill would make its hours look cheap.


def estimated(days: list[JobDay], scope: Scope, names: Names, freshness: Freshness) -> list[JobDay]:
    open_days = [d for d in days if d.pool is None]
    if not open_days:
        return days
    priced_days = Span(open_days[0].day - PRICE_AGE, open_days[-1].day + ONE_DAY)
    prices = Prices.of(map(Priced.of, cell_pools(replace(scope, span=priced_days), names)), freshness)
    return [d if d.pool else priced(d, prices.latest(hardware_of(scope), d.day)) for d in days]


def hardware_of(scope: Scope) -> Hardware:
    return scope.providers[0], scope.gpu_types[0]


def priced(day: JobDay, price: Decimal | None) -> JobDay:
    amount = None if price is None else to_cents(price * day.gpu_hours)
    return replace(day, usd=amount, estimated=True)


# Of a running job; half of the time that it takes went into columns that nobody looks at.
TOLD = (
    *("team__name", "model_name", "provider", "gpu_type", "gpu_count"),
    *("status", "start_time", "end_time"),
)


@dataclass(frozen=True, slots=True)
class RunningJob:
    """usd: so far, of it estimated on days that are not closed; both None where no price is known."""

    job: Job
    gpu_hours: Decimal
    usd_per_hour: Decimal | None
    usd: Decimal | None
    estimated: Decimal | None


def running_jobs(scope: Scope, names: Names) -> list[RunningJob]:
    """Every running job within the scope, the dearest by the hour first.

    Amounts are before whole cents are shared out: a job's own page may differ by a cent a day.
    """
    jobs = list(jobs_of(scope, names).running().select_related("team").only(*TOLD))
    jobs = [job for job in jobs if gpu_time.end_of_run(job)]
    if not jobs:
        return []
    first = (min(job.start_time.date() for job in jobs if job.start_time) - PRICE_AGE).replace(day=1)
    freshness = Freshness.load(names)
    # Later days have no price yet, and those that are not over would be worked out each time.
    closed = max((one.through for one in freshness.providers), default=first)
    priced = Span.inclusive(first, max(first, closed))
    all_hardware = scope.but(providers=(), gpu_types=()).over(priced)
    prices = Prices.of(priced_cells(all_hardware, names), freshness)
    found = [running_job(job, prices, names) for job in jobs]
    return sorted(found, key=lambda r: (-(r.usd_per_hour or 0), -r.gpu_hours, str(r.job.pk)))


def running_job(job: Job, prices: Prices, names: Names) -> RunningJob:
    hardware = names.provider(job.provider), names.gpu_type(job.gpu_type)
    price = prices.latest(hardware, today())
    billed = waiting = Decimal(0)
    pieces = pieces_of(job, names)
    for day, microseconds in pieces.items():
        known = prices.on(hardware, day)
        if known is not None:
            billed += known * gpu_time.hours(microseconds)
        elif (then := prices.latest(hardware, day)) is not None:
            waiting += then * gpu_time.hours(microseconds)
    spent = gpu_time.hours(sum(pieces.values()))
    if price is None and not billed and not waiting:
        return RunningJob(job, spent, None, None, None)
    hourly = None if price is None else price * job.gpu_count
    return RunningJob(job, spent, hourly, to_cents(billed + waiting), to_cents(waiting))
