from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.reports.sharing import Pool, Shares, share, spread

from .conftest import examples

quick = settings(max_examples=examples(100))
HOUR = 3_600_000_000


def pool(usd: int, metered: float | None, used: dict[str, float], covered: bool = True) -> Pool:
    hours = None if metered is None else int(metered * HOUR)
    return Pool(usd * 100, hours, {team: int(time * HOUR) for team, time in used.items()}, covered)


def test_a_bill_is_shared_by_metered_hours_and_the_rest_is_idle():
    assert share(pool(100, 10, {"vision": 6, "speech": 2})) == Shares({"vision": 6000, "speech": 2000}, 2000)


def test_without_metered_hours_the_jobs_share_it_all():
    assert share(pool(100, None, {"vision": 6, "speech": 2})) == Shares({"vision": 7500, "speech": 2500})


def test_jobs_that_report_more_than_was_metered_share_by_what_they_report():
    assert share(pool(120, 10, {"vision": 9, "speech": 3})) == Shares({"vision": 9000, "speech": 3000})


@pytest.mark.parametrize(
    ("covered", "metered", "expected"),
    [
        (True, 10, Shares({}, 10000, 0)),
        (False, 10, Shares({}, 0, 10000)),
        (True, None, Shares({}, 0, 10000)),
        (True, 0, Shares({}, 0, 10000)),
    ],
)
def test_hours_that_nobody_used_are_idle_only_where_a_log_speaks_of_the_day(covered, metered, expected):
    assert share(pool(100, metered, {}, covered)) == expected


def test_a_credit_without_hours_is_unallocated_and_negative():
    assert share(pool(-25, None, {})) == Shares({}, 0, -2500)


def test_a_refund_with_hours_goes_back_to_those_who_paid():
    assert share(pool(-100, 10, {"vision": 6, "speech": 2})) == Shares(
        {"vision": -6000, "speech": -2000}, -2000
    )


def test_idle_cost_is_spread_by_use_or_evenly():
    used = {"vision": 6 * HOUR, "speech": 2 * HOUR, "nobody": 0}
    assert spread(2000, used, "by_use") == {"vision": 1500, "speech": 500}
    assert spread(2000, used, "evenly") == {"vision": 1000, "speech": 1000}
    assert spread(2000, {"nobody": 0}, "evenly") == {}


def test_the_cent_that_cannot_be_split_goes_to_each_in_turn():
    used = {"speech": HOUR, "vision": HOUR}
    assert [spread(101, used, "evenly", day) for day in (1, 2)] == [
        {"speech": 50, "vision": 51},
        {"speech": 51, "vision": 50},
    ]


CENTS = st.integers(-(10**12), 10**12)
HOURS = st.integers(0, 10**15)


@quick
@given(CENTS, st.none() | HOURS, st.dictionaries(st.text(max_size=3), HOURS, max_size=6), st.booleans())
def test_shares_add_up_to_the_pool_and_have_its_sign(cents, metered, used, covered):
    shared = share(Pool(cents, metered, used, covered))
    parts = [*shared.owners.values(), shared.idle, shared.unallocated]
    assert sum(parts) == cents
    assert all(part * cents >= 0 for part in parts)


@quick
@given(CENTS, st.dictionaries(st.text(max_size=3), HOURS, max_size=6), st.sampled_from(["by_use", "evenly"]))
def test_spread_idle_cost_loses_nothing(cents, used, view):
    upon = spread(cents, used, view)
    assert sum(upon.values()) == (cents if any(used.values()) else 0)
    assert all(part * cents >= 0 for part in upon.values())
