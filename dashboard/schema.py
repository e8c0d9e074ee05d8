"""Makes tables that another tool created equal to those that the first migration describes.

Migrations use it, so it knows the entities only as the models that a migration hands it. PostgreSQL is
altered in place, so that grants, views and columns of others stay; SQLite can only build tables anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NoReturn
from uuid import UUID

from django.core.management.base import CommandError
from django.db import DatabaseError, migrations

ENTITIES = ("Team", "CostSnapshot", "UsageSnapshot", "Job")
AMOUNTS = {"cost_snapshots": "cost_usd", "usage_snapshots": "gpu_hours"}
STATUSES = ("pending", "running", "completed", "failed", "cancelled")
CENT = Decimal("0.01")
NOISE = Decimal("0.000001")  # what a float leaves behind an amount in cents
FIRST_TOO_LARGE = Decimal(10**10)  # for numeric(12,2)


class CreateUnlessThere(migrations.CreateModel):
    """Leaves a table that exists as it is; 0002 repairs it."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = to_state.apps.get_model(app_label, self.name)._meta.db_table
        if table not in schema_editor.connection.introspection.table_names():
            super().database_forwards(app_label, schema_editor, from_state, to_state)


def adopt(apps: Any, editor: Any) -> None:
    models = [apps.get_model("dashboard", name) for name in ENTITIES]
    for model in models:
        add_missing_columns(editor, model)
    refuse_repeated_names(editor)
    if editor.connection.vendor == "postgresql":
        alter_on_postgresql(editor, models)
    else:
        rebuild_on_sqlite(editor, models)


def stop(sentence: str) -> NoReturn:
    raise CommandError(sentence)


def ask(connection: Any, sql: str, params: Any = None) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def columns_of(editor: Any, table: str) -> set[str]:
    with editor.connection.cursor() as cursor:
        return {
            column.name for column in editor.connection.introspection.get_table_description(cursor, table)
        }


# Both databases


def add_missing_columns(editor: Any, model: Any) -> None:
    table, there = model._meta.db_table, columns_of(editor, model._meta.db_table)
    missing = [field for field in model._meta.local_fields if field.column not in there]
    needed = [f.column for f in missing if f.primary_key or not (f.null or f.has_db_default())]
    if needed:
        stop(
            f"The table {table} exists and has no {', '.join(needed)}: it is not the one that Heliox keeps. "
            "Rename it, or give Heliox a database of its own."
        )
    for field in missing:
        editor.execute(f"ALTER TABLE {table} ADD COLUMN {field.column} {field.db_type(editor.connection)}")


def refuse_repeated_names(editor: Any) -> None:
    repeated = ask(
        editor.connection,
        "SELECT name, COUNT(*) FROM teams GROUP BY name HAVING COUNT(*) > 1 ORDER BY name",
    )
    if repeated:
        named = ", ".join(f"“{name}” ({count} rows)" for name, count in repeated[:10])
        stop(f"{len(repeated)} team names occur more than once: {named}. Rename or merge these teams first.")


def refuse_jobs_without_team(connection: Any) -> None:
    """Asked before anything else: Django's schema editor would answer with an IntegrityError on SQLite."""
    if not {"jobs", "teams"} <= set(connection.introspection.table_names()):
        return
    bare = "lower(replace(CAST({} AS text), '-', ''))"  # ids may be uuids, or texts with dashes or without
    orphans = f"FROM jobs WHERE {bare.format('team_id')} NOT IN (SELECT {bare.format('id')} FROM teams)"
    [(count,)] = ask(connection, f"SELECT COUNT(*) {orphans}")
    if count:
        named = ask(connection, f"SELECT DISTINCT CAST(team_id AS text) {orphans} ORDER BY 1 LIMIT 10")
        stop(
            f"{count} jobs name a team that does not exist: {', '.join(team for (team,) in named)}. "
            "Add these teams or give the jobs another one first."
        )


def fill_blanks(editor: Any, model: Any) -> None:
    table = model._meta.db_table
    for field in model._meta.local_fields:
        if field.null:
            continue
        stand_in, params = for_blank(editor, field)
        if stand_in:
            sql = f"UPDATE {table} SET {field.column} = {stand_in} WHERE {field.column} IS NULL"
            editor.execute(sql, params or None)
        [(blank,)] = ask(editor.connection, f"SELECT COUNT(*) FROM {table} WHERE {field.column} IS NULL")
        if blank:
            stop(f"{table}.{field.column} is empty in {blank} rows, and each row needs it. Fill it in first.")


def for_blank(editor: Any, field: Any) -> tuple[str, Any]:
    """The SQL for what stands in a required column where another tool left nothing; empty: there is none."""
    if field.name == "updated_at":  # some tools write it with the first change only
        return "created_at", None
    if field.has_db_default():
        return editor.db_default_sql(field)
    if field.get_internal_type() == "CharField" and not field.unique:
        return "'unspecified'", None
    return "", None


def lower_known_statuses(editor: Any) -> None:
    """A tool that stores an enum's names writes RUNNING."""
    known = ", ".join(f"'{status}'" for status in STATUSES)
    editor.execute(
        f"UPDATE jobs SET status = lower(status) WHERE lower(status) IN ({known}) AND status NOT IN ({known})"
    )


# PostgreSQL


def alter_on_postgresql(editor: Any, models: list[Any]) -> None:
    for model in models:
        drop_old_constraints(editor, model)
    for model in models:
        table = model._meta.db_table
        try:
            settle_types(editor, model)
            fill_blanks(editor, model)
            settle_columns(editor, model)
            settle_keys(editor, model)
            settle_indexes(editor, model)
        except DatabaseError as error:
            raise CommandError(f"The table {table} cannot be taken over: {error}") from error
        comment(editor, model)
    lower_known_statuses(editor)
    cascade(editor, models[-1])


def drop_old_constraints(editor: Any, model: Any) -> None:
    """Foreign keys and checks on our columns; a check of the status would refuse what a log says."""
    names = ask(
        editor.connection,
        "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('f', 'c') AND conkey"
        " && ARRAY(SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = ANY(%s))",
        [model._meta.db_table, [field.column for field in model._meta.local_fields]],
    )
    for (name,) in names:
        editor.execute(f"ALTER TABLE {model._meta.db_table} DROP CONSTRAINT {editor.quote_name(name)}")


def settle_types(editor: Any, model: Any) -> None:
    """All columns in one statement: a large table is rewritten once."""
    table, types, changes = model._meta.db_table, column_types(editor, model), []
    for field in model._meta.local_fields:
        column, is_type, wanted = field.column, types[field.column], field.db_type(editor.connection)
        if spelled(is_type) == spelled(wanted):
            continue
        if wanted.startswith("numeric"):
            refuse_finer_amounts(editor, table, column)
        # A default of the old type, of an enum for one, could not be converted.
        changes.append(f"ALTER {column} DROP DEFAULT")
        changes.append(f"ALTER {column} TYPE {wanted} USING {converted(column, is_type, wanted)}")
    if changes:
        editor.execute(f"ALTER TABLE {table} {', '.join(changes)}", None)


def column_types(editor: Any, model: Any) -> dict[str, str]:
    return dict(
        ask(
            editor.connection,
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [model._meta.db_table],
        )
    )


def spelled(database_type: str) -> str:
    return database_type.replace("character varying", "varchar").replace(" ", "")


def converted(column: str, is_type: str, wanted: str) -> str:
    """A timestamp without a zone is UTC. An explicit cast to varchar(n) would cut a long text silently."""
    if wanted == "timestamp with time zone" and "without time zone" in is_type:
        return f"{column} AT TIME ZONE 'UTC'"
    if wanted == "date" and "with time zone" in is_type:
        return f"({column} AT TIME ZONE 'UTC')::date"
    if wanted.startswith("varchar"):
        return f"{column}::text"
    if wanted.startswith("numeric"):
        return f"round({column}::numeric, 2)"
    return f"{column}::text::{wanted}"


def refuse_finer_amounts(editor: Any, table: str, column: str) -> None:
    [(count,)] = ask(
        editor.connection,
        f"SELECT COUNT(*) FROM {table} WHERE abs({column}::numeric - round({column}::numeric, 2)) > {NOISE}",
    )
    if count:
        stop(
            f"{table}.{column} holds {count} amounts with more than two decimals: their sum would change. "
            f"Decide how, for example: UPDATE {table} SET {column} = round({column}, 2);"
        )


def settle_columns(editor: Any, model: Any) -> None:
    changes, params = [], []
    for field in model._meta.local_fields:
        default = "DROP DEFAULT"
        if field.has_db_default():
            sql, values = editor.db_default_sql(field)
            default = f"SET DEFAULT {sql}"
            params += values
        changes.append(f"ALTER {field.column} {default}")
        changes.append(f"ALTER {field.column} {'DROP' if field.null else 'SET'} NOT NULL")
    for column in required_columns_of_others(editor, model):
        changes.append(f"ALTER {editor.quote_name(column)} DROP NOT NULL")
    editor.execute(f"ALTER TABLE {model._meta.db_table} {', '.join(changes)}", params)


def required_columns_of_others(editor: Any, model: Any) -> list[str]:
    """Columns that Heliox does not know and that would refuse each row it writes."""
    found = ask(
        editor.connection,
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
        "AND attnotnull AND NOT atthasdef AND attidentity = '' AND attname <> ALL(%s)",
        [model._meta.db_table, [field.column for field in model._meta.local_fields]],
    )
    return [column for (column,) in found]


@dataclass(frozen=True)
class Index:
    name: str
    columns: str  # as in "btree (team_id, status)"
    unique: bool
    primary: bool
    constraint: str | None


def indexes_of(editor: Any, table: str) -> list[Index]:
    rows = ask(
        editor.connection,
        "SELECT name.relname, substring(pg_get_indexdef(indexrelid) FROM ' USING (.*)$'), "
        "indisunique, indisprimary, conname "
        "FROM pg_index JOIN pg_class name ON name.oid = indexrelid "
        "LEFT JOIN pg_constraint ON conindid = indexrelid AND contype IN ('p', 'u') "
        "WHERE indrelid = %s::regclass ORDER BY name.relname",
        [table],
    )
    return [Index(name, columns.replace('"', ""), *rest) for name, columns, *rest in rows]


def settle_keys(editor: Any, model: Any) -> None:
    """The primary key and unique columns, as constraints of the names that PostgreSQL gives by itself."""
    table = model._meta.db_table
    for field in (f for f in model._meta.local_fields if f.unique):
        kind, ending = ("PRIMARY KEY", "pkey") if field.primary_key else ("UNIQUE", f"{field.column}_key")
        found = [
            index
            for index in indexes_of(editor, table)
            if index.unique
            and index.primary == field.primary_key
            and index.columns == f"btree ({field.column})"
        ]
        names = [index.constraint for index in found if index.constraint]
        wanted = f"{table}_{ending}"
        if wanted in names:
            continue
        if names:
            change = f"RENAME CONSTRAINT {editor.quote_name(names[0])} TO {wanted}"
        elif found:
            change = f"ADD CONSTRAINT {wanted} {kind} USING INDEX {editor.quote_name(found[0].name)}"
        else:
            change = f"ADD CONSTRAINT {wanted} {kind} ({field.column})"
        editor.execute(f"ALTER TABLE {table} {change}")


def settle_indexes(editor: Any, model: Any) -> None:
    """An index under another name gets Django's, by which later migrations find it."""
    there = indexes_of(editor, model._meta.db_table)
    for statement in editor._model_indexes_sql(model):
        wanted = str(statement.parts["name"]).strip('"')
        columns = f"btree ({statement.parts['columns']})".replace('"', "")
        twins = [i.name for i in there if i.columns == columns and not i.unique]
        if wanted in twins:
            continue
        if twins:
            editor.execute(f"ALTER INDEX {editor.quote_name(twins[0])} RENAME TO {editor.quote_name(wanted)}")
        else:
            editor.execute(statement, None)


def comment(editor: Any, model: Any) -> None:
    editor.alter_db_table_comment(model, None, model._meta.db_table_comment)
    for field in model._meta.local_fields:
        editor.execute(
            f"COMMENT ON COLUMN {model._meta.db_table}.{field.column} IS %s", [field.db_comment or ""]
        )


def cascade(editor: Any, job_model: Any) -> None:
    """Django deletes a team's jobs itself and declares no ON DELETE; who speaks plain SQL needs it."""
    team = job_model._meta.get_field("team")
    statement = str(editor._create_fk_sql(job_model, team, "_fk_%(to_table)s_%(to_column)s"))
    editor.execute(statement.replace(" DEFERRABLE", " ON DELETE CASCADE DEFERRABLE"), None)


# SQLite


def rebuild_on_sqlite(editor: Any, models: list[Any]) -> None:
    refuse_views(editor, [model._meta.db_table for model in models])
    for kind, (read, _) in READERS.items():
        editor.connection.connection.create_function(f"heliox_{kind}", 1, or_none(read), deterministic=True)
    # Whatever can refuse comes before keys change: Django checks references on the way out of an error too.
    editor.execute("PRAGMA ignore_check_constraints = ON")
    for model in models:
        refuse_unreadable(editor, model)
        fill_blanks(editor, model)
    editor.execute("PRAGMA ignore_check_constraints = OFF")
    for model in models:
        keep_columns_of_others(editor, model)
        editor._remake_table(model)
        normalise(editor, model)
    lower_known_statuses(editor)


def refuse_views(editor: Any, tables: list[str]) -> None:
    """SQLite does not rename a table into the place of one that a view reads."""
    views = ask(editor.connection, "SELECT name, sql FROM sqlite_master WHERE type = 'view' ORDER BY name")
    readers = [name for name, sql in views if any(table in sql for table in tables)]
    if readers:
        stop(
            f"A view reads tables that have to be built anew: {', '.join(readers)}. "
            "Drop it, migrate, and create it again."
        )


def as_hex(value: Any) -> str:
    return (UUID(bytes=value) if isinstance(value, bytes) else UUID(str(value))).hex


def as_utc(value: Any) -> str:
    moment = datetime.fromisoformat(str(value))
    return str(moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment)


def as_day(value: Any) -> str:
    return date.fromisoformat(str(value)[:10]).isoformat()


def as_cents(value: Any) -> str:
    amount = Decimal(str(value))
    cents = amount.quantize(CENT, ROUND_HALF_UP)
    if abs(amount - cents) > NOISE or abs(cents) >= FIRST_TOO_LARGE:
        raise ValueError(value)
    return str(cents)


READERS: dict[str, tuple[Callable[[Any], str], str]] = {
    "UUIDField": (as_hex, "a UUID"),
    "DateTimeField": (as_utc, "a time such as 2025-03-01T12:00:00Z"),
    "DateField": (as_day, "a date such as 2025-03-01"),
    "DecimalField": (as_cents, "an amount with two decimals"),
}


def or_none(read: Callable[[Any], str]) -> Callable[[Any], str | None]:
    def reader(value: Any) -> str | None:
        try:
            return None if value is None else read(value)
        except (ValueError, ArithmeticError):
            return None

    return reader


def typed_columns(model: Any) -> list[tuple[str, str]]:
    """(column, its key in READERS) of those that a tool may have written in another form."""
    kinds = [(f.column, (f.target_field if f.is_relation else f).get_internal_type()) for f in fields(model)]
    return [(column, kind) for column, kind in kinds if kind in READERS]


def fields(model: Any) -> Any:
    return model._meta.local_fields


def refuse_unreadable(editor: Any, model: Any) -> None:
    table = model._meta.db_table
    for column, kind in typed_columns(model):
        unreadable = f"FROM {table} WHERE {column} IS NOT NULL AND heliox_{kind}({column}) IS NULL"
        values = ask(editor.connection, f"SELECT DISTINCT quote({column}) {unreadable} LIMIT 10")
        if values:
            stop(f"{table}.{column} holds {', '.join(v for (v,) in values)}, expected {READERS[kind][1]}.")


def keep_columns_of_others(editor: Any, model: Any) -> None:
    """Django builds tables anew from what it knows; what others added is put beside them."""
    table = model._meta.db_table
    others = sorted(columns_of(editor, table) - {field.column for field in fields(model)})
    if others:
        listed = ", ".join(editor.quote_name(column) for column in others)
        editor.execute(
            f"CREATE TABLE {table}_other_columns AS SELECT heliox_UUIDField(id) AS id, {listed} FROM {table}"
        )


def normalise(editor: Any, model: Any) -> None:
    """Ids as 32 hex digits and times in UTC without T or Z: Django compares them as text."""
    table = model._meta.db_table
    for column, kind in typed_columns(model):
        read = f"heliox_{kind}({column})"
        editor.execute(f"UPDATE {table} SET {column} = {read} WHERE {column} IS NOT {read}")


# Cells


@dataclass(frozen=True)
class RepeatedCell:
    table: str
    day: date
    provider: str
    gpu_type: str
    rows: int
    total: Decimal

    def __str__(self) -> str:
        unit = "USD" if self.table == "cost_snapshots" else "GPU-hours"
        return (
            f"{self.table} {self.day} {self.provider} {self.gpu_type}: "
            f"{self.rows} rows, {self.total} {unit} in all"
        )


def repeated_cells(connection: Any) -> list[RepeatedCell]:
    """Snapshots of which there is more than one per (date, provider, GPU type), with their exact sum."""
    return [cell for table in AMOUNTS for cell in repeated_in(connection, table)]


def repeated_in(connection: Any, table: str) -> list[RepeatedCell]:
    amount = AMOUNTS[table]
    if connection.vendor == "sqlite":  # whose SUM is a float
        amount = f"CAST(ROUND({amount} * 100) AS INTEGER)"
    rows = ask(
        connection,
        f"SELECT date, provider, gpu_type, COUNT(*), SUM({amount}) FROM {table} "
        "GROUP BY date, provider, gpu_type HAVING COUNT(*) > 1 ORDER BY date, provider, gpu_type",
    )
    scale = -2 if connection.vendor == "sqlite" else 0
    return [
        RepeatedCell(table, day, provider, gpu_type, count, Decimal(total).scaleb(scale))
        for day, provider, gpu_type, count, total in rows
    ]


def refuse_repeated_cells(apps: Any, editor: Any) -> None:
    cells = repeated_cells(editor.connection)
    if cells:
        more = [f"and {len(cells) - 10} more"] if len(cells) > 10 else []
        stop(
            "A day, provider and GPU type can have one cost and one usage row, but there are several of:\n  "
            + "\n  ".join([str(cell) for cell in cells[:10]] + more)
            + "\nNothing was changed. `manage.py merge_duplicates` adds them up (with --dry-run it only says "
            "what it would do); then migrate again."
        )
