"""A database that is gone, busy, full or read-only, told from a mistake of ours, and said in words."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from time import monotonic

from django.db import InterfaceError, InternalError, OperationalError, connection
from psycopg import errors
from psycopg_pool import PoolTimeout

RETRY_AFTER = 10  # seconds
# PostgreSQL says of a read-only server, or of a transaction that it ended, that it is an internal error.
OUTAGES = (
    *(OperationalError, InterfaceError, InternalError),
    *(errors.OperationalError, errors.InterfaceError, errors.InternalError),  # of what is asked past Django
)

WORDS: dict[type[BaseException], str] = {
    errors.QueryCanceled: "this took longer than the database may take for a page; ask for fewer days",
    errors.LockNotAvailable: "somebody else is changing the same rows",
    errors.DeadlockDetected: "somebody else is changing the same rows",
    errors.DiskFull: "the disk of the database is full, so nothing can be saved; figures can still be read",
    errors.ReadOnlySqlTransaction: "the database can be read but not written to at the moment",
    errors.TooManyConnections: "the database has more to do than it can take",
}
# SQLite's errors are told apart by their text only.
SPELLED = {
    "locked": "somebody else is changing the same rows",
    "disk is full": WORDS[errors.DiskFull],
    "readonly": WORDS[errors.ReadOnlySqlTransaction],
}
OTHERWISE = "its database does not answer"


def is_outage(error: BaseException | None) -> bool:
    return any(isinstance(one, OUTAGES) for one in chain(error))


def in_words(error: BaseException | None) -> str:
    for one in chain(error):
        for kind, words in WORDS.items():
            if isinstance(one, kind):
                return words
        for spelling, words in SPELLED.items():
            if isinstance(one, OUTAGES) and spelling in str(one):
                return words
    return OTHERWISE


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what caused it; an outage while another is handled is one, too."""
    seen = 0
    while error is not None and seen < 10:
        yield error
        error, seen = error.__cause__ or error.__context__, seen + 1


class Gone:
    """A database that nobody reached a moment ago: one request at a time tries it, others do not wait."""

    SPARED = 1.0  # seconds
    PATIENCE = 5.0  # of the one who tries, beyond the pool's own

    def __init__(self) -> None:
        self.lock = Lock()
        self.again_at: float | None = None

    def note(self, error: BaseException | None) -> None:
        """That all connections are in use is another matter."""
        if any(isinstance(one, PoolTimeout) for one in chain(error)) and not pool_is_full():
            self.stands_still()

    def stands_still(self) -> None:
        self.again_at = monotonic() + self.SPARED

    def is_known(self) -> bool:
        with self.lock:
            now = monotonic()
            if self.again_at is None or now < self.again_at:
                return self.again_at is not None
            self.again_at = now + self.PATIENCE
            return False

    def is_over(self) -> None:
        self.again_at = None


def pool_is_full() -> bool:
    pool = getattr(connection, "pool", None)
    stats = pool.get_stats() if pool else {}
    return stats.get("pool_size", 0) >= stats.get("pool_max", 1)


gone = Gone()
