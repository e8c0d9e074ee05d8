from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import Count, F, Min, Q
from django.test import override_settings

from dashboard import gpu_time
from dashboard.demo_data import prices
from dashboard.demo_data.company import FLEETS
from dashboard.demo_data.plan import Plan
from dashboard.demo_data.write import occupied_by
from dashboard.ingest.copying import as_copied
from dashboard.ingest.job_ids import job_id
from dashboard.ingest.undo import undo
from dashboard.models import (
    AccountMapping,
    BillLine,
    ClusterMapping,
    Commitment,
    CostSnapshot,
    Delivery,
    ImportChange,
    ImportRun,
    Invoice,
    Job,
    LogSpan,
    NameAlias,
    Provider,
    SpendMapping,
    Team,
    UsageSnapshot,
)
from dashboard.models.exact import CentSum, PreciseSum
from dashboard.money import to_cents
from dashboard.naming import Names
from dashboard.placing import Placing
from dashboard.reports.differences import reasons
from dashboard.reports.invoices import Bill, tie_out
from dashboard.scope import Scope, Span

from .conftest import at, make_team

TODAY = date(2026, 11, 22)
TABLES = (
    Team,
    Job,
    CostSnapshot,
    UsageSnapshot,
    Delivery,
    BillLine,
    ImportRun,
    ImportChange,
    LogSpan,
    Provider,
    NameAlias,
    ClusterMapping,
    AccountMapping,
    SpendMapping,
    Commitment,
    Invoice,
)


def seed(**how) -> str:
    said = StringIO()
    call_command("seed_demo", stdout=said, **how)
    return said.getvalue()


def digest() -> str:
    """Of every row of the demo, but for the numbers that the database gives itself."""
    rows = []
    for model in TABLES:
        own = {"id"} if model._meta.pk.get_internal_type() == "BigAutoField" else set()
        names = [f.name for f in model._meta.concrete_fields if f.name not in own | LINKS | {"summary"}]
        rows += sorted(
            repr([model.__name__, *(getattr(row, n) for n in names)]) for row in model.objects.all()
        )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def bills() -> list[Bill]:
    return tie_out(Scope(basis="billed"), Names.load(), reasons).bills


# Foreign keys whose values are such numbers.
LINKS = {"run", "delivery", "replaces", "imported_by", "team"}


def seeded_digest(**how) -> str:
    with transaction.atomic():
        seed(**how)
        found = digest()
        transaction.set_rollback(True)
    return found


def test_the_same_seed_and_day_give_the_same_rows(db, as_of):
    as_of("2026-11-22 15:00")
    first = seeded_digest(days=30, jobs=200, seed=3)
    as_of("2026-11-22 23:00")
    assert seeded_digest(days=30, jobs=200, seed=3) == first
    assert seeded_digest(days=30, jobs=200, seed=4) != first


def test_a_database_with_rows_is_refused_and_left_alone(db):
    make_team("vision")
    with pytest.raises(CommandError, match="not empty: it has teams.*nothing was written"):
        seed(days=30, jobs=200)
    assert Team.objects.count() == 1 and not Job.objects.exists()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"days": 3}, "--days is 3, expected 7 to 3,650"),
        ({"days": 60, "jobs": 10}, "--jobs is 10, expected 60"),
        ({"days": 60, "jobs": 10_000_001}, "to 10,000,000"),
    ],
)
def test_sizes_that_make_no_company_are_refused(db, how, words):
    with pytest.raises(CommandError, match=words):
        seed(**how)
    assert occupied_by() == []


@pytest.fixture(scope="class")
def demo(django_db_setup, django_db_blocker):
    """Sixty days and 500 jobs, loaded once for all tests of the class."""
    with (
        django_db_blocker.unblock(),
        override_settings(HELIOX_AS_OF=at("2026-11-22 15:00")),
        transaction.atomic(),
    ):
        said = seed(days=60, jobs=500, seed=1)
        yield said
        transaction.set_rollback(True)


@pytest.mark.usefixtures("demo")
class TestSmallDemo:
    plan = Plan(TODAY, 60, 500, 1)

    def test_it_says_how_far_it_is_and_what_it_made(self, demo):
        assert "20 % of the jobs" in demo and "100 % of the jobs" in demo
        assert "500 jobs" in demo

    def test_it_has_as_many_jobs_as_asked_for(self):
        assert Job.objects.count() == 500

    def test_the_days_end_today(self):
        for model in (CostSnapshot, UsageSnapshot):
            days = set(model.objects.values_list("date", flat=True))
            assert (min(days), max(days), len(days)) == (TODAY - timedelta(days=60), TODAY, 61)

    def test_today_is_open(self):
        hours = dict(UsageSnapshot.objects.order_by().values_list("date").annotate(CentSum("gpu_hours")))
        assert hours[TODAY] < hours[TODAY - timedelta(days=1)] / 2

    def test_no_job_is_in_the_future(self):
        assert not Job.objects.filter(Q(start_time__gt=at("2026-11-22 00:00"))).exists()
        assert not Job.objects.filter(Q(end_time__gt=at("2026-11-22 00:00"))).exists()

    def test_all_statuses_are_there(self):
        count = dict(Job.objects.order_by().values_list("status").annotate(Count("pk")))
        assert set(count) == {"pending", "running", "completed", "failed", "cancelled"}
        assert count["completed"] > 350 and 20 < count["failed"] < 80

    def test_some_records_cannot_be_true(self):
        assert 3 <= Job.objects.filter(status="completed", end_time=None).count() <= 5
        assert 3 <= Job.objects.filter(end_time__lt=F("start_time")).count() <= 5
        assert 3 <= Job.objects.filter(status="running", end_time__isnull=False).count() <= 5
        assert 3 <= Job.objects.filter(status="pending", start_time__isnull=False).count() <= 5

    def test_a_job_is_stuck_for_weeks(self):
        since = Job.objects.running().aggregate(first=Min("start_time"))["first"]
        assert since < at("2026-11-01 00:00")

    def test_jobs_run_over_midnight_and_for_days(self):
        ended = Job.objects.exclude(start_time=None).exclude(end_time=None)
        lengths = [end - start for start, end in ended.values_list("start_time", "end_time")]
        assert sum(length > timedelta(days=1) for length in lengths) > 20
        assert any(timedelta(0) < length < timedelta(hours=1) for length in lengths)

    def test_gpus_come_in_halves_too(self):
        assert Job.objects.filter(gpu_count=Decimal("0.5")).exists()

    def test_the_log_names_what_an_import_would_have(self):
        for job in Job.objects.exclude(raw_gpu_count=None)[:50]:
            assert job.pk == job_id("kestrel", job.external_id)
            place = Placing.load().place(job.cluster, job.partition, job.raw_gpu_type, None)
            if place is None:
                assert (job.provider, job.gpu_type) == ("kestrel", "rtx_a6000")
            else:
                assert (job.provider, job.gpu_type) == (place.provider, place.gpu_type)
                assert job.gpu_count == place.gpu_count(job.raw_gpu_count)

    def test_a_partition_and_an_account_wait_for_a_mapping(self):
        assert Job.objects.filter(provider="kestrel", partition="lab").exists()
        assert Job.objects.filter(account="xp-4471", team__name="xp-4471").exists()
        assert not AccountMapping.objects.filter(account="xp-4471").exists()

    def test_each_month_of_a_cell_is_the_sum_of_its_lines_to_the_cent(self):
        for model, column, amount in (
            (CostSnapshot, "effective", "cost_usd"),
            (UsageSnapshot, "gpu_hours", "gpu_hours"),
        ):
            exact, stored = defaultdict(Decimal), defaultdict(Decimal)
            for line in BillLine.objects.current().gpu():
                value = getattr(line, column)
                exact[line.provider, line.gpu_type, line.day.replace(day=1)] += value or 0
            for row in model.objects.filter(from_lines=True):
                stored[row.provider, row.gpu_type, row.date.replace(day=1)] += getattr(row, amount)
            assert stored == {cell: to_cents(total) for cell, total in exact.items()}

    def test_a_commitment_costs_a_days_share_of_its_fee_used_or_not(self):
        [fee] = BillLine.objects.filter(kind="purchase")
        assert fee.day == date(2026, 11, 1) and fee.effective == 0
        for kinds in ["committed"], ["committed", "unused_commitment"]:
            lines = BillLine.objects.filter(kind__in=kinds, day=date(2026, 11, 15))  # a Sunday
            assert {line.billed for line in lines} == {Decimal(0)}
            whole = sum(line.effective for line in lines) * 30 == fee.billed
            assert whole == (len(kinds) == 2)

    def test_committed_hours_are_those_of_the_contracts(self):
        contracts, lines = Commitment.objects.all(), BillLine.objects.filter(kind="committed")
        assert {(one.provider, one.gpu_type) for one in contracts} == {("AWS", "H100-80GB")}
        gpus, [first] = sum(one.gpus for one in contracts), {one.first_day for one in contracts}
        assert {line.day >= first for line in lines} == {True}
        by_day = lines.order_by().values_list("day").annotate(PreciseSum("gpu_hours"))
        assert all(hours <= gpus * 24 for _, hours in by_day)

    def test_one_contract_ends_soon_and_another_goes_on(self):
        days_left = [(one.last_day - TODAY).days for one in Commitment.objects.order_by("last_day")]
        assert days_left == [39, 343]

    def test_invoices_match_but_for_what_finance_left_out_or_has_not_got(self):
        differing = {
            (2026, 10): {"OCI": "differs", "GCP": "no_invoice"},
            (2026, 9): {"AWS 719204483318": "differs"},
        }
        for bill in bills():
            if bill.period.end > TODAY:
                assert bill.state == "no_invoice"
                continue
            expected = differing[bill.period.start.year, bill.period.start.month]
            names = bill.provider, f"{bill.provider} {bill.account}"
            assert bill.state == next((expected[name] for name in names if name in expected), "matches")

    def test_each_difference_is_explained_to_the_cent(self):
        tax, support = (bill for bill in bills() if bill.state == "differs")
        for bill, part in (tax, "tax"), (support, "support"):
            [reason, *_] = bill.reasons
            assert reason.exact and reason.text == f"The invoice seems not to include {part}"
            assert reason.usd == -bill.difference == bill.shown[part] > 0

    def test_every_kind_of_line_but_entered_ones_is_there(self):
        kinds = set(BillLine.objects.values_list("kind", flat=True).distinct())
        assert kinds == set(BillLine.Kind.values) - {"entered"}

    def test_credits_and_a_refund_are_negative(self):
        assert {line.billed < 0 for line in BillLine.objects.filter(kind="credit")} == {True}
        [refund] = CostSnapshot.objects.filter(cost_usd__lt=0)
        assert refund.provider.startswith("Lambda")

    def test_an_outage_leaves_a_gap_of_two_days(self):
        outage = self.plan.outage
        assert outage.provider == "GCP" and outage.span.length == 2
        days = Span(outage.span.start - timedelta(days=1), outage.span.end + timedelta(days=1))
        found = set(UsageSnapshot.objects.within(days).of(["GCP"]).values_list("date", flat=True))
        assert found == {days.start, days.last}
        assert not CostSnapshot.objects.within(outage.span).of(["GCP"]).exists()
        assert gpu_time.gpu_hours(Job.objects.filter(cluster="GCP"), Names.load(), outage.span) == 0

    def test_weekends_are_quiet(self):
        metered = defaultdict(list)
        for row in UsageSnapshot.objects.filter(date__lt=TODAY, provider="AWS", gpu_type="A10G"):
            metered[row.date.weekday() >= 5].append(row.gpu_hours)
        weekend, working = (sum(metered[part]) / len(metered[part]) for part in (True, False))
        assert Decimal("0.6") < weekend / working < Decimal("0.85")

    def test_gpus_are_busy_most_of_the_time_but_not_always(self):
        span = Span(TODAY - timedelta(days=59), TODAY)
        names = Names.load()
        used = gpu_time.gpu_hours(Job.objects.exclude(provider="kestrel"), names, span)
        metered = sum(UsageSnapshot.objects.within(span).values_list("gpu_hours", flat=True))
        assert Decimal("0.55") < used / metered < Decimal("0.85")

    def test_a_few_cells_report_more_than_was_billed(self):
        span, names = Span(TODAY - timedelta(days=59), TODAY), Names.load()
        ran = defaultdict(Decimal)
        for day, provider, gpu_type, microseconds, _ in gpu_time.by(
            ["day", "provider", "gpu_type"], Job.objects.all(), names, span
        ):
            ran[day, names.provider(provider), names.gpu_type(gpu_type)] += gpu_time.hours(microseconds)
        over = [
            row
            for row in UsageSnapshot.objects.within(span)
            if ran[row.date, names.provider(row.provider), names.gpu_type(row.gpu_type)]
            > row.gpu_hours + Decimal("0.01")
        ]
        assert 1 <= len(over) <= 8

    def test_other_spellings_are_the_same_provider(self):
        names = Names.load()
        assert "Lambda Labs" in {provider for provider, _ in names.pairs}
        assert set(names.provider_choices()) == {"AWS", "GCP", "Lambda", "OCI", "kestrel"}
        assert names.clock("Google Cloud") == "America/Los_Angeles"

    def test_the_history_shows_one_import_with_all_that_it_created(self):
        run = ImportRun.objects.get()
        created = {table: made["created"] for table, made in run.summary["tables"].items()}
        assert created["jobs"] == Job.objects.filter(imported_by=run).count() == 500
        assert created["bill_lines"] == BillLine.objects.count()
        snapshots = CostSnapshot.objects.count() + UsageSnapshot.objects.count()
        assert (
            ImportChange.objects.filter(run=run, before__isnull=True).count()
            == snapshots + Team.objects.count()
        )
        assert run.summary["read"] == run.summary["inserted"] == sum(created.values())

    def test_each_log_is_known_to_cover_the_days(self):
        clusters = set(LogSpan.objects.values_list("cluster", flat=True))
        assert clusters == {"kestrel", "GCP", "Lambda", "OCI"}

    def test_it_can_be_undone_like_any_import(self):
        with transaction.atomic():
            undo(ImportRun.objects.get().pk)
            for model in (Job, CostSnapshot, UsageSnapshot, Delivery, BillLine):
                assert not model.objects.exists()
            transaction.set_rollback(True)


def test_the_price_cut_is_the_real_one_when_the_days_hold_it():
    cut = Plan(TODAY).price_cut
    assert (cut.day, cut.provider, cut.listed) == (date(2025, 6, 23), "AWS", True)
    assert cut.gpu_types == ("A100-80GB", "H100-80GB")


def test_a_demo_without_a_real_price_cut_negotiates_one():
    plan = Plan(TODAY, 60, 500)
    [h100] = [fleet for fleet in FLEETS if fleet.name == "AWS H100-80GB"]
    day = plan.price_cut.day
    assert not plan.price_cut.listed and day in plan.span
    assert plan.price(h100, day - timedelta(days=1)) == Decimal("6.88")
    assert plan.price(h100, day) == Decimal("6.88") * Decimal("0.78")


def test_list_prices_are_those_of_the_day():
    assert prices.list_price("AWS", "H100-80GB", date(2025, 6, 22)) == Decimal("12.29")
    assert prices.list_price("AWS", "H100-80GB", date(2025, 6, 23)) == Decimal("6.88")
    assert prices.list_price("AWS", "H100-80GB", date(2020, 1, 1)) == Decimal("12.29")


def test_a_mid_size_company_grows_over_two_years():
    plan = Plan(TODAY)

    def month(first: date) -> Decimal:
        days = Span(first, first + timedelta(days=30))
        fleets = [fleet for fleet in FLEETS if fleet.billed]
        return sum(Decimal(plan.metered(f, day)) * plan.price(f, day) for f in fleets for day in days)

    start, end = month(plan.span.start), month(TODAY - timedelta(days=30))
    assert 200_000 < end < 500_000
    assert Decimal("1.2") < end / start < 4


@pytest.mark.parametrize(
    "today", [TODAY, date(2026, 1, 31), date(2026, 7, 1), date(2027, 5, 20), date(2028, 2, 29)]
)
def test_on_any_day_a_contract_ends_within_90_days_and_all_are_what_is_committed(today):
    plan = Plan(today)
    contracts = list(plan.contracts())
    assert 28 <= min((one.span.last - today).days for one in contracts if today in one.span) <= 90
    for day in plan.span:
        committed = sum(one.gpus for one in plan.commitments if day in one.span)
        assert sum(one.gpus for one in contracts if day in one.span) == committed


def test_ten_times_the_jobs_are_a_larger_company_with_smaller_jobs():
    small, large = Plan(TODAY), Plan(TODAY, jobs=200_020)
    assert small.size == pytest.approx(1, rel=1e-3)
    assert large.size == pytest.approx(10**0.5, rel=1e-3)


def test_text_is_guarded_for_copy():
    assert as_copied("a\tb\\c\n") == "a\\tb\\\\c\\n"
    assert as_copied(None) == "\\N"
