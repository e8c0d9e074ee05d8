"""Amounts at full precision become cents once, by half up."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal

CENT = Decimal("0.01")
WIDE = Context(prec=80, rounding=ROUND_HALF_UP)  # the usual 28 digits would round long sums


def to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, context=WIDE)


def carry_cents(amounts: Iterable[Decimal]) -> list[Decimal]:
    """The days of a month, in order, in cents: the part of a cent that a day drops is carried to the next.

    Each day is the rounded running sum less the one before, so the month adds up to its rounded sum.
    """
    cents, exact, posted = [], Decimal(0), Decimal("0.00")
    for amount in amounts:
        exact = WIDE.add(exact, amount)
        reached = to_cents(exact)
        cents.append(reached - posted)
        posted = reached
    return cents
