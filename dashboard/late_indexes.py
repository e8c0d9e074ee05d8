"""A table that takes in many rows gets its indexes afterwards, each for all rows at once.

From empty, foreign keys too, in the same transaction. On SQLite, where a writer keeps all others waiting, a
large import leaves them out and makes them one by one when it is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection, models, transaction
from django.db.transaction import TransactionManagementError

from .statements import rows

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

NAMES = {
    "postgresql": (
        "SELECT relname FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = %s::regclass"
    ),
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = %s",
}


@contextmanager
def indexes_made_afterwards(table: str) -> Iterator[None]:
    """In a transaction, so that a failure brings them back; readers of the table wait for its end.

    A table that has rows keeps its indexes.
    """
    if not connection.in_atomic_block:
        raise TransactionManagementError("Indexes are dropped in a transaction only.")
    stored = [] if rows(connection, f"SELECT 1 FROM {table} LIMIT 1") else those_of(table)
    change(drop for drop, _ in stored)
    yield
    change(make for _, make in stored)


# One by one, on SQLite

# A table that is so many times as large would be without its indexes for longer than they save.
MOST_STORED = 4


def leave_for_later(model: type[models.Model], coming: int) -> None:
    """Drops the model's own indexes until the transaction is committed, where that is worth it."""
    table = model._meta.db_table
    if rows(connection, f"SELECT 1 FROM {table} LIMIT 1 OFFSET {MOST_STORED * coming}"):
        return
    present = names_of(table)
    change(f'DROP INDEX "{index.name}"' for index in model._meta.indexes if index.name in present)
    transaction.on_commit(lambda: make_missing(model), robust=True)


def make_missing(model: type[models.Model]) -> None:
    """Each in a transaction of its own, so that others write between them. A killed import left some."""
    present, editor = names_of(model._meta.db_table), connection.schema_editor()
    for index in missing(model, present):
        made = str(index.create_sql(model, editor))
        change([made.replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS", 1)])


def missing(model: type[models.Model], present: Iterable[str]) -> list[models.Index]:
    return [index for index in model._meta.indexes if index.name not in present]


def names_of(table: str) -> set[str]:
    return {name for (name,) in rows(connection, NAMES[connection.vendor], [table])}


# Of all


def those_of(table: str) -> list[tuple[str, str]]:
    return rows(connection, STORED[connection.vendor], [table, table])


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
