from __future__ import annotations

from datetime import date

from dashboard.models import ImportRun, LogSpan, Provider
from dashboard.naming import Names
from dashboard.reports.freshness import Freshness

from .conftest import at, make_cost, make_job, make_usage
from .contracts import make_entry, per_hour, per_month


def load() -> Freshness:
    return Freshness.load(Names.load())


def test_a_bill_is_complete_through_its_last_day_less_the_lag(db, as_of):
    as_of("2025-03-20")
    make_cost("2025-03-10", "1")
    make_usage("2025-03-12", "1")
    make_cost("2025-03-12", "1", provider="GCP")
    Provider.objects.create(name="GCP", lag_days=3)
    assert {p.provider: p.through for p in load().providers} == {
        "AWS": date(2025, 3, 11),
        "GCP": date(2025, 3, 9),
    }


def test_today_is_never_closed(db, as_of):
    as_of("2025-03-12 23:00")
    Provider.objects.create(name="AWS", lag_days=0)
    make_cost("2025-03-12", "1")
    assert load().through() == date(2025, 3, 11)


def test_the_slowest_provider_decides_and_one_that_has_ended_does_not(db, as_of):
    as_of("2025-03-20")
    make_cost("2025-03-12", "1")
    make_cost("2025-03-08", "1", provider="GCP")
    make_cost("2024-12-31", "1", provider="Lambda")
    freshness = load()
    assert freshness.through() == date(2025, 3, 7)
    assert freshness.through(("AWS",)) == date(2025, 3, 11)
    assert freshness.through(("Lambda",)) == date(2024, 12, 30)
    assert [p.provider for p in freshness.providers if p.late] == ["Lambda"]


def test_a_provider_without_a_closed_day_sets_none_for_the_others(db, as_of):
    """HandCo's only row lies on the 5th: by its lag not even that day is closed."""
    as_of("2025-03-20")
    make_cost("2025-03-01", "1")
    make_cost("2025-03-12", "1")
    make_cost("2025-03-05", "-12.34", provider="HandCo")
    freshness = load()
    assert [(p.provider, p.closed) for p in freshness.providers] == [
        ("AWS", date(2025, 3, 11)),
        ("HandCo", None),
    ]
    assert freshness.through() == freshness.through(("AWS", "HandCo")) == date(2025, 3, 11)
    assert freshness.through(("HandCo",)) == date(2025, 3, 4)
    make_cost("2025-03-06", "1.00", provider="HandCo")
    assert load().through() == date(2025, 3, 5)


def test_one_row_of_a_new_provider_moves_no_range(client, finance, as_of):
    as_of("2025-03-20")
    for provider in ("AWS", "GCP", "OCI", "Azure"):
        make_cost("2025-03-01", "1.00", provider=provider)
        make_cost("2025-03-19", "1.00", provider=provider)
    make_cost("2025-03-05", "-12.34", provider="HandCo")
    client.force_login(finance)
    response = client.get("/costs/", {"preset": "last7"})
    assert response.context["span"] == "Last 7 days (closed): 12–18 Mar 2025"
    page = response.content.decode()
    assert "Data complete through 18 Mar 2025, 5 providers, 1 without a closed day</summary>" in page
    assert "HandCo no closed day yet" in page


def test_of_many_providers_the_one_that_is_behind_is_named(client, finance, as_of):
    as_of("2025-05-10 12:00")
    for provider, day in (("AWS", "05-09"), ("GCP", "04-11"), ("OCI", "05-09"), ("Azure", "05-09")):
        make_cost("2025-04-01", "1.00", provider=provider)
        make_cost(f"2025-{day}", "1.00", provider=provider)
    make_cost("2025-01-01", "1.00", provider="Gone")
    client.force_login(finance)
    page = client.get("/costs/").content.decode()
    assert (
        "Data complete through 10 Apr 2025 (GCP) to 8 May 2025 (OCI), 5 providers, 1 late</summary>" in page
    )


def complete() -> dict[str, date]:
    return {p.provider: p.through for p in load().providers}


def test_a_period_entry_is_complete_to_its_end_and_a_rate_through_yesterday(db, as_of):
    as_of("2025-03-20 12:00")
    make_entry("2025-02-01", "2025-02-28", "100")
    make_entry("2025-03-01", "2025-03-31", "100", provider="Lambda", gpu_type="GH200")
    per_month("1000", "8", "2025-01-01")
    per_hour("1", "2025-01-01", "2025-02-27", provider="wolf")
    per_hour("1", "2025-03-21", provider="bear")
    assert complete() == {
        "AWS": date(2025, 2, 28),
        "fox": date(2025, 3, 19),
        "Lambda": date(2025, 3, 19),
        "wolf": date(2025, 2, 27),
    }
    assert (load().first, load().last) == (date(2025, 1, 1), date(2025, 3, 31))
    assert not any(p.late for p in load().providers)


def test_totals_that_follow_a_daily_bill_complete_it_and_one_beside_it_does_not(db, as_of):
    as_of("2025-03-20")
    for provider in ("AWS", "GCP", "Lambda"):
        make_cost("2025-03-10", "1", provider=provider)
    make_entry("2025-03-01", "2025-03-31", "100", provider="aws", gpu_type="support")
    make_entry("2025-03-11", "2025-03-15", "100", provider="GCP")
    make_entry("2025-01-01", "2025-01-31", "100", provider="Lambda")
    assert complete() == {
        "AWS": date(2025, 3, 9),
        "GCP": date(2025, 3, 15),
        "Lambda": date(2025, 3, 9),
    }


def test_a_total_that_reaches_into_the_future_makes_no_bill_late(db, as_of):
    as_of("2025-03-20")
    make_cost("2025-03-18", "1")
    make_entry("2025-01-01", "2025-12-31", "100", provider="GCP")
    assert not any(p.late for p in load().providers)


def test_without_a_bill_the_days_are_those_of_the_jobs_and_their_logs(db, as_of):
    as_of("2025-03-20")
    make_job("2025-03-01 00:00", "2025-03-02 00:00")
    run = ImportRun.objects.create(format="slurm", files=[], written_at=at("2025-03-05 00:00"))
    LogSpan.objects.create(run=run, cluster="fox", first=at("2025-03-01 00:00"), last=at("2025-03-04 12:00"))
    freshness = load()
    assert (freshness.first, freshness.last, freshness.through()) == (
        date(2025, 3, 1),
        date(2025, 3, 4),
        date(2025, 3, 3),
    )


def test_nothing_stored_has_no_days(db):
    freshness = load()
    assert (freshness.through(), freshness.span(), freshness.providers) == (None, None, ())


def test_pages_about_jobs_reach_as_far_as_the_logs(client, finance, as_of):
    as_of("2025-06-10")
    make_cost("2024-09-27", "1")
    make_job("2025-05-03 00:00", "2025-05-04 00:00")
    client.force_login(finance)
    assert client.get("/costs/", {"preset": "last7"}).context["span"].endswith("20–26 Sep 2024")
    assert client.get("/teams/", {"preset": "last7"}).context["span"].endswith("26 Apr – 2 May 2025")


def test_a_chart_of_all_days_spans_the_days_of_its_own_rows(client, finance, as_of):
    as_of("2025-06-10")
    make_cost("2024-09-27", "1")
    make_job("2025-05-03 00:00", "2025-05-04 00:00")
    client.force_login(finance)
    [chart] = client.get("/teams/", {"preset": "all"}).context["charts"]
    assert chart.labels == ["2025-05-03"]


def test_a_century_of_days_is_drawn_coarser(client, finance, as_of):
    as_of("2025-06-10")
    make_cost("2024-09-27", "1")
    client.force_login(finance)
    [chart] = client.get("/costs/", {"start": "2000-01-01", "end": "2099-12-31", "bucket": "day"}).context[
        "charts"
    ]
    assert len(chart.labels) == 400


def test_no_day_is_closed_before_it_is_over_by_the_bill_s_own_clock(db, as_of):
    """At three in the morning of the 11th in London it is still the 10th in Los Angeles."""
    Provider.objects.create(name="AWS", bill_clock="America/Los_Angeles", lag_days=0)
    make_cost("2025-03-10", "100.00")
    as_of("2025-03-11 03:00")
    assert Freshness.load(Names.load()).through() == date(2025, 3, 9)
    as_of("2025-03-11 08:00")
    assert Freshness.load(Names.load()).through() == date(2025, 3, 10)
