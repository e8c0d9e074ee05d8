"""What the providers bill: lines per day at full precision, or plain days where they give no more."""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from heapq import nlargest
from typing import NamedTuple

from ..scope import Span, shift_month
from . import prices
from .company import FLEETS, INFERENCE, SIDES, Fleet, Side
from .plan import OPEN_DAY, Plan

ZERO = Decimal(0)
NO_LINES = "Lambda"
OVER_REPORTED = 5
REFUND = (Decimal("-2140.00"), 34)  # USD on the day so many days before the end
UNMETERED_DAYS = 3


class Line(NamedTuple):
    day: date
    provider: str
    account: str
    sub_account: str
    kind: str
    service_category: str
    gpu_type: str
    billed: Decimal
    effective: Decimal
    gpu_hours: Decimal | None = None
    rows: int = 1


class PlainDay(NamedTuple):
    """A provider's day without line detail. gpu_hours is None where its usage file lacks the day."""

    day: date
    provider: str
    gpu_type: str
    cost_usd: Decimal
    gpu_hours: Decimal | None


@dataclass
class Bills:
    """hours: job GPU-hours per fleet and day, which the meters see."""

    plan: Plan
    hours: dict[str, list[float]]

    def metered(self, fleet: Fleet, day: date) -> Decimal:
        """What the provider meters: the machines that are up, and never less than ran on them, as a rule."""
        up = self.plan.metered(fleet, day)
        ran = self.hours[fleet.name][(day - self.plan.span.start).days]
        if day == self.plan.today:
            return six_places(up * OPEN_DAY)
        if self.plan.is_out(fleet, day):
            return ZERO
        if (fleet.name, day) in self.over_reported:
            return six_places(ran * 0.985)
        return six_places(max(up, ran * 1.02))

    @cached_property
    def over_reported(self) -> set[tuple[str, date]]:
        """The fullest cells of the last months: there the log claims more than the bill has."""
        days = Span(self.plan.today - timedelta(days=min(120, self.plan.days - 1)), self.plan.today)
        full = [
            (self.hours[fleet.name][(day - self.plan.span.start).days] / up, fleet.name, day)
            for fleet in FLEETS
            for day in days
            if fleet.billed and (up := self.plan.metered(fleet, day))
        ]
        return {(name, day) for _, name, day in nlargest(OVER_REPORTED, full)}

    def deliveries(self) -> dict[tuple[str, str, date], list[Line]]:
        """Lines per provider, account and first day of the billing month."""
        parts: dict[tuple[str, str, date], list[Line]] = defaultdict(list)
        for line in self.lines():
            parts[line.provider, line.account, line.day.replace(day=1)].append(line)
        return dict(parts)

    def lines(self) -> Iterator[Line]:
        for day in self.plan.span:
            for fleet in FLEETS:
                if fleet.billed and fleet.accounts:
                    yield from self.gpu_lines(fleet, day)
            for side in SIDES:
                yield from self.side_lines(side, day)

    def gpu_lines(self, fleet: Fleet, day: date) -> Iterator[Line]:
        metered = self.metered(fleet, day)
        for account, sub_account, share in fleet.accounts:
            hours = (metered * Decimal(str(share))).quantize(Decimal("0.000001"))
            if account == fleet.accounts[0][0] and sub_account == fleet.accounts[0][1]:
                committed = self.committed(fleet, day, hours, account, sub_account)
                yield from committed
                hours -= sum((line.gpu_hours or ZERO for line in committed), ZERO)
            yield from self.running(fleet, day, hours, account, sub_account)

    def committed(self, fleet: Fleet, day: date, hours: Decimal, account: str, sub: str) -> list[Line]:
        """Covered hours bill nothing and cost their share of the commitment; the rest of it is unused."""
        plan = self.plan.commitment(fleet, day)
        if plan is None:
            return []
        elapsed = Decimal(str(OPEN_DAY)) if day == self.plan.today else 1
        paid_for = plan.gpus * 24 * elapsed
        used = min(hours, paid_for)
        lines = [gpu_line(fleet, day, account, sub, "committed", ZERO, used * plan.usd, used)]
        if paid_for > used:
            unused = (paid_for - used) * plan.usd
            lines.append(gpu_line(fleet, day, account, sub, "unused_commitment", ZERO, unused, None))
        if day.day == 1 or day == plan.span.start:
            fee = plan.gpus * 24 * monthrange(day.year, day.month)[1] * plan.usd
            lines.append(Line(day, fleet.provider, account, sub, "purchase", "Compute", "", fee, ZERO))
        return lines

    def running(self, fleet: Fleet, day: date, hours: Decimal, account: str, sub: str) -> Iterator[Line]:
        """On-demand and spot hours, and the host beside them where it is billed apart."""
        if not hours:
            return
        host = prices.HOST_PRICES.get((fleet.provider, fleet.gpu_type), ZERO)
        spot = (hours * Decimal(str(fleet.spot))).quantize(Decimal("0.000001")) if sub != INFERENCE else ZERO
        rate = self.plan.price(fleet, day) - host
        cost = (hours - spot) * rate
        yield gpu_line(fleet, day, account, sub, "on_demand", cost, cost, hours - spot)
        if spot:
            cost = spot * self.plan.spot_price(fleet, day)
            yield gpu_line(fleet, day, account, sub, "spot", cost, cost, spot)
        if host:
            cost = hours * host
            yield Line(day, fleet.provider, account, sub, "host", "Compute", "", cost, cost)

    def side_lines(self, side: Side, day: date) -> Iterator[Line]:
        rng = self.plan.random("side", side.account, day)
        elapsed = Decimal(str(OPEN_DAY)) if day == self.plan.today else Decimal(1)
        grown = Decimal(f"{(0.45 + 0.55 * self.plan.grown(day)) * self.plan.size:.6f}")
        spent = ZERO
        for category, usd in side.services.items():
            cost = Decimal(usd) * grown * elapsed * Decimal(f"{rng.gauss(1, 0.02):.6f}")
            spent += cost
            yield Line(day, side.provider, side.account, "", "non_gpu", category, "", cost, cost, rows=24)
        yield from self.month_end(side, day, spent * 30)

    def month_end(self, side: Side, day: date, spent: Decimal) -> Iterator[Line]:
        def line(kind: str, category: str, usd: Decimal) -> Line:
            usd = usd.quantize(Decimal("0.01"))
            return Line(day, side.provider, side.account, "", kind, category, "", usd, usd)

        if (day + timedelta(days=1)).day == 1 and day < self.plan.today:
            if Decimal(side.support):
                gpus = sum(f.gpus for f in FLEETS if f.provider == side.provider)
                base = Decimal(f"{gpus * self.plan.size * 1200:.2f}")
                yield line("non_gpu", "Other", base * Decimal(side.support))
            if Decimal(side.tax):
                yield line("tax", "Other", spent * Decimal(side.tax))
            if Decimal(side.monthly_credit) and self.plan.grown(day) < 0.7:
                yield line("credit", "Other", -Decimal(side.monthly_credit))
        if self.is_apology(side, day):
            yield line("credit", "Compute", Decimal("-3180.55"))
        if day == self.plan.today - timedelta(days=min(19, self.plan.days // 3)) and side is SIDES[0]:
            yield line("credit", "Compute", Decimal("-845.20"))

    def is_apology(self, side: Side, day: date) -> bool:
        """Nine days after its outage the provider credits what it broke."""
        outage = self.plan.outage
        if outage is None or side.provider != outage.provider:
            return False
        return day == outage.span.last + timedelta(days=9)

    def plain_days(self) -> Iterator[PlainDay]:
        fleets = [fleet for fleet in FLEETS if fleet.provider == NO_LINES]
        refunded = self.plan.today - timedelta(days=min(REFUND[1], self.plan.days // 2))
        unmetered = self.plan.at(0.7)
        for day in self.plan.span:
            for fleet in fleets:
                metered = self.metered(fleet, day)
                cost = metered * self.plan.price(fleet, day)
                if day == refunded and not fleet.gpu_type.startswith("H"):
                    cost += REFUND[0]
                missing = unmetered <= day < unmetered + timedelta(days=UNMETERED_DAYS)
                name = self.plan.spelled(fleet.provider, day)
                yield PlainDay(day, name, fleet.gpu_type, cost, None if missing else metered)


def gpu_line(
    fleet: Fleet,
    day: date,
    account: str,
    sub_account: str,
    kind: str,
    billed: Decimal,
    effective: Decimal,
    hours: Decimal | None,
) -> Line:
    gpu_type = fleet.gpu_type
    return Line(
        day, fleet.provider, account, sub_account, kind, "Compute", gpu_type, billed, effective, hours, 24
    )


def six_places(hours: float) -> Decimal:
    return Decimal(f"{hours:.6f}")


def billing_period(first: date) -> tuple[date, date]:
    """First day of the month and the day after its last."""
    return first, shift_month(first, 1)
