"""Amounts at full precision become cents once, by half up."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal, localcontext

CENT = Decimal("0.01")


def to_cents(amount: Decimal) -> Decimal:
    """Two decimals, half up; also for amounts with more digits than the usual context keeps."""
    with localcontext() as context:
        context.prec = 80
        return amount.quantize(CENT, ROUND_HALF_UP)


def carry_cents(amounts: Iterable[Decimal]) -> list[Decimal]:
    """The days of a month, in order, in cents: the part of a cent that a day drops is carried to the next.

    Each day is the rounded running sum less the one before, so the month adds up to its rounded sum.
    """
    cents, exact, posted = [], Decimal(0), Decimal("0.00")
    with localcontext() as context:
        context.prec = 80
        for amount in amounts:
            exact += amount
            reached = to_cents(exact)
            cents.append(reached - posted)
            posted = reached
    return cents
