from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import gpu_time
from dashboard.gpu_time import gpu_microseconds, split_by_day
from dashboard.models import BillDay, Job, Provider
from dashboard.naming import Names
from dashboard.scope import Span

from .conftest import at, examples, make_job

HOUR = 3_600_000_000
instants = st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC))
clocks = st.sampled_from(["UTC", "America/Los_Angeles", "Asia/Kolkata", "Europe/Berlin"])
counts = st.decimals(Decimal("0.000001"), 64, places=6)


def hours_by_day(**how):
    return {
        day: Decimal(us) / HOUR
        for day, us, _ in gpu_time.by(["day"], Job.objects.all(), Names.load(), how.get("span"))
    }


def test_a_job_over_midnight_is_cut_at_midnight():
    pieces = split_by_day(at("2025-03-01 22:00"), at("2025-03-02 01:00"), Decimal(2), "UTC")
    assert pieces == [(date(2025, 3, 1), 4 * HOUR), (date(2025, 3, 2), 2 * HOUR)]


def test_the_day_on_which_clocks_go_forward_has_23_hours():
    pieces = split_by_day(at("2025-03-29 23:00"), at("2025-03-30 22:00"), Decimal(1), "Europe/Berlin")
    assert pieces == [(date(2025, 3, 30), 23 * HOUR)]


@settings(max_examples=examples(100))
@given(instants, st.timedeltas(timedelta(0), timedelta(days=9)), counts, clocks)
def test_the_pieces_of_a_job_add_up_to_its_time(start, length, gpu_count, clock):
    pieces = split_by_day(start, start + length, gpu_count, clock)
    total = sum(us for _, us in pieces)
    assert abs(total - gpu_microseconds(length, gpu_count)) <= len(pieces)
    assert all(us >= 0 for _, us in pieces)


@pytest.mark.parametrize("gpu_count", ["1", "2.5", "0.125", "0.142857", "16"])
def test_the_database_cuts_jobs_as_python_does(db, gpu_count):
    Provider.objects.create(name="AWS", bill_clock="America/Los_Angeles")
    expected: Counter[date] = Counter()
    for start, end in [
        ("2025-03-08 23:59:59.999999", "2025-03-10 00:00:00.000001"),
        ("2025-11-01 12:00:00.5", "2025-11-04 03:00:00.123457"),
        ("2025-06-01 07:00", "2025-06-02 07:00"),
        ("2025-06-01 10:00", "2025-06-01 10:00"),
    ]:
        make_job(start, end, gpu_count=Decimal(gpu_count))
        expected.update(dict(split_by_day(at(start), at(end), Decimal(gpu_count), "America/Los_Angeles")))
    found = {day: us for day, us, _ in gpu_time.by(["day"], Job.objects.all(), Names.load())}
    assert {d: us for d, us in found.items() if us} == {d: us for d, us in expected.items() if us}


@pytest.mark.parametrize("microsecond", range(0, 1_000_000, 76_923))
def test_the_time_of_a_century_is_known_to_the_microsecond(db, as_of, microsecond):
    """A double that counts seconds is half a microsecond off after 136 years."""
    as_of("2099-12-01")
    start = at("2000-01-02 00:00:00.000001")
    end = at("2099-11-30 23:59:58") + timedelta(microseconds=microsecond)
    job = make_job("2000-01-02 00:00", None, gpu_count="1")
    Job.objects.filter(pk=job.pk).update(start_time=start, end_time=end)
    [(spent,)] = gpu_time.spent_by([], Job.objects.all(), Names.load())
    assert spent == (end - start) // timedelta(microseconds=1)


def test_a_running_job_counts_until_now_and_a_pending_one_not_at_all(db, as_of):
    as_of("2025-03-02 06:00")
    make_job("2025-03-01 18:00", None, status="running", gpu_count=2)
    make_job("2025-03-01 18:00", None, status="pending")
    make_job("2025-03-03 00:00", None, status="running")
    make_job("2025-03-01 18:00", None, status="completed")
    make_job("2025-03-01 18:00", "2025-03-01 17:00", status="failed")
    assert hours_by_day() == {date(2025, 3, 1): 12, date(2025, 3, 2): 12}


def test_a_range_clips_jobs_to_its_days(db):
    make_job("2025-03-01 12:00", "2025-03-04 12:00")
    span = Span(date(2025, 3, 2), date(2025, 3, 4))
    assert hours_by_day(span=span) == {date(2025, 3, 2): 24, date(2025, 3, 3): 24}


def test_a_job_that_ends_at_midnight_sharp_is_not_of_the_next_day(db):
    make_job("2025-03-01 12:00", "2025-03-02 00:00")
    rows = gpu_time.by(["day"], Job.objects.all(), Names.load())
    assert rows == [(date(2025, 3, 1), 12 * HOUR, 1)]


def test_a_bill_clock_moves_hours_between_days_and_keeps_the_total(db):
    make_job("2025-03-01 04:00", "2025-03-01 12:00")
    assert hours_by_day() == {date(2025, 3, 1): 8}
    aws = Provider.objects.create(name="AWS", bill_clock="America/Los_Angeles")
    BillDay.objects.ensure("America/Los_Angeles")
    assert hours_by_day() == {date(2025, 2, 28): 4, date(2025, 3, 1): 4}
    aws.bill_clock = "Asia/Kolkata"
    aws.save()
    BillDay.objects.ensure("Asia/Kolkata")
    assert hours_by_day() == {date(2025, 3, 1): 8}


def test_jobs_are_within_a_range_by_their_providers_clock(db):
    make_job("2025-03-01 04:00", "2025-03-01 06:00", provider="AWS")
    make_job("2025-03-01 04:00", "2025-03-01 06:00", provider="GCP")
    Provider.objects.create(name="AWS", bill_clock="America/Los_Angeles")
    first_of_march = Span(date(2025, 3, 1), date(2025, 3, 2))
    within = Job.objects.within(first_of_march, Names.load().spellings_by_clock())
    assert [job.provider for job in within] == ["GCP"]


@pytest.mark.parametrize("keys", [[], ["team"], ["provider", "gpu_type"]])
def test_time_without_days_is_what_the_days_add_up_to(db, as_of, keys):
    as_of("2025-03-10 12:00:00.000007")
    Provider.objects.create(name="AWS", bill_clock="America/Los_Angeles")
    BillDay.objects.ensure("America/Los_Angeles")
    for n, gpus in enumerate(["1", "8", "0.142857", "2.5", "0.333333"]):
        make_job(
            f"2025-03-0{n + 1} 13:00:00.12345{n}", f"2025-03-09 0{n}:00:00.000001", gpu_count=Decimal(gpus)
        )
        make_job(f"2025-03-0{n + 1} 13:00", None, status="running", provider="GCP", gpu_count=Decimal(gpus))
    names = Names.load()
    cut = Counter()
    for *key, microseconds, _ in gpu_time.by(keys, Job.objects.all(), names):
        cut[tuple(key)] += microseconds
    assert {tuple(key): us for *key, us in gpu_time.spent_by(keys, Job.objects.all(), names)} == cut


def test_the_database_goes_from_each_job_to_its_days_by_the_index(db, django_assert_num_queries):
    make_job()
    with django_assert_num_queries(1) as asked:
        gpu_time.by(["team"], Job.objects.all(), Names())
    [sql] = [query["sql"] for query in asked.captured_queries]
    with connection.cursor() as cursor:
        words = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        cursor.execute(f"{words} {sql}")
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert "bill_days_of_clock_idx" in plan
    assert "Merge Join" not in plan and "Hash Join" not in plan
