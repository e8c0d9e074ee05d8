"""The indexes of a table that is filled from empty are made afterwards: all rows at once, sorted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.transaction import TransactionManagementError

# Those that no constraint stands on, with the statement that makes each.
STORED = {
    "postgresql": (
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i "
        "WHERE i.indrelid = %s::regclass AND NOT i.indisunique ORDER BY 1"
    ),
    "sqlite": (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = %s "
        "AND sql LIKE 'CREATE INDEX%%' ORDER BY 1"
    ),
}


@contextmanager
def indexes_made_afterwards(table: str) -> Iterator[None]:
    """In a transaction, so that a failure brings them back; readers of the table wait for its end.

    A table that has rows keeps its indexes.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("Indexes are dropped in a transaction only.")
    indexes = [] if rows(f"SELECT 1 FROM {table} LIMIT 1") else rows(STORED[connection.vendor], [table])
    for name, _ in indexes:
        execute(f"DROP INDEX {name}")
    yield
    with rows_checked():
        for _, statement in indexes:
            execute(statement)


@contextmanager
def rows_checked() -> Iterator[None]:
    """PostgreSQL makes no index while foreign keys of rows are still to be looked up."""
    if connection.vendor != "postgresql":
        yield
        return
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    yield
    execute("SET CONSTRAINTS ALL DEFERRED")


def rows(sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
