"""The totals that finance typed in: as billed, but for two that lack a part and one still to come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from ..ingest.deliveries import Draft
from ..money import WIDE, to_cents
from ..scope import shift_month
from .bills import NO_LINES, SUPPORT_SERVICE, PlainDay
from .company import GCP_BILLING, OCI_TENANCY, PRODUCTION
from .plan import Plan

# Account and months before the present one; what of the bill the total lacks: a kind or a service category.
LEFT_OUT = {(OCI_TENANCY, 1): "tax", (PRODUCTION, 2): SUPPORT_SERVICE}
NOT_TYPED_IN = {(GCP_BILLING, 1)}


class TypedIn(NamedTuple):
    """first: of the billing period. account: empty where the provider names none."""

    provider: str
    account: str
    first: date
    usd: Decimal
    number: str


def invoices(plan: Plan, drafts: Iterable[Draft], plain: Iterable[PlainDay]) -> Iterator[TypedIn]:
    """Of the billing periods that are over, in the order of the bills."""
    this_month = plan.today.replace(day=1)
    late = {(account, shift_month(this_month, -ago)) for account, ago in NOT_TYPED_IN}
    lacks = {(account, shift_month(this_month, -ago)): part for (account, ago), part in LEFT_OUT.items()}
    for draft in drafts:
        bill = draft.account, draft.period_start
        if draft.period_end <= plan.today and bill not in late:
            usd = billed(draft, without=lacks.get(bill))
            yield typed_in(plan, draft.provider, *bill, usd)
    for first, usd in months(plain).items():
        if first < this_month:
            yield typed_in(plan, NO_LINES, "", first, usd)


def billed(draft: Draft, without: str | None) -> Decimal:
    total = Decimal(0)
    for (_, _, _, kind, service, _), line in draft.lines.items():
        if without not in (kind, service):
            total = WIDE.add(total, line.billed)
    return to_cents(total)


def months(plain: Iterable[PlainDay]) -> dict[date, Decimal]:
    """Sums of days that are stored in cents, under whatever spelling."""
    found: defaultdict[date, Decimal] = defaultdict(Decimal)
    for day in plain:
        found[day.day.replace(day=1)] += to_cents(day.cost_usd)
    return found


def typed_in(plan: Plan, provider: str, account: str, first: date, usd: Decimal) -> TypedIn:
    number = plan.random("invoice", provider, account, first).randrange(10_000, 100_000)
    return TypedIn(provider, account, first, usd, f"{first:%Y-%m}/{number}")
