"""Amounts become cents once, by half up, and whole cents are shared out without losing one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

CENT = Decimal("0.01")
WIDE = Context(prec=80, rounding=ROUND_HALF_UP)  # the usual 28 digits would round long sums


def to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, context=WIDE)


def carry_cents(amounts: Iterable[Decimal], divisor: Decimal = Decimal(1)) -> list[Decimal]:
    """The days of a month, in order, in cents: the part of a cent that a day drops is carried to the next.

    Each day is the rounded running sum less the one before, so the month adds up to its rounded sum.
    divisor: of every amount; sums are divided, never the days, so that no third of a cent is lost.
    """
    cents, exact, posted = [], Decimal(0), Decimal("0.00")
    for amount in amounts:
        exact = WIDE.add(exact, amount)
        reached = to_cents(WIDE.divide(exact, divisor))
        cents.append(reached - posted)
        posted = reached
    return cents


def cents(usd: Decimal) -> int:
    """Of an amount that has no part of a cent."""
    return int(usd.scaleb(2, WIDE))


def usd(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2, WIDE)


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """total × weight ÷ Σ weights in whole cents that add up to total, by the largest remainder.

    Weights are not negative and not all nought. Where remainders are equal the earlier one gets the cent.
    """
    whole = sum(weights)
    floors = [total * weight // whole for weight in weights]
    remainders = [total * weight % whole for weight in weights]
    return with_leftover(floors, remainders, total - sum(floors))


def settle(total: int, exact: Sequence[Decimal | Fraction]) -> list[int]:
    """Whole cents, each the floor or the ceiling of its exact amount in USD, that add up to total.

    total is the rounded sum of the amounts, part of a cent carried. Where it is not (the basis was changed
    and nothing rebuilt yet) the largest amount takes the difference.
    """
    if len(exact) == 1:
        return [total]
    amounts = [Fraction(amount) * 100 for amount in exact]
    floors = [amount.numerator // amount.denominator for amount in amounts]
    remainders = [amount - floor for amount, floor in zip(amounts, floors, strict=True)]
    leftover = total - sum(floors)
    if 0 <= leftover <= len(floors):
        return with_leftover(floors, remainders, leftover)
    largest = max(range(len(amounts)), key=lambda place: abs(amounts[place]))
    return [floor + (leftover if place == largest else 0) for place, floor in enumerate(floors)]


def with_leftover(floors: list[int], remainders: Sequence[int | Fraction], leftover: int) -> list[int]:
    by_remainder = sorted(range(len(floors)), key=lambda place: (-remainders[place], place))
    for place in by_remainder[:leftover]:
        floors[place] += 1
    return floors
