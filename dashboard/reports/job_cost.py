"""What one job cost, day by day, and what running jobs cost so far and by the hour."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from django.conf import settings

from .. import gpu_time
from ..clock import now, today, today_by
from ..models import Job
from ..models.calendar import midnight
from ..money import to_cents, usd
from ..naming import Names
from ..scope import ONE_DAY, Scope, Span
from .allocation import USE, CellPool, allocate, cell_pools
from .freshness import Freshness
from .job_time import jobs_of, remembered
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
    return JobDay(day, microseconds, pools[day].pool, usd(share), flags=pools[day].flags)


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


ROWS_OF_A_JOB = 10  # that a remembered one weighs as much as
# Of a running job; half of the time that it takes went into columns that nobody looks at.
TOLD = (
    *("team__name", "model_name", "provider", "gpu_type", "gpu_count"),
    *("status", "start_time", "end_time"),
)


class RunningJob(NamedTuple):
    """microseconds: of GPU time so far. usd: so far, of it estimated on days that are not closed; both None
    where no price is known.
    """

    job: Job
    microseconds: int
    usd_per_hour: Decimal | None
    usd: Decimal | None
    estimated: Decimal | None

    @property
    def gpu_hours(self) -> Decimal:
        return gpu_time.hours(self.microseconds)


def running_jobs(scope: Scope, names: Names) -> list[RunningJob]:
    """Every running job within the scope, the dearest by the hour first.

    Amounts are before whole cents are shared out: a job's own page may differ by a cent a day.
    """
    known, at = that_run(scope, names)
    # Worked out once for the many that began before today, on one of few numbers of GPUs.
    until_now = cache(lambda since, gpu_count: gpu_time.gpu_microseconds(at - since, gpu_count))
    found = [one.with_today(until_now(one.since, one.job.gpu_count)) for one in known]
    return sorted(found, key=lambda r: (r.usd_per_hour or 0, r.microseconds), reverse=True)


def that_run(scope: Scope, names: Names) -> tuple[list[BeforeToday], datetime]:
    """Running jobs within the scope that have begun, in the order of their ids, and the moment of that."""
    known, at = known_before_today(scope, names), now()  # a day may come to its end meanwhile
    return [one for one in known if one.since <= at], at


@dataclass(frozen=True, slots=True)
class BeforeToday:
    """What a running job came to before today by its provider's clock, and by what its further hours count.

    since: when today or the job itself began. billed, waiting: USD until then, not rounded; the rates are
    those of a GPU-hour of today, of which one is 0. usd_per_hour: what another hour of all its GPUs costs,
    None where no price is known.
    """

    job: Job
    since: datetime
    microseconds: int
    billed: Decimal
    waiting: Decimal
    billed_rate: Decimal
    waiting_rate: Decimal
    usd_per_hour: Decimal | None

    def as_of(self, at: datetime) -> RunningJob:
        return self.with_today(gpu_time.gpu_microseconds(at - self.since, self.job.gpu_count))

    def with_today(self, microseconds: int) -> RunningJob:
        """microseconds: of GPU time since today began, or the job."""
        spent, hours = self.microseconds + microseconds, gpu_time.hours(microseconds)
        billed, waiting = self.billed + self.billed_rate * hours, self.waiting + self.waiting_rate * hours
        if self.usd_per_hour is None and not billed and not waiting:
            return RunningJob(self.job, spent, None, None, None)
        estimated = to_cents(waiting)
        usd = to_cents(billed + waiting) if billed else estimated
        return RunningJob(self.job, spent, self.usd_per_hour, usd, estimated)


def known_before_today(scope: Scope, names: Names) -> list[BeforeToday]:
    """Of each running job in the order of their ids, also of one that begins later than now."""
    freshness = Freshness.load(names)
    # Later days have no price yet, and those that are not over would be worked out each time.
    closed = max((one.through for one in freshness.providers), default=today())

    def read() -> list[BeforeToday]:
        jobs = list(jobs_of(scope, names).running().select_related("team").only(*TOLD))
        if not jobs:
            return []
        first = (min(began(job) for job in jobs).date() - PRICE_AGE).replace(day=1)
        all_hardware = scope.but(providers=(), gpu_types=()).over(Span.inclusive(first, max(first, closed)))
        prices = Prices.of(priced_cells(all_hardware, names), freshness)
        return [before_today(job, prices, names) for job in sorted(jobs, key=attrgetter("pk"))]

    days = today(), *(today_by(clock) for clock in sorted(names.spellings_by_clock()))
    asked, closed_days = ("running", scope.basis, scope.idle, days), Span.inclusive(closed, closed)
    return remembered(asked, scope.over(closed_days), names, read, ROWS_OF_A_JOB)


def began(job: Job) -> datetime:
    assert job.start_time
    return job.start_time


def before_today(job: Job, prices: Prices, names: Names) -> BeforeToday:
    hardware, clock = (names.provider(job.provider), names.gpu_type(job.gpu_type)), names.clock(job.provider)
    this_day = today_by(clock)
    since = max(began(job), midnight(this_day, clock))
    pieces = gpu_time.split_by_day(began(job), since, job.gpu_count, clock)
    rates = [(*rates_of(prices, hardware, day), gpu_time.hours(us)) for day, us in pieces]
    price = prices.latest(hardware, today())
    return BeforeToday(
        job,
        since,
        sum(us for _, us in pieces),
        sum((billed * hours for billed, _, hours in rates), Decimal(0)),
        sum((waiting * hours for _, waiting, hours in rates), Decimal(0)),
        *rates_of(prices, hardware, this_day),
        None if price is None else price * job.gpu_count,
    )


def rates_of(prices: Prices, hardware: Hardware, day: date) -> tuple[Decimal, Decimal]:
    """USD of a GPU-hour as billed, and as estimated where the day is not closed."""
    known = prices.on(hardware, day)
    return (Decimal(0), prices.latest(hardware, day) or Decimal(0)) if known is None else (known, Decimal(0))
