"""Costs and metered hours that no bill tells: period entries and rates, posted day by day when read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import TypeVar

from .. import gpu_time, rollups
from ..clock import today
from ..models import PeriodEntry, Rate
from ..models.calendar import midnight
from ..models.contracts import OfHardware
from ..money import WIDE, carry_cents
from ..naming import Names
from ..scope import Scope, Span, shift_month
from .spreading import CALENDAR, SECOND, Hardware, Spread, elapsed, hardware_of, spreads

SECONDS_PER_HOUR = Decimal(3600)

Cell = tuple[date, str, str]  # day, and provider and GPU type under their display names
Contract = TypeVar("Contract", bound=OfHardware)


@dataclass(frozen=True, slots=True)
class Posting:
    """What one contract posts in one cell. gpu_hours are metered ones, None where it knows none."""

    day: date
    hardware: Hardware
    usd: Decimal
    gpu_hours: Decimal | None
    contract: PeriodEntry | Rate

    @property
    def cell(self) -> Cell:
        return self.day, *self.hardware

    @property
    def source(self) -> str:
        return "period" if isinstance(self.contract, PeriodEntry) else "rate"


@dataclass(frozen=True, slots=True)
class Charge:
    """Job GPU time of one cell at the hourly rate in force, whether or not it stands for the cell's cost."""

    day: date
    hardware: Hardware
    microseconds: int
    usd: Decimal
    rate: Rate

    @property
    def cell(self) -> Cell:
        return self.day, *self.hardware


@dataclass(frozen=True)
class Posted:
    """What period entries and rates say of a scope's days."""

    spreads: list[Spread]
    rates: list[Rate]
    charges: list[Charge]
    postings: list[Posting]


def post(scope: Scope, names: Names, billed: Callable[[], set[Cell]]) -> Posted:
    """billed: the cells of the scope that have a stored cost; called only where a rate might post.

    A rate posts nothing where another cost stands, and an hourly one nothing where a monthly one does.
    """
    spread = spreads(chosen(PeriodEntry.objects.during(scope.span), scope, names), names)
    periods = [each for each in of_periods(spread, names) if is_within(each, scope)]
    # Cents are carried through a month, so its earlier rates have their part in the days asked about.
    rates = chosen(Rate.objects.during(whole_months(scope.span)), scope, names)
    if not rates:
        return Posted(spread, rates, [], periods)
    taken = billed() | {posting.cell for posting in periods}
    monthly = [each for each in of_months(rates, scope.span, names) if is_within(each, scope)]
    monthly = [posting for posting in monthly if posting.cell not in taken]
    taken |= {posting.cell for posting in monthly}
    charges = [charge for charge in charged(rates, scope.span, names) if is_within(charge, scope)]
    hourly = [
        Posting(charge.day, charge.hardware, charge.usd, None, charge.rate)
        for charge in charges
        if charge.cell not in taken
    ]
    return Posted(spread, rates, charges, [*periods, *monthly, *hourly])


def chosen(contracts: Iterable[Contract], scope: Scope, names: Names) -> list[Contract]:
    """Those of the scope's providers and GPU types."""
    providers = {names.provider(name) for name in scope.providers}
    gpu_types = {names.gpu_type(name) for name in scope.gpu_types}
    found = []
    for contract in contracts:
        provider, gpu_type = hardware_of(contract, names)
        if (not providers or provider in providers) and (not gpu_types or gpu_type in gpu_types):
            found.append(contract)
    return found


def is_within(what: Posting | Charge, scope: Scope) -> bool:
    return scope.span is None or what.day in scope.span


def of_periods(spread: Iterable[Spread], names: Names) -> Iterator[Posting]:
    for one in spread:
        hardware = hardware_of(one.entry, names)
        for share in one.shares:
            yield Posting(share.day, hardware, share.usd, share.gpu_hours, one.entry)


# Rates per GPU and month


def of_months(rates: Iterable[Rate], span: Span | None, names: Names) -> Iterator[Posting]:
    for rate in rates:
        if rate.per == Rate.Per.GPU_MONTH:
            yield from of_rate(rate, span, names)


def of_rate(rate: Rate, span: Span | None, names: Names) -> Iterator[Posting]:
    """The rate's days from the first of the span's months: cents are carried through a month."""
    clock, hardware = names.clock(rate.provider), hardware_of(rate, names)
    for first, days_of_month in groupby(months_of(rate, span), key=lambda day: day.replace(day=1)):
        days = list(days_of_month)
        seconds = [Decimal(elapsed(day, clock)) for day in days]
        price, gpus = rate.usd, rate.gpus or Decimal(0)
        usd = carry_cents(
            (WIDE.multiply(WIDE.multiply(price, gpus), each) for each in seconds), month_seconds(first, clock)
        )
        hours = carry_cents((WIDE.multiply(gpus, each) for each in seconds), SECONDS_PER_HOUR)
        for day, cost, metered in zip(days, usd, hours, strict=True):
            yield Posting(day, hardware, cost, metered, rate)


def months_of(rate: Rate, span: Span | None) -> Span:
    """The days through today that the rate covers, from the start of the month in which the span starts."""
    last = min(rate.last_day or date.max, today(), CALENDAR.last)
    covered = Span.inclusive(rate.first_day, last) if rate.first_day <= last else Span(last, last)
    return covered.clipped(whole_months(span) or CALENDAR)


def whole_months(span: Span | None) -> Span | None:
    """Cents are carried through a month, so a part of one is rounded within the whole."""
    return None if span is None else Span(span.start.replace(day=1), span.end)


def month_seconds(first: date, clock: str) -> Decimal:
    return Decimal((midnight(shift_month(first, 1), clock) - midnight(first, clock)) // SECOND)


# Rates per GPU-hour


def charged(rates: Sequence[Rate], span: Span | None, names: Names) -> list[Charge]:
    """Job GPU-hours × rate of every cell with an hourly rate, in cents carried through the month."""
    by_hardware: defaultdict[Hardware, list[Rate]] = defaultdict(list)
    for rate in rates:
        if rate.per == Rate.Per.GPU_HOUR:
            by_hardware[hardware_of(rate, names)].append(rate)
    if not by_hardware:
        return []
    months: defaultdict[tuple[Hardware, date], list[tuple[date, int, Rate]]] = defaultdict(list)
    for (day, hardware), microseconds in sorted(job_time(by_hardware, span, names).items()):
        priced = in_force(by_hardware[hardware], day)
        if priced:
            months[hardware, day.replace(day=1)].append((day, microseconds, priced))
    return [charge for (hardware, _), days in months.items() for charge in at_rates(hardware, days)]


def at_rates(hardware: Hardware, days: list[tuple[date, int, Rate]]) -> Iterator[Charge]:
    exact = (WIDE.multiply(rate.usd, Decimal(microseconds)) for _, microseconds, rate in days)
    for (day, microseconds, rate), usd in zip(days, carry_cents(exact, gpu_time.HOUR), strict=True):
        yield Charge(day, hardware, microseconds, usd, rate)


def job_time(
    by_hardware: dict[Hardware, list[Rate]], span: Span | None, names: Names
) -> dict[tuple[date, Hardware], int]:
    picked = rollups.Picked(
        names.provider_spellings({provider for provider, _ in by_hardware}),
        names.gpu_spellings({gpu_type for _, gpu_type in by_hardware}),
    )
    found: defaultdict[tuple[date, Hardware], int] = defaultdict(int)
    rows = rollups.by(["day", "provider", "gpu_type"], picked, names, whole_months(span))
    for day, provider, gpu_type, microseconds, *_ in rows:
        hardware = names.provider(provider), names.gpu_type(gpu_type)
        if microseconds and hardware in by_hardware:
            found[day, hardware] += microseconds
    return found


def in_force(rates: Iterable[Rate], day: date) -> Rate | None:
    """The rate of that day; of two that an alias has brought together, the one that began later."""
    covering = [r for r in rates if r.first_day <= day and (r.last_day is None or day <= r.last_day)]
    return max(covering, key=lambda rate: (rate.first_day, rate.pk), default=None)
