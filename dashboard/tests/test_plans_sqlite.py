"""How SQLite finds what pages show: by counting the steps of its machine, for its plans depend on values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from dashboard import joblist
from dashboard.admin import jobs
from dashboard.demo_data.plan import Plan
from dashboard.demo_data.write import write
from dashboard.models import Job

from .conftest import at, make_user, written_once
from .test_plans import MORE_PAGES, NOW

JOBS = 16_000
PAGES = ["/", "/usage/", "/jobs/", "/jobs/running/", "/teams/", "/waste/", *MORE_PAGES]
FIGURES = ["/", "/usage/", "/teams/", "/allocation/", "/waste/", "/jobs/running/", "/data-quality/"]
AT_ONCE = 1_000
UNUSUAL = '"jobs"."status" IN'
MOST_STEPS = 8 * JOBS  # to look at a job takes more


@contextmanager
def steps(found: dict[str, int], of_days: dict[str, Any]) -> Iterator[None]:
    """Steps by statement, of those that read jobs; to the next thousand. of_days: what they are asked with
    where they look into the calendar.
    """
    count = 0

    def step() -> int:
        nonlocal count
        count += AT_ONCE
        return 0

    def counted(execute, sql, params, many, context):
        nonlocal count
        count = 0
        try:
            return execute(sql, params, many, context)
        finally:
            if '"jobs"' in sql or " jobs " in sql:
                found[sql] = max(found.get(sql, 0), count)
                of_days.update({sql: params} if "bill_days" in sql else {})

    connection.ensure_connection()
    connection.connection.set_progress_handler(step, AT_ONCE)
    try:
        with connection.execute_wrapper(counted):
            yield
    finally:
        connection.connection.set_progress_handler(None, AT_ONCE)


@pytest.fixture(scope="module")
def two_years(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    def fill() -> None:
        write(Plan(at(NOW).date(), 730, JOBS, 1))
        analyze_as_if_of_a_million()

    with written_once(django_db_blocker, NOW, fill):
        yield


@pytest.fixture
def log(two_years: None, db: None, as_of: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    as_of(NOW)
    client.force_login(make_user("root", "Admin", is_staff=True, is_superuser=True))
    monkeypatch.setattr(joblist, "SORTED", JOBS // 20)
    monkeypatch.setattr(jobs, "SORTED", JOBS // 20)


def test_no_page_looks_at_all_jobs(log, client):
    job = Job.objects.order_by("start_time")[JOBS // 2]
    known = {"team": job.team_id, "model": job.model_name, "job": job.pk}
    for url in PAGES:
        found: dict[str, int] = {}
        of_days: dict[str, Any] = {}
        with steps(found, of_days):
            assert client.get(url.format(**known)).status_code == 200, url
        for sql, number in found.items():
            assert number <= MOST_STEPS, f"{url}: {sql}"
        for sql, params in of_days.items():
            assert "BLOOM" not in plan(sql, params), f"{url}: all days for a few of them: {sql}"


def test_those_that_were_cancelled_before_they_began_cost_nothing(log, client):
    """They have no end, either: an index of ends would lead to them."""
    facts = {"team": Job.objects.all()[0].team, "provider": "AWS", "gpu_type": "L4", "model_name": "resnet"}
    Job.objects.bulk_create(Job(**facts, status="cancelled") for _ in range(JOBS // 2))
    for url in ["/", "/jobs/running/", "/jobs/?quality=no-end", "/jobs/?quality=runs-too-long"]:
        found: dict[str, int] = {}
        with steps(found, {}):
            assert client.get(url).status_code == 200
        # Sums count all that is unusual and reaches into their days.
        listed = {sql: number for sql, number in found.items() if UNUSUAL in sql and "gpu_days" not in sql}
        assert listed
        assert max(listed.values()) <= JOBS // 2, listed


def test_pages_of_figures_wait_for_the_first_indexes_that_an_import_makes_anew(log, client):
    with connection.cursor() as cursor:
        for index in Job._meta.indexes[3:]:
            cursor.execute(f"DROP INDEX {index.name}")
    for url in FIGURES:
        found: dict[str, int] = {}
        with steps(found, {}):
            assert client.get(url).status_code == 200, url
        assert max(found.values()) <= MOST_STEPS, f"{url}: {found}"


def analyze_as_if_of_a_million() -> None:
    """What SQLite expects of each index decides; of a million jobs it expects so many times more."""
    times = 1_000_000 // JOBS
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SELECT rowid, stat FROM sqlite_stat1 WHERE tbl = 'jobs'")
        for row, stat in cursor.fetchall():
            more = " ".join(str(int(number) * times) if number != "1" else number for number in stat.split())
            cursor.execute("UPDATE sqlite_stat1 SET stat = %s WHERE rowid = %s", [more, row])
        cursor.execute("ANALYZE sqlite_schema")


def plan(sql: str, params: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        return "\n".join(step for *_, step in cursor.fetchall())
