"""Days that stand out: medians and distances by hand, what alarms and what does not."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.reports.standing_out import (
    Finding,
    History,
    Off,
    Point,
    findings,
    floor_of,
)

from .conftest import examples

MONDAY = date(2025, 1, 6)
WEEK = (100, 104, 108, 104, 96, 40, 36)  # USD, Monday to Sunday
RATE = 2  # USD per GPU-hour


def points(weeks: int = 10, usd: tuple[int, ...] = WEEK, rate: int = RATE) -> dict[date, Point]:
    days = (MONDAY + timedelta(n) for n in range(7 * weeks))
    return {day: point(usd[day.weekday()], rate) for day in days}


def point(usd: float, rate: float = RATE) -> Point:
    return Point(round(usd * 100), Decimal(str(usd / rate)))


def day(number: int) -> date:
    """Counted from the first Monday; day 70 is the first of the eleventh week."""
    return MONDAY + timedelta(number)


def found(days: dict[date, Point], floor: int = 1000, unsaid: frozenset[date] = frozenset()) -> list[Finding]:
    return findings(days, max(days), lambda _: floor, unsaid)


def test_expected_is_the_median_of_the_weekday_and_the_drift_of_late() -> None:
    """Mondays of $100, $110, $120: median $110. Distances of the later two: 10 − 0, and 120 − 105 = 15."""
    history = History()
    for week, usd in enumerate((100, 110, 120)):
        history.add(day(7 * week), point(usd))
    assert history.usual(day(21)) == 11000
    assert list(history.errors) == [1000, 1500]
    assert history.drift == 1250
    assert history.expected(day(21)) == 12250
    # Both lie 2.50 from the drift: 1.4826 × 2.50 = 3.7065; never less than 2 % of what is expected, 2.45.
    assert history.noise(12250) == Fraction("370.65")
    assert history.noise(30000) == 600


def test_a_weekday_pattern_says_nothing() -> None:
    assert found(points()) == []


def test_a_saturday_that_costs_as_a_monday_stands_out() -> None:
    days = points()
    days[day(68)] = point(100)
    [one] = found(days)
    assert (one.kind, one.first, one.last) == ("days", day(68), day(68))
    assert (one.expected, one.actual, one.difference) == (4000, 10000, 6000)


def test_a_monday_that_costs_as_a_monday_does_not() -> None:
    days = points() | {day(70): point(100)}
    assert found(days) == []


def test_doubled_hours_at_the_old_rate_are_hours() -> None:
    """Tuesday: 52 h at $2 became 104 h: $104 more, all of it by hours."""
    [one] = found(points() | {day(64): point(208)})
    assert (one.difference, one.by_hours, one.by_rate, one.moved) == (10400, 10400, 0, "hours")
    assert (one.expected_hours, one.gpu_hours) == (52, 104)


def test_a_price_cut_with_hours_unchanged_is_one_finding_and_rate() -> None:
    days = points(14)
    cut = {one: Point(was.cents * 2 // 3, was.gpu_hours) for one, was in days.items() if one >= day(70)}
    [one] = found(days | cut)
    assert (one.kind, one.first, one.moved) == ("level", day(70), "rate")
    assert one.by_hours == 0
    assert one.expected == sum(WEEK) * 100
    assert one.by_rate == one.difference == sum(usd * 100 * 2 // 3 - usd * 100 for usd in WEEK)


def test_a_part_by_hours_and_a_part_by_rate() -> None:
    """50 h × $2 = $100 became 60 h × $3 = $180: 10 h × $2 = $20, and $1 × 60 h = $60."""
    [one] = found(points() | {day(63): point(180, rate=3)})
    assert (one.by_hours, one.by_rate, one.difference, one.moved) == (2000, 6000, 8000, "rate")


def test_hours_that_are_missing_leave_the_reason_open() -> None:
    [one] = found(points() | {day(63): Point(20000, None)})
    assert (one.by_hours, one.by_rate, one.moved, one.gpu_hours) == (None, None, "", None)


def test_an_outage_of_two_days_is_one_finding() -> None:
    [one] = found(points() | {day(65): point(0), day(66): point(0)})
    assert [off.day for off in one.days] == [day(65), day(66)]
    assert (one.expected, one.actual, one.by_hours, one.moved) == (10800 + 10400, 0, -21200, "hours")


def test_days_without_a_row_are_missing_not_nought() -> None:
    days = points()
    for gone in (65, 66):
        del days[day(gone)]
    [one] = found(days)
    assert (one.kind, one.actual, one.difference, one.severity) == ("missing", None, None, 21200)


def test_a_cell_that_bills_now_and_then_misses_nothing() -> None:
    days = {one: was for one, was in points(20).items() if one.weekday() != 2 and one.day % 5}
    assert found(days) == []


def test_days_that_are_spread_are_no_gap() -> None:
    days = points()
    del days[day(65)]
    assert found(days, unsaid=frozenset({day(65)})) == []


def test_a_credit_is_a_day_like_others() -> None:
    [one] = found(points() | {day(63): Point(-50000, Decimal(50))})
    assert (one.difference, one.by_hours, one.by_rate) == (-60000, 0, -60000)


def test_too_little_history_says_nothing() -> None:
    days = points(2) | {day(14): point(900)}
    assert found(days) == []


def test_a_small_cell_stays_below_the_floor() -> None:
    days = points() | {day(63): point(130)}
    assert [one.difference for one in found(days, floor=3000)] == [3000]
    assert found(days, floor=3001) == []


def test_the_floor_is_a_share_of_the_usual_day() -> None:
    floor = floor_of({day(n): 100_000 + n for n in range(28)}, Fraction(1, 100), 500)
    assert floor(day(28)) == 1000  # 1 % of $1,000.14
    assert floor(day(0)) == 500  # nothing is known before


def test_an_odd_day_does_not_bend_what_is_expected_after_it() -> None:
    days = points() | {day(63): point(900), day(66): point(30)}
    assert [(one.first, one.expected) for one in found(days)] == [(day(63), 10000), (day(66), 10400)]


def test_a_new_level_on_working_days_alone_keeps_weekends() -> None:
    usd = tuple(usd // 2 if place < 5 else usd for place, usd in enumerate(WEEK))
    later = {one: was for one, was in points(16, usd).items() if one >= day(70)}
    [one] = found(points() | later)
    assert (one.kind, one.first, one.last) == ("level", day(70), day(78))


@given(st.integers(0, 10**6))
@settings(max_examples=examples(3))
def test_quiet_weeks_raise_at_most_one_alarm_a_month(seed: int) -> None:
    """A year with weekdays, 5 % of noise and slow growth."""
    random = Random(seed)
    days = {
        day(n): point(max(0, round(WEEK[n % 7] * 10 * (1 + n / 730) * random.gauss(1, 0.05), 2)))
        for n in range(365)
    }
    assert len(found(days)) <= 12


@settings(max_examples=examples(100))
@given(
    st.integers(-(10**7), 10**7),
    st.one_of(st.none(), st.decimals(0, 10**5, places=2)),
    st.integers(1, 10**7),
    st.fractions(0, 5000, max_denominator=1000),
)
def test_the_parts_are_the_difference(
    cents: int, hours: Decimal | None, expected: int, rate: Fraction
) -> None:
    one = Finding("days", (Off(MONDAY, expected, rate or None, Point(cents, hours)),))
    if one.by_hours is None or one.by_rate is None:
        assert hours is None or not rate
    else:
        assert one.by_hours + one.by_rate == one.difference


@pytest.mark.parametrize("usd", [0, 900])
def test_what_stands_out_is_found_on_any_weekday(usd: int) -> None:
    for place in range(63, 70):
        [one] = found(points() | {day(place): point(usd)})
        assert one.first == day(place)
