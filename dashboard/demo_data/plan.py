"""What happens on each day: how many GPUs are up and how busy, what they cost, and which events are planted.

Everything is drawn from the seed and the day that counts as today, so the same two give the same company.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from random import Random

from ..scope import Span, shift_month
from . import prices
from .company import FLEETS, SPELLED_AT_FIRST, Fleet

TWO_YEARS = 730
JOBS_PER_DAY = 27.4
WEEKDAYS = (0.98, 1.0, 1.02, 1.01, 0.96)
SUNDAY = 0.96
COMMITTED = "AWS H100-80GB"
REFUND = ("Lambda A100-80GB", Decimal("-2140.00"), 34)  # fleet, USD, so many days before the end
OPEN_DAY = 0.4  # of today's hours are on the bill by the time it is read
NEGOTIATED = Decimal("0.78")
COMMITMENT = Decimal("0.72")
COMMITTED_SHARE = 0.95
SHORT_TERM_SHARE = 0.3


@dataclass(frozen=True)
class Outage:
    provider: str
    span: Span


@dataclass(frozen=True)
class PriceCut:
    day: date
    provider: str
    gpu_types: tuple[str, ...]
    listed: bool


@dataclass(frozen=True)
class Planted:
    """An event of the plan in one fleet, by its first day."""

    event: str
    provider: str
    gpu_type: str
    day: date


@dataclass(frozen=True)
class Commitment:
    """`gpus` of one type paid for every hour of the span at `usd`, used or not."""

    span: Span
    gpus: int
    usd: Decimal


@dataclass(frozen=True)
class Contract:
    """GPUs that are promised for the span, as somebody types it in."""

    span: Span
    gpus: int
    note: str


@dataclass(frozen=True)
class Plan:
    """days: closed days before today, which is open."""

    today: date
    days: int = TWO_YEARS
    jobs: int = round(TWO_YEARS * JOBS_PER_DAY)
    seed: int = 1
    turns: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict, compare=False)
    known: dict[tuple[str, date], tuple[float, float]] = field(default_factory=dict, compare=False)

    @cached_property
    def span(self) -> Span:
        return Span(self.today - timedelta(days=self.days), self.today + timedelta(days=1))

    @property
    def as_of(self) -> datetime:
        """The last instant that the job log speaks of."""
        return datetime(self.today.year, self.today.month, self.today.day, tzinfo=UTC)

    def random(self, *about: object) -> Random:
        return Random("/".join(map(str, (self.seed, *about))))

    @cached_property
    def size(self) -> float:
        """More jobs a day mean a larger company, by the square root."""
        return max(0.1, math.sqrt(self.jobs / self.days / JOBS_PER_DAY))

    def at(self, share: float) -> date:
        """The day after that share of the demo's days, on a Tuesday if there is one."""
        day = self.span.start + timedelta(days=round(self.days * share))
        return max(self.span.start, day - timedelta(days=(day.weekday() - 1) % 7))

    def days_ago(self, days: int) -> date:
        """So many days before today, or in the middle of a shorter demo."""
        return self.today - timedelta(days=min(days, self.days // 2))

    @cached_property
    def outage(self) -> Outage | None:
        if self.days < 14:
            return None
        first = self.at(max(0.5, 1 - 76 / self.days))
        return Outage("GCP", Span(first, first + timedelta(days=2)))

    def is_out(self, fleet: Fleet, day: date) -> bool:
        return self.outage is not None and fleet.provider == self.outage.provider and day in self.outage.span

    def planted(self) -> Iterator[Planted]:
        """What ought to stand out: each event in each fleet that it befalls."""
        for fleet in FLEETS:
            if self.outage and fleet.provider == self.outage.provider:
                yield Planted("outage", fleet.provider, fleet.gpu_type, self.outage.span.start)
            cut = self.price_cut
            if fleet.provider == cut.provider and fleet.gpu_type in cut.gpu_types:
                yield Planted("price cut", fleet.provider, fleet.gpu_type, cut.day)
            if fleet.name == REFUND[0]:
                yield Planted("refund", fleet.provider, fleet.gpu_type, self.days_ago(REFUND[2]))
            if fleet.name == COMMITTED:
                for one in self.commitments:
                    yield Planted("commitment begins", fleet.provider, fleet.gpu_type, one.span.start)

    @cached_property
    def price_cut(self) -> PriceCut:
        """The provider's own, where one lies well inside the days; else one that the company negotiated."""
        inside = Span(self.at(0.1), self.at(0.9))
        for day, lowered in prices.cuts("AWS").items():
            if day in inside:
                used = {fleet.gpu_type for fleet in FLEETS if fleet.provider == "AWS"}
                return PriceCut(day, "AWS", tuple(p.gpu_type for p in lowered if p.gpu_type in used), True)
        return PriceCut(self.at(0.55), "AWS", ("A100-80GB", "H100-80GB"), False)

    def price(self, fleet: Fleet, day: date) -> Decimal:
        """USD per GPU-hour on demand, host included."""
        usd = prices.list_price(fleet.provider, fleet.gpu_type, day)
        cut = self.price_cut
        agreed = not cut.listed and day >= cut.day and fleet.provider == cut.provider
        return usd * NEGOTIATED if agreed and fleet.gpu_type in cut.gpu_types else usd

    def spot_price(self, fleet: Fleet, day: date) -> Decimal:
        host = prices.HOST_PRICES.get((fleet.provider, fleet.gpu_type), Decimal(0))
        known = prices.SPOT_PRICES.get((fleet.provider, fleet.gpu_type))
        wave = 0.42 + 0.05 * self.wave(fleet, "spot", day)
        return known or ((self.price(fleet, day) - host) * Decimal(f"{wave:.3f}")).quantize(Decimal("0.0001"))

    @cached_property
    def commitments(self) -> tuple[Commitment, ...]:
        """One-year plans on AWS H100s, begun on the first of a month after the price cut, then renewed."""
        [fleet] = [f for f in FLEETS if f.name == COMMITTED]
        first = shift_month(self.price_cut.day.replace(day=1), 1)
        agreed, day = [], first
        while day in self.span:
            gpus = max(1, round(self.gpus(fleet, day) * COMMITTED_SHARE / 4) * 4)
            usd = (self.price(fleet, day) * COMMITMENT).quantize(Decimal("0.000001"))
            agreed.append(Commitment(Span(day, shift_month(day, 12)), gpus, usd))
            day = shift_month(day, 12)
        return tuple(agreed)

    def commitment(self, fleet: Fleet, day: date) -> Commitment | None:
        if fleet.name != COMMITTED:
            return None
        return next((c for c in self.commitments if day in c.span), None)

    def contracts(self) -> Iterator[Contract]:
        """What the commitments consist of: of the present one, a part ends with the month after this one."""
        soon = shift_month(self.today.replace(day=1), 2)
        for one in self.commitments:
            short = round(one.gpus * SHORT_TERM_SHARE / 4) * 4 if soon < one.span.end else 0
            yield Contract(one.span, one.gpus - short, "One-year savings plan")
            if short:
                yield Contract(Span(one.span.start, soon), short, "Short-term plan, to be renewed or let go")

    def grown(self, day: date) -> float:
        """0 two years before today and earlier, 1 today."""
        return max(0.0, 1 - (self.today - day).days / TWO_YEARS)

    def gpus(self, fleet: Fleet, day: date) -> float:
        """GPUs that are up on a working day of that time."""
        grown = self.grown(day)
        ease = grown * grown * (3 - 2 * grown) * 0.5 + grown * 0.5
        return self.size * fleet.gpus * (fleet.earlier + (1 - fleet.earlier) * ease)

    def rhythm(self, fleet: Fleet, day: date) -> float:
        weekday = day.weekday()
        return WEEKDAYS[weekday] if weekday < 5 else fleet.weekend * (1 if weekday == 5 else SUNDAY)

    def wave(self, fleet: Fleet, about: str, day: date) -> float:
        """Slow drift between -1 and 1."""
        turns = self.turns.get((fleet.name, about))
        if turns is None:
            rng = self.random("wave", fleet.name, about)
            turns = self.turns[fleet.name, about] = rng.random(), rng.random()
        slow, slower = (day.toordinal() / p + turn for p, turn in zip((41, 97), turns, strict=True))
        return (math.sin(2 * math.pi * slow) + math.sin(2 * math.pi * slower)) / 2

    def metered(self, fleet: Fleet, day: date) -> float:
        """GPU-hours that the fleet is up on that whole day."""
        return self.hours_of(fleet, day)[0]

    def wanted(self, fleet: Fleet, day: date) -> float:
        """GPU-hours that jobs use of it; idle machines are the difference."""
        return self.hours_of(fleet, day)[1]

    def hours_of(self, fleet: Fleet, day: date) -> tuple[float, float]:
        known = self.known.get((fleet.name, day))
        if known is None:
            known = self.known[fleet.name, day] = self.drawn_hours(fleet, day)
        return known

    def drawn_hours(self, fleet: Fleet, day: date) -> tuple[float, float]:
        if self.is_out(fleet, day):
            return 0.0, 0.0
        noise = 1 + 0.04 * self.wave(fleet, "up", day) + self.random("up", fleet.name, day).gauss(0, 0.018)
        up = 24 * self.gpus(fleet, day) * self.rhythm(fleet, day) * noise
        if fleet.idle_after is not None and day >= self.days_ago(fleet.idle_after):
            return up, 0.0
        weekend = 0.95 if day.weekday() >= 5 else 1.0
        mood = 1 + 0.05 * self.wave(fleet, "busy", day) + self.random("busy", fleet.name, day).gauss(0, 0.035)
        return up, up * min(0.95, fleet.busy * weekend * mood)

    def spelled(self, provider: str, day: date) -> str:
        """How the provider's own file spelled it on that day."""
        first = SPELLED_AT_FIRST.get(provider)
        return first if first and day < self.at(0.4) else provider
