"""What the providers bill: rows per day at full precision, or plain days where they give no more."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from heapq import nlargest
from typing import NamedTuple

from ..ingest.records import BillRow
from ..money import to_cents
from ..scope import ONE_DAY, Span, shift_month
from . import prices
from .company import FLEETS, INFERENCE, SIDES, Fleet, Side
from .plan import OPEN_DAY, REFUND, Plan

ZERO = Decimal(0)
MICRO = Decimal("0.000001")
NO_LINES = "Lambda"
OVER_REPORTED = 5
UNMETERED_DAYS = 3
GOODWILL = (Decimal("-845.20"), 19)
APOLOGY = (Decimal("-3180.55"), 9)  # USD, so many days after the outage
SUPPORTED_PER_GPU = 1200  # USD a month on which support is reckoned
SUPPORT_SERVICE = "Support"


class PlainDay(NamedTuple):
    """A provider's day without line detail. gpu_hours is None where its usage file lacks the day."""

    day: date
    provider: str
    gpu_type: str
    cost_usd: Decimal
    gpu_hours: Decimal | None


class Payer(NamedTuple):
    provider: str
    account: str
    sub_account: str = ""

    def row(
        self,
        day: date,
        kind: str,
        billed: Decimal,
        effective: Decimal,
        *,
        category: str = "Compute",
        gpu_type: str = "",
        gpu_hours: Decimal | None = None,
    ) -> BillRow:
        first = day.replace(day=1)
        return BillRow(
            line=0,
            provider=self.provider,
            account=self.account,
            period=(first, shift_month(first, 1)),
            day=day,
            sub_account=self.sub_account,
            tag="",
            kind=kind,
            service_category=category,
            gpu_type=gpu_type,
            billed=billed,
            effective=effective,
            gpu_hours=gpu_hours,
        )


@dataclass
class Bills:
    """hours: job GPU-hours per fleet and day, which the meters see."""

    plan: Plan
    hours: dict[str, list[float]]

    def metered(self, fleet: Fleet, day: date) -> Decimal:
        """What the provider meters: the machines that are up, and never less than ran on them, as a rule."""
        up, ran = self.plan.metered(fleet, day), self.ran(fleet, day)
        if day == self.plan.today:
            return micro(up * OPEN_DAY)
        if self.plan.is_out(fleet, day):
            return ZERO
        if (fleet.name, day) in self.over_reported:
            return micro(ran * 0.985)
        return micro(max(up, ran * 1.02))

    def ran(self, fleet: Fleet, day: date) -> float:
        return self.hours[fleet.name][(day - self.plan.span.start).days]

    @cached_property
    def over_reported(self) -> set[tuple[str, date]]:
        """The fullest cells of the last months: there the log claims more than the bill has."""
        days = Span(self.plan.today - timedelta(days=min(120, self.plan.days - 1)), self.plan.today)
        full = [
            (self.ran(fleet, day) / up, fleet.name, day)
            for fleet in FLEETS
            for day in days
            if fleet.billed and (up := self.plan.metered(fleet, day))
        ]
        return {(name, day) for _, name, day in nlargest(OVER_REPORTED, full)}

    def elapsed(self, day: date) -> Decimal:
        """How much of the day is on the bill."""
        return Decimal(str(OPEN_DAY)) if day == self.plan.today else Decimal(1)

    def rows(self) -> Iterator[BillRow]:
        for day in self.plan.span:
            for fleet in FLEETS:
                for account, sub_account, share in fleet.accounts:
                    payer = Payer(fleet.provider, account, sub_account)
                    hours = (self.metered(fleet, day) * Decimal(str(share))).quantize(MICRO)
                    yield from self.gpu_rows(fleet, day, payer, hours)
            for side in SIDES:
                yield from self.side_rows(side, day)

    def gpu_rows(self, fleet: Fleet, day: date, payer: Payer, hours: Decimal) -> Iterator[BillRow]:
        committed = list(self.committed(fleet, day, payer, hours))
        yield from committed
        hours -= sum((row.gpu_hours or ZERO for row in committed), ZERO)
        if not hours:
            return
        host = prices.HOST_PRICES.get((fleet.provider, fleet.gpu_type), ZERO)
        share = Decimal(str(fleet.spot)) if payer.sub_account != INFERENCE else ZERO
        spot = (hours * share).quantize(MICRO)
        cost = (hours - spot) * (self.plan.price(fleet, day) - host)
        yield payer.row(day, "on_demand", cost, cost, gpu_type=fleet.gpu_type, gpu_hours=hours - spot)
        if spot:
            cost = spot * self.plan.spot_price(fleet, day)
            yield payer.row(day, "spot", cost, cost, gpu_type=fleet.gpu_type, gpu_hours=spot)
        if host:
            yield payer.row(day, "host", hours * host, hours * host)

    def committed(self, fleet: Fleet, day: date, payer: Payer, hours: Decimal) -> Iterator[BillRow]:
        """Covered hours bill nothing and cost their share of the commitment; the rest of it is unused."""
        plan = self.plan.commitment(fleet, day)
        if plan is None:
            return
        paid_for = plan.gpus * 24 * self.elapsed(day)
        used = min(hours, paid_for)
        gpu_type = fleet.gpu_type
        yield payer.row(day, "committed", ZERO, used * plan.usd, gpu_type=gpu_type, gpu_hours=used)
        if paid_for > used:
            yield payer.row(day, "unused_commitment", ZERO, (paid_for - used) * plan.usd, gpu_type=gpu_type)
        if day == max(day.replace(day=1), self.plan.span.start):
            fee = plan.gpus * 24 * monthrange(day.year, day.month)[1] * plan.usd
            yield payer.row(day, "purchase", fee, ZERO)

    def side_rows(self, side: Side, day: date) -> Iterator[BillRow]:
        rng = self.plan.random("side", side.account, day)
        grown = micro((0.45 + 0.55 * self.plan.grown(day)) * self.plan.size)
        payer, spent = Payer(side.provider, side.account), ZERO
        for category, usd in side.services.items():
            cost = Decimal(usd) * grown * self.elapsed(day) * micro(rng.gauss(1, 0.02))
            spent += cost
            yield payer.row(day, "non_gpu", cost, cost, category=category)
        for kind, category, amount in self.extras(side, day, spent * 30):
            cents = to_cents(amount)
            yield payer.row(day, kind, cents, cents, category=category)

    def extras(self, side: Side, day: date, month: Decimal) -> Iterator[tuple[str, str, Decimal]]:
        """(kind, category, USD) of what comes once: support and tax at the month's end, and credits."""
        if (day + ONE_DAY).day == 1 and day < self.plan.today:
            gpus = sum(fleet.gpus for fleet in FLEETS if fleet.provider == side.provider)
            if side.support:
                usd = micro(gpus * self.plan.size * SUPPORTED_PER_GPU) * side.support
                yield "non_gpu", SUPPORT_SERVICE, usd
            if side.tax:
                yield "tax", "Other", month * side.tax
            if side.monthly_credit and self.plan.grown(day) < 0.7:
                yield "credit", "Compute", -side.monthly_credit
        outage = self.plan.outage
        if outage and side.provider == outage.provider and day == outage.span.last + timedelta(APOLOGY[1]):
            yield "credit", "Compute", APOLOGY[0]
        if side is SIDES[0] and day == self.plan.days_ago(GOODWILL[1]):
            yield "credit", "Compute", GOODWILL[0]

    def plain_days(self) -> Iterator[PlainDay]:
        refunded, usd, ago = REFUND
        unmetered = Span.inclusive(self.plan.at(0.7), self.plan.at(0.7) + timedelta(UNMETERED_DAYS - 1))
        for day in self.plan.span:
            for fleet in FLEETS:
                if fleet.provider != NO_LINES:
                    continue
                hours = self.metered(fleet, day)
                cost = hours * self.plan.price(fleet, day)
                if fleet.name == refunded and day == self.plan.days_ago(ago):
                    cost += usd
                name = self.plan.spelled(fleet.provider, day)
                yield PlainDay(day, name, fleet.gpu_type, cost, None if day in unmetered else hours)


def micro(amount: float) -> Decimal:
    return Decimal(f"{amount:.6f}")
