from __future__ import annotations

from datetime import date

from dashboard.models import ImportRun, LogSpan, Provider
from dashboard.naming import Names
from dashboard.reports.freshness import Freshness

from .conftest import at, make_cost, make_job, make_usage


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
