"""A value that changes with every write: while it is the same, so is all that pages show and rights hang on.

On PostgreSQL triggers leave a row in `data_writes` for each statement that writes, whoever sends it; rows are
only added, so that nobody waits for a long import. SQLite tells by itself when somebody else has committed.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.http import HttpRequest, HttpResponseBase

from . import workers
from .databases import SAFE
from .models import AuditEvent, DataWrite, SentDigest, SignInTry, Upload, UploadPart
from .models.rollups import Measures
from .statements import execute

NAME = "note_data_write"
TABLE = DataWrite._meta.db_table
BY_CHANCE = "(random() * 9007199254740992)::bigint"
NOTED = f"INSERT INTO {TABLE} (stamp) VALUES ({BY_CHANCE})"
NOTING = (
    f"SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = '{NAME}' AND tgenabled <> 'D' "
    "AND pg_table_is_visible(tgrelid)"  # of this schema
)
STAMPS = "COUNT(*) || ' ' || COALESCE(SUM(stamp), 0)"
KNOWN = f"SELECT COUNT(*), {STAMPS}, (SELECT COUNT(*) FROM ({NOTING}) AS noting) FROM {TABLE}"
FUNCTION = (
    f"CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
    f"SET search_path FROM CURRENT AS $$ BEGIN {NOTED}; RETURN NULL; END $$"
)
MANY = 500
# On no page that is kept. Sums of GPU time follow from jobs and are stamped by month.
UNSEEN = (AuditEvent, SignInTry, SentDigest, Upload, UploadPart, DataWrite)

State = Hashable

UNTOLD: dict[str, State | None] = {}
# By the names of connections; None: each look is a new one. UNTOLD: nothing can be told.
_found: ContextVar[dict[str, State | None] | None] = ContextVar("states", default=None)


@contextmanager
def going_by(states: dict[str, State | None] | None) -> Iterator[None]:
    token = _found.set(states)
    try:
        yield
    finally:
        _found.reset(token)


def ask_once(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Middleware: all of a request that changes nothing goes by the state that it found first.

    What another comes to is remembered by nobody: it may have read some of it before a write, some after.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with going_by({} if request.method in SAFE else UNTOLD):
            return get_response(request)

    return middleware


@contextmanager
def asked_anew() -> Iterator[None]:
    """Within a request that takes long: by the state that each look finds."""
    with going_by(None):
        yield


@contextmanager
def untold(connection: Any) -> Iterator[None]:
    """In a transaction that sees one moment for its whole length: nothing that others remember is of that."""
    with going_by({connection.alias: None}):
        yield


def state(connection: Any) -> State | None:
    """None where it cannot be told: within a transaction on SQLite, or where not every write is noted."""
    found = _found.get()
    if found is UNTOLD:
        return None
    if found is None:
        return present_state(connection)
    if connection.alias not in found:
        found[connection.alias] = present_state(connection)
    return found[connection.alias]


def present_state(connection: Any) -> State | None:
    if connection.vendor == "sqlite":
        return None if connection.in_atomic_block else WATCHER.state(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(KNOWN)
        writes, stamps, noting = cursor.fetchone()
    return stamps if writes and noting >= len(watched()) else None


def note(connection: Any) -> None:
    """A write that no trigger sees."""
    if connection.vendor == "postgresql":
        execute(connection, NOTED)


def fold(connection: Any) -> None:
    """Many rows become one, which stands for a state of its own."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {TABLE}")
        if cursor.fetchone()[0] > MANY:
            cursor.execute(f"WITH gone AS (DELETE FROM {TABLE}) {NOTED}")


# On SQLite


@dataclass
class Watcher:
    """A connection that never writes: whatever is committed is somebody else's to it, and counted."""

    connection: sqlite3.Connection | None = None
    file: tuple[int, int] = (0, 0)
    opened: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def state(self, name: Any) -> State | None:
        with self.lock:
            try:
                about = Path(name).stat()
                if self.connection is None or self.file != (about.st_dev, about.st_ino):
                    self.open(name)
                    self.file = about.st_dev, about.st_ino
                assert self.connection is not None
                [commits] = self.connection.execute("PRAGMA data_version").fetchone()
            except (OSError, sqlite3.Error):
                return None
            return self.opened, commits

    def open(self, name: Any) -> None:
        if self.connection is not None:
            self.connection.close()
        self.opened += 1
        self.connection = sqlite3.connect(
            f"file:{quote(str(name))}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )


WATCHER = Watcher()

# On PostgreSQL


def install(connection: Any) -> None:
    """The triggers that are missing. Where workers hold the jobs there can be none, and nothing is known."""
    if connection.vendor != "postgresql" or workers.hold_jobs(connection):
        return
    present, noting = connection.introspection.table_names(), noting_tables(connection)
    missing = {table: on for table, on in watched().items() if table in present and table not in noting}
    if TABLE in present and missing:
        execute(connection, FUNCTION)
        for table, events in missing.items():
            execute(connection, f"CREATE TRIGGER {NAME} AFTER {events} ON {table} EXECUTE FUNCTION {NAME}()")
        execute(connection, NOTED)


def drop(connection: Any) -> None:
    if connection.vendor == "postgresql":
        for statement in dropping(connection):
            execute(connection, statement)


def dropping(connection: Any) -> list[str]:
    """SQL, table by table, so that one lock is held at a time."""
    return [f"DROP TRIGGER {NAME} ON {table}" for table in sorted(noting_tables(connection))]


def noting_tables(connection: Any) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(NOTING)
        return {table for (table,) in cursor.fetchall()}


@cache
def watched() -> dict[str, str]:
    """The events of each table that change what pages show."""
    tables = {model._meta.db_table: "INSERT OR UPDATE OR DELETE OR TRUNCATE" for model in seen()}
    # Signing in updates the user too; pages show the names of authors.
    return tables | {User._meta.db_table: "UPDATE OF username"}


def seen() -> Iterator[Any]:
    yield from (Permission, User.user_permissions.through, User.groups.through, Group.permissions.through)
    for model in apps.get_app_config("dashboard").get_models(include_auto_created=True):
        if not issubclass(model, Measures) and model not in UNSEEN:
            yield model
