"""Makes a backup while others write: of one moment, with the totals of that very moment."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from .. import audit, moving
from ..query_csv import at_one_moment
from . import programs
from .saying import (
    CannotBackUp,
    Manifest,
    applied_migrations,
    compared,
    folder_beside,
    pack,
    refuse_many_servers,
    totals,
)


def backup(file: Path, replace: bool = False) -> Manifest:
    """Raises CannotBackUp; then there is no file, or the one that was there."""
    if file.exists() and not replace:
        raise CannotBackUp(f"There is a file {file} already. Give another name, or --replace.")
    refuse_many_servers()
    refuse_nothing()
    with folder_beside(file) as folder:
        make = on_postgresql if connection.vendor == "postgresql" else on_sqlite
        made = pack(file, folder / "database", make(folder / "database"))
    audit.record("backup", str(file), f"{made.size:,} bytes, SHA-256 {made.sha256}")
    return made


def refuse_nothing() -> None:
    """Each night, where cron does not know DATABASE_URL, of a database that nobody uses."""
    if not applied_migrations("default"):
        raise CannotBackUp(
            "This database holds nothing of Heliox. Is DATABASE_URL here the one that the web server has?"
        )


def manifest(server: str) -> Manifest:
    """Of what the connection sees now."""
    now = timezone.now().isoformat(timespec="seconds")
    return Manifest(connection.vendor, server, now, applied_migrations("default"), totals("default"))


def on_sqlite(copy: Path) -> Manifest:
    """What is read here and what is copied is one state: that of the first look."""
    # Django finds this out in a transaction of its own, which has no place in ours.
    assert connection.features.supports_json_field
    with at_one_moment(connection):
        said = manifest(sqlite3.sqlite_version)
        with closing(sqlite3.connect(copy)) as target:
            connection.connection.backup(target)
    with opened(copy):
        if wrong := compared(said.totals, totals(moving.SOURCE)):
            raise CannotBackUp(f"The copy differs from the database: {'; '.join(wrong)}.")
    return said


def opened(file: Path) -> Any:
    """An SQLite file as the connection moving.SOURCE."""
    from heliox_site.databases import SQLITE, sqlite

    return moving.source_at(sqlite({"ENGINE": SQLITE, "NAME": str(file)}))


def on_postgresql(dump: Path) -> Manifest:
    """pg_dump and the totals see one snapshot."""
    server = connection.pg_version // 10_000  # type: ignore[attr-defined]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SELECT pg_export_snapshot(), current_setting('server_version')")
            snapshot, version = cursor.fetchone()
            present = connection.introspection.table_names(cursor)
        ours = [name for name in programs.our_tables() if name in present]
        running = programs.start_dump(dump, snapshot, ours, server)
        try:
            said = manifest(version)
        finally:
            failed = programs.trouble_of(running)
    if failed:
        raise CannotBackUp(f"pg_dump did not finish: {failed}")
    return said
