"""Puts a backup in the place of what is stored: all of it, checked against its totals, or nothing."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import IO

from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connection, connections, transaction

from .. import audit, moving, rollups, typed, writes
from ..rollups import triggers
from . import programs
from .making import opened
from .saying import (
    CannotBackUp,
    Manifest,
    applied_migrations,
    compared,
    folder_beside,
    known_migrations,
    refuse_many_servers,
    totals,
    unpack,
)

LINES = 4_000
# Filled by migrations, so that a database on which only they have run counts as empty.
NOBODYS = {*moving.FILLED_BY_MIGRATIONS, programs.RECORDER, "bill_days", "audit_events", "data_writes"}
# Are made anew by the program, which knows how.
OURS_TO_MAKE = re.compile(r"\d+; \d+ \d+ (TRIGGER|FUNCTION) ")
GRANTS = re.compile(r"\d+; \d+ \d+ (DEFAULT )?ACL ")


def restore(file: Path, replace: bool = False) -> list[str]:
    """What there is to say about it. Raises CannotBackUp; then the database is as it was before."""
    refuse_filled(replace)
    with folder_beside(file) as folder:
        copy = folder / "database"
        manifest = unpack(file, copy)
        check(manifest)
        try:
            put_back = onto_postgresql if connection.vendor == "postgresql" else onto_sqlite
            said = put_back(copy, manifest)
        except DatabaseError as error:
            raise CannotBackUp(f"The database did not take it: {str(error).strip()}") from error
    ContentType.objects.clear_cache()
    said.append("Everybody signs in anew.")
    if not manifest.is_of_this_version:
        return [*said, "The backup is of an earlier version: run manage.py migrate now."]
    audit.record("restored", str(file), f"made {manifest.made_at}, SHA-256 {manifest.sha256}")
    return said


def refuse_filled(replace: bool) -> None:
    refuse_many_servers()
    if filled := [table for table in tables_here() if table not in NOBODYS and has_rows(table)]:
        if replace:
            return
        raise CannotBackUp(
            f"The database is not empty: it has rows in {', '.join(sorted(filled))}. "
            "With --replace, the backup takes their place."
        )


def tables_here() -> list[str]:
    present = set(connection.introspection.table_names())
    return [table for table in programs.our_tables() if table in present]


def has_rows(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {connection.ops.quote_name(table)} LIMIT 1")
        return cursor.fetchone() is not None


def check(manifest: Manifest) -> None:
    if manifest.vendor != connection.vendor:
        raise CannotBackUp(
            f"This is a backup of {manifest.vendor}, and the database is {connection.vendor}. Restore it "
            "into one of its own kind; manage.py move_from takes everything from there to here."
        )
    if later := set(manifest.migrations) - known_migrations():
        ours = {name.partition(".")[0] for name in known_migrations()}
        if named := sorted(name for name in later if name.partition(".")[0] in ours):
            raise CannotBackUp(f"The backup is of a later version than this one: it has {', '.join(named)}.")


def check_totals(manifest: Manifest, alias: str) -> None:
    wrong = compared(manifest.totals, totals(alias))
    if set(applied_migrations(alias)) != set(manifest.migrations):
        wrong.append("its migrations are not those that the backup names")
    if wrong:
        raise CannotBackUp(f"The totals differ, so nothing was changed: {'; '.join(wrong)}.")


def leave_sign_ins(alias: str) -> None:
    """After the totals were checked, which tell of them."""
    with connections[alias].cursor() as cursor:
        present = connections[alias].introspection.table_names(cursor)
        for model in moving.SIGN_INS:
            if model._meta.db_table in present:
                cursor.execute(f"DELETE FROM {model._meta.db_table}")


def mended_roll_ups(manifest: Manifest) -> list[str]:
    if not manifest.is_of_this_version:
        return []
    if not triggers.are_there(connection):
        triggers.install(connection)
    writes.install(connection)
    typed.install(connection)
    if not any(rollups.verify()):
        return ["The roll-ups agree with the jobs."]
    rollups.rebuild()
    return ["The roll-ups differed from the jobs and were summed anew."]


# SQLite


def onto_sqlite(copy: Path, manifest: Manifest) -> list[str]:
    """Checked first, then copied in one transaction: others see all of it or nothing."""
    with opened(copy):
        check_totals(manifest, moving.SOURCE)
        leave_sign_ins(moving.SOURCE)
    connection.ensure_connection()
    with closing(sqlite3.connect(copy)) as source:
        if (said := source.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise CannotBackUp(f"The backup is damaged: {said}")
        source.backup(connection.connection)
    connection.close()
    return mended_roll_ups(manifest)


# PostgreSQL


def onto_postgresql(copy: Path, manifest: Manifest) -> list[str]:
    """The old tables go and the new ones come in one transaction, which ends only when the totals agree."""
    dump = programs.Dump.at(copy)
    with transaction.atomic():
        drop_tables()
        main = [line for line in dump.lines if not OURS_TO_MAKE.match(line) and not GRANTS.match(line)]
        for section in ("pre-data", "data", "post-data"):
            run(dump, section, main)
        said = put_grants_back(dump, [line for line in dump.lines if GRANTS.match(line)])
        check_totals(manifest, "default")
        leave_sign_ins("default")
        said += mended_roll_ups(manifest)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return said


def drop_tables() -> None:
    """Without CASCADE: what others have hung on them makes the database refuse, and say what it is."""
    triggers.drop(connection)
    if present := tables_here():
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {', '.join(map(connection.ops.quote_name, present))}")


def put_grants_back(dump: programs.Dump, grants: list[str]) -> list[str]:
    if not grants:
        return []
    try:
        with transaction.atomic():
            run(dump, "pre-data", grants)
            run(dump, "post-data", grants)
    except DatabaseError as error:
        return [f"Rights of other roles were not given back, give them anew: {str(error).strip()}"]
    return []


def run(dump: programs.Dump, section: str, lines: list[str]) -> None:
    """A section of the dump, on our own connection and in its transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        path = cursor.fetchone()[0]
        with programs.script_of(dump, section, lines) as script:
            execute(script)
        # The script leaves it empty.
        cursor.execute("SELECT set_config('search_path', %s, false)", [path])


def execute(script: IO[bytes]) -> None:
    statements: list[bytes] = []
    for line in script:
        if line.startswith((b"\\restrict ", b"\\unrestrict ")):  # for psql only
            continue
        statements.append(line)
        if line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n"):
            told = statements.pop()
            send(statements)
            copy_rows(told.decode().removesuffix(";\n"), script)
            statements = []
    send(statements)


def send(statements: list[bytes]) -> None:
    if sql := b"".join(statements).decode().strip():
        with connection.cursor() as cursor:
            cursor.execute(sql)


def copy_rows(told: str, script: IO[bytes]) -> None:
    with connection.cursor() as cursor, cursor.cursor.copy(told) as copy:
        lines: list[bytes] = []
        for line in script:
            if line == b"\\.\n":
                break
            lines.append(line)
            if len(lines) == LINES:
                copy.write(b"".join(lines))
                lines = []
        copy.write(b"".join(lines))
