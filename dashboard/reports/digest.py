"""What a digest tells of one day: cost, the month so far, stuck jobs, and data that is late."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.conf import settings

from ..naming import Names
from ..scope import ONE_DAY, Scope, Span, shift_month
from .anomalies import Anomaly, anomalies, undismissed
from .budgets import BudgetState, budget_states
from .compare import Change, Sides, change, months_earlier
from .freshness import Completeness, Freshness, jobs_through
from .known import Known
from .spend import costs
from .stuck import StuckJobs, stuck_jobs

WEEK = timedelta(days=7)
GRACE = 1  # days that anything may be late without being told of
Costs = Mapping[tuple[str, date], Decimal]  # of a provider on a day with rows


@dataclass(frozen=True, slots=True)
class ProviderDay:
    """A provider's last closed day, and its cost beside that of the same weekday a week before."""

    provider: str
    day: date
    usd: Decimal | None
    change: Change


@dataclass(frozen=True, slots=True)
class MonthToDate:
    """Closed days of the month, and the same days of the month before."""

    span: Span
    before: Span
    usd: Decimal | None
    change: Change


@dataclass(frozen=True, slots=True)
class Late:
    """through: the last day that is complete. days: how many more should be by now."""

    what: str
    through: date
    days: int


@dataclass(frozen=True)
class Digest:
    """day: the one it was made for; figures are of the last closed days up to it, as they are known now.

    through: the last day that is closed at every provider that still bills; total: its cost, None where
    nothing is stored of it. stuck: as of now.
    """

    day: date
    through: date | None
    total: Decimal | None
    basis: str
    providers: list[ProviderDay]
    month: MonthToDate | None
    budgets: list[BudgetState]
    anomalies: list[Anomaly]
    stuck: StuckJobs
    late: list[Late]


def digest(day: date, names: Names) -> Digest:
    freshness = Freshness.load(names).up_to(day)
    known, through = costs_by_day(day, names, freshness), freshness.through()
    month = month_to_date(freshness, known, names)
    return Digest(
        day,
        through,
        spent(Span.inclusive(through, through), known) if through else None,
        settings.HELIOX_COST_BASIS,
        provider_days(freshness, known),
        month,
        budget_states(month.span.start, names, freshness) if month else [],
        odd_lately(day, names, freshness),
        stuck_jobs(Scope(), names),
        late(day, freshness, names),
    )


def costs_by_day(day: date, names: Names, freshness: Freshness) -> Costs:
    """Closed days since the month before that of the last one at every provider: every week before, too."""
    closed = {one.provider: one.last if one.late else one.through for one in freshness.providers}
    earliest = min(freshness.through() or day, day)
    span = Span.inclusive(shift_month(earliest.replace(day=1), -1), day)
    found: defaultdict[tuple[str, date], Decimal] = defaultdict(lambda: Decimal("0.00"))
    for cell in costs(Scope(span, basis=settings.HELIOX_COST_BASIS), names):
        if cell.day <= closed.get(cell.provider, date.min):
            found[cell.provider, cell.day] += cell.usd
    return dict(found)


def provider_days(freshness: Freshness, known: Costs) -> list[ProviderDay]:
    """The dearest first; without providers that have not billed for long."""
    found = [
        provider_day(one.provider, one.closed, known)
        for one in freshness.providers
        if one.closed and not one.late
    ]
    return sorted(found, key=lambda one: (-(one.usd or 0), one.provider))


def provider_day(provider: str, day: date, known: Costs) -> ProviderDay:
    usd, before = known.get((provider, day)), known.get((provider, day - WEEK))
    return ProviderDay(provider, day, usd, change(usd, before))


def month_to_date(freshness: Freshness, known: Costs, names: Names) -> MonthToDate | None:
    through = freshness.through()
    if through is None or not known:
        return None
    span = Span.inclusive(through.replace(day=1), through)
    before = months_earlier(span, 1)
    usd, earlier = spent(span, known), spent(before, known)
    reason = "the month before is shorter" if before.length < span.length else ""
    sides = Sides(span, before, reason)
    reason = Known(Scope(span, basis=settings.HELIOX_COST_BASIS), sides, names).why_not("cost")
    return MonthToDate(span, before, usd, change(usd, earlier, reason))


def spent(span: Span, known: Costs) -> Decimal | None:
    amounts = [usd for (_, day), usd in known.items() if day in span]
    return sum(amounts, Decimal("0.00")) if amounts else None


def odd_lately(day: date, names: Names, freshness: Freshness) -> list[Anomaly]:
    """Of the last seven days, since bills come late; without those that somebody has dismissed."""
    week = Scope(Span.inclusive(day - WEEK + ONE_DAY, day), basis=settings.HELIOX_COST_BASIS)
    return undismissed(anomalies(week, names, freshness))


def late(day: date, freshness: Freshness, names: Names) -> list[Late]:
    """Bills that are complete to an earlier day than their lag explains, and job logs; the latest last."""
    found = [behind(one, day - timedelta(days=names.lag(one.provider))) for one in freshness.providers]
    logged = jobs_through()
    if logged:
        found.append(Late("Job logs", logged, (day - logged).days))
    return sorted((one for one in found if one and one.days > GRACE), key=lambda one: (one.days, one.what))


def behind(one: Completeness, expected: date) -> Late | None:
    """Of a provider that still bills."""
    return None if one.late else Late(f"Bill of {one.provider}", one.through, (expected - one.through).days)
