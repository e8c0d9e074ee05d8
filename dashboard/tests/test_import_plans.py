"""A small file comes in among many jobs: only those that it speaks of are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection

from dashboard.demo_data.plan import Plan
from dashboard.demo_data.write import write
from dashboard.ingest.records import JobRow

from .conftest import at
from .loading import csv_job, job, load_rows
from .test_plans import FEW, JOBS

# Of this transaction, those that triggers look at included.
READ = """SELECT seq_tup_read, coalesce(idx_tup_fetch, 0)
FROM pg_stat_xact_user_tables WHERE relid = 'jobs'::regclass"""


@contextmanager
def few_jobs_read() -> Iterator[None]:
    before = jobs_read()
    yield
    one_by_one, by_index = (now - then for now, then in zip(jobs_read(), before, strict=True))
    assert one_by_one == 0
    assert by_index <= FEW


def jobs_read() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(READ)
        return cursor.fetchone()


def jobs(first: int, last: int, status: str = "completed") -> list[JobRow]:
    """One a month, so that the file speaks of all months that there are jobs in."""
    return [
        csv_job(f"job {n}", line=n, status=status, start_time=start, end_time=start + timedelta(hours=5))
        for n in range(first, last)
        for start in [at(f"{2024 + n % 2}-{n % 12 + 1:02}-28 22:00")]
    ]


def test_jobs_are_found_by_their_keys_and_months_in_the_sums(db, as_of):
    as_of("2026-01-31 12:00")
    write(Plan(at("2026-01-31 00:00").date(), 730, JOBS, 1))
    load_rows(*jobs(0, 40))
    with few_jobs_read():
        summary = load_rows(*jobs(0, 20), *jobs(20, 40, "failed"), *jobs(40, 60))
    assert (summary.unchanged, summary.updated, summary.inserted) == (20, 20, 20)
    with few_jobs_read():
        assert load_rows(*jobs(60, 80), dry_run=True).inserted == 20
    with few_jobs_read():  # a provider with a clock of its own, spelled in a new way
        assert load_rows(csv_job("new", provider="gcp ")).inserted == 1
    with few_jobs_read():  # tasks of arrays, by one of their names and by both
        start = at("2025-07-28 22:00")
        facts = {"submitted_by": "ada", "submit_time": start, "start_time": start, "end_time": None}
        by_one = [job(f"7_{n}", line=n, **facts) for n in range(20)]
        by_both = [job(f"{n}", line=n, other_name=f"8_{n}", **facts) for n in range(20)]
        assert load_rows(*by_one).inserted == load_rows(*by_both).inserted == 20
