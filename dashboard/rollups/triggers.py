"""Triggers on `jobs` that note what each write changes, so that plain SQL keeps the roll-ups exact too.

They only append: a long import makes nobody wait for a row of the sums. PostgreSQL notes once per statement.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..statements import execute
from .cutting import INTO_CHANGES, WATCHED, changes, columns

NAME = "jobs_roll_up"
EVENTS = ("insert", "update", "delete")
ROLLED_UP = ("gpu_time_changes", "gpu_days", "gpu_days_of_models", "gpu_months", "logged_gpu_time")
STAMPS = "settled_months"
EMPTIED = (*ROLLED_UP, STAMPS)
PLANNED = ("jit", "enable_sort")  # are off while changes are noted
SEEN = {"insert": (("new", 1),), "update": (("new", 1), ("old", -1)), "delete": (("old", -1),)}


def install(connection: Any, emptied: Iterable[str] = EMPTIED) -> None:
    """Anew, where they are there already. emptied: the tables that lose all when `jobs` is truncated."""
    drop(connection)
    for statement in STATEMENTS[connection.vendor](emptied):
        execute(connection, statement)


def drop(connection: Any) -> None:
    for event in (*EVENTS, "truncate"):
        on = " ON jobs" if connection.vendor == "postgresql" else ""
        execute(connection, f"DROP TRIGGER IF EXISTS {NAME}_{event}{on}")
    if connection.vendor == "postgresql":
        execute(connection, f"DROP FUNCTION IF EXISTS {NAME}(), {NAME}_truncate()")


def are_there(connection: Any) -> bool:
    catalogue = {
        "postgresql": "SELECT COUNT(*) FROM pg_trigger WHERE tgrelid = 'jobs'::regclass AND tgname LIKE %s",
        "sqlite": "SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger' AND name LIKE %s",
    }
    with connection.cursor() as cursor:
        cursor.execute(catalogue[connection.vendor], [f"{NAME}%"])
        return cursor.fetchone()[0] >= len(EVENTS)


def forget_what_no_job_says(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM jobs LIMIT 1")
        if cursor.fetchone() is None:
            for table in EMPTIED:
                cursor.execute(f"DELETE FROM {table}")


def on_postgresql(emptied: Iterable[str]) -> list[str]:
    """Without `jit = off` a save after a large import takes a hundred times as long; a hash groups a
    million rows and one alike, whichever of them the plan was made for.
    """
    branches = " ELS".join(
        f"IF TG_OP = '{event.upper()}' THEN {noted('postgresql', *tables(event))};" for event in EVENTS
    )
    said = "LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT"
    planned = " ".join(f"SET {name} = off" for name in PLANNED)
    deleted = " ".join(f"DELETE FROM {table};" for table in emptied)
    return [
        f"CREATE FUNCTION {NAME}() RETURNS trigger {said} {planned} "
        f"AS $$ BEGIN {branches} END IF; RETURN NULL; END $$",
        f"CREATE FUNCTION {NAME}_truncate() RETURNS trigger {said} AS $$ BEGIN {deleted} RETURN NULL; END $$",
        *(statement_trigger(event) for event in EVENTS),
        f"CREATE TRIGGER {NAME}_truncate AFTER TRUNCATE ON jobs EXECUTE FUNCTION {NAME}_truncate()",
    ]


def statement_trigger(event: str) -> str:
    referencing = " ".join(f"{side.upper()} TABLE AS {side}_jobs" for side, _ in SEEN[event])
    return (
        f"CREATE TRIGGER {NAME}_{event} AFTER {event.upper()} ON jobs REFERENCING {referencing} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {NAME}()"
    )


def tables(event: str) -> list[tuple[str, int]]:
    return [(f"{side}_jobs", sign) for side, sign in SEEN[event]]


def on_sqlite(emptied: Iterable[str]) -> list[str]:
    """SQLite knows no TRUNCATE."""
    return [row_trigger(event) for event in EVENTS]


def row_trigger(event: str) -> str:
    of = f" OF {columns(WATCHED)}" if event == "update" else ""
    rows = [(row_of(side), sign) for side, sign in SEEN[event]]
    return (
        f"CREATE TRIGGER {NAME}_{event} AFTER {event.upper()}{of} ON jobs FOR EACH ROW BEGIN "
        f"{noted('sqlite', *rows)}; END"
    )


def row_of(side: str) -> str:
    return "(SELECT " + ", ".join(f'{side}."{name}" AS "{name}"' for name in WATCHED) + ")"


def noted(vendor: str, *signed: tuple[str, int]) -> str:
    return f"{INTO_CHANGES} {changes(vendor, *signed)}"


STATEMENTS = {"postgresql": on_postgresql, "sqlite": on_sqlite}
