"""How the database finds what pages show: never by looking at all jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard import joblist
from dashboard.demo_data.plan import Plan
from dashboard.demo_data.write import write
from dashboard.joblist import stretches
from dashboard.models import Job, among

from .conftest import at, make_team, make_user
from .test_pages import PAGES

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
    "/admin/dashboard/job/",
    "/admin/dashboard/job/?status=failed",
]


@pytest.fixture
def engineer(db, as_of, client):
    as_of("2026-01-31 12:00")
    client.force_login(make_user("root", "Admin", is_staff=True, is_superuser=True))
    return client


def test_no_page_looks_at_all_jobs(engineer, monkeypatch):
    """Two years of a company with so many jobs that looking at all of them shows."""
    monkeypatch.setattr(joblist, "SORTED", FEW)
    write(Plan(at("2026-01-31 00:00").date(), 730, JOBS, 1))
    job = Job.objects.order_by("start_time")[JOBS // 2]
    known = {"team": job.team_id, "model": job.model_name}
    for url in [*PAGES, *MORE_PAGES]:
        for sql, node in looks_at_jobs(engineer, url.format(**known)):
            assert node["Node Type"] != "Seq Scan", f"{url}: {sql}"
            assert node["Actual Rows"] * node["Actual Loops"] <= FEW, f"{url}: {sql}"


def test_a_search_that_many_names_match_looks_at_few_jobs(engineer, monkeypatch):
    monkeypatch.setattr(among, "MANY", 2)
    monkeypatch.setattr(stretches, "MOST", 2)
    monkeypatch.setattr(stretches, "FEW", FEW // 2)
    write(Plan(at("2026-01-31 00:00").date(), 730, JOBS, 1))
    for asked in ("", "&sort=start", "&before=end", "&preset=last30"):
        url = f"/jobs/?q=a{asked}"
        for sql, node in looks_at_jobs(engineer, url):
            assert node["Node Type"] != "Seq Scan", f"{url}: {sql}"
            assert node["Actual Rows"] * node["Actual Loops"] <= FEW, f"{url}: {sql}"


def test_the_jobs_without_a_start_are_listed_without_looking_at_all_of_them(engineer):
    facts = {"team": make_team("vision"), "provider": "AWS", "gpu_type": "L4", "model_name": "resnet"}
    Job.objects.bulk_create(Job(**facts, status="completed") for _ in range(JOBS // 2))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs")
    for sql, node in looks_at_jobs(engineer, "/jobs/?quality=no-start"):
        if "COUNT" not in sql:
            assert node["Actual Rows"] * node["Actual Loops"] <= 2 * 51, sql  # of each status


def looks_at_jobs(client: Any, url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with CaptureQueriesContext(connection) as asked:
        response = client.get(url)
    assert response.status_code == 200, url
    for sql in {query["sql"] for query in asked if reads_jobs(query["sql"])}:
        for node in nodes(plan_of(sql)):
            if node.get("Relation Name") == "jobs":
                yield sql, node


def reads_jobs(sql: str) -> bool:
    return sql.lstrip().upper().startswith(("SELECT", "WITH", "(SELECT")) and "jobs" in sql


def plan_of(sql: str) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {sql}")
        [(plan,)] = cursor.fetchall()
    return (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)
