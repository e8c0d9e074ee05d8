"""The bridge between two periods, by hand and for any bills: its parts add up to the difference."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.reports.bridge import Parts, Side, bridged, reasons

H100, L4 = ("AWS", "H100-80GB", "on_demand"), ("GCP", "L4", "on_demand")


def side(usd: str, hours: str | None = None) -> Side:
    return Side(int(Decimal(usd) * 100), None if hours is None else Decimal(hours))


BEFORE = {
    H100: side("1000", "100"),
    L4: side("100", "100"),
    ("Azure", "T4", "spot"): side("8", "20"),
    ("AWS", "H100-80GB", "unused_commitment"): side("40"),
}
NOW = {
    H100: side("1200", "150"),
    L4: side("84", "70"),
    ("Lambda", "A100-80GB", "entered"): side("15", "10"),
    ("AWS", "H100-80GB", "unused_commitment"): side("25"),
    ("OCI", "A10", "credit"): side("-5"),
}


def test_a_bridge_worked_by_hand():
    """200 hours became 220: a tenth more of everything, the rest of the shift is mix."""
    found = bridged(BEFORE, NOW)
    parts = {(s.provider, s.gpu_type, s.kind): s.parts for s in found.steps}
    # 100 h at $10 became 150 h at $8: 10 h of 50 are volume, 40 h mix, $2 less for 150 h rate.
    assert parts[H100] == Parts(volume=100_00, mix=400_00, rate=-300_00)
    # 100 h at $1 became 70 h at $1.20.
    assert parts[L4] == Parts(volume=10_00, mix=-40_00, rate=14_00)
    assert parts["Azure", "T4", "spot"] == Parts(gone=-8_00)
    assert parts["Lambda", "A100-80GB", "entered"] == Parts(new=15_00)
    assert parts["AWS", "H100-80GB", "unused_commitment"] == Parts(no_rate=-15_00)
    assert parts["OCI", "A10", "credit"] == Parts(no_rate=-5_00)
    assert found.parts == Parts(110_00, 360_00, -286_00, 15_00, -8_00, -20_00)
    assert (found.before, found.now, found.change) == (1148_00, 1319_00, 171_00)


def test_spot_and_on_demand_of_one_cell_are_told_apart():
    """100 h at $4 and 100 h at $1; then all 200 h stay, but 50 of them moved to spot: mix, no rate."""
    on_demand, spot = ("AWS", "A100-80GB", "on_demand"), ("AWS", "A100-80GB", "spot")
    found = bridged(
        {on_demand: side("400", "100"), spot: side("100", "100")},
        {on_demand: side("200", "50"), spot: side("150", "150")},
    )
    assert found.parts == Parts(mix=-150_00)


def test_a_lower_price_is_rate_and_nothing_else():
    found = bridged({H100: side("1229", "100")}, {H100: side("688", "100")})
    assert found.parts == Parts(rate=-541_00)


def test_a_new_provider_is_no_growth_of_the_others():
    found = bridged({H100: side("1000", "100")}, {H100: side("1000", "100"), L4: side("50", "50")})
    assert found.parts == Parts(new=50_00)


def test_cost_that_is_not_above_zero_has_no_rate():
    """A month whose refund outweighs its cost cannot be a price of its hours."""
    found = bridged({H100: side("-3", "10")}, {H100: side("20", "10")})
    assert found.parts == Parts(no_rate=23_00)


def test_parts_of_a_cent_are_settled_within_the_cell():
    """$1 for 3 h became $1 for 7 h: volume is 4/3 $, rate takes the other third."""
    found = bridged({H100: side("1", "3")}, {H100: side("1", "7")})
    assert found.parts == Parts(volume=1_33, rate=-1_33)


def test_what_moved_the_total_most_and_what_against_it():
    with_it, against = reasons(bridged(BEFORE, NOW))
    assert (with_it.step.provider, with_it.part, with_it.cents) == ("AWS", "hours", 500_00)
    assert (against.step.provider, against.part, against.cents) == ("AWS", "rate", -300_00)


cents = st.integers(-100_000_00, 100_000_00)
hours = st.none() | st.decimals(-10, 10_000, places=2)
cells = st.tuples(
    st.sampled_from(["AWS", "GCP"]), st.sampled_from(["L4", "T4"]), st.sampled_from(["spot", "on_demand"])
)
sides = st.dictionaries(cells, st.builds(Side, cents, hours))


@given(sides, sides)
def test_the_parts_add_up_to_the_difference_for_any_bills(before, now):
    found = bridged(before, now)
    difference = sum(s.cents for s in now.values()) - sum(s.cents for s in before.values())
    assert found.parts.total == found.change == difference
    for step in found.steps:
        assert step.parts.total == step.change
    assert {(s.provider, s.gpu_type, s.kind) for s in found.steps} == before.keys() | now.keys()
    for key in ("provider", "gpu_type", "kind"):
        groups = found.by(lambda step, key=key: getattr(step, key))
        assert sum((group.parts for group in groups.values()), Parts()) == found.parts


@given(sides, sides)
def test_each_part_of_a_cell_is_within_a_cent_of_its_formula(before, now):
    for step in bridged(before, now).steps:
        if step.before and step.now and step.before.is_priced and step.now.is_priced:
            more_hours = (step.now.gpu_hours - step.before.gpu_hours) * step.before.rate * 100
            other_rate = (step.now.rate - step.before.rate) * step.now.gpu_hours * 100
            assert abs(step.parts.volume + step.parts.mix - more_hours) < 2
            assert abs(step.parts.rate - other_rate) < 1 + Decimal("0.001")


@pytest.mark.parametrize("none", [{}, {H100: side("0")}])
def test_nothing_against_nothing_is_no_difference(none):
    assert bridged(none, none).parts == Parts()
    assert reasons(bridged(none, none)) == (None, None)
