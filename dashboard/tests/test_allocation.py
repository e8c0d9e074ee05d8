from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.ingest.figures import rebuild
from dashboard.models import (
    BillLine,
    CostSnapshot,
    Delivery,
    ImportRun,
    Job,
    LogSpan,
    Provider,
    SpendMapping,
    Team,
    UsageSnapshot,
)
from dashboard.models.names import name_key
from dashboard.naming import Names
from dashboard.reports.allocation import NOBODY, allocate, allocate_in_sum
from dashboard.scope import Scope, Span

from .conftest import examples, make_cost, make_job, make_team, make_usage

pytestmark = pytest.mark.usefixtures("in_april")
DAY = Span.inclusive(date(2025, 3, 1), date(2025, 3, 1))
MARCH = Span.inclusive(date(2025, 3, 1), date(2025, 3, 31))


def by_owner(scope: Scope, by_model: bool = False) -> dict[str, Decimal]:
    found = allocate(scope, Names.load(), by_model)
    teams = dict(Team.objects.values_list("pk", "name"))
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for share in found.shares:
        name = NOBODY[share.line] if share.team is None else teams[share.team]
        if share.cents is not None:
            sums[f"{name}/{share.model}" if by_model else name] += Decimal(share.cents) / 100
    return dict(sums)


def a_log_speaks_of(first: str, last: str, *providers: str) -> None:
    run = ImportRun.objects.create(format="jobs", files=[], written_at=datetime(2025, 4, 9, tzinfo=UTC))
    LogSpan.objects.create(
        run=run,
        cluster="any",
        first=datetime.fromisoformat(first).replace(tzinfo=UTC),
        last=datetime.fromisoformat(last).replace(tzinfo=UTC),
        providers=list(providers or ("AWS",)),
    )


@pytest.fixture
def one_day(db):
    """AWS A100-80GB on 1 March: $100 and 10 metered hours; vision used 6 h, speech 2 h."""
    make_cost("2025-03-01", "100.00")
    make_usage("2025-03-01", "10.00")
    make_job("2025-03-01 08:00", "2025-03-01 11:00", gpu_count=2, model_name="resnet")
    make_job("2025-03-01 09:00", "2025-03-01 11:00", team="speech", model_name="whisper")


def test_a_bill_is_shared_by_metered_gpu_hours(one_day):
    assert by_owner(Scope(DAY)) == {"vision": 60, "speech": 20, "(idle)": 20}


def test_without_metered_hours_jobs_share_it_all_and_the_cell_is_flagged(one_day):
    UsageSnapshot.objects.all().delete()
    assert by_owner(Scope(DAY)) == {"vision": 75, "speech": 25}
    [pool] = allocate(Scope(DAY), Names.load()).pools
    assert pool.is_unmetered and not pool.is_over_reported


def test_more_job_hours_than_metered_ones_are_flagged(one_day):
    make_job("2025-03-01 12:00", "2025-03-01 16:00", team="speech")
    assert by_owner(Scope(DAY)) == {"vision": 50, "speech": 50}
    [pool] = allocate(Scope(DAY), Names.load()).pools
    assert pool.is_over_reported


def test_metered_hours_without_jobs_are_idle_only_where_a_job_log_covers_the_day(db):
    make_cost("2025-03-01", "100.00")
    make_usage("2025-03-01", "10.00")
    assert by_owner(Scope(DAY)) == {"(unallocated)": 100}
    a_log_speaks_of("2025-02-28 23:00", "2025-03-01 01:00")
    assert by_owner(Scope(DAY)) == {"(idle)": 100}


def test_a_credit_without_hours_is_unallocated(db):
    make_cost("2025-03-01", "-25.00")
    a_log_speaks_of("2025-02-01 00:00", "2025-03-31 00:00")
    assert by_owner(Scope(DAY)) == {"(unallocated)": -25}


def test_idle_cost_is_spread_by_use_or_evenly(one_day):
    assert by_owner(Scope(DAY, idle="by_use")) == {"vision": 75, "speech": 25}
    assert by_owner(Scope(DAY, idle="evenly")) == {"vision": 70, "speech": 30}


def test_an_idle_day_is_spread_over_the_month_s_use_of_the_same_gpus(one_day):
    make_cost("2025-03-20", "40.00")
    make_usage("2025-03-20", "4.00")
    a_log_speaks_of("2025-03-01 00:00", "2025-03-31 00:00")
    day = Span.inclusive(date(2025, 3, 20), date(2025, 3, 20))
    assert by_owner(Scope(day)) == {"(idle)": 40}
    assert by_owner(Scope(day, idle="by_use")) == {"vision": 30, "speech": 10}
    assert by_owner(Scope(day, idle="evenly")) == {"vision": 20, "speech": 20}


def test_a_month_that_nobody_used_stays_idle_in_every_view(db):
    make_cost("2025-03-20", "40.00")
    make_usage("2025-03-20", "4.00")
    a_log_speaks_of("2025-03-01 00:00", "2025-03-31 00:00")
    assert by_owner(Scope(MARCH, idle="evenly")) == {"(idle)": 40}


def test_choosing_a_team_shows_its_share_and_not_the_bill(one_day):
    vision = Team.objects.get(name="vision")
    assert by_owner(Scope(DAY, teams=(vision.pk,))) == {"vision": 60}
    assert allocate(Scope(DAY, teams=(vision.pk,)), Names.load()).bill == 10000


def test_a_team_s_share_is_split_among_its_models(one_day):
    make_job("2025-03-01 20:00", "2025-03-01 21:00", model_name="vit")
    assert by_owner(Scope(DAY), by_model=True) == {
        "vision/resnet": 60,
        "vision/vit": 10,
        "speech/whisper": 20,
        "(idle)/(idle)": 10,
    }


def test_hours_that_nobody_billed_have_no_cost(db):
    make_job("2025-03-01 08:00", "2025-03-01 11:00")
    [share] = allocate(Scope(DAY), Names.load()).shares
    assert (share.line, share.cents, share.microseconds) == ("unbilled", None, 3 * 3_600_000_000)


# Bill lines: kinds, direct attribution, unused commitment


def make_lines(day: str, *lines: tuple[str, str, str, str | None]) -> None:
    """(kind, sub-account, USD, GPU-hours) of AWS A100-80GB, with the snapshots that they make."""
    on = date.fromisoformat(day)
    run = ImportRun.objects.create(format="focus", files=[], written_at=datetime(2025, 4, 9, tzinfo=UTC))
    delivery = Delivery.objects.create(
        run=run, provider="AWS", account="1", period_start=on.replace(day=1), period_end=date(2025, 4, 1)
    )
    for kind, sub_account, usd, hours in lines:
        BillLine.objects.create(
            delivery=delivery,
            day=on,
            provider="AWS",
            account="1",
            sub_account=sub_account,
            kind=kind,
            gpu_type="A100-80GB",
            billed=Decimal(usd),
            effective=Decimal(usd),
            gpu_hours=None if hours is None else Decimal(hours),
            rows=1,
        )
    total = sum(Decimal(usd) for _, _, usd, _ in lines)
    CostSnapshot.objects.create(
        date=on,
        provider="AWS",
        gpu_type="A100-80GB",
        cost_usd=total.quantize(Decimal("0.01")),
        from_lines=True,
        basis="effective",
    )
    metered = sum(Decimal(hours) for *_, hours in lines if hours is not None)
    make_usage(day, str(metered))


def test_a_commitment_used_sixty_percent_leaves_its_unused_part_in_sight(db):
    make_lines("2025-03-01", ("committed", "", "60.00", "30"), ("unused_commitment", "", "40.00", None))
    make_job("2025-03-01 00:00", "2025-03-01 15:00", gpu_count=2)
    assert by_owner(Scope(DAY)) == {"vision": 60, "(unused commitment)": 40}


def test_a_mapped_account_goes_to_its_team_before_the_rest_is_shared(db):
    serving = make_team("serving")
    SpendMapping.objects.create(provider="aws", sub_account="inference", team=serving)
    make_lines("2025-03-01", ("on_demand", "inference", "48.00", "24"), ("on_demand", "", "20.00", "10"))
    make_job("2025-03-01 08:00", "2025-03-01 13:00")
    assert by_owner(Scope(DAY)) == {"serving": 48, "vision": 10, "(idle)": 10}
    shares = allocate(Scope(DAY), Names.load()).shares
    assert {s.line for s in shares if s.team == serving.pk} == {"direct"}


def test_spot_and_on_demand_in_one_cell_are_shared_as_one_and_called_blended(db):
    make_lines("2025-03-01", ("on_demand", "", "40.00", "10"), ("spot", "", "20.00", "20"))
    make_job("2025-03-01 08:00", "2025-03-01 18:00", gpu_count=3)
    assert by_owner(Scope(DAY)) == {"vision": 60}
    [pool] = allocate(Scope(DAY), Names.load()).pools
    assert pool.is_blended


def test_a_part_of_a_cent_on_a_mapped_line_is_settled_within_the_cell(db):
    SpendMapping.objects.create(provider="AWS", sub_account="a", team=make_team("a"))
    make_lines("2025-03-01", ("on_demand", "a", "0.006", "1"), ("on_demand", "b", "0.006", "1"))
    assert sorted(by_owner(Scope(DAY)).values()) == [0, Decimal("0.01")]


# Clocks


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/Los_Angeles"])
def test_the_display_zone_changes_no_figure(one_day, settings, zone):
    settings.TIME_ZONE = zone
    assert by_owner(Scope(DAY)) == {"vision": 60, "speech": 20, "(idle)": 20}


@pytest.mark.parametrize("clock", ["Etc/GMT+8", "UTC", "Asia/Kolkata"])
def test_the_bill_clock_moves_hours_between_days_and_never_the_total(db, clock):
    Provider.objects.create(name="AWS", key=name_key("AWS"), bill_clock=clock)
    for day in ("2025-03-01", "2025-03-02", "2025-03-03"):
        make_cost(day, "100.00")
        make_usage(day, "24.00")
    make_job("2025-03-01 20:00", "2025-03-02 20:00")
    make_job("2025-03-02 10:00", "2025-03-03 10:00", team="speech")
    found = allocate(Scope(MARCH), Names.load())
    assert found.total == 300 and found.bill == 30000
    assert found.microseconds == 48 * 3_600_000_000
    hours = sum(s.microseconds for s in found.shares if s.day == date(2025, 3, 1)) / 3_600_000_000
    assert hours == {"Etc/GMT+8": 12, "UTC": 4, "Asia/Kolkata": 0}[clock]


def test_two_and_a_half_gpus_over_a_clock_change(db):
    """9 March 2025 has 23 hours in Los Angeles: a job over it uses 57.5 GPU-hours that day."""
    Provider.objects.create(name="AWS", key=name_key("AWS"), bill_clock="America/Los_Angeles")
    make_cost("2025-03-09", "115.00")
    make_usage("2025-03-09", "57.50")
    make_job("2025-03-09 08:00", "2025-03-10 07:00", gpu_count=Decimal("2.5"))
    day = Span.inclusive(date(2025, 3, 9), date(2025, 3, 9))
    found = allocate(Scope(day), Names.load())
    assert [(s.microseconds, s.cents) for s in found.shares] == [(int(57.5 * 3_600_000_000), 11500)]


# Any bills, hours and jobs

MOMENTS = st.datetimes(datetime(2025, 3, 7), datetime(2025, 3, 12)).map(lambda t: t.replace(tzinfo=UTC))
CELLS = st.tuples(st.integers(8, 10), st.sampled_from(["AWS", "gcp"]), st.sampled_from(["H100", "L4"]))
USD = st.decimals(-500, 500, places=2, allow_nan=False)
KINDS = st.sampled_from(["on_demand", "spot", "committed", "unused_commitment"])
LINES = st.lists(
    st.tuples(
        KINDS, st.sampled_from(["", "a", "b"]), st.decimals(-50, 50, places=9), st.none() | st.integers(0, 30)
    ),
    min_size=1,
    max_size=3,
)
JOBS = st.lists(
    st.tuples(
        MOMENTS,
        st.timedeltas(timedelta(0), timedelta(days=2)),
        st.sampled_from(["0.125", "0.5", "1", "2.5", "8"]),
        st.sampled_from(["vision", "speech"]),
        st.sampled_from(["resnet", "vit"]),
        st.sampled_from(["AWS", "gcp"]),
        st.sampled_from(["H100", "L4"]),
        st.sampled_from(["completed", "failed", "running", "pending"]),
    ),
    max_size=6,
)


@settings(max_examples=examples(15))
@given(
    entered=st.dictionaries(CELLS, USD, max_size=5),
    billed=st.dictionaries(CELLS, LINES, max_size=4),
    metered=st.dictionaries(CELLS, st.decimals(0, 60, places=2), max_size=6),
    jobs=JOBS,
    clock=st.sampled_from(["UTC", "America/Los_Angeles", "Asia/Kolkata"]),
    covered=st.booleans(),
)
def test_the_parts_of_any_bill_add_up_to_it(db, entered, billed, metered, jobs, clock, covered):
    forget_everything()
    Provider.objects.create(name="AWS", bill_clock=clock)
    SpendMapping.objects.create(provider="AWS", sub_account="a", team=make_team("serving"))
    store(entered, billed, metered, jobs)
    if covered:
        a_log_speaks_of("2025-03-01 00:00", "2025-03-31 00:00", "AWS", "gcp")
    stored = CostSnapshot.objects.aggregate(total=Sum("cost_usd"))["total"] or Decimal(0)
    names = Names.load()
    for idle in ("apart", "by_use", "evenly"):
        for by_model in (False, True):
            found = allocate(Scope(None, idle=idle), names, by_model)
            assert found.total == Decimal(found.bill) / 100 == stored.quantize(Decimal("0.01"))
            by_cell: defaultdict[tuple, list[int]] = defaultdict(list)
            for share in found.shares:
                if share.cents is not None and share.line in ("use", "idle", "unallocated"):
                    by_cell[share.day, share.provider, share.gpu_type].append(share.cents)
            assert in_sum(allocate_in_sum(Scope(None, idle=idle), names)) == in_sum(found.shares)
            for pool in found.pools:
                assert sum(by_cell[pool.cell]) == pool.pool.cents
                assert all(part * pool.pool.cents >= 0 for part in by_cell[pool.cell])


def in_sum(shares) -> dict[tuple, int]:
    sums: Counter[tuple] = Counter()
    for share in shares:
        sums[share.team, share.line] += share.cents or 0
    return {key: cents for key, cents in sums.items() if cents}


def forget_everything() -> None:
    for model in (Job, Team, Delivery, LogSpan, ImportRun, CostSnapshot, UsageSnapshot, Provider):
        model.objects.all().delete()


def store(entered, billed, metered, jobs) -> None:
    run = ImportRun.objects.create(format="focus", files=[], written_at=datetime(2025, 4, 9, tzinfo=UTC))
    for (day, provider, gpu_type), usd in entered.items():
        if (day, provider, gpu_type) not in billed:
            make_cost(f"2025-03-{day:02}", str(usd), provider, gpu_type)
    for (day, provider, gpu_type), hours in metered.items():
        if (day, provider, gpu_type) not in billed:
            make_usage(f"2025-03-{day:02}", str(hours), provider, gpu_type)
    for number, ((day, provider, gpu_type), lines) in enumerate(billed.items()):
        delivery = Delivery.objects.create(
            run=run,
            provider=provider,
            account=str(number),
            period_start=date(2025, 3, 1),
            period_end=date(2025, 4, 1),
        )
        BillLine.objects.bulk_create(
            BillLine(
                delivery=delivery,
                day=date(2025, 3, day),
                provider=provider,
                account=str(number),
                sub_account=sub_account,
                kind=kind,
                gpu_type=gpu_type,
                billed=usd,
                effective=usd,
                gpu_hours=None if kind == "unused_commitment" or hours is None else Decimal(hours),
                rows=1,
            )
            for kind, sub_account, usd, hours in lines
        )
    rebuild(Names.load())
    for start, length, gpus, team, model, provider, gpu_type, status in jobs:
        Job.objects.create(
            team=make_team(team),
            model_name=model,
            provider=provider,
            gpu_type=gpu_type,
            gpu_count=Decimal(gpus),
            status=status,
            start_time=start,
            end_time=None if status == "running" else start + length,
        )
