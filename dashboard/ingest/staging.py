"""Jobs of a file wait in a temporary table, outside the main file's lock, until they are merged in one go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection, models

from ..models import Job

TABLE = "staged_jobs"
CHUNK = 2000

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
COLUMNS = ("file", "line", "id", *SAID, "fate")


class Staged(models.Model):
    id = models.UUIDField(primary_key=True)  # of the model; in the table an id can occur twice
    file = models.IntegerField()
    line = models.IntegerField()
    team_id = models.UUIDField()
    fate = models.CharField(max_length=10)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def staged_model() -> Any:
    meta = type("Meta", (), {"app_label": "staging", "managed": False, "db_table": TABLE})  # no migration
    said = {name: field_of_job(name).clone() for name in SAID if name != "team_id"}
    return type("StagedJob", (Staged,), {"__module__": __name__, "Meta": meta, **said})


def field_of_job(name: str) -> models.Field[Any, Any]:
    return next(field for field in Job._meta.concrete_fields if field.name == name)


StagedJob = staged_model()


@contextmanager
def staged_jobs() -> Iterator[None]:
    """The empty table for as long as the block runs."""
    columns = ", ".join(
        f'"{field.column}" {field.db_type(connection)}' for field in StagedJob._meta.concrete_fields
    )
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {temporary()}")
        cursor.execute(f"CREATE TEMPORARY TABLE {TABLE} ({columns})")
    try:
        yield
    finally:
        if not connection.needs_rollback:  # else the rollback takes the table along, or the next import
            with connection.cursor() as cursor:
                cursor.execute(f"DROP TABLE IF EXISTS {temporary()}")


def temporary() -> str:
    return f"pg_temp.{TABLE}" if connection.vendor == "postgresql" else f"temp.{TABLE}"


def fill(rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows as COLUMNS says, as Python values."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            names = ", ".join(f'"{name}"' for name in COLUMNS)
            with cursor.cursor.copy(f"COPY {TABLE} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        names, marks = ", ".join(f'"{name}"' for name in COLUMNS), ", ".join("?" * len(COLUMNS))
        insert = f"INSERT INTO temp.{TABLE} ({names}) VALUES ({marks})"
        cursor.cursor.connection.executemany(insert, (tuple(map(plain, row)) for row in rows))


def plain(value: Any) -> Any:
    """As Django's SQLite backend would store it; the raw cursor knows no adapters."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, datetime):
        return str(value.astimezone(UTC).replace(tzinfo=None))
    return value.hex if isinstance(value, UUID) else str(value)


def differs(left: str, right: str) -> str:
    """SQL: what a file can say differs between two aliases, nulls being equal."""
    mine, theirs = (", ".join(f'{alias}."{name}"' for name in SAID) for alias in (left, right))
    operator = "IS DISTINCT FROM" if connection.vendor == "postgresql" else "IS NOT"
    return f"({mine}) {operator} ({theirs})"
