"""A database that is gone, busy, full or read-only, told from a mistake of ours, and said in words."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import InterfaceError, InternalError, OperationalError
from psycopg import errors

RETRY_AFTER = 10  # seconds
# PostgreSQL says of a read-only server, or of a transaction that it ended, that it is an internal error.
OUTAGES = (OperationalError, InterfaceError, InternalError)

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
