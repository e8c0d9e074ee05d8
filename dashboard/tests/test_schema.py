"""The four tables speak plain SQL: whoever knows only their original columns can write to them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from dashboard.models import CostSnapshot, Job, Team, UsageSnapshot

from .conftest import at, make_job, make_team

pytestmark = pytest.mark.django_db
ORIGINAL = {
    Team: {"name": "vision"},
    Job: {
        "model_name": "resnet",
        "gpu_type": "A100-80GB",
        "provider": "AWS",
        "start_time": "2025-03-01 10:00:00+00:00",
        "end_time": None,
        "status": "running",
    },
    CostSnapshot: {"date": "2025-03-01", "provider": "AWS", "gpu_type": "A100-80GB", "cost_usd": "-25.10"},
    UsageSnapshot: {"date": "2025-03-01", "provider": "AWS", "gpu_type": "A100-80GB", "gpu_hours": "12.50"},
}


def execute(sql: str, params: Any = ()) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def ask(sql: str, params: Any = ()) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def insert(model: Any, row: dict[str, Any]) -> None:
    columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
    execute(f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({places})", list(row.values()))


def original_row(model: Any) -> dict[str, Any]:
    team = {"team_id": stored(make_team("language").pk)} if model is Job else {}
    return ORIGINAL[model] | team


def stored(key: Any) -> str:
    return key.hex if connection.vendor == "sqlite" else str(key)


@pytest.mark.parametrize("model", ORIGINAL)
def test_an_insert_of_the_bare_facts_gets_key_times_and_status_from_the_database(model):
    row = original_row(model)
    insert(model, {k: v for k, v in row.items() if k not in ("start_time", "end_time", "status")})
    written = model.objects.exclude(name="language").get() if model is Team else model.objects.get()
    assert written.pk.version == 4 or connection.vendor == "sqlite"  # which has sixteen random bytes only
    assert written.created_at.tzinfo and written.updated_at.tzinfo
    if model is Job:
        assert (written.status, written.start_time, written.gpu_count) == ("pending", None, Decimal(1))


@pytest.mark.parametrize("model", ORIGINAL)
def test_an_insert_of_all_original_columns_is_read_as_written(model):
    key, moment = uuid4(), "2025-03-02 08:30:00+00:00"
    stamps = {"id": stored(key), "created_at": moment, "updated_at": moment}
    insert(model, original_row(model) | stamps)
    written = model.objects.get(pk=key)
    assert written.created_at == written.updated_at == at("2025-03-02 08:30")
    if model is Job:
        assert written.team.name == "language"
        assert written.start_time == at("2025-03-01 10:00")


def test_a_cell_has_one_row():
    row = original_row(CostSnapshot)
    insert(CostSnapshot, row)
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(CostSnapshot, row)


def test_the_orm_reads_what_the_database_made():
    execute("INSERT INTO teams (name) VALUES ('vision')")
    team = Team.objects.get(name="vision")
    make_job(team=team)
    team.save()
    assert Team.objects.get(pk=team.pk).jobs.count() == 1


if connection.vendor == "postgresql":

    def test_deleting_a_team_in_plain_sql_takes_its_jobs_along():
        make_job(team="vision")
        make_job(team="language")
        execute("DELETE FROM teams WHERE name = 'vision'")
        execute("SET CONSTRAINTS ALL IMMEDIATE")
        assert [job.team.name for job in Job.objects.all()] == ["language"]

    def test_the_cascade_is_checked_at_commit_as_django_expects():
        [(definition,)] = ask(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid = 'jobs'::regclass AND confrelid = 'teams'::regclass"
        )
        assert definition == (
            "FOREIGN KEY (team_id) REFERENCES teams(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"
        )

    @pytest.mark.parametrize("model", ORIGINAL)
    def test_each_column_says_what_it_means(model):
        silent = ask(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
            "AND NOT attisdropped AND col_description(attrelid, attnum) IS NULL",
            [model._meta.db_table],
        )
        assert silent == []
        assert ask("SELECT obj_description(%s::regclass, 'pg_class')", [model._meta.db_table]) != [(None,)]


UNREADABLE = [
    (CostSnapshot, "cost_usd", "1e400"),
    (CostSnapshot, "cost_usd", "99999999999.99"),
    (CostSnapshot, "cost_usd", "much"),
    (CostSnapshot, "date", "2025-02-30"),
    (CostSnapshot, "date", "20250301"),
    (CostSnapshot, "date", "0000-03-01"),
    (UsageSnapshot, "gpu_hours", "-1e400"),
    (UsageSnapshot, "gpu_hours", "NaN,"),
    (Job, "gpu_count", "1e400"),
    (Job, "gpu_count", "1000000"),
    (Job, "start_time", "2025-13-01 10:00:00"),
    (Job, "start_time", "2025-02-30 10:00:00"),
    (Job, "start_time", "2460000"),
    (Job, "team_id", "vision"),
]


@pytest.mark.parametrize(("model", "column", "value"), UNREADABLE)
def test_plain_sql_that_no_page_could_read_is_refused(model, column, value):
    insert(model, original_row(model))
    literal = value if value[0].isdigit() and value.strip("0123456789.e") == "" else f"'{value}'"
    with pytest.raises(DatabaseError), transaction.atomic():
        execute(f"UPDATE {model._meta.db_table} SET {column} = {literal}")
    row = original_row(model) | {column: value}
    with pytest.raises(DatabaseError), transaction.atomic():
        insert(model, row)
