"""Amounts become cents once, by half up, and whole cents are shared out without losing one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from math import lcm

CENT = Decimal("0.01")
MINUS = "\N{MINUS SIGN}"
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


def dollars(usd: Decimal) -> str:
    """In words: −$1,559.41."""
    rounded = to_cents(usd)
    return f"{MINUS if rounded < 0 else ''}${abs(rounded):,}"


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
    exact = [divmod(total * weight, whole) for weight in weights]
    floors, remainders = [floor for floor, _ in exact], [remainder for _, remainder in exact]
    return with_leftover(floors, remainders, total - sum(floors))


def settle(total: int, exact: Sequence[Decimal | Fraction]) -> list[int]:
    """Whole cents, each the floor or the ceiling of its exact amount in USD, that add up to total.

    total is the rounded sum of the amounts, part of a cent carried. Where it is not (the basis was changed
    and nothing rebuilt yet) the largest amount takes the difference.
    """
    if len(exact) == 1:
        return [total]
    parts_of_cent, amounts = on_one_scale(exact)
    floors = [amount // parts_of_cent for amount in amounts]
    leftover = total - sum(floors)
    if 0 <= leftover <= len(floors):
        return with_leftover(floors, [amount % parts_of_cent for amount in amounts], leftover)
    largest = max(range(len(amounts)), key=lambda place: abs(amounts[place]))
    return [floor + (leftover if place == largest else 0) for place, floor in enumerate(floors)]


def on_one_scale(usd: Sequence[Decimal | Fraction]) -> tuple[int, list[int]]:
    """The amounts as whole numbers of the largest part of a cent that measures all; how many make a cent."""
    ratios = [amount.as_integer_ratio() for amount in usd]
    scale = lcm(*(denominator for _, denominator in ratios))
    return scale, [100 * numerator * (scale // denominator) for numerator, denominator in ratios]


def with_leftover(floors: list[int], remainders: Sequence[int], leftover: int) -> list[int]:
    if not leftover:
        return floors
    by_remainder = sorted(range(len(floors)), key=remainders.__getitem__, reverse=True)
    for place in by_remainder[:leftover]:
        floors[place] += 1
    return floors
