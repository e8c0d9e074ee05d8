"""What others do at the same time, each on a connection of their own; and whether they have to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from typing import Any

from django.db import OperationalError, connection, connections

# Backends that wait for a lock, of those at work in this database.
WAITING = """
    SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND pid IN (
        SELECT pid FROM pg_locks
        WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )"""


class Other:
    def __init__(self, threads: ThreadPoolExecutor, do: Callable[..., Any], *args: Any) -> None:
        self.was_locked_out = Event()
        self.future = threads.submit(self.alone, do, *args)

    def alone(self, do: Callable[..., Any], *args: Any) -> Any:
        try:
            if connection.vendor == "postgresql":
                return do(*args)
            with connection.execute_wrapper(self.noting_locks):
                return do(*args)
        finally:
            connections.close_all()

    def noting_locks(self, execute: Callable[..., Any], *statement: Any) -> Any:
        """SQLite tells nobody who waits: so each statement is tried without patience first."""
        sqlite = statement[-1]["connection"].connection
        sqlite.execute("PRAGMA busy_timeout=0")
        try:
            return execute(*statement)
        except OperationalError:
            self.was_locked_out.set()
        finally:
            sqlite.execute("PRAGMA busy_timeout=60000")
        return execute(*statement)

    @property
    def is_waiting(self) -> bool:
        if connection.vendor == "sqlite":
            return self.was_locked_out.is_set()
        with connection.cursor() as cursor:
            cursor.execute(WAITING)
            return cursor.fetchone() == (1,)

    def until_it_waits(self) -> None:
        """For a lock of the database; fails where it gets through without."""
        while not self.is_waiting:
            done, _ = wait([self.future], timeout=0.01)
            assert not done, f"It did not wait: {self.future.result()}"

    def result(self) -> Any:
        return self.future.result()


@contextmanager
def others(number: int = 2) -> Iterator[Callable[..., Other]]:
    """`start(do, *args)` begins what another does."""
    with ThreadPoolExecutor(number) as threads:
        yield lambda do, *args: Other(threads, do, *args)


def held_at(monkeypatch: Any, owner: Any, name: str) -> tuple[Event, Event]:
    """Whoever comes first to this function of a module or class waits there: (has come, may go on)."""
    came, may_go, real = Event(), Event(), getattr(owner, name)

    def hold(*args: Any, **kwargs: Any) -> Any:
        if not came.is_set():
            came.set()
            may_go.wait(20)
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, hold)
    return came, may_go
