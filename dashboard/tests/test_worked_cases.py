"""The worked cases of docs/allocation.md, with the numbers that stand there."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from dashboard.ingest.load import Source, load
from dashboard.ingest.reapply import reapply
from dashboard.ingest.records import Options
from dashboard.models import AccountMapping, ClusterMapping, Job, Provider, SpendMapping, Team
from dashboard.models.names import name_key
from dashboard.naming import Names
from dashboard.reports.allocation import NOBODY, allocate
from dashboard.reports.unmatched import unmatched
from dashboard.scope import Scope, Span

from .conftest import REAL, at, make_cost, make_job, make_team, make_usage
from .contracts import per_month
from .loading import bill, job, load_rows

pytestmark = pytest.mark.usefixtures("in_april")
MARCH = Span.inclusive(date(2025, 3, 1), date(2025, 3, 31))


def paid(span: Span = MARCH, idle: str = "apart") -> dict[str, Decimal]:
    found = allocate(Scope(span, idle=idle), Names.load())
    assert found.difference == 0
    teams = dict(Team.objects.values_list("pk", "name"))
    sums: dict[str, Decimal] = {}
    for share in found.shares:
        if share.cents is not None:
            name = NOBODY[share.line] if share.team is None else teams[share.team]
            sums[name] = sums.get(name, Decimal(0)) + Decimal(share.cents) / 100
    return {name: amount for name, amount in sums.items() if amount}


def only(day: int) -> Span:
    return Span.inclusive(date(2025, 3, day), date(2025, 3, day))


def test_a_standing_inference_service_on_an_account_of_its_own():
    """Two GPUs around the clock at $1 an hour are $48 a day, and go to the team before the rest is shared."""
    SpendMapping.objects.create(provider="AWS", sub_account="inference", team=make_team("serving"))
    load_rows(
        bill(1, billed="48", hours="48", sub_account="inference"),
        bill(1, billed="30", hours="20", sub_account="training"),
        job("1", team="vision", end_time=at("2025-03-01 10:00")),
    )
    map_fox()
    assert paid() == {"serving": 48, "vision": 15, "(idle)": 15}


def test_a_standing_inference_service_that_is_a_running_job():
    """It has no end: its two GPUs take 48 of the 96 metered hours of every day, up to now."""
    for day in (1, 2, 3):
        make_cost(f"2025-03-0{day}", "96.00")
        make_usage(f"2025-03-0{day}", "96.00")
    make_job("2025-02-01 00:00", None, team="serving", status="running", gpu_count=2)
    assert paid() == {"serving": 144, "(idle)": 144}


def test_two_and_a_half_gpus_over_a_clock_change():
    """9 March 2025 has 23 hours in Los Angeles. From 20:00 the day before until 06:00 are 9 hours."""
    Provider.objects.create(name="AWS", key=name_key("AWS"), bill_clock="America/Los_Angeles")
    make_cost("2025-03-08", "60.00")
    make_usage("2025-03-08", "60.00")
    make_cost("2025-03-09", "57.50")
    make_usage("2025-03-09", "57.50")
    make_job("2025-03-09 04:00", "2025-03-09 13:00", gpu_count=Decimal("2.5"))
    assert paid(only(8)) == {"vision": 10, "(idle)": 50}
    assert paid(only(9)) == {"vision": Decimal("12.5"), "(idle)": 45}


def test_a_renamed_team_keeps_its_cost():
    make_cost("2025-03-01", "10.00")
    vision = make_job().team
    vision.name = "perception"
    vision.save()
    assert paid() == {"perception": 10}


def test_a_team_that_is_split_by_a_dated_mapping_keeps_its_past():
    for day in (1, 20):
        make_cost(f"2025-03-{day:02}", "10.00")
    load_rows(
        job("1", start_time=at("2025-03-01 00:00"), end_time=at("2025-03-01 01:00")),
        job("2", start_time=at("2025-03-20 00:00"), end_time=at("2025-03-20 01:00")),
    )
    map_fox()
    assert paid() == {"vision": 20}
    AccountMapping.objects.create(
        cluster="fox", account="vision", team=make_team("robots"), valid_from=date(2025, 3, 15)
    )
    reapply()
    assert paid() == {"vision": 10, "robots": 10}


def test_teams_that_are_merged_pay_together():
    make_cost("2025-03-01", "10.00")
    load_rows(job("1"), job("2", team="speech"))
    map_fox()
    assert paid() == {"vision": 5, "speech": 5}
    AccountMapping.objects.create(cluster="fox", account="speech", team=Team.objects.get(name="vision"))
    reapply()
    assert paid() == {"vision": 10}


def test_a_refund_a_month_late_belongs_to_its_own_day():
    """April's refund is April's: it lowers what the day of the refund costs and leaves March as it was."""
    make_cost("2025-03-01", "100.00")
    make_job()
    before = paid()
    make_cost("2025-04-02", "-40.00")
    assert paid() == before == {"vision": 100}
    assert paid(Span.inclusive(date(2025, 4, 1), date(2025, 4, 30))) == {"(unallocated)": -40}


def test_a_slurm_cluster_meets_the_bill_only_by_its_mapping():
    make_cost("2025-03-01", "10.00")
    make_usage("2025-03-01", "2.00")
    load_rows(job("1"))
    assert paid() == {"(unallocated)": 10}
    assert [row.cluster for row in unmatched(Names.load(), "effective").hardware] == ["fox"]
    map_fox()
    assert paid() == {"vision": 5, "(idle)": 5}


def test_a_slice_of_a_gpu_is_the_part_that_its_mapping_says():
    """Seven slices of an A100 for an hour are one GPU-hour."""
    make_cost("2025-03-01", "10.00")
    make_usage("2025-03-01", "2.00")
    load_rows(job("1", raw_gpu_type="a100_1g.10gb", gpu_count=Decimal(7)))
    map_fox(raw_gpu_type="a100_1g.10gb", factor=Decimal("0.142857"))
    assert paid() == {"vision": 5, "(idle)": 5}


def map_fox(raw_gpu_type: str = "a100", **facts) -> None:
    ClusterMapping.objects.create(
        cluster="fox", raw_gpu_type=raw_gpu_type, provider="AWS", gpu_type="A100-80GB", **facts
    )
    reapply()


def test_an_own_cluster_at_a_monthly_rate_is_shared_like_a_bill():
    """Two own GPUs at $744 a month each are $48 and 48 metered hours a day."""
    per_month("744", "2", "2025-03-01", "2025-03-02", gpu_type="a100")
    load_rows(job("1", start_time=at("2025-03-01 00:00"), end_time=at("2025-03-01 12:00")))
    assert paid(only(1)) == {"vision": 12, "(idle)": 36}
    # No log speaks of the second day, so its $48 are not known to be idle.
    assert paid(MARCH, idle="by_use") == {"vision": 48, "(unallocated)": 48}


if REAL.is_dir():

    def test_a_real_log_shares_a_monthly_rate_to_the_cent(as_of):
        as_of("2025-07-01 12:00")
        load([Source("fox", REAL / "slurm_fox_2025-05.psv")], Options(cluster="fox", time_zone="Europe/Oslo"))
        gpu_types = set(Job.objects.values_list("gpu_type", flat=True))
        for gpu_type in gpu_types:
            per_month("1000", "4", "2025-05-01", "2025-05-31", gpu_type=gpu_type)
        may = Span.inclusive(date(2025, 5, 1), date(2025, 5, 31))
        for idle in ("apart", "by_use", "evenly"):
            assert sum(paid(may, idle).values()) == 4000 * len(gpu_types)
