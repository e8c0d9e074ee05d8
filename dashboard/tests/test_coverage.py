"""Which days of a provider a job log speaks of."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from dashboard.models import ClusterMapping, ImportRun, LogSpan, NameAlias, Provider
from dashboard.naming import Names
from dashboard.reports.coverage import Coverage, merged
from dashboard.scope import Span

from .conftest import at, make_job
from .loading import csv_job, job, load_rows

pytestmark = pytest.mark.django_db


def days(first: int, last: int) -> Span:
    return Span.inclusive(date(2025, 3, first), date(2025, 3, last))


def make_log(first: str, last: str, cluster: str = "fox", **facts: Any) -> LogSpan:
    run = ImportRun.objects.create(
        format="slurm",
        files=[],
        written_at=at(facts.pop("read", "2026-01-01 00:00")),
        status=facts.pop("status", "committed"),
    )
    return LogSpan.objects.create(run=run, cluster=cluster, first=at(first), last=at(last), **facts)


def make_mapping(provider: str = "AWS", cluster: str = "Fox", **facts: Any) -> ClusterMapping:
    return ClusterMapping.objects.create(cluster=cluster, provider=provider, gpu_type="A100-80GB", **facts)


def coverage() -> Coverage:
    return Coverage.load(Names.load())


def test_a_log_covers_the_days_from_its_first_to_its_last_instant():
    make_log("2025-03-03 23:00", "2025-03-05 00:30")
    found = coverage()
    assert found.days("fox") == [days(3, 5)]
    assert [found.covers("fox", date(2025, 3, day)) for day in (2, 3, 5, 6)] == [False, True, True, False]
    assert ("fox", date(2025, 3, 4)) in found
    assert found.days("AWS") == []


def test_its_days_are_those_of_the_providers_bill_clock():
    Provider.objects.create(name="AWS", bill_clock="America/Los_Angeles")
    make_log("2025-03-03 03:00", "2025-03-05 09:00", providers=["AWS", "GCP"])
    found = coverage()
    assert found.days("AWS") == [days(2, 5)]
    assert found.days("GCP") == [days(3, 5)]


def test_a_file_that_names_providers_speaks_of_those_and_not_of_the_mappings():
    make_mapping("AWS")
    make_log("2025-03-03 00:00", "2025-03-05 00:00", providers=["GCP"])
    assert set(coverage().spans) == {"GCP"}


def test_a_clusters_log_speaks_of_every_provider_that_it_is_mapped_to():
    make_mapping("AWS", partition="accel")
    make_mapping("GCP", raw_gpu_type="l4")
    make_log("2025-03-03 00:00", "2025-03-05 00:00")
    assert coverage().spans == {"AWS": [days(3, 5)], "GCP": [days(3, 5)]}


def test_a_mapping_of_some_days_lends_the_log_those_days():
    make_mapping("AWS", valid_to=date(2025, 3, 3))
    make_mapping("GCP", valid_from=date(2025, 3, 4))
    make_log("2025-03-02 00:00", "2025-03-05 00:00")
    assert coverage().spans == {"AWS": [days(2, 3)], "GCP": [days(4, 5)]}


def test_gpus_that_no_mapping_places_stand_under_the_clusters_own_name():
    make_mapping("AWS", raw_gpu_type="a100")
    make_log("2025-03-03 00:00", "2025-03-05 00:00")
    make_job(provider="fox", gpu_type="mi250", cluster="fox", raw_gpu_type="mi250")
    assert set(coverage().spans) == {"AWS", "fox"}


def test_display_names_and_aliases_bring_logs_together():
    NameAlias.objects.create(kind="provider", alias="Amazon Web Services", name="AWS")
    make_log("2025-03-01 00:00", "2025-03-02 12:00", providers=["aws"])
    make_log("2025-03-03 00:00", "2025-03-04 00:00", providers=["Amazon web services"])
    make_log("2025-03-08 00:00", "2025-03-09 00:00", providers=["AWS"])
    assert coverage().spans == {"AWS": [days(1, 4), days(8, 9)]}


def test_an_import_that_was_undone_covers_nothing():
    make_log("2025-03-03 00:00", "2025-03-05 00:00", status="undone")
    assert coverage().spans == {}


def test_no_log_speaks_of_days_after_it_was_read():
    make_log("2025-03-03 00:00", "2106-01-01 00:00", read="2025-03-04 08:00")
    make_log("2025-03-09 00:00", "2106-01-01 00:00", read="2025-03-04 08:00")
    assert coverage().days("fox") == [days(3, 4)]


def test_an_imported_log_covers_the_days_of_its_jobs():
    load_rows(
        job("1", start_time=at("2025-03-02 10:00"), end_time=at("2025-03-02 11:00")),
        job("2", start_time=at("2025-03-06 10:00"), end_time=at("2025-03-06 11:00")),
    )
    load_rows(csv_job("3", start_time=at("2025-03-02 10:00"), end_time=at("2025-03-03 11:00")))
    assert coverage().spans == {"fox": [days(2, 6)], "AWS": [days(2, 3)]}


def test_spans_that_meet_are_one():
    assert merged(
        [days(5, 6), days(1, 2), days(3, 3), days(5, 5), Span(date(2025, 3, 9), date(2025, 3, 9))]
    ) == [
        days(1, 3),
        days(5, 6),
    ]


def test_coverage_asks_the_database_twice(django_assert_num_queries):
    for n in range(5):
        make_mapping(f"cloud {n}", cluster=f"cluster {n}")
        make_log("2025-03-03 00:00", "2025-03-05 00:00", cluster=f"cluster {n}")
    names = Names.load()
    with django_assert_num_queries(2):
        assert len(Coverage.load(names).spans) == 5
