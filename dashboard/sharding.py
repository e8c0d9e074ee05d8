"""Turns a migrated database on a Citus coordinator into a sharded one: which SQL is still to run.

`jobs` is spread over the workers by its key. Each worker holds a copy of the tables that jobs refer to or are
joined with. Everything else, the sums of GPU time above all, stays on the coordinator as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.core.management.color import no_style
from django.db import models

from . import writes
from .rollups import triggers

TABLE, KEY = "jobs", "id"
# Those that others refer to come first.
REFERENCE = (
    "auth_user",
    "import_runs",
    "teams",
    "import_changes",
    "cost_snapshots",
    "usage_snapshots",
    "bill_days",
    "provider_clocks",
)
SETTINGS = {"citus.multi_shard_modify_mode": "sequential", "citus.enable_repartition_joins": "on"}

EXTENSION = "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')"
NODES = "SELECT groupid = 0, shouldhaveshards FROM pg_dist_node WHERE isactive AND noderole = 'primary'"
KEPT = """
SELECT logicalrelid::text,
    CASE WHEN partkey IS NULL THEN '' ELSE column_to_column_name(logicalrelid, partkey) END
FROM pg_dist_partition WHERE partmethod = 'h' OR repmodel = 't'
"""
TRIGGERS = """
SELECT tgname FROM pg_trigger WHERE tgrelid = 'jobs'::regclass AND NOT tgisinternal ORDER BY tgname
"""
SET_ALREADY = """
SELECT unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
WHERE d.datname = current_database() AND s.setrole = 0
"""


class CannotDistribute(Exception):
    """The text is for the one who runs the command; nothing was changed."""


@dataclass(frozen=True)
class State:
    """kept: the column by which a table is distributed, or nothing for a reference table.

    noting: SQL that drops the triggers by which pages are kept: no table of a Citus cluster may have any.
    numbering: SQL that lets the numbers of all rows go on after the last. behind: somewhere they would not.
    """

    database: str = ""
    kept: dict[str, str] = field(default_factory=dict)
    settings: frozenset[str] = frozenset()
    triggers: tuple[str, ...] = ()
    noting: tuple[str, ...] = ()
    numbering: tuple[str, ...] = ()
    behind: bool = False


def still_to_run(connection: Any) -> list[list[str]]:
    """Statements, those of a group in one transaction; raises CannotDistribute."""
    check(connection)
    return steps(state_of(connection))


def check(connection: Any) -> None:
    if connection.vendor != "postgresql":
        raise CannotDistribute(
            "DATABASE_URL is no PostgreSQL database: only one with Citus can be distributed."
        )
    if not first(connection, EXTENSION):
        raise CannotDistribute(
            "This database has no Citus. Put citus into shared_preload_libraries of every server, and run "
            "CREATE EXTENSION citus in this database and in that of the same name on each worker."
        )
    nodes = rows(connection, NODES)
    if not any(is_coordinator for is_coordinator, _ in nodes):
        raise CannotDistribute(
            "The coordinator is not among its own nodes. "
            "Run: SELECT citus_set_coordinator_host('name by which the workers reach it', 5432)"
        )
    if not any(holds_shards for _, holds_shards in nodes):
        raise CannotDistribute(
            "There is no worker to hold shards. Run: SELECT citus_add_node('worker.example.com', 5432)"
        )


def state_of(connection: Any) -> State:
    return State(
        database=connection.ops.quote_name(first(connection, "SELECT current_database()")),
        kept=dict(rows(connection, KEPT)),
        settings=frozenset(setting for (setting,) in rows(connection, SET_ALREADY)),
        triggers=tuple(name for (name,) in rows(connection, TRIGGERS) if name.startswith(triggers.NAME)),
        noting=tuple(writes.dropping(connection)),
        numbering=tuple(sql.rstrip(";") for sql in connection.ops.sequence_reset_sql(no_style(), numbered())),
        behind=any(is_behind(connection, model) for model in numbered()),
    )


def steps(state: State) -> list[list[str]]:
    """Groups, for Citus refuses to do all of it within one transaction."""
    if state.kept.get(TABLE, KEY) != KEY:
        raise CannotDistribute(f"{TABLE} is distributed by {state.kept[TABLE] or 'nothing'}, expected {KEY}.")
    settings = [
        f"ALTER DATABASE {state.database} SET {name} = '{value}'"
        for name, value in SETTINGS.items()
        if f"{name}={value}" not in state.settings
    ]
    references = [f"SELECT create_reference_table('{name}')" for name in REFERENCE if name not in state.kept]
    spread = [f"SELECT create_distributed_table('{TABLE}', '{KEY}')"] if TABLE not in state.kept else []
    together = without_triggers(state) + spread
    # Citus makes each table that it takes over anew, and its sequence would begin at 1 again.
    numbering = [list(state.numbering)] if references or spread or state.behind else []
    groups = [list(state.noting), *([one] for one in (*settings, *references)), together, *numbering]
    return [group for group in groups if group]


def numbered() -> list[Any]:
    """Models whose rows the database numbers."""
    every = apps.get_models(include_auto_created=True)
    return [model for model in every if isinstance(model._meta.pk, models.AutoField) and model._meta.managed]


def is_behind(connection: Any, model: Any) -> bool:
    table, key = connection.ops.quote_name(model._meta.db_table), model._meta.pk.column
    given = f"pg_sequence_last_value(pg_get_serial_sequence('{table}', '{key}')::regclass)"
    return first(connection, f'SELECT COALESCE(MAX("{key}"), 0) > COALESCE({given}, 0) FROM {table}')


def without_triggers(state: State) -> list[str]:
    """Citus has no triggers on distributed tables: from then on the application notes what it changes."""
    return [f"DROP TRIGGER {name} ON {TABLE}" for name in state.triggers]


def first(connection: Any, sql: str) -> Any:
    return rows(connection, sql)[0][0]


def rows(connection: Any, sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()
