"""Everything that one database holds into another, empty one: in one transaction, with the totals of both."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management.color import no_style
from django.db import DatabaseError, IntegrityError, connection, connections, models, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from . import gpu_time, rollups
from .databases import reading_from
from .models import BillDay, DataWrite, Job, ModelName, Provider, ProviderClock, SettledMonth, SignInTry
from .models.exact import FullPrecisionField
from .models.rollups import Measures
from .rollups import triggers
from .row_lines import lines_of, write
from .statements import execute

SOURCE = "source"
Model = type[models.Model]
# Filled by migrations; the source's rows take the place of the target's, so that keys agree.
FILLED_BY_MIGRATIONS = ("auth_group_permissions", "auth_group", "auth_permission", "django_content_type")
# A copy of these would bring cookies to life that were signed out since.
SIGN_INS: tuple[Model, ...] = (Session, SignInTry)


class CannotMove(Exception):
    """The text is for the one who runs the command; nothing was written."""


@dataclass(frozen=True)
class Total:
    what: str
    source: Any
    target: Any

    @property
    def agrees(self) -> bool:
        return self.source == self.target


def move(sessions: bool = False, progress: Callable[[str, int, int], None] | None = None) -> list[Total]:
    """From the connection SOURCE into the default one. progress: a table, its rows so far, all its rows."""
    for alias in (SOURCE, connection.alias):
        check_migrations(alias)
    moved = tables(sessions)
    check_empty(moved)
    with held_still(), transaction.atomic(), derived_afterwards():
        for name in FILLED_BY_MIGRATIONS:
            execute(connection, f"DELETE FROM {name}")
        before = {model: totals(SOURCE, model) for model in moved}
        for model in moved:
            copy(model, before[model][model._meta.db_table], progress)
        for statement in connection.ops.sequence_reset_sql(no_style(), moved):
            execute(connection, statement)
        found = [both for model in moved for both in compared(before[model], totals("default", model))]
        if wrong := [one for one in found if not one.agrees]:
            named = "; ".join(f"{one.what} is {one.source:,} there and {one.target:,} here" for one in wrong)
            raise CannotMove(f"The totals differ, so nothing was written: {named}.")
    ContentType.objects.clear_cache()
    return found


# Before


@contextmanager
def source_at(config: dict[str, Any]) -> Iterator[None]:
    """The database of these settings as SOURCE, for as long as the block runs."""
    if "sqlite3" in config["ENGINE"] and not Path(config["NAME"]).is_file():
        raise CannotMove(f"There is no file {config['NAME']}.")
    configured = {"default": connections.settings["default"], SOURCE: config}
    connections.settings[SOURCE] = connections.configure_settings(configured)[SOURCE]
    try:
        yield
    finally:
        connections[SOURCE].close()
        del connections[SOURCE], connections.settings[SOURCE]


@contextmanager
def held_still() -> Iterator[None]:
    """One state of the source: nobody writes to SQLite meanwhile; PostgreSQL shows what was there first."""
    with transaction.atomic(using=SOURCE):
        if connections[SOURCE].vendor == "postgresql":
            execute(connections[SOURCE], "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def check_migrations(alias: str) -> None:
    which = "The database to move from" if alias == SOURCE else "The database to move into"
    try:
        applied = set(MigrationRecorder(connections[alias]).applied_migrations())
    except DatabaseError as error:
        raise CannotMove(f"{which} does not answer: {str(error).strip()}") from None
    known = set(MigrationLoader(None).disk_migrations)
    if known - applied:
        raise CannotMove(f"{which} is not up to date: run manage.py migrate on it first.")
    ours = {app for app, _ in known}
    if later := [name for app, name in applied - known if app in ours]:
        raise CannotMove(f"{which} is of a later version than this one: it has {', '.join(sorted(later))}.")


def check_empty(moved: Iterable[Model]) -> None:
    theirs = (model for model in moved if model._meta.db_table not in FILLED_BY_MIGRATIONS)
    if filled := [model._meta.db_table for model in theirs if count("default", model)]:
        raise CannotMove(
            f"The database to move into is not empty: it has rows in {', '.join(filled)}. "
            "Give a new one, on which only manage.py migrate has run."
        )


def unknown_columns() -> list[str]:
    """Of the source's tables, which another tool may have made."""
    found, introspection = [], connections[SOURCE].introspection
    for model in tables(sessions=False):
        table = model._meta.db_table
        with connections[SOURCE].cursor() as cursor:
            there = {column.name for column in introspection.get_table_description(cursor, table)}
        ours = {field.column for field in model._meta.concrete_fields}
        found += [f"{table}.{column}" for column in sorted(there - ours)]
    return found


def tables(sessions: bool) -> list[Model]:
    """What is moved, each table after those that it refers to."""
    found: list[Model] = []

    def add(model: Model) -> None:
        for field in model._meta.concrete_fields:
            if field.related_model and field.related_model is not model:
                add(field.related_model)
        if model not in found:
            found.append(model)

    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy and not is_left_behind(model, sessions):
            add(model)
    return found


def is_left_behind(model: Model, sessions: bool) -> bool:
    """What can be derived, what notes writes, and who is signed in or tries to."""
    if model is Session and sessions:
        return False
    made_here = (ModelName, BillDay, ProviderClock, SettledMonth, DataWrite)
    return issubclass(model, Measures) or model in (*made_here, *SIGN_INS)


# Rows


def copy(model: Model, rows: int, progress: Callable[[str, int, int], None] | None) -> None:
    table, done = model._meta.db_table, 0
    fields = [field for field in model._meta.concrete_fields if field.column]

    def counted(pieces: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal done
        for piece in pieces:
            done += piece.count(b"\n")
            if progress:
                progress(table, done, rows)
            yield piece

    try:
        write(connection, table, fields, counted(lines_of(connections[SOURCE], table, fields)))
    except DatabaseError as error:
        raise CannotMove(f"A row of {table} does not fit: {str(error).strip()}") from error


# Afterwards


@contextmanager
def derived_afterwards() -> Iterator[None]:
    """What follows from the rows is made anew, in one go instead of row by row."""
    kept_by_triggers = triggers.are_there(connection)
    triggers.drop(connection)
    yield
    try:
        connection.check_constraints()
    except IntegrityError as error:
        raise CannotMove(f"A row refers to one that is not there: {str(error).strip()}") from None
    execute(connection, "ANALYZE")
    for clock in Provider.objects.order_by().values_list("bill_clock", flat=True).distinct():
        BillDay.objects.ensure(clock)
    rollups.rebuild()
    if kept_by_triggers:
        triggers.install(connection)


def compared(source: dict[str, Any], target: dict[str, Any]) -> list[Total]:
    return [Total(what, value, target[what]) for what, value in source.items()]


def totals(alias: str, model: Model, there: Container[str] | None = None) -> dict[str, Any]:
    """The number of rows and the exact sum of every decimal column; of jobs, their GPU microseconds too.

    there: the columns that the table has, where it may be an older one.
    """
    table, vendor = model._meta.db_table, connections[alias].vendor
    decimals = [field for field in model._meta.concrete_fields if isinstance(field, models.DecimalField)]
    decimals = [field for field in decimals if there is None or field.column in there]
    with connections[alias].cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(['COUNT(*)', *(summed(f, vendor) for f in decimals)])} FROM {table}"
        )
        rows, *sums = cursor.fetchone()
    named = [f"{table}.{field.column}" for field in decimals]
    found = {table: rows} | dict(zip(named, map(exact, decimals, sums, [vendor] * len(sums)), strict=True))
    if model is Job and (there is None or "gpu_count" in there):
        found["GPU microseconds of jobs"] = gpu_microseconds(alias)
    return found


def summed(field: Any, vendor: str) -> str:
    if vendor == "postgresql":
        return f'SUM("{field.column}")'
    if isinstance(field, FullPrecisionField):
        return f'heliox_sum("{field.column}")'
    return f'SUM(CAST(ROUND("{field.column}" * {10**field.decimal_places}) AS INTEGER))'


def exact(field: Any, total: Any, vendor: str) -> Decimal:
    scaled = vendor == "sqlite" and not isinstance(field, FullPrecisionField)
    return Decimal(total or 0).scaleb(-field.decimal_places if scaled else 0)


def gpu_microseconds(alias: str) -> int:
    """Of the jobs that have ended, whatever the hour in which each side is asked."""
    with reading_from(alias), connections[alias].cursor() as cursor:
        cursor.execute(
            f"SELECT SUM({gpu_time.piece('j.start_time', 'j.end_time', any_length=True)}) FROM jobs j "
            "WHERE j.end_time >= j.start_time",
            [],
        )
        return int(cursor.fetchone()[0] or 0)


def count(alias: str, model: Model) -> int:
    return model._base_manager.using(alias).count()
