"""Values that SQLite would store in spite of a column's type, and no page could read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import IntegrityError, connection

from dashboard import typed
from dashboard.doctor import examine
from dashboard.models import CostSnapshot, Job
from dashboard.statements import execute

from .conftest import at, make_cost, make_job

pytestmark = pytest.mark.django_db


def test_the_refusal_names_the_column_and_what_it_expects():
    make_cost("2025-03-01", "10.00")
    with pytest.raises(IntegrityError, match="cost_snapshots.cost_usd: expected a number below 1e10"):
        execute(connection, "UPDATE cost_snapshots SET cost_usd = 1e400")


def test_an_hour_that_python_does_not_know_is_refused():
    make_job()
    with pytest.raises(IntegrityError, match="jobs.end_time: expected a time such as 2025-03-01 12:00:00"):
        execute(connection, "UPDATE jobs SET end_time = '2025-03-01 24:00:00'")


def test_what_a_page_can_read_is_stored():
    make_cost("2025-03-01", "10.00"), make_job()
    execute(connection, "UPDATE cost_snapshots SET cost_usd = '-9999999999.99', date = '9999-12-31'")
    execute(connection, "UPDATE jobs SET start_time = '2025-03-01T10:00:00.123456Z', end_time = NULL")
    assert CostSnapshot.objects.get().cost_usd == Decimal("-9999999999.99")
    assert Job.objects.get().start_time == at("2025-03-01 10:00").replace(microsecond=123456)


def test_doctor_counts_what_came_in_before_and_says_what_to_do():
    make_cost("2025-03-01", "10.00"), make_cost("2025-03-02", "10.00")
    execute(connection, "DROP TRIGGER cost_snapshots_typed_update")
    execute(connection, "UPDATE cost_snapshots SET cost_usd = 1e400")
    assert told() == [
        ("the triggers that refuse them are missing", "Run manage.py roll_up --rebuild."),
        (
            "2 in cost_snapshots.cost_usd cannot be read",
            "Mend or delete these rows by SQL: pages that read them fail.",
        ),
    ]
    typed.install(connection)
    execute(connection, "UPDATE cost_snapshots SET cost_usd = 12.5")
    assert told() == [("what no page could read is refused", "")]


def test_a_row_that_came_in_broken_can_be_mended_column_by_column():
    job = make_job()
    execute(connection, "DROP TRIGGER jobs_typed_update")
    execute(connection, "UPDATE jobs SET start_time = '0000-05-05 00:00:00', end_time = 'late'")
    typed.install(connection)
    assert [found for found, _ in told()[1:]] == [
        "1 in jobs.start_time cannot be read",
        "1 in jobs.end_time cannot be read",
    ]
    execute(connection, "UPDATE jobs SET model_name = 'bert', start_time = '2025-03-01 10:00:00'")
    execute(connection, "UPDATE jobs SET end_time = NULL")
    assert (Job.objects.get().pk, len(told())) == (job.pk, 1)


def told() -> list[tuple[str, str]]:
    return [(one.found, one.todo) for one in examine() if one.what == "values"]
