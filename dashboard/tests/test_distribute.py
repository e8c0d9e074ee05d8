"""manage.py distribute: which SQL it runs on a Citus coordinator, and when it refuses.

What is tested without one is the SQL and that nothing is done twice, against a catalogue of the same shape;
HELIOX_CITUS=1 runs all tests against a real one (docs/scaling.md).
"""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from .. import sharding, workers, writes
from ..apps import keep_roll_ups, note_writes
from ..models import ImportRun
from ..rollups import triggers
from ..sharding import CannotDistribute, State, steps
from .conftest import at

NAMES = ("delete", "insert", "truncate", "update")
ALL = State(
    database='"heliox"',
    kept={name: "" for name in sharding.REFERENCE} | {"jobs": "id"},
    settings=frozenset(f"{name}={value}" for name, value in sharding.SETTINGS.items()),
)


def test_a_plain_database_becomes_a_sharded_one_in_this_order():
    plain = State(database='"heliox"', triggers=tuple(f"jobs_roll_up_{name}" for name in NAMES))
    assert steps(plain) == [
        ["ALTER DATABASE \"heliox\" SET citus.multi_shard_modify_mode = 'sequential'"],
        ["ALTER DATABASE \"heliox\" SET citus.enable_repartition_joins = 'on'"],
        ["SELECT create_reference_table('auth_user')"],
        ["SELECT create_reference_table('import_runs')"],
        ["SELECT create_reference_table('teams')"],
        ["SELECT create_reference_table('import_changes')"],
        ["SELECT create_reference_table('cost_snapshots')"],
        ["SELECT create_reference_table('usage_snapshots')"],
        ["SELECT create_reference_table('bill_days')"],
        ["SELECT create_reference_table('provider_clocks')"],
        [
            "DROP TRIGGER jobs_roll_up_delete ON jobs",
            "DROP TRIGGER jobs_roll_up_insert ON jobs",
            "DROP TRIGGER jobs_roll_up_truncate ON jobs",
            "DROP TRIGGER jobs_roll_up_update ON jobs",
            "SELECT create_distributed_table('jobs', 'id')",
        ],
    ]


def test_what_is_done_is_not_done_again():
    assert steps(ALL) == []


def test_it_goes_on_where_it_was_interrupted():
    kept = {name: "" for name in sharding.REFERENCE if name != "teams"}
    half = State(ALL.database, kept, ALL.settings)
    assert steps(half) == [
        ["SELECT create_reference_table('teams')"],
        ["SELECT create_distributed_table('jobs', 'id')"],
    ]


def test_another_setting_is_put_right():
    others = frozenset({"citus.multi_shard_modify_mode=parallel", "citus.enable_repartition_joins=on"})
    assert steps(State(ALL.database, ALL.kept, others)) == [
        ["ALTER DATABASE \"heliox\" SET citus.multi_shard_modify_mode = 'sequential'"]
    ]


@pytest.mark.parametrize("column", ["team_id", ""])
def test_jobs_that_somebody_distributed_otherwise_are_left_alone(column):
    with pytest.raises(CannotDistribute, match="expected id"):
        steps(State(kept={"jobs": column}))


def distribute(**options: Any) -> list[str]:
    said = StringIO()
    call_command("distribute", stdout=said, **options)
    return said.getvalue().splitlines()


@pytest.mark.django_db
def test_without_citus_it_refuses_and_says_what_is_missing():
    with pytest.raises(CommandError) as refused:
        distribute()
    missing = "This database has no Citus" if connection.vendor == "postgresql" else "is no PostgreSQL"
    assert missing in str(refused.value)
    assert triggers.are_there(connection)
    assert not workers.hold_jobs(connection)


if connection.vendor == "postgresql":
    CATALOGUE = """
        CREATE TABLE pg_dist_partition
            (logicalrelid regclass, partmethod "char", partkey text, repmodel "char");
        CREATE TABLE pg_dist_node
            (groupid integer, shouldhaveshards boolean, isactive boolean, noderole text);
        INSERT INTO pg_dist_node VALUES (0, false, true, 'primary'), (1, true, true, 'primary');
        CREATE FUNCTION column_to_column_name(regclass, text) RETURNS text LANGUAGE sql AS 'SELECT $2';
        CREATE FUNCTION create_reference_table(regclass) RETURNS void LANGUAGE sql AS
            $$ INSERT INTO pg_dist_partition VALUES ($1, 'n', NULL, 't') $$;
        CREATE FUNCTION create_distributed_table(regclass, text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
            IF EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal) THEN
                RAISE 'triggers are not supported on distributed tables';
            END IF;
            INSERT INTO pg_dist_partition VALUES ($1, 'h', $2, 's');
        END $$;
    """

    @pytest.fixture
    def catalogue(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        """Citus' tables and functions by name, which only keep account of what was asked of them."""
        monkeypatch.setattr(sharding, "EXTENSION", "SELECT true")
        execute(CATALOGUE)

    def execute(sql: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)

    def test_the_second_time_there_is_nothing_to_do(catalogue):
        assert "SELECT create_distributed_table('jobs', 'id');" in distribute()
        assert workers.hold_jobs(connection)
        keep_roll_ups(using="default")
        note_writes(using="default")
        assert not triggers.are_there(connection), "a later migrate does not bring them back"
        assert writes.state(connection) is None and not writes.noting_tables(connection), (
            "nor those of writes"
        )
        assert distribute() == ["Nothing to do: the jobs are distributed."]

    def test_a_dry_run_prints_the_same_and_changes_nothing(catalogue):
        printed = distribute(dry_run=True)
        assert not workers.hold_jobs(connection)
        assert triggers.are_there(connection)
        assert printed == distribute()
        spread = printed.index("SELECT create_distributed_table('jobs', 'id');")
        assert printed[spread + 1 : spread + 3] == ["COMMIT;", "BEGIN;"]
        assert {"setval" in line for line in printed[spread + 3 : -1]} == {True}, "and the numbers go on"

    def test_numbers_that_would_be_given_again_go_on(catalogue):
        distribute()
        run = ImportRun.objects.create(format="slurm", files=[], written_at=at("2025-03-01 00:00"))
        execute("SELECT setval(pg_get_serial_sequence('import_runs', 'id'), 1, false)")
        assert any("setval" in line and "import_runs" in line for line in distribute())
        later = ImportRun.objects.create(format="slurm", files=[], written_at=at("2025-03-01 00:00"))
        assert later.pk == run.pk + 1
        assert distribute() == ["Nothing to do: the jobs are distributed."]

    def test_the_triggers_stay_where_jobs_cannot_be_distributed(catalogue):
        execute("CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        execute("CREATE TRIGGER of_somebody AFTER INSERT ON jobs EXECUTE FUNCTION tell()")
        with pytest.raises(CommandError, match="triggers are not supported on distributed tables"):
            distribute()
        assert triggers.are_there(connection)
        assert "teams" in dict(sharding.rows(connection, sharding.KEPT)), "what went before is done"

    def test_a_coordinator_must_know_itself_and_its_workers(catalogue):
        execute("DELETE FROM pg_dist_node WHERE groupid = 1")
        with pytest.raises(CommandError, match="There is no worker"):
            distribute()
        execute("DELETE FROM pg_dist_node")
        with pytest.raises(CommandError, match="citus_set_coordinator_host"):
            distribute()

    def test_whatever_jobs_refer_to_is_on_every_worker(catalogue):
        """Else Citus refuses the foreign key; of these tables too, what they refer to."""
        refers = "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint "
        needed, pairs = {"jobs"}, sharding.rows(connection, f"{refers} WHERE contype = 'f'")
        while more := {to for of, to in pairs if of in needed} - needed:
            needed |= more
        assert {"teams"} <= needed - {"jobs"} <= set(sharding.REFERENCE)
        order = {name: place for place, name in enumerate(sharding.REFERENCE)}
        assert all(order[to] < order[of] for of, to in pairs if of in order and to in order and of != to)
