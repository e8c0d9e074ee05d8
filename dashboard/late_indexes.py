"""A table that is filled from empty gets its indexes and foreign keys afterwards: for all rows at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.transaction import TransactionManagementError

# How each is dropped and made; the keys of rows stay, for what is unique is looked up row by row.
STORED = {
    "postgresql": (
        "SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname), "
        "format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, "
        "pg_get_constraintdef(oid)) "
        "FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f' "
        "UNION ALL SELECT format('DROP INDEX %%s', indexrelid::regclass), pg_get_indexdef(indexrelid) "
        "FROM pg_index WHERE indrelid = %s::regclass AND NOT indisunique ORDER BY 1"
    ),
    "sqlite": (
        "SELECT 'DROP INDEX ' || name, sql FROM sqlite_master WHERE type = 'index' "
        "AND %s = tbl_name AND %s = tbl_name AND sql LIKE 'CREATE INDEX%%' ORDER BY 1"
    ),
}


@contextmanager
def indexes_made_afterwards(table: str) -> Iterator[None]:
    """In a transaction, so that a failure brings them back; readers of the table wait for its end.

    A table that has rows keeps its indexes.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("Indexes are dropped in a transaction only.")
    stored = [] if rows(f"SELECT 1 FROM {table} LIMIT 1") else those_of(table)
    change(drop for drop, _ in stored)
    yield
    change(make for _, make in stored)


def those_of(table: str) -> list[tuple[str, str]]:
    return rows(STORED[connection.vendor], [table, table])


def change(statements: Iterable[str]) -> None:
    """PostgreSQL changes no table of which rows are still to be looked up by a foreign key."""
    deferring = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if deferring:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement in statements:
            cursor.execute(statement)
        if deferring:
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def rows(sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
