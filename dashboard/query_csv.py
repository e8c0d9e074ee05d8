"""The answer of a query as fast as its database tells it: rows that never become objects of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from psycopg import pq
from psycopg.errors import error_from_result

from . import workers
from .databases import reading
from .statements import execute

ROWS_AT_ONCE = 500
# A file may take longer to download than a page may take to compute; its first row may not wait for jit.
AT_LEISURE = "SET LOCAL statement_timeout = 0; SET LOCAL jit = off"
# Citus gathers what the workers tell before it sorts it; a file may be larger than the gigabyte of others.
FROM_WORKERS = "SET LOCAL citus.max_intermediate_result_size = -1"
SPELLING = "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'"


def copied(sql: str, params: Sequence[Any]) -> Iterator[bytes]:
    """PostgreSQL's own CSV, many lines at a time. Closing it ends the query and the transaction."""
    connection = reading()
    query = connection.ops.compose_sql(sql, params)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(f"{AT_LEISURE}; {SPELLING}")
        if workers.hold_jobs(connection):
            cursor.execute(FROM_WORKERS)
        with connection.wrap_database_errors, cursor.cursor.copy(f"COPY ({query}) TO STDOUT CSV") as copy:
            yield from lines_of(copy.connection.pgconn)


def lines_of(server: pq.abc.PGconn) -> Iterator[bytes]:
    """A COPY's lines as they arrive. psycopg's own loop asks for them one by one, at three times the cost."""
    size = 1
    while size > 0:
        lines: list[memoryview] = []
        while len(lines) < ROWS_AT_ONCE:
            size, line = server.get_copy_data(0)
            if size < 0:
                break
            lines.append(line)
        if lines:
            yield b"".join(lines)
    finish(server)


def finish(server: pq.abc.PGconn) -> None:
    while result := server.get_result():
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise error_from_result(result)


def fetched(queries: Sequence[tuple[str, Sequence[Any]]]) -> Iterator[list[tuple[Any, ...]]]:
    """SQLite's rows as it stores them, many at a time; one query after another, all of one moment."""
    connection = reading()
    with at_one_moment(connection), connection.cursor() as cursor:
        for sql, params in queries:
            cursor.execute(sql, params)
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                yield rows


@contextmanager
def at_one_moment(connection: Any) -> Iterator[None]:
    """Nothing that others commit meanwhile is seen, unless a transaction has begun already.

    On SQLite nobody waits for it, unlike for Django's transactions, which begin as if they were to write.
    """
    if connection.in_atomic_block:
        yield
        return
    if connection.vendor == "postgresql":
        with transaction.atomic(using=connection.alias):
            execute(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")
