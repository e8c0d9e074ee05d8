"""Credits that name no GPU type: lines of their own, or spread over their bill by a setting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import FloatField, QuerySet
from django.db.models.functions import Cast

from .models import BillLine
from .models.exact import PreciseSum
from .money import WIDE

CREDIT = BillLine.Kind.CREDIT.value


def factor(credits: Decimal, positive: Decimal) -> Decimal:
    """What every positive dollar of a bill gets of its credits; negative, as they are."""
    return WIDE.divide(credits, positive) if positive > 0 else Decimal(0)


def spread_credits(
    lines: QuerySet[BillLine], keys: Sequence[str], basis: str
) -> dict[tuple[Any, ...], Decimal]:
    """USD by the keys' values that these GPU lines take of their bills' credits; nothing unless it is set.

    A bill is a delivery: one provider, account and billing period.
    """
    if not settings.HELIOX_SPREAD_CREDITS:
        return {}
    cost = positive(lines, basis).order_by().values_list("delivery", *keys).annotate(PreciseSum(basis))
    found = list(cost)
    factors = factors_of({delivery for delivery, *_ in found}, basis)
    spread: defaultdict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for delivery, *key, usd in found:
        if delivery in factors:
            spread[tuple(key)] = WIDE.add(spread[tuple(key)], WIDE.multiply(usd, factors[delivery]))
    return dict(spread)


def factors_of(deliveries: Iterable[int], basis: str) -> dict[int, Decimal]:
    lines = BillLine.objects.filter(delivery__in=list(deliveries)).order_by().values_list("delivery")
    credits = dict(lines.filter(kind=CREDIT, gpu_type="").annotate(PreciseSum(basis)))
    cost = dict(positive(lines, basis).filter(delivery__in=list(credits)).annotate(PreciseSum(basis)))
    return {pk: factor(credits[pk], cost[pk]) for pk in credits if pk in cost}


def positive(lines: Any, basis: str) -> Any:
    # As a float only to tell the sign: SQLite keeps these amounts as text.
    return lines.alias(sign=Cast(basis, FloatField())).filter(sign__gt=0)
