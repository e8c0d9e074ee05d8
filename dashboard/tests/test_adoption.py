"""Tables that another tool made are taken over, and migrations go both ways without losing a row."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from dashboard.models import BillDay, CostSnapshot, Job, Team, UsageSnapshot, calendar

from .conftest import at, make_cost, make_job, make_usage

TABLES = ("teams", "jobs", "cost_snapshots", "usage_snapshots")
VISION, LANGUAGE = "1b671a64-40d5-491e-99b0-da01ff1f3341", "2b671a64-40d5-491e-99b0-da01ff1f3342"
JOB = "3b671a64-40d5-491e-99b0-da01ff1f334{}"
COST, USAGE = "4b671a64-40d5-491e-99b0-da01ff1f334{}", "5b671a64-40d5-491e-99b0-da01ff1f334{}"

# What SQLAlchemy and Alembic write: no database defaults, names of their own, no cascade.
ALEMBIC = """
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0a1b2c3d4e5f');
CREATE TABLE teams (
    id UUID NOT NULL, name VARCHAR(255) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_teams PRIMARY KEY (id));
CREATE UNIQUE INDEX ix_teams_name ON teams (name);
CREATE TABLE jobs (
    id UUID NOT NULL, team_id UUID NOT NULL, model_name VARCHAR(255) NOT NULL, gpu_type VARCHAR(100) NOT NULL,
    provider VARCHAR(100) NOT NULL, start_time TIMESTAMP WITH TIME ZONE, end_time TIMESTAMP WITH TIME ZONE,
    status VARCHAR(50) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id), CONSTRAINT jobs_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams (id));
CREATE INDEX ix_jobs_team_id ON jobs (team_id);
CREATE INDEX ix_jobs_team_id_status ON jobs (team_id, status);
CREATE INDEX ix_jobs_provider_gpu_type ON jobs (provider, gpu_type);
CREATE INDEX ix_jobs_start_time ON jobs (start_time);
CREATE TABLE cost_snapshots (
    id UUID NOT NULL, date DATE NOT NULL, provider VARCHAR(100) NOT NULL, gpu_type VARCHAR(100) NOT NULL,
    cost_usd NUMERIC(12, 2) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id));
CREATE INDEX ix_cost_snapshots_date ON cost_snapshots (date);
CREATE INDEX ix_cost_snapshots_date_provider_gpu_type ON cost_snapshots (date, provider, gpu_type);
CREATE TABLE usage_snapshots (
    id UUID NOT NULL, date DATE NOT NULL, provider VARCHAR(100) NOT NULL, gpu_type VARCHAR(100) NOT NULL,
    gpu_hours NUMERIC(12, 2) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id));
CREATE INDEX ix_usage_snapshots_date ON usage_snapshots (date);
CREATE INDEX ix_usage_snapshots_date_provider_gpu_type ON usage_snapshots (date, provider, gpu_type);
"""

# A careless hand: local types, nothing required, hardly an index. {} stands for what databases differ in.
CARELESS = """
{status_type}
CREATE TABLE teams (
    id {id} PRIMARY KEY, name TEXT CONSTRAINT one_team UNIQUE, created_at {time}, updated_at {time});
CREATE TABLE jobs (
    id {id} PRIMARY KEY, team_id {id} REFERENCES teams (id) ON DELETE RESTRICT, model_name TEXT DEFAULT '',
    gpu_type VARCHAR(64), provider VARCHAR(500) NOT NULL, start_time {time}, end_time {time},
    status {status} DEFAULT 'PENDING', created_at {time}, updated_at {time});
CREATE INDEX by_start ON jobs (start_time);
CREATE TABLE cost_snapshots (
    id {id}, date {time}, provider TEXT NOT NULL, gpu_type TEXT, cost_usd {amount} CHECK (cost_usd < 1000000),
    created_at {time}, updated_at {time});
CREATE TABLE usage_snapshots (
    id {id}, date DATE, provider TEXT, gpu_type TEXT, gpu_hours {amount},
    created_at {time}, updated_at {time});
"""
CARELESS_TYPES = {
    "postgresql": {
        "status_type": "CREATE TYPE job_status AS ENUM ('PENDING', 'RUNNING', 'COMPLETED', 'odd');",
        "status": "job_status",
        "id": "VARCHAR(36)",
        "time": "TIMESTAMP WITHOUT TIME ZONE",
        "amount": "DOUBLE PRECISION",
    },
    "sqlite": {
        "status_type": "",
        "status": "VARCHAR(9) CHECK (status IN ('PENDING', 'RUNNING', 'COMPLETED', 'odd'))",
        "id": "VARCHAR(36)",
        "time": "TEXT",
        "amount": "FLOAT",
    },
}
FORMS = {"alembic": ALEMBIC, "careless": CARELESS.format(**CARELESS_TYPES[connection.vendor])}
STAMPS = {"created_at": "2025-02-01T00:00:00Z", "updated_at": "2025-02-02 00:00:00"}
ROWS: dict[str, list[dict[str, Any]]] = {
    "teams": [{"id": VISION, "name": "vision"}, {"id": LANGUAGE, "name": "language", "updated_at": None}],
    "jobs": [
        {
            "id": JOB.format(number),
            "team_id": team,
            "model_name": "resnet",
            "gpu_type": "A100-80GB",
            "provider": "AWS",
            "start_time": start,
            "end_time": end,
            "status": status,
        }
        for number, team, start, end, status in [
            (1, VISION, "2025-03-01T12:00:00Z", "2025-03-01 13:30:00.000000", "COMPLETED"),
            (2, VISION, "2025-03-01 12:00:00.250000", None, "RUNNING"),
            (3, LANGUAGE, None, None, "odd"),
        ]
    ],
    "cost_snapshots": [
        {"id": COST.format(n), "date": day, "provider": "AWS", "gpu_type": "A100-80GB", "cost_usd": usd}
        for n, day, usd in [(1, "2025-03-01", "100.10"), (2, "2025-03-02", "-25.00"), (3, "2025-03-03", "0")]
    ],
    "usage_snapshots": [
        {"id": USAGE.format(n), "date": day, "provider": "AWS", "gpu_type": "A100-80GB", "gpu_hours": hours}
        for n, day, hours in [(1, "2025-03-01", "12.50"), (2, "2025-03-02", "0.25")]
    ],
}


@contextmanager
def empty_database(folder: Path) -> Iterator[None]:
    """Under the default connection: a schema or a file of its own."""
    settings = dict(connection.settings_dict)
    connection.close()
    if connection.vendor == "postgresql":
        execute("DROP SCHEMA IF EXISTS scratch CASCADE; CREATE SCHEMA scratch")
        connection.close()
        connection.settings_dict["OPTIONS"] = settings["OPTIONS"] | {"options": "-c search_path=scratch"}
    else:
        connection.settings_dict["NAME"] = str(folder / "scratch.sqlite3")
    ContentType.objects.clear_cache()
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(settings)
        ContentType.objects.clear_cache()
        if connection.vendor == "postgresql":
            execute("DROP SCHEMA scratch CASCADE")
            connection.close()


@pytest.fixture(scope="module")
def year_of_days():
    """A hundred years of days, dozens of times, would be most of the work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calendar, "FIRST_DAY", date(2025, 1, 1))
        patch.setattr(calendar, "LAST_DAY", date(2025, 12, 31))
        yield


@pytest.fixture(scope="module")
def new_schema(tmp_path_factory, django_db_setup, django_db_blocker, year_of_days):
    with django_db_blocker.unblock(), empty_database(tmp_path_factory.mktemp("new")):
        migrate()
        return schema()


@pytest.fixture
def scratch(tmp_path, django_db_setup, django_db_blocker, year_of_days):
    with django_db_blocker.unblock(), empty_database(tmp_path):
        yield


def execute(sql: str, params: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def ask(sql: str, params: Any = None) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def build(form: str, rows: dict[str, list[dict[str, Any]]] = ROWS) -> None:
    for statement in FORMS[form].split(";\n"):
        if statement.strip():
            execute(statement)
    for table, several in rows.items():
        for row in several:
            insert(table, fitting(form, STAMPS | row))


def fitting(form: str, row: dict[str, Any]) -> dict[str, Any]:
    """Only the careless tables take empty times and the names of an enum."""
    if form == "careless":
        return row
    return row | {"updated_at": row["updated_at"] or "2025-02-01 00:00:00"}


def insert(table: str, row: dict[str, Any]) -> None:
    columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
    execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", list(row.values()))


def migrate(target: str = "", **options: Any) -> None:
    labels = ["dashboard", target] if target else []
    call_command("migrate", *labels, verbosity=0, interactive=False, **options)


def counts() -> dict[str, int]:
    return {table: ask(f"SELECT COUNT(*) FROM {table}")[0][0] for table in TABLES}


def schema() -> dict[str, Any]:
    """What the database itself says of the four tables."""
    if connection.vendor == "sqlite":
        rows = ask(
            "SELECT name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL "
            "AND tbl_name IN ('teams', 'jobs', 'cost_snapshots', 'usage_snapshots')"
        )
        return {f"{table} {name}": sql for name, table, sql in rows}
    named = "(SELECT oid FROM pg_class WHERE relnamespace = 'scratch'::regnamespace AND relname = ANY(%s))"
    columns = ask(
        "SELECT attrelid::regclass || '.' || attname, format_type(atttypid, atttypmod), attnotnull, "
        "pg_get_expr(adbin, adrelid), col_description(attrelid, attnum) "
        "FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum "
        f"WHERE attrelid IN {named} AND attnum > 0 AND NOT attisdropped",
        [list(TABLES)],
    )
    constraints = ask(
        "SELECT conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) "
        f"FROM pg_constraint WHERE conrelid IN {named}",
        [list(TABLES)],
    )
    indexes = ask(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) "
        f"FROM pg_index WHERE indrelid IN {named}",
        [list(TABLES)],
    )
    return {name: rest for name, *rest in columns + constraints + indexes}


@pytest.mark.parametrize("form", FORMS)
def test_an_adopted_database_keeps_its_rows_and_equals_a_new_one(scratch, new_schema, form):
    build(form)
    migrate()
    assert schema() == new_schema
    assert counts() == {"teams": 2, "jobs": 3, "cost_snapshots": 3, "usage_snapshots": 2}
    see_what_was_adopted()
    write_to_what_was_adopted()


def see_what_was_adopted() -> None:
    done, running, odd = (Job.objects.get(pk=JOB.format(n)) for n in (1, 2, 3))
    assert (done.start_time, done.end_time) == (at("2025-03-01 12:00"), at("2025-03-01 13:30"))
    assert [job.status for job in (done, running, odd)] == ["completed", "running", "odd"]
    assert list(Job.objects.running()) == [running]
    assert (running.team, odd.start_time, odd.gpu_count) == (Team.objects.get(name="vision"), None, 1)
    assert Job.objects.filter(start_time=at("2025-03-01 12:00")).get() == done
    assert Team.objects.get(pk=LANGUAGE).updated_at == at("2025-02-01 00:00")
    assert CostSnapshot.objects.get(pk=COST.format(2)).date.isoformat() == "2025-03-02"
    assert CostSnapshot.objects.total() == Decimal("75.10")
    assert UsageSnapshot.objects.hours_per_provider() == {"AWS": Decimal("12.75")}


def write_to_what_was_adopted() -> None:
    done = Job.objects.get(pk=JOB.format(1))
    done.team = Team.objects.create(name="audio")
    done.save()
    make_cost("2025-03-04", "1.00")
    assert CostSnapshot.objects.total() == Decimal("76.10")
    done.team.delete()
    assert Job.objects.count() == 2


def test_fake_initial_adopts_as_well(scratch):
    build("alembic")
    migrate("0002", fake_initial=True)
    assert counts()["jobs"] == 3
    assert ask("SELECT version_num FROM alembic_version") == [("0a1b2c3d4e5f",)]


def test_tables_that_are_missing_are_made(scratch):
    build("alembic")
    execute("DROP TABLE usage_snapshots")
    execute("DROP TABLE cost_snapshots")
    migrate("0002")
    assert counts() == {"teams": 2, "jobs": 3, "cost_snapshots": 0, "usage_snapshots": 0}


def test_columns_of_others_stay_readable_and_in_nobodys_way(scratch):
    build("alembic")
    execute("ALTER TABLE teams ADD COLUMN owner VARCHAR(20)")
    execute("UPDATE teams SET owner = 'ada'")
    if connection.vendor == "postgresql":
        execute("ALTER TABLE teams ALTER owner SET NOT NULL")
    migrate("0002")
    execute("INSERT INTO teams (name) VALUES ('audio')")
    table = "teams" if connection.vendor == "postgresql" else "teams_other_columns"
    assert ask(f"SELECT COUNT(*) FROM {table} WHERE owner = 'ada'") == [(2,)]


def test_what_another_tool_left_empty_is_filled(scratch):
    build("careless")
    execute("UPDATE jobs SET model_name = NULL, status = NULL, created_at = NULL")
    execute("UPDATE cost_snapshots SET gpu_type = NULL")
    migrate("0003")
    assert ask("SELECT DISTINCT model_name, status FROM jobs") == [("unspecified", "pending")]
    assert ask("SELECT DISTINCT gpu_type FROM cost_snapshots") == [("unspecified",)]


def test_the_repair_can_be_repeated(scratch):
    build("careless")
    migrate("0002")
    once = schema()
    migrate("0001")
    assert counts()["jobs"] == 3
    migrate("0002")
    assert schema() == once


def unguard_references() -> None:
    if connection.vendor == "postgresql":
        execute("ALTER TABLE jobs DROP CONSTRAINT jobs_team_id_fkey")
    else:
        execute("PRAGMA foreign_keys = OFF")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE jobs SET team_id = '9b671a64-40d5-491e-99b0-da01ff1f3349'", "3 jobs name a team that does"),
        ("UPDATE cost_snapshots SET cost_usd = 1.234", "decimals"),
        ("UPDATE cost_snapshots SET date = NULL", "date is empty in 3 rows"),
        ("ALTER TABLE jobs RENAME COLUMN provider TO queue", "has no provider"),
        ("UPDATE jobs SET id = 'job ' || substr(id, 30)", "job f1f334"),
        ("CREATE VIEW waiting AS SELECT * FROM jobs WHERE status = 'PENDING'", "view"),
    ],
)
def test_what_cannot_be_adopted_is_named_and_left_alone(scratch, damage, sentence):
    build("careless")
    unguard_references()
    execute(damage)
    before = {table: ask(f"SELECT * FROM {table}") for table in TABLES}
    with pytest.raises(CommandError, match=sentence):
        migrate()
    assert {table: ask(f"SELECT * FROM {table}") for table in TABLES} == before


def test_two_teams_of_one_name_are_named(scratch):
    build("alembic")
    execute("DROP INDEX ix_teams_name")
    insert("teams", STAMPS | {"id": JOB.format(9), "name": "vision"})
    with pytest.raises(CommandError, match=r"1 team names occur more than once: “vision” \(2 rows\)"):
        migrate()


def test_duplicates_stop_the_migration_until_they_are_merged(scratch, caplog):
    build("alembic")
    for n, usd in [(5, "0.10"), (6, "0.20")]:
        again = ROWS["cost_snapshots"][0] | {"id": COST.format(n), "cost_usd": usd}
        insert("cost_snapshots", STAMPS | again | {"created_at": "2025-02-03 00:00:00"})
    twice = ROWS["usage_snapshots"][0] | {"id": USAGE.format(5), "gpu_hours": "1.25"}
    insert("usage_snapshots", STAMPS | twice | {"created_at": "2025-01-01 00:00:00"})

    with pytest.raises(CommandError) as refused:
        migrate()
    assert "cost_snapshots 2025-03-01 AWS A100-80GB: 3 rows, 100.40 USD in all" in str(refused.value)
    assert "usage_snapshots 2025-03-01 AWS A100-80GB: 2 rows, 13.75 GPU-hours in all" in str(refused.value)
    assert "merge_duplicates" in str(refused.value)

    said = io.StringIO()
    call_command("merge_duplicates", "--dry-run", stdout=said)
    assert "Would merge 2 cells and remove 3 rows" in said.getvalue()
    assert counts()["cost_snapshots"] == 5
    with caplog.at_level(logging.INFO, "heliox.audit"):
        call_command("merge_duplicates", stdout=said)
    [line] = [one for one in caplog.records if one.name == "heliox.audit"]  # the audit has no table yet
    assert "merged rows of the same day" in line.message and line.facts["rows"] == 3
    assert "A100-80GB: 3 rows, 100.40 USD in all; usage_snapshots" in line.facts["details"]
    migrate()
    assert CostSnapshot.objects.total() == Decimal("75.40")
    assert UsageSnapshot.objects.total() == Decimal("14.00")
    assert CostSnapshot.objects.get(pk=COST.format(1)).cost_usd == Decimal("100.40")
    assert UsageSnapshot.objects.get(pk=USAGE.format(5)).gpu_hours == Decimal("13.75")
    call_command("merge_duplicates", stdout=said)
    assert "Merged 0 cells" in said.getvalue()


def test_only_ten_duplicates_are_named(scratch):
    migrate("0003")
    for day in range(1, 13):
        for _ in range(2):
            insert(
                "cost_snapshots",
                {"date": f"2025-03-{day:02}", "provider": "AWS", "gpu_type": "L4", "cost_usd": 1},
            )
    with pytest.raises(CommandError, match="2025-03-10 AWS L4: 2 rows, 2.00 USD in all\n  and 2 more"):
        migrate()


def test_each_migration_goes_back_and_forth_with_rows(scratch, new_schema):
    migrate()
    make_job(team="vision")
    make_job(end=None, status="running", team="language")
    make_cost("2025-03-01", "100.10")
    make_usage("2025-03-01", "12.50")
    before = counts()
    steps = sorted(name for app, name in MigrationLoader(connection).graph.nodes if app == "dashboard")
    for step in [*reversed(steps), *steps]:
        migrate(step)
        assert counts() == before
    assert schema() == new_schema
    assert CostSnapshot.objects.total() == Decimal("100.10")
    assert BillDay.objects.count() == 365


def test_all_the_way_back_and_again(scratch, new_schema):
    migrate("0004")
    migrate("zero")
    assert not set(TABLES) & set(connection.introspection.table_names())
    migrate()
    assert schema() == new_schema
