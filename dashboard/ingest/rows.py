"""Rows as they were: kept as JSON before an import changes them, and put back when it is undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection, models

from ..models import CostSnapshot, ImportChange, ImportRun, Job, Team, UsageSnapshot
from ..statements import execute, wait_for_turn

T = TypeVar("T")
MODELS: dict[str, type[models.Model]] = {
    model._meta.db_table: model for model in (Team, Job, CostSnapshot, UsageSnapshot)
}
IMPORT_LOCK = 0x48454C494F58  # "HELIOX"
REMOVED = "removed"  # marks the image of a row that the import took away


def pieces(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    items = iter(items)
    while piece := list(islice(items, size)):
        yield piece


def wait_for_other_imports() -> None:
    """Until the end of the transaction."""
    wait_for_turn(connection, IMPORT_LOCK)


def columns(model: type[models.Model]) -> list[str]:
    return [field.column for field in model._meta.concrete_fields if field.column]


def quoted(names: Iterable[str], alias: str = "") -> str:
    return ", ".join(f'{alias}."{name}"' if alias else f'"{name}"' for name in names)


def excluded(names: Iterable[str]) -> str:
    """SQL: these columns as the row that met a conflict would have had them."""
    return ", ".join(f'"{name}" = excluded."{name}"' for name in names)


def db_value(model: type[models.Model], column: str, value: Any) -> Any:
    field = next(f for f in model._meta.concrete_fields if f.column == column)
    return field.get_db_prep_save(value, connection)


def upsert(model: type[models.Model], rows: list[dict[str, Any]]) -> None:
    """Rows by column name, all with the same columns, `id` too. A row that exists keeps its `created_at`."""
    if not rows:
        return
    names = list(rows[0])
    fresh = [n for n in names if n not in ("id", "created_at")]
    sql = (
        f"INSERT INTO {model._meta.db_table} ({quoted(names)}) VALUES ({', '.join(['%s'] * len(names))}) "
        f"ON CONFLICT (id) DO UPDATE SET {excluded(fresh)}"
    )
    values = [[db_value(model, name, row[name]) for name in names] for row in rows]
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)


def image(model: type[models.Model], alias: str, removed: bool) -> str:
    """SQL for the row as JSON. Texts and numbers come as stored, so nothing is lost on the way back."""
    mark = "true" if removed else "false"
    if connection.vendor == "postgresql":
        return f"to_jsonb({alias}.*) || '{{\"{REMOVED}\": {mark}}}'::jsonb"
    pairs = ", ".join(f"'{name}', {alias}.\"{name}\"" for name in columns(model))
    return f"json_object({pairs}, '{REMOVED}', json('{mark}'))"


def remember(
    run: ImportRun, model: type[models.Model], where: str, params: Sequence[Any] = (), removed: bool = False
) -> None:
    """Keeps the rows `t` of the model that `where` picks, as they are now."""
    table = model._meta.db_table
    execute(
        connection,
        f'INSERT INTO import_changes (run_id, "table", row_id, before) '
        f"SELECT %s, %s, t.id, {image(model, 't', removed)} FROM {table} t WHERE {where}",
        [run.pk, table, *params],
    )


def remember_ids(
    run: ImportRun, model: type[models.Model], ids: Iterable[UUID], removed: bool = False
) -> None:
    for piece in pieces(ids):
        values = [db_value(model, "id", pk) for pk in piece]
        remember(run, model, f"t.id IN ({', '.join(['%s'] * len(piece))})", values, removed)


def remember_created(run: ImportRun, model: type[models.Model], ids: Iterable[UUID]) -> None:
    table = model._meta.db_table
    changes = (ImportChange(run=run, table=table, row_id=pk, before=None) for pk in ids)
    ImportChange.objects.bulk_create(changes, batch_size=1000)


def put_back(run: ImportRun, model: type[models.Model]) -> int:
    """Rows that the run changed or removed are what they were; how many."""
    table, names = model._meta.db_table, columns(model)
    if connection.vendor == "postgresql":
        source = f"import_changes c CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, c.before) b"
        picked = quoted(names, "b")
    else:
        source = "import_changes c"
        picked = ", ".join(f"json_extract(c.before, '$.{name}')" for name in names)
    return execute(
        connection,
        f"INSERT INTO {table} ({quoted(names)}) SELECT {picked} FROM {source} "
        f'WHERE c.run_id = %s AND c."table" = %s AND c.before IS NOT NULL '
        f"ON CONFLICT (id) DO UPDATE SET {excluded(n for n in names if n != 'id')}",
        [run.pk, table],
    )
