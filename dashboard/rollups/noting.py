"""Who writes jobs notes what the write changes, where `jobs` is spread over workers and can have no triggers.

So does a large import on SQLite, whose triggers would note row by row. It is the triggers' own SQL, in the
transaction of the write. Two temporary tables stand for what a trigger sees: the jobs as they were, and as
they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from .. import workers
from ..statements import execute, wait_for_turn
from . import cutting, triggers
from .cutting import WATCHED, columns

WRITING = 0x4E0B5  # advisory lock: one writes jobs at a time
WRITTEN = f"SELECT id, {columns(WATCHED)} FROM jobs WHERE id IN (SELECT w.id FROM written_jobs w)"


def alone(connection: Any) -> None:
    """Nobody else writes jobs until the transaction ends.

    Citus locks rows of one shard only. Without a lock two writers would both take away the same old row.
    """
    wait_for_turn(connection, WRITING)


@contextmanager
def noted(connection: Any, keys: str, params: Sequence[Any] = ()) -> Iterator[None]:
    """Around a write of the jobs with these keys: SQL of one column `id`, asked before the write."""
    if not workers.hold_jobs(connection):
        yield
        return
    with transaction.atomic(using=connection.alias):
        alone(connection)
        pick(connection, keys, params)
        keep(connection, "old_jobs", WRITTEN)
        yield
        keep(connection, "new_jobs", WRITTEN)
        note(connection, ("new_jobs", 1), ("old_jobs", -1))
        drop(connection, "written_jobs", "old_jobs", "new_jobs")


@contextmanager
def noted_at_once(connection: Any, stored: str) -> Iterator[None]:
    """On SQLite around a write that adds jobs and changes those of these keys, without its triggers.

    Nobody else writes meanwhile, and what is added lies behind all that there was.
    """
    with transaction.atomic(using=connection.alias):
        triggers.drop(connection)
        pick(connection, stored, ())
        keep(connection, "old_jobs", WRITTEN)
        keep(connection, "last_job", "SELECT COALESCE(MAX(rowid), 0) AS row FROM jobs")
        yield
        added = f"SELECT id, {columns(WATCHED)} FROM jobs WHERE rowid > (SELECT row FROM last_job)"
        keep(connection, "new_jobs", f"{added} UNION ALL {WRITTEN}")
        note(connection, ("new_jobs", 1), ("old_jobs", -1))
        drop(connection, "written_jobs", "old_jobs", "last_job", "new_jobs")
        triggers.install(connection)


@contextmanager
def noted_as_new(connection: Any, keys: str, params: Sequence[Any] = ()) -> Iterator[None]:
    """Around a write of new jobs only, whose keys are asked after it."""
    if not workers.hold_jobs(connection):
        yield
        return
    with transaction.atomic(using=connection.alias):
        alone(connection)
        yield
        pick(connection, keys, params)
        keep(connection, "new_jobs", WRITTEN)
        note(connection, ("new_jobs", 1))
        drop(connection, "written_jobs", "new_jobs")


def pick(connection: Any, keys: str, params: Sequence[Any]) -> None:
    """Without ANALYZE the planner expects thousands of keys, and looks through all jobs for them."""
    keep(connection, "written_jobs", keys, params)
    if connection.vendor == "postgresql":
        execute(connection, "ANALYZE written_jobs")


def keep(connection: Any, table: str, select: str, params: Sequence[Any] = ()) -> None:
    execute(connection, f"CREATE TEMPORARY TABLE {table} AS {select}", params)


def note(connection: Any, *signed: tuple[str, int]) -> None:
    """Citus plans an INSERT … SELECT of it badly or not at all: for 20,000 jobs it took 141 s, this 0.4 s."""
    with planned_as_in_a_trigger(connection):
        keep(connection, "noted_time", cutting.changes(connection.vendor, *signed))
        execute(connection, f"{cutting.INTO_CHANGES} SELECT {columns()} FROM noted_time")
        drop(connection, "noted_time")


@contextmanager
def planned_as_in_a_trigger(connection: Any) -> Iterator[None]:
    settings = triggers.PLANNED if connection.vendor == "postgresql" else ()
    for name in settings:
        execute(connection, f"SET LOCAL {name} = off")
    yield
    for name in settings:
        execute(connection, f"SET LOCAL {name} TO DEFAULT")


def drop(connection: Any, *tables: str) -> None:
    for table in tables:
        execute(connection, f"DROP TABLE {table}")
