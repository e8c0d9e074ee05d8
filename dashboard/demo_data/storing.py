"""Stores rows at the database's own speed: past the ORM, by COPY where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import Any
from uuid import UUID

from django.db import connection, models

from ..ingest.copying import NAME, NULL, UTC_OFFSET, as_copied, second
from ..ingest.rows import quoted
from ..ingest.staging import SAID
from ..models import ImportRun
from .jobs import PlannedJob

DAYS = 30  # of jobs in one statement: what PostgreSQL keeps of it until its end stays small
STAMPS = ("created_at", "updated_at", "imported_by_id")
JOB_COLUMNS = (*STAMPS, "team_set_by_hand", "id", *SAID)


def insert(model: type[models.Model], columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.cursor.copy(copy_into(table, columns)) as copy:
                for row in rows:
                    copy.write("\t".join(map(as_copied, row)) + "\n")
            return
        found = (tuple(map(as_sqlite, row)) for row in rows)
        cursor.cursor.connection.executemany(insert_into(table, columns), found)


def copy_into(table: str, columns: tuple[str, ...]) -> str:
    return f"COPY {table} ({quoted(columns)}) FROM STDIN"


def insert_into(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({quoted(columns)}) VALUES ({', '.join('?' * len(columns))})"


AS_SQLITE: dict[type, Callable[[Any], Any]] = {
    datetime: lambda value: value.strftime("%Y-%m-%d %H:%M:%S"),
    date: date.isoformat,
    Decimal: lambda value: format(value, "f"),
    UUID: lambda value: value.hex,
}


def as_sqlite(value: Any) -> Any:
    """As Django's SQLite backend stores it; the raw cursor knows no adapters. Times: UTC, whole seconds."""
    convert = AS_SQLITE.get(type(value))
    return convert(value) if convert else value


# Jobs, of which there may be millions


def store_jobs(run: ImportRun, teams: dict[str, str], batches: Iterator[list[PlannedJob]]) -> None:
    stamps = (run.written_at, run.written_at, run.pk, False)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            days = lines_of(batches, "\t".join(map(as_copied, stamps)), teams)
            for first in days:
                with cursor.cursor.copy(copy_into("jobs", JOB_COLUMNS)) as copy:
                    for lines in chain([first], islice(days, DAYS - 1)):
                        copy.write(lines)
            return
        begun = tuple(map(as_sqlite, stamps))
        rows = (as_row(begun, teams[job.team], job) for batch in batches for job in batch)
        cursor.cursor.connection.executemany(insert_into("jobs", JOB_COLUMNS), rows)


def lines_of(batches: Iterable[list[PlannedJob]], begin: str, teams: dict[str, str]) -> Iterator[str]:
    for batch in batches:
        yield "".join([as_line(begin, teams[job.team], job) for job in batch])


def as_line(begin: str, team: str, job: PlannedJob) -> str:
    """A line of COPY's text format."""
    # fmt: off
    (
        pk, _, model, gpu_type, provider, start, end, status, gpus, submit,
        external_id, cluster, account, partition, raw_type, raw_gpus, user,
    ) = job
    # fmt: on
    return (
        f"{begin}\t{pk}\t{team}\t{NAME[model]}\t{NAME[gpu_type]}\t{NAME[provider]}\t"
        f"{second(start)}\t{second(end)}\t{status}\t{gpus!s}\t{second(submit)}\t"
        f"{external_id}\t{NAME[cluster]}\t{NAME[account]}\t{NAME[partition]}\t{NAME[raw_type]}\t"
        f"{NULL if raw_gpus is None else raw_gpus!s}\t{NAME[user]}\n"
    )


def as_row(begin: tuple[Any, ...], team: str, job: PlannedJob) -> tuple[Any, ...]:
    pk, _, model, gpu_type, provider, start, end, status, gpus, submit, *raw = job
    named = (pk, team, model, gpu_type, provider)
    times = (moment(start), moment(end), status, as_sqlite(gpus), moment(submit))
    return (*begin, *named, *times, *map(as_sqlite, raw))


def moment(seconds: int | None) -> str | None:
    return None if seconds is None else second(seconds).removesuffix(UTC_OFFSET)
