"""What was paid for without a result, worked out by hand: lost jobs, successful runs, idle GPUs."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.models import CostSnapshot, Job, Team, UsageSnapshot
from dashboard.naming import Names
from dashboard.reports.allocation import IDLE, UNUSED, USE, allocate
from dashboard.reports.outcomes import shared_by_outcome
from dashboard.reports.waste import Waste
from dashboard.scope import Scope, Span

from .conftest import examples, make_cost, make_job, make_team, make_usage
from .contracts import FOX, per_month
from .loading import bill, load_rows
from .test_allocation import a_log_speaks_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_april")]
MARCH = Span.inclusive(date(2025, 3, 1), date(2025, 3, 31))


def waste(**scope) -> Waste:
    return Waste.of(Scope(**{"span": MARCH} | scope), Names.load())


def hours(day: int, length: int, **facts) -> Job:
    return make_job(f"2025-03-{day:02} 00:00", f"2025-03-{day:02} {length:02}:00", **facts)


@pytest.fixture
def nine_and_three():
    """$100 on 1 March: resnet completed 9 h and failed 3 h."""
    make_cost("2025-03-01", "100.00")
    make_usage("2025-03-01", "12.00")
    hours(1, 9)
    hours(1, 3, status="failed")


# Failed and cancelled jobs


def test_a_failed_job_wastes_its_part_of_the_cost(nine_and_three):
    [row] = waste().lost
    assert (row.usd, row.failed_usd, row.cancelled_usd) == (25, 25, 0)
    assert (row.gpu_hours, row.jobs["failed"], row.days) == (3, 1, {date(2025, 3, 1)})
    assert (row.provider, row.gpu_type, row.model) == ("AWS", "A100-80GB", "resnet")
    assert row.usd_per_hour == Decimal(25) / 3


def test_the_odd_cent_falls_to_one_of_the_statuses():
    make_cost("2025-03-01", "1.00")
    make_usage("2025-03-01", "3.00")
    for status in ("completed", "failed", "cancelled"):
        hours(1, 1, status=status)
    found = waste()
    cents = {one.status: one.cents for one in found.sums}
    assert sum(cents.values()) == 100 and sorted(cents.values()) == [33, 33, 34]
    assert found.lost_usd == Decimal(cents["failed"] + cents["cancelled"]) / 100


def test_a_team_s_failure_is_not_paid_by_another_team(nine_and_three):
    """12 of 24 h are speech's, all completed: $50; vision's 9 h : 3 h share the other $50."""
    UsageSnapshot.objects.update(gpu_hours=24)
    hours(1, 12, team="speech", model_name="whisper")
    found = waste()
    assert [(row.model, row.usd) for row in found.lost] == [("resnet", Decimal("12.50"))]
    assert waste(teams=(make_team("speech").pk,)).lost == []
    assert waste(models=("resnet",)).lost_usd == Decimal("12.50")


def test_hours_on_no_bill_are_told_and_cost_nothing():
    hours(1, 3, status="failed", provider="fox")
    [row] = waste().lost
    assert (row.usd, row.gpu_hours, row.unbilled, row.usd_per_hour) == (0, 3, 3 * 3_600_000_000, None)


def test_a_job_counts_on_the_days_of_the_range_only():
    make_cost("2025-02-28", "20.00")
    make_cost("2025-03-01", "60.00")
    make_job("2025-02-28 22:00", "2025-03-01 06:00", status="cancelled")
    found = waste()
    assert (found.cancelled_usd, found.lost[0].gpu_hours) == (60, 6)


# Successful runs


def test_a_successful_run_bears_the_failures_before_it(nine_and_three):
    """Completed for 9 h and 8 h, failed for 3 h: 9/12 of $100, and $80, without a failure."""
    make_cost("2025-03-02", "80.00")
    hours(2, 8)
    [row] = waste().runs
    assert (row.completed, row.failed, row.usd, row.completed_usd) == (2, 1, 180, 155)
    assert (row.usd_per_success, row.usd_per_completed) == (90, Decimal("77.50"))


def test_without_a_completed_run_there_is_no_cost_per_success():
    make_cost("2025-03-01", "40.00")
    hours(1, 4, status="failed")
    [row] = waste().runs
    assert (row.usd, row.completed, row.usd_per_success, row.usd_per_completed) == (40, 0, None, None)


# Idle GPUs


def test_idle_gpus_cost_what_nobody_used_of_them(nine_and_three):
    """16 metered hours, 12 used: 4 of 16 idle, $25 of $100; of the $75 a quarter failed."""
    UsageSnapshot.objects.update(gpu_hours=16)
    found = waste()
    [row] = found.idle
    assert (row.usd, row.idle_hours, row.metered_hours, row.used_hours) == (25, 4, 16, 12)
    assert (row.utilisation, row.usd_per_hour, row.days) == (
        Decimal("0.75"),
        Decimal("6.25"),
        {date(2025, 3, 1)},
    )
    assert (found.lost_usd, found.usd) == (Decimal("18.75"), Decimal("43.75"))


def test_a_day_without_a_log_is_not_idle():
    make_cost("2025-03-01", "30.00")
    make_usage("2025-03-01", "10.00")
    found = waste()
    assert (found.idle, found.usd) == ([], 0)
    a_log_speaks_of("2025-03-01 00:00", "2025-03-02 00:00")
    found = waste()
    assert (found.idle_usd, found.idle[0].idle_hours, found.usd) == (30, 10, 30)


def test_idle_gpus_are_nobody_s_where_a_team_is_chosen(nine_and_three):
    UsageSnapshot.objects.update(gpu_hours=16)
    found = waste(teams=(make_team("vision").pk,))
    assert found.idle is None and found.usd == found.lost_usd == Decimal("18.75")


def test_what_is_paid_either_way_is_told_apart():
    """$60 on demand and $20 committed share 10 h, 5 used: $40 idle, 3 : 1. $7 of a commitment nobody used."""
    load_rows(
        bill(1, "60", "7", kind="on_demand"),
        bill(1, "20", "3", kind="committed"),
        bill(1, "7", None, kind="unused_commitment"),
    )
    hours(1, 5)
    found = waste()
    [row] = found.idle
    assert (row.usd, row.releasable_usd, row.either_way_usd, row.unknown_usd) == (40, 30, 10, 0)
    assert (row.unused_usd, found.unused_usd, found.usd) == (7, 7, 47)


def test_an_own_cluster_is_paid_for_either_way():
    per_month("310.00", "1", "2025-03-01", "2025-03-31")
    hours(1, 12, **FOX)
    found = waste(span=Span.inclusive(date(2025, 3, 1), date(2025, 3, 1)))
    [row] = found.idle
    assert (row.usd, row.either_way_usd, row.idle_hours) == (5, 5, 12)


def test_how_a_typed_in_cost_was_bought_is_unknown(nine_and_three):
    UsageSnapshot.objects.update(gpu_hours=16)
    [row] = waste().idle
    assert (row.releasable_usd, row.either_way_usd, row.unknown_usd) == (0, 0, 25)


# Whatever the bill

STATUSES = st.sampled_from(["completed", "failed", "cancelled", "running", "odd"])
JOBS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.sampled_from("ab"), st.sampled_from("xy"), STATUSES),
    max_size=7,
)
DAILY = st.dictionaries(st.integers(1, 3), st.integers(0, 99_999), max_size=3)


@settings(max_examples=examples(15))
@given(costs=DAILY, metered=DAILY, jobs=JOBS)
def test_statuses_add_up_to_shares_and_waste_is_never_more_than_the_bill(as_of, costs, metered, jobs):
    for model in (Job, Team, CostSnapshot, UsageSnapshot):
        model.objects.all().delete()
    for day, cents in costs.items():
        make_cost(f"2025-03-{day:02}", f"{Decimal(cents) / 100}")
    for day, hundredths in metered.items():
        make_usage(f"2025-03-{day:02}", f"{Decimal(hundredths) / 1000:.2f}")
    for day, length, team, model_name, status in jobs:
        hours(day, length, team=team, model_name=model_name, status=status)
    names = Names.load()
    found, shared = Waste.of(Scope(MARCH), names), allocate(Scope(MARCH), names, by_model=True)
    by_status, by_share = defaultdict(int), defaultdict(int)
    for part in (one for month in shared_by_outcome(Scope(MARCH), names)[1] for one in month.outcomes):
        by_status[part[:5]] += part.cents or 0
    for one in shared.shares:
        if one.line == USE:
            by_share[one.day, one.provider, one.gpu_type, one.team, one.model] += one.cents
    assert {k: v for k, v in by_status.items() if v} == {k: v for k, v in by_share.items() if v}
    assert 0 <= found.usd <= found.bill_usd
    assert found.idle_usd == shared.part(IDLE) and found.unused_usd == shared.part(UNUSED)
    assert found.lost_usd == sum(row.usd for row in found.lost)
    assert sum(row.usd for row in found.runs) == sum(by_share.values()) / Decimal(100)
