"""The calendar of what data lack."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from dashboard.models import PeriodEntry, Provider
from dashboard.naming import Names
from dashboard.reports.freshness import Freshness
from dashboard.reports.gaps import Calendar, Gaps, gaps
from dashboard.scope import Scope, Span

from .conftest import make_cost, make_usage
from .test_coverage import make_log

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def eighth_of_march(as_of: Any) -> None:
    as_of("2025-03-08 12:00")


def days(first: int, last: int) -> Span:
    return Span.inclusive(date(2025, 3, first), date(2025, 3, last))


def bill(*numbers: int, provider: str = "AWS", usd: str = "1.00") -> None:
    for number in numbers:
        make_cost(f"2025-03-{number:02}", usd, provider=provider)


def meter(*numbers: int, provider: str = "AWS", hours: str = "1.00") -> None:
    for number in numbers:
        make_usage(f"2025-03-{number:02}", hours, provider=provider)


WEEK = days(1, 8)


def found(span: Span | None = WEEK, **narrowed: Any) -> Gaps:
    names = Names.load()
    return gaps(Scope(span, **narrowed), names, Freshness.load(names))


def only() -> Calendar:
    [calendar] = found().calendars
    return calendar


def states() -> dict[int, str]:
    return {day.day.day: day.state for day in only().days}


def test_each_day_of_a_provider_has_one_state():
    bill(2, 4, 5, 6, 7)
    meter(2, 3, 5, 6, 7)
    make_log("2025-03-01 00:00", "2025-03-05 12:00", providers=["AWS"])
    assert states() == {
        2: "complete",
        3: "no-cost",
        4: "no-metered",
        5: "complete",
        6: "no-log",
        7: "open",
        8: "open",
    }


def test_a_stored_nought_is_no_gap():
    bill(1, 2, 3, usd="0.00")
    meter(1, 2, 3, hours="0.00")
    make_log("2025-03-01 00:00", "2025-03-08 12:00", providers=["AWS"])
    assert states()[2] == "complete"


def test_a_day_without_anything_is_told_apart():
    bill(1, 3, 4)
    meter(1, 3, 4)
    assert states()[2] == "nothing"


def test_days_before_a_provider_is_known_are_outside():
    bill(1, 2, 3, 4, 5)
    bill(4, 5, provider="GCP")
    gcp = next(calendar for calendar in found().calendars if calendar.provider == "GCP")
    assert [day.state for day in gcp.days][:5] == ["outside"] * 3 + ["no-metered", "open"]


def test_a_provider_that_has_ended_is_outside_afterwards(as_of):
    as_of("2025-05-08 12:00")
    bill(1, 2, 3, provider="old")
    make_cost("2025-05-06", "1.00")
    [_, old] = found(days(1, 5)).calendars
    assert (old.provider, [day.state for day in old.days]) == ("old", ["no-metered"] * 3 + ["outside"] * 2)


def test_the_lag_of_a_provider_leaves_days_open():
    Provider.objects.create(name="AWS", lag_days=3)
    bill(*range(1, 8))
    assert [number for number, state in states().items() if state == "open"] == [5, 6, 7, 8]


def test_gaps_are_spans_in_words_of_what_is_missing_cost_first():
    bill(1, 2, 5, 6, 7)
    meter(1, 2, 3, 4, 5, 6, 7)
    make_log("2025-03-02 00:00", "2025-03-05 12:00", providers=["AWS"])
    assert [(gap.kind, gap.span) for gap in found().gaps] == [
        ("cost", days(3, 4)),
        ("log", days(6, 6)),
        ("log", days(1, 1)),
    ]


def test_open_days_lack_nothing_yet():
    bill(1, 2)
    assert [gap.span for gap in found().gaps if gap.kind == "metered"] == [days(1, 1)]


def test_the_counts_are_all_days_of_all_providers():
    bill(1, 2, 4, 5)
    bill(2, 3, provider="GCP")
    report = found()
    assert sum(report.counts.values()) == 16
    assert report.counts["nothing"] == 1
    assert report.counts == sum((c.counts for c in report.calendars), start=type(report.counts)())


def test_a_provider_of_jobs_alone_is_named_and_not_judged():
    bill(1, 2)
    make_log("2025-03-02 00:00", "2025-03-05 12:00", cluster="fox")
    assert ([c.provider for c in found().calendars], found().unbilled) == (["AWS"], ["fox"])


def test_a_provider_narrows_the_calendar():
    bill(1, 2)
    bill(1, 2, provider="GCP")
    make_log("2025-03-02 00:00", "2025-03-05 12:00", cluster="fox")
    report = found(providers=("GCP",))
    assert ([c.provider for c in report.calendars], report.unbilled) == (["GCP"], [])


def test_a_total_of_several_days_leaves_no_gap_in_them():
    bill(1)
    meter(1)
    PeriodEntry.objects.create(
        provider="Lambda", gpu_type="H100", first_day=date(2025, 3, 2), last_day=date(2025, 3, 5), cost_usd=8
    )
    lambda_ = next(calendar for calendar in found().calendars if calendar.provider == "Lambda")
    assert [day.day.day for day in lambda_.days if day.cost] == [2, 3, 4, 5]
    assert not [gap for gap in found().gaps if gap.provider == "Lambda" and gap.kind == "cost"]


def test_days_before_any_data_and_days_to_come_are_left_out():
    bill(2, 3)
    assert found(Span(date(2000, 1, 1), date(2099, 12, 31))).span == days(2, 8)
    assert found(None).span == days(2, 8)
    assert found(Span(date(2001, 1, 1), date(2001, 2, 1))) == Gaps()


def test_nothing_is_awaited_of_a_provider_that_has_been_silent_for_long(as_of):
    bill(2, 3)
    as_of("2027-01-01 12:00")
    assert found(None).span == Span(date(2025, 3, 2), date(2025, 4, 8))
    assert found(None).counts == {"no-metered": 1, "open": 36}


def test_nothing_stored_has_no_calendar():
    assert found() == Gaps()
