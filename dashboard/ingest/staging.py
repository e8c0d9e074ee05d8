"""Jobs of a file wait in a temporary table, outside the main file's lock, until they are merged in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from types import NoneType
from typing import Any

from django.db import connection, models

from ..models import Job
from ..statements import execute
from .copying import NAME, NULL, UTC_OFFSET, escaped, instant
from .rows import pieces

TABLE = "staged_jobs"
SETTLED = "settled_jobs"  # takes the place of the first
CHUNK = 5000
SQLITE_CACHE = 32 * 1024**2

# What a file can say of a job. The rest of the columns belong to the row's own history.
SAID = (
    "team_id",
    "model_name",
    "gpu_type",
    "provider",
    "start_time",
    "end_time",
    "status",
    "gpu_count",
    "submit_time",
    "external_id",
    "cluster",
    "account",
    "partition",
    "raw_gpu_type",
    "raw_gpu_count",
    "submitted_by",
)
OTHER = ("other_name", "other_id")  # until it is settled under which of its names a job is stored
COLUMNS = ("file", "line", "id", *SAID, *OTHER)
StagedRow = tuple[
    int,  # file
    int,  # line
    str,  # id, as hexadecimal digits
    str,  # team_id, likewise
    str,  # model_name
    str,  # gpu_type
    str,  # provider
    datetime | None,  # start_time
    datetime | None,  # end_time
    str,  # status
    Decimal,  # gpu_count
    datetime | None,  # submit_time
    str | None,  # external_id
    str | None,  # cluster
    str | None,  # account
    str | None,  # partition
    str | None,  # raw_gpu_type
    Decimal | None,  # raw_gpu_count
    str | None,  # submitted_by
    str | None,  # other_name
    str | None,  # other_id, as hexadecimal digits
]


class Staged(models.Model):
    id = models.UUIDField(primary_key=True)  # of the model; in the table an id can occur twice
    file = models.IntegerField()
    line = models.IntegerField()
    team_id = models.UUIDField()
    other_id = models.UUIDField(null=True)
    fate = models.CharField(max_length=10)  # inserted, until something is found that it may change

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def staged_model() -> Any:
    meta = type("Meta", (), {"app_label": "staging", "managed": False, "db_table": TABLE})  # no migration
    said = {name: field_of_job(name).clone() for name in SAID if name != "team_id"}
    said["other_name"] = field_of_job("external_id").clone()
    return type("StagedJob", (Staged,), {"__module__": __name__, "Meta": meta, **said})


def field_of_job(name: str) -> models.Field[Any, Any]:
    return next(field for field in Job._meta.concrete_fields if field.name == name)


StagedJob = staged_model()


@contextmanager
def staged_jobs() -> Iterator[None]:
    """The empty table for as long as the block runs."""
    drop(TABLE, SETTLED)
    create(TABLE)
    try:
        with large_cache():
            yield
    finally:
        if not connection.needs_rollback:  # else the rollback takes the table along, or the next import
            drop(TABLE, SETTLED)


@contextmanager
def large_cache() -> Iterator[None]:
    """SQLite: with its usual 2 MB, rows by the million take twice as long to find their places in indexes."""
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    sqlite = connection.connection  # past Django, which would refuse in a transaction that has failed
    [before] = sqlite.execute("PRAGMA main.cache_size").fetchone()
    sqlite.execute(f"PRAGMA main.cache_size = -{SQLITE_CACHE // 1024}")
    try:
        yield
    finally:
        sqlite.execute(f"PRAGMA main.cache_size = {before}")


def create(table: str) -> None:
    types = {field.column: field.db_type(connection) for field in StagedJob._meta.concrete_fields}
    types["fate"] = f"{types['fate']} DEFAULT 'inserted'"
    columns = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE {table} ({columns})")


def drop(*tables: str) -> None:
    schema = "pg_temp" if connection.vendor == "postgresql" else "temp"
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP TABLE IF EXISTS {schema}.{table}")


def fill(rows: Iterable[StagedRow]) -> None:
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            lines = "".join([as_line(row) for row in rows])
            with cursor.cursor.copy(f"COPY {TABLE} ({names}) FROM STDIN") as copy:
                copy.write(lines)
            return
        marks = ", ".join("?" * len(COLUMNS))
        insert = f"INSERT INTO temp.{TABLE} ({names}) VALUES ({marks})"
        cursor.cursor.connection.executemany(insert, map(as_sqlite, rows))


def leave_out(places: Iterable[tuple[int, int]]) -> None:
    """The rows at these numbers of a file and lines."""
    for piece in pieces(places):
        marks = ", ".join(["(%s, %s)"] * len(piece))
        numbers = [number for place in piece for number in place]
        execute(connection, f"DELETE FROM {TABLE} WHERE (file, line) IN (VALUES {marks})", numbers)


def as_line(row: StagedRow) -> str:
    """A line of COPY's text format: psycopg's own write_row takes four times as long."""
    # fmt: off
    (
        file, line, pk, team, model, gpu_type, provider, start, end, status, gpus, submit,
        external_id, cluster, account, partition, raw_type, raw_gpus, user, other_name, other_id,
    ) = row
    # fmt: on
    return (
        f"{file}\t{line}\t{pk}\t{team}\t{NAME[model]}\t{NAME[gpu_type]}\t{NAME[provider]}\t"
        f"{instant(start)}\t{instant(end)}\t{NAME[status]}\t{gpus!s}\t{instant(submit)}\t"
        f"{escaped(external_id)}\t{NAME[cluster]}\t{NAME[account]}\t{NAME[partition]}\t{NAME[raw_type]}\t"
        f"{NULL if raw_gpus is None else raw_gpus!s}\t{NAME[user]}\t"
        f"{escaped(other_name)}\t{other_id or NULL}\n"
    )


def as_sqlite(row: StagedRow) -> tuple[Any, ...]:
    """As Django's SQLite backend would store it; the raw cursor knows no adapters."""
    return tuple([SPELLED[type(value)](value) for value in row])


def same(value: Any) -> Any:
    return value


SPELLED: dict[type, Callable[[Any], Any]] = {
    **dict.fromkeys((int, str, NoneType), same),
    datetime: lambda moment: instant(moment).removesuffix(UTC_OFFSET),
    Decimal: str,
}


def differs(left: str, right: str) -> str:
    """SQL: what a file can say differs between two lists of values, nulls being equal."""
    operator = "IS DISTINCT FROM" if connection.vendor == "postgresql" else "IS NOT"
    return f"({left}) {operator} ({right})"
