"""How the database finds what pages show: never by looking at all jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard import joblist, remembered
from dashboard.admin import jobs
from dashboard.demo_data.plan import Plan
from dashboard.demo_data.write import write
from dashboard.joblist import stretches
from dashboard.models import Job, among

from .conftest import at, make_team, make_user, written_once
from .test_pages import PAGES

NOW = "2026-01-31 12:00"
JOBS = 24_000
FEW = JOBS // 20
MORE_PAGES = [
    "/jobs/?team={team}",
    "/jobs/?status=failed",
    "/jobs/?status=cancelled&provider=OCI&gpu_type=A100-40GB",
    "/jobs/?model={model}",
    "/jobs/?q={model}",
    "/jobs/?q=no-such-thing",
    "/jobs/?sort=start",
    "/jobs/?sort=-end",
    "/jobs/?preset=free&start=2025-03-01&end=2025-03-02",
    "/jobs/?team={team}&status=completed&start=2025-03-01&end=2025-05-29",
    "/jobs/?quality=no-end",
    "/jobs/?quality=ends-before-start",
    "/teams/{team}/",
    "/allocation/?by=model",
    "/data-quality/",
    "/contracts/",
    "/closing/",
    "/closing/2025/12/",
    "/mappings/",
    "/jobs/running/",
    "/jobs/{job}/",
    "/teams/{team}/statement/?month=2025-12",
    "/reconcile/?view=match",
    "/reconcile/?view=gaps",
    "/admin/dashboard/job/",
    "/admin/dashboard/job/{job}/change/",
    "/admin/dashboard/job/?status=failed",
    "/admin/dashboard/job/?gpu_type=L4",
    "/admin/dashboard/job/?quality=no-end",
    "/admin/dashboard/job/?q={model}",
    "/admin/dashboard/job/?q=no-such-thing",
    "/admin/dashboard/job/?o=1",
    "/admin/dashboard/job/?o=-8.3",
    "/admin/dashboard/job/?team={team}&o=3",
    "/admin/dashboard/job/?p=3",
]


@pytest.fixture(scope="class")
def two_years(django_db_setup, django_db_blocker):
    """Of a company with so many jobs that looking at all of them shows."""
    with written_once(django_db_blocker, NOW, lambda: write(Plan(at(NOW).date(), 730, JOBS, 1))):
        yield


@pytest.fixture
def engineer(db, as_of, client):
    as_of(NOW)
    client.force_login(make_user("root", "Admin", is_staff=True, is_superuser=True))
    return client


@pytest.mark.usefixtures("two_years")
class TestTwoYears:
    def test_no_page_looks_at_all_jobs(self, engineer, monkeypatch):
        monkeypatch.setattr(joblist, "SORTED", FEW)
        monkeypatch.setattr(jobs, "SORTED", FEW // 2)
        job = Job.objects.order_by("start_time")[JOBS // 2]
        known = {"team": job.team_id, "model": job.model_name, "job": job.pk}
        looked = set()
        for url in [*PAGES, *MORE_PAGES]:
            for sql, node in looks_at_jobs(engineer, url.format(**known)):
                looked.add(url)
                assert node["Node Type"] != "Seq Scan", f"{url}: {sql}"
                assert node["Actual Rows"] * node["Actual Loops"] <= FEW, f"{url}: {sql}"
        assert looked >= {url for url in MORE_PAGES if url.startswith(("/jobs/", "/admin/dashboard/job/"))}

    @pytest.mark.parametrize("days", ["start=2025-10-01&end=2025-12-29", "start=2024-04-01&end=2024-06-29"])
    @pytest.mark.parametrize("more", ["", "&status=completed", "&provider=GCP"])
    def test_what_ended_within_days_is_read_from_there(self, engineer, monkeypatch, days, more):
        """And not from the first or the last end of all."""
        monkeypatch.setattr(joblist, "SORTED", 10)
        for sort in ("end", "-end"):
            url = f"/jobs/?preset=free&{days}&sort={sort}{more}"
            ordered = [one for one in looks_at_jobs(engineer, url) if '"end_time" AS "sort_value"' in one[0]]
            assert ordered, url
            for sql, node in ordered:
                looked_at = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                assert looked_at * node["Actual Loops"] <= JOBS // 6, f"{url}: {sql}"  # those of the days

    def test_a_search_that_many_names_match_looks_at_few_jobs(self, engineer, monkeypatch):
        monkeypatch.setattr(among, "MANY", 2)
        monkeypatch.setattr(stretches, "MOST", 2)
        monkeypatch.setattr(stretches, "FEW", FEW // 2)
        for asked in ("", "&sort=start", "&before=end", "&preset=last30"):
            url = f"/jobs/?q=a{asked}"
            looked = list(looks_at_jobs(engineer, url))
            assert looked, url
            for sql, node in looked:
                assert node["Node Type"] != "Seq Scan", f"{url}: {sql}"
                assert node["Actual Rows"] * node["Actual Loops"] <= FEW, f"{url}: {sql}"


def test_the_jobs_without_a_start_are_listed_without_looking_at_all_of_them(engineer):
    facts = {"team": make_team("vision"), "provider": "AWS", "gpu_type": "L4", "model_name": "resnet"}
    Job.objects.bulk_create(Job(**facts, status="completed") for _ in range(JOBS // 2))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs")
    listed = [one for one in looks_at_jobs(engineer, "/jobs/?quality=no-start") if "COUNT" not in one[0]]
    assert listed
    for sql, node in listed:
        assert node["Actual Rows"] * node["Actual Loops"] <= 2 * 51, sql  # of each status


@pytest.mark.usefixtures("two_years")
@pytest.mark.parametrize(("check", "status"), [("no-start", "completed"), ("no-end", "cancelled")])
def test_a_check_of_an_old_log_does_not_look_at_all_that_never_began(engineer, check, status):
    facts = {"team": make_team("vision"), "provider": "AWS", "gpu_type": "L4", "model_name": "resnet"}
    Job.objects.bulk_create(Job(**facts, status=status) for _ in range(JOBS // 2))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs")
    listed = [one for one in looks_at_jobs(engineer, f"/jobs/?quality={check}") if "COUNT" not in one[0]]
    assert listed
    for sql, node in listed:
        assert node["Actual Rows"] * node["Actual Loops"] <= 2 * 51, sql


def looks_at_jobs(client: Any, url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    remembered.forget()
    with CaptureQueriesContext(connection) as asked:
        response = client.get(url)
    assert response.status_code == 200, url
    for planned, sql in {planned_apart(query["sql"]) for query in asked}:
        if reads_jobs(sql):
            for node in nodes(plan_of(sql, planned)):
                if node.get("Relation Name") == "jobs":
                    yield sql, node


def planned_apart(sql: str) -> tuple[str, str]:
    """How the statement shall be planned, and the statement."""
    planned, sql = sql.startswith(stretches.IN_ORDER), sql.removeprefix(stretches.IN_ORDER)
    return stretches.IN_ORDER if planned else "", sql


def reads_jobs(sql: str) -> bool:
    return sql.lstrip().upper().startswith(("SELECT", "WITH", "(SELECT")) and "jobs" in sql


def plan_of(sql: str, planned: str = "") -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("RESET enable_incremental_sort;" + planned)
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {sql}")
        [(plan,)] = cursor.fetchall()
    return (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)
