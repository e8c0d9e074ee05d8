"""A period entry's total over its days: by contracted capacity, else metered hours, else elapsed time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from ..models import Commitment, CostSnapshot, PeriodEntry, UsageSnapshot
from ..models.calendar import FIRST_DAY, LAST_DAY, midnight
from ..models.contracts import OfHardware
from ..money import WIDE, carry_cents
from ..naming import DEFAULT_CLOCK, Names
from ..scope import ONE_DAY, Span

CAPACITY, METERED, ELAPSED = "capacity", "metered", "elapsed"
CALENDAR = Span.inclusive(FIRST_DAY, LAST_DAY)
SECOND = timedelta(seconds=1)
ZERO = Decimal(0)

Hardware = tuple[str, str]  # provider and GPU type under their display names
Weights = list[Decimal]


@dataclass(frozen=True, slots=True)
class Share:
    """gpu_hours: None where the entry knows none for that day."""

    day: date
    usd: Decimal
    gpu_hours: Decimal | None


@dataclass(frozen=True, slots=True)
class Spread:
    """An entry's total and hours, day by day, to the cent and to 0.01 h. by: CAPACITY, METERED or ELAPSED."""

    entry: PeriodEntry
    by: str
    shares: list[Share]


def spreads(entries: Iterable[PeriodEntry], names: Names) -> list[Spread]:
    """Each entry as a whole, whatever days are asked about; what no entry needs is not looked up."""
    entries = list(entries)
    promised = capacities(entries, names)
    unpromised = [entry for entry in entries if entry.pk not in promised]
    metered = metered_hours(unpromised, names)
    return [spread(entry, names, promised.get(entry.pk), metered) for entry in entries]


def billed_days(entries: Sequence[PeriodEntry], names: Names) -> int:
    """Days of the entries with a cost of the same hardware from elsewhere, each entry's by itself."""
    if not entries:
        return 0
    first, last = min(entry.first_day for entry in entries), max(entry.last_day for entry in entries)
    cells = CostSnapshot.objects.within(Span.inclusive(first, last)).order_by()
    billed: defaultdict[Hardware, set[date]] = defaultdict(set)
    for day, provider, gpu_type in cells.values_list("date", "provider", "gpu_type").distinct():
        billed[names.hardware((provider, gpu_type))].add(day)
    of_each = (billed[names.hardware((entry.provider, entry.gpu_type))] for entry in entries)
    return sum(
        sum(entry.first_day <= day <= entry.last_day for day in days)
        for entry, days in zip(entries, of_each, strict=True)
    )


def spread(
    entry: PeriodEntry,
    names: Names,
    promised: Weights | None,
    metered: Mapping[tuple[date, Hardware], Decimal],
) -> Spread:
    days, hardware = list(days_of(entry)), hardware_of(entry, names)
    if promised:
        return shared(entry, CAPACITY, days, promised)
    by_hours = [max(metered.get((day, hardware), ZERO), ZERO) for day in days]
    if any(by_hours):
        return shared(entry, METERED, days, by_hours)
    clock = names.clock(entry.provider)
    return shared(entry, ELAPSED, days, [Decimal(elapsed(day, clock)) for day in days])


def shared(entry: PeriodEntry, by: str, days: Sequence[date], weights: Weights) -> Spread:
    usd = portions(entry.cost_usd, weights)
    hours: list[Decimal | None] = [None] * len(days)
    if entry.gpu_hours is not None:
        known = portions(entry.gpu_hours, weights)
        hours = [part if weight else None for part, weight in zip(known, weights, strict=True)]
    return Spread(entry, by, [Share(*each) for each in zip(days, usd, hours, strict=True)])


def portions(total: Decimal, weights: Weights) -> list[Decimal]:
    """The total in hundredths, by weight; what one day drops, a later one gets."""
    if not weights:
        return []
    return carry_cents((WIDE.multiply(total, weight) for weight in weights), sum(weights, ZERO))


def days_of(contract: PeriodEntry | Commitment) -> Span:
    return Span.inclusive(contract.first_day, contract.last_day).clipped(CALENDAR)


def hardware_of(contract: OfHardware, names: Names) -> Hardware:
    return names.provider(contract.provider), names.gpu_type(contract.gpu_type)


def elapsed(day: date, clock: str) -> int:
    """Seconds of the day: 23 or 25 hours where clocks change."""
    if clock == DEFAULT_CLOCK:
        return 86_400
    return (midnight(day + ONE_DAY, clock) - midnight(day, clock)) // SECOND


def capacities(entries: Sequence[PeriodEntry], names: Names) -> dict[UUID, Weights]:
    """GPUs × seconds of each day, by the key of the entry; only where a commitment covers one of its days."""
    promised: defaultdict[Hardware, list[Commitment]] = defaultdict(list)
    if span := days_together(entries):
        for commitment in Commitment.objects.during(span):
            promised[hardware_of(commitment, names)].append(commitment)
    found: dict[UUID, Weights] = {}
    for entry in entries:
        clock, kept = names.clock(entry.provider), promised[hardware_of(entry, names)]
        weights = [gpus_promised(kept, day) * elapsed(day, clock) for day in days_of(entry)] if kept else []
        if any(weights):
            found[entry.pk] = weights
    return found


def gpus_promised(commitments: Iterable[Commitment], day: date) -> Decimal:
    return sum((c.gpus for c in commitments if c.first_day <= day <= c.last_day), ZERO)


def metered_hours(entries: Sequence[PeriodEntry], names: Names) -> dict[tuple[date, Hardware], Decimal]:
    """Stored metered hours on the days and hardware of these entries."""
    span = days_together(entries)
    if span is None:
        return {}
    rows = UsageSnapshot.objects.within(span).of(
        names.provider_spellings({names.provider(entry.provider) for entry in entries}),
        names.gpu_spellings({names.gpu_type(entry.gpu_type) for entry in entries}),
    )
    metered: defaultdict[tuple[date, Hardware], Decimal] = defaultdict(lambda: ZERO)
    for day, provider, gpu_type, hours in rows.values_list("date", "provider", "gpu_type", "gpu_hours"):
        metered[day, (names.provider(provider), names.gpu_type(gpu_type))] += hours
    return metered


def days_together(entries: Sequence[PeriodEntry]) -> Span | None:
    if not entries:
        return None
    return Span.inclusive(min(e.first_day for e in entries), max(e.last_day for e in entries))
