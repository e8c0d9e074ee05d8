from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.money import carry_cents, cents, settle, share_out, usd

from .conftest import examples

quick = settings(max_examples=examples(100))
WEIGHTS = st.lists(st.integers(0, 10**18), min_size=1, max_size=12).map(
    lambda weights: weights if any(weights) else [1, *weights[1:]]
)


def test_ten_dollars_among_three_equals_lose_no_cent():
    assert share_out(1000, [1, 1, 1]) == [334, 333, 333]


def test_the_cent_goes_to_the_largest_remainder():
    assert share_out(100, [1, 5]) == [17, 83]


def test_a_credit_is_shared_like_a_cost():
    assert share_out(-2500, [6, 2, 2]) == [-1500, -500, -500]


@quick
@given(st.integers(-(10**12), 10**12), WEIGHTS)
def test_shares_add_up_and_lie_within_a_cent_of_the_exact_part(total, weights):
    parts = share_out(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < sum(weights)
        assert part * total >= 0 and (weight or not part)


AMOUNTS = st.lists(st.decimals(-(10**6), 10**6, places=18, allow_nan=False), min_size=1, max_size=8)


@quick
@given(st.lists(AMOUNTS, min_size=1, max_size=5))
def test_parts_of_the_days_of_a_month_are_settled_to_the_carried_cents(days):
    exact = [sum(parts, Decimal(0)) for parts in days]
    for total, parts in zip(carry_cents(exact), days, strict=True):
        settled = settle(cents(total), parts)
        assert sum(settled) == cents(total)
        for part, amount in zip(settled, parts, strict=True):
            assert abs(usd(part) - amount) < Decimal("0.01")


def test_a_total_that_the_parts_do_not_explain_is_kept_by_the_largest():
    assert settle(500, [Decimal("1.00"), Decimal("3.00")]) == [100, 400]


@pytest.mark.parametrize("amount", ["0.00", "-25.00", "12345678901234.56"])
def test_dollars_and_cents_turn_into_each_other(amount):
    assert str(usd(cents(Decimal(amount)))) == amount
