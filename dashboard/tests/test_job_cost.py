from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest

from dashboard.models import Job, Team
from dashboard.naming import Names
from dashboard.reports.allocation import USE, allocate
from dashboard.reports.job_cost import job_cost, running_jobs
from dashboard.reports.statement import statement
from dashboard.scope import Scope, Span

from .conftest import make_cost, make_job, make_usage

pytestmark = pytest.mark.usefixtures("in_april")
MARCH = Span.inclusive(date(2025, 3, 1), date(2025, 3, 31))


@pytest.fixture
def three_days(db):
    """$100, $50 and $80 on 1–3 March; 20, 10 and 16 metered hours; 4 March has no bill."""
    for day, usd, hours in (("01", "100", "20"), ("02", "50", "10"), ("03", "80", "16"), ("05", "1", "1")):
        make_cost(f"2025-03-{day}", usd)
        make_usage(f"2025-03-{day}", hours)


def test_a_job_costs_its_share_of_every_day_it_ran_on(three_days):
    job = make_job("2025-03-01 22:00", "2025-03-02 05:00")
    make_job("2025-03-02 00:00", "2025-03-02 05:00", team="speech")
    cost = job_cost(job, Names.load())
    assert [(d.day.day, d.gpu_hours, d.usd) for d in cost.days] == [(1, 2, 10), (2, 5, 25)]
    assert cost.billed == 35 and not cost.estimated


def test_cents_of_a_model_are_shared_among_its_jobs_without_losing_one(three_days):
    make_cost("2025-03-20", "100.00")
    make_cost("2025-03-21", "1.00")
    jobs = [make_job("2025-03-20 00:00", "2025-03-20 01:00") for _ in range(3)]
    names = Names.load()
    assert sorted(job_cost(job, names).billed for job in jobs) == [
        Decimal("33.33"),
        Decimal("33.33"),
        Decimal("33.34"),
    ]


def test_a_day_without_a_closed_bill_is_estimated_at_the_last_closed_price(three_days):
    job = make_job("2025-03-03 22:00", "2025-03-04 03:00")
    cost = job_cost(job, Names.load())
    assert [(d.usd, d.estimated) for d in cost.days] == [(10, False), (15, True)]
    assert (cost.billed, cost.estimated, cost.unpriced) == (10, 15, 0)


def test_an_open_day_is_estimated_too_since_its_bill_may_be_a_part(three_days):
    job = make_job("2025-03-05 00:00", "2025-03-05 02:00")
    assert job_cost(job, Names.load()).estimated == 10


def test_hours_on_hardware_that_nobody_bills_have_no_price(three_days):
    job = make_job("2025-03-01 00:00", "2025-03-01 02:00", provider="fox")
    cost = job_cost(job, Names.load())
    assert (cost.billed, cost.estimated, cost.unpriced) == (0, 0, 1)


def test_a_job_that_never_ran_costs_nothing(three_days):
    assert job_cost(make_job(None, None, status="pending"), Names.load()).days == []


def test_the_price_of_another_hour_of_a_running_job(three_days, as_of):
    as_of("2025-03-04 06:00")
    make_job("2025-03-03 18:00", None, status="running", gpu_count=2)
    [found] = running_jobs(Scope(None), Names.load())
    assert found.usd_per_hour == 10
    # 12 h on the 3rd at $80 ÷ 16 h, 12 h on the 4th estimated at the same price
    assert (found.usd, found.estimated, found.gpu_hours) == (120, 60, 24)


def test_a_running_job_without_a_known_price_says_so(db):
    make_job("2025-03-03 18:00", None, status="running")
    [found] = running_jobs(Scope(None), Names.load())
    assert (found.usd_per_hour, found.usd, found.estimated) == (None, None, None)


def test_the_jobs_of_a_month_add_up_to_what_their_models_and_teams_pay(three_days):
    make_cost("2025-03-10", "99.97", gpu_type="L4")
    for n in range(7):
        make_job(
            f"2025-03-{1 + n % 3:02} {n:02}:17",
            f"2025-03-{2 + n % 3:02} {n:02}:41",
            team=("vision", "speech")[n % 2],
            model_name=("resnet", "vit")[n % 3 % 2],
            gpu_count=Decimal("0.5") * (n + 1),
        )
    make_job("2025-03-10 01:00", "2025-03-10 02:00", gpu_type="L4")
    names = Names.load()
    models: defaultdict[tuple, int] = defaultdict(int)
    for share in allocate(Scope(Span(date(2025, 3, 1), date(2025, 3, 5))), names, by_model=True).shares:
        if share.line == USE:
            models[share.team, share.model] += share.cents or 0
    jobs: defaultdict[tuple, Decimal] = defaultdict(Decimal)
    for job in Job.objects.filter(gpu_type="A100-80GB"):
        jobs[job.team_id, job.model_name] += job_cost(job, names).billed
    assert dict(jobs) == {key: Decimal(cents) / 100 for key, cents in models.items()}


def test_a_statement_adds_up_to_the_team_s_share(three_days):
    make_job("2025-03-01 00:00", "2025-03-01 15:00")
    make_job("2025-03-02 00:00", "2025-03-02 04:00", team="speech", model_name="whisper")
    make_cost("2025-03-02", "9.00", provider="GCP", gpu_type="L4")
    make_job("2025-03-02 00:00", "2025-03-02 02:00", provider="GCP", gpu_type="L4", model_name="vit")
    vision = Team.objects.get(name="vision")
    found = statement(vision.pk, Scope(MARCH), Names.load())
    assert [(line.provider, line.usd, line.gpu_hours) for line in found.lines] == [
        ("AWS", 75, 15),
        ("GCP", 9, 2),
    ]
    assert found.total.usd == 84 and found.total.usd_per_hour == Decimal(84) / 17
    assert [(name, cents) for name, _, cents in found.models] == [("resnet", 7500), ("vit", 900)]


def test_spread_idle_cost_is_a_column_of_the_statement(three_days):
    make_job("2025-03-01 00:00", "2025-03-01 15:00")
    vision = Team.objects.get(name="vision")
    found = statement(vision.pk, Scope(MARCH, idle="by_use"), Names.load())
    # 1 March: 5 of 20 hours were idle. The days without jobs have no log, so they are unallocated.
    assert (found.total.shared_usd, found.total.idle_usd) == (75, 25)


def test_a_running_job_s_page_and_the_list_agree(three_days, as_of):
    as_of("2025-03-04 06:00")
    job = make_job("2025-03-02 18:00", None, status="running")
    [listed] = running_jobs(Scope(None), Names.load())
    cost = job_cost(job, Names.load())
    assert cost.billed + cost.estimated == listed.usd
