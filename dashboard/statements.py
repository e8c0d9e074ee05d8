"""SQL of our own, run on a connection: a migration's, the primary's, a worker's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from . import workers


def execute(connection: Any, sql: str, params: Sequence[Any] = ()) -> int:
    """How many rows it was about. A text without parameters is sent as it is, signs of percent too."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.rowcount


def rows(connection: Any, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.fetchall()


def wait_for_turn(connection: Any, lock: int, of: str = "") -> None:
    """Holds an advisory lock, or that of a kind (`of`), until the transaction ends.

    The wait itself takes a snapshot: whoever reads by one for the whole transaction locks a table instead.
    On SQLite one writes at a time anyway.
    """
    if connection.vendor != "postgresql":
        return
    if of:
        execute(connection, "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [lock, of])
    else:
        execute(connection, "SELECT pg_advisory_xact_lock(%s)", [lock])


def stretches(connection: Any, table: str, blocks: int) -> Iterator[str]:
    """Conditions that pick the table's rows of so many blocks (8 kB each) at a time, in stored order.

    Rows that others add meanwhile may be in any of them or in none. Only PostgreSQL tells where a row
    lies, and not of a table that workers hold: elsewhere all rows are one stretch.
    """
    if connection.vendor != "postgresql" or workers.hold_jobs(connection):
        yield "true"
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_relation_size('{table}') / current_setting('block_size')::int")
        [size] = cursor.fetchone()
    for first in range(0, size, blocks):
        yield f"{table}.ctid >= '({first},0)' AND {table}.ctid < '({first + blocks},0)'"
