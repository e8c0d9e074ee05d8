"""Migrations of large tables let others write meanwhile, and can be run again where they were broken off."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations import RunPython
from django.db.migrations.loader import MigrationLoader

from .. import rollups
from ..migrating import AddIndexBeside, AddUniqueBeside, RemoveIndexBeside, Together
from ..models import CostSnapshot, GpuDay, GpuTimeChange, Job
from ..rollups import settling
from .conftest import make_job
from .servers import connected_to, new_database
from .test_ingest_kills import address

pytestmark = pytest.mark.django_db(transaction=True)
UP_TO_MAPPINGS, JOB_INDEXES, ROLL_UPS = (
    "0008_who_may_see_and_type_in_contracts",
    "0009_job_indexes",
    "0010_roll_ups",
)


def column(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [row[0] for row in cursor.fetchall()]


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)


def written_by_another(sql: str) -> None:
    with psycopg.connect(address(), autocommit=True, options="-c lock_timeout=500") as other:
        other.execute(sql)


ONE_MORE = (
    "INSERT INTO jobs (id, team_id, model_name, gpu_type, provider, status, start_time, end_time) "
    "SELECT gen_random_uuid(), team_id, 'another', gpu_type, provider, status, start_time, end_time "
    "FROM jobs LIMIT 1"
)


def test_sums_are_made_while_others_write(monkeypatch):
    make_job()
    compared = settling.compared

    def beside(fresh: str) -> Any:
        written_by_another(ONE_MORE)
        return compared(fresh)

    monkeypatch.setattr(settling, "compared", beside)
    assert settling.sum_up_beside_writers() == []
    monkeypatch.undo()
    assert [day.jobs for day in GpuDay.objects.all()] == [1]
    assert [change.jobs for change in GpuTimeChange.objects.all()] == [1], "the other stays noted"
    assert not list(rollups.verify())
    rollups.settle()
    assert [day.jobs for day in GpuDay.objects.all()] == [2] and not list(rollups.verify())


def test_within_a_transaction_writers_wait_instead():
    make_job()
    with transaction.atomic():
        assert settling.sum_up_beside_writers() == []
        with pytest.raises(psycopg.errors.LockNotAvailable):
            written_by_another(ONE_MORE)
    assert not list(rollups.verify())


def test_an_index_is_made_beside_writers_and_anew_where_it_was_broken_off():
    """An invalid one is what a broken-off CREATE INDEX CONCURRENTLY leaves."""
    name, state = "jobs_by_team_idx", MigrationLoader(connection).project_state()
    index = next(index for index in Job._meta.indexes if index.name == name)
    valid = f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{name}'::regclass"
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass")
    assert column(valid) == [False]
    with connection.schema_editor(atomic=False) as editor:
        AddIndexBeside("job", index).database_forwards("dashboard", editor, state, state)
    assert column(valid) == [True]


def test_nobody_waits_behind_a_reader_of_a_table_that_loses_an_index():
    """A plain DROP INDEX waits for the reader, and all who come later wait for it."""
    name, state = "gpu_days_models_sums_idx", MigrationLoader(connection).project_state()
    remove = RemoveIndexBeside("gpudayofmodel", name)
    there = f"SELECT COUNT(*) FROM pg_index WHERE indexrelid = to_regclass('{name}') AND indisvalid"
    read = "SELECT COUNT(*) FROM gpu_days_of_models"

    def dropped() -> None:
        with connection.schema_editor(atomic=False) as editor:
            remove.database_forwards("dashboard", editor, state, state)
        connection.close()

    with psycopg.connect(address()) as reader:
        reader.execute(read)
        dropping = Thread(target=dropped)
        dropping.start()
        waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DROP%'"
        while not column(waits):
            assert dropping.is_alive()
        written_by_another(read)
    dropping.join()
    assert column(there) == [0]
    for _ in range(2):  # as after one that was broken off
        with connection.schema_editor(atomic=False) as editor:
            remove.database_backwards("dashboard", editor, state, state)
        assert column(there) == [1]


def test_a_unique_constraint_is_made_beside_writers_and_anew_where_it_was_broken_off(tmp_path):
    """The first try finds that somebody wrote a cell twice meanwhile, and leaves an invalid index."""
    [unique] = CostSnapshot._meta.constraints
    valid = f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{unique.name}'::regclass"
    wrote = (
        "INSERT INTO cost_snapshots (date, provider, gpu_type, cost_usd) VALUES ('2025-03-01', 'A', 'B', 1)"
    )
    with new_database(tmp_path) as url, connected_to(default=url):
        call_command("migrate", "dashboard", "0003_imports_ledger_and_names", verbosity=0)
        state = MigrationLoader(connection).project_state()
        make = AddUniqueBeside("costsnapshot", unique)

        def made() -> None:
            with connection.schema_editor(atomic=False) as editor:
                make.database_forwards("dashboard", editor, state, state)

        run(wrote, wrote)
        with pytest.raises(IntegrityError):
            made()
        assert column(valid) == [False]
        run("DELETE FROM cost_snapshots", wrote)
        for _ in range(2):  # a second time finds it made
            made()
            assert column(valid) == [True]
        with pytest.raises(IntegrityError):
            run(wrote)


@pytest.mark.parametrize(("made", "times"), [("gpu_days", 0), ("no_such_table", 1)])
def test_what_is_done_together_is_done_once(made, times):
    state, done = MigrationLoader(connection).project_state(), []
    once = Together([RunPython(lambda *_: done.append(1))], made=made)
    assert once.atomic
    with connection.schema_editor(atomic=False) as editor:
        once.database_forwards("dashboard", editor, state, state)
    assert len(done) == times


@pytest.fixture
def old(tmp_path: Path) -> Any:
    """A database as it was before the roll-ups."""
    with new_database(tmp_path) as url, connected_to(default=url):
        call_command("migrate", "dashboard", UP_TO_MAPPINGS, verbosity=0)
        yield url


@pytest.mark.parametrize("migration", [JOB_INDEXES, ROLL_UPS])
def test_a_migration_that_was_broken_off_is_run_again(old, migration, monkeypatch):
    call_command(
        "migrate", "dashboard", UP_TO_MAPPINGS if migration == JOB_INDEXES else JOB_INDEXES, verbosity=0
    )
    broken_off = (
        [AddIndexBeside, "database_forwards"] if migration == JOB_INDEXES else [settling, "summed_afresh"]
    )
    made, forwards = [], AddIndexBeside.database_forwards

    def break_off(*args: Any) -> Any:
        made.append(args)
        if migration == ROLL_UPS or len(made) == 5:
            raise KeyboardInterrupt
        forwards(*args)

    monkeypatch.setattr(*broken_off, break_off)
    with pytest.raises(KeyboardInterrupt):
        call_command("migrate", "dashboard", migration, verbosity=0)
    monkeypatch.undo()
    call_command("migrate", verbosity=0)
    make_job()
    assert not list(rollups.verify())
