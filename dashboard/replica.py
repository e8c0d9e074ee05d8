"""How the read replica is: within reach, a replica of this primary, and near enough to it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from datetime import datetime
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    connections,
)

log = logging.getLogger(__name__)

PRIMARY, REPLICA = DEFAULT_DB_ALIAS, "replica"
REMEMBERED = 2.0  # seconds that an answer holds
SPARED = 5.0  # seconds that a replica in trouble is not asked again
LOOKS_KEPT = 500
UNKNOWN = float("inf")
OUT_OF_REACH = (OperationalError, InterfaceError)
# Some services that speak PostgreSQL know no positions in the log.
NO_POSITIONS = (NotSupportedError, ProgrammingError, InternalError)

# What a commit that returned has written lies before the position at which the next would be inserted.
WRITTEN = "SELECT pg_current_wal_insert_lsn()::text"
SENT = "SELECT pg_current_wal_lsn()::text, clock_timestamp()"
REPLAYED = "SELECT pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp()"
IDENTITY = """
SELECT system_identifier::text, current_database(), pg_is_in_recovery() FROM pg_control_system()
"""


def position(lsn: str | None) -> int:
    """A place in PostgreSQL's log as bytes since its beginning; a server that replays none is at 0."""
    high, low = (lsn or "0/0").split("/")
    return int(high, 16) << 32 | int(low, 16)


def ask(alias: str, sql: str) -> Any:
    with connections[alias].cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def position_written() -> str:
    """Where the primary's log ends now; empty where it does not tell."""
    try:
        return ask(PRIMARY, WRITTEN)[0]
    except NO_POSITIONS:
        return ""


class Replica:
    """What one process knows of the replica. Asking costs two short queries, once in a few seconds."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        self.known: str | None = None
        self.asked_again_at = 0.0
        self.sent: deque[tuple[float, int]] = deque(maxlen=LOOKS_KEPT)

    def trouble(self) -> str:
        """Why pages are not read there, as a sentence; empty where they are."""
        # One request asks; the others take what was known, unless nothing was.
        if self.is_due() and self.lock.acquire(blocking=self.known is None):
            try:
                if self.is_due():
                    self.learn()
            finally:
                self.lock.release()
        return self.known or ""

    def is_due(self) -> bool:
        return self.known is None or monotonic() >= self.asked_again_at

    def learn(self) -> None:
        before, self.known = self.known, self.found()
        self.asked_again_at = monotonic() + (SPARED if self.known else REMEMBERED)
        if self.known != before and (self.known or before):
            log.warning("%s", self.known or "The read replica is used again.")

    def found(self) -> str:
        try:
            if stranger := self.is_a_stranger():
                return stranger
            behind = self.seconds_behind()
        except OUT_OF_REACH:
            connections[REPLICA].close()
            return "The read replica does not answer."
        if behind > settings.HELIOX_REPLICA_LAG:
            return behind_in_words(behind)
        return ""

    def is_a_stranger(self) -> str:
        try:
            *mine, _ = ask(PRIMARY, IDENTITY)
            *theirs, follows = ask(REPLICA, IDENTITY)
        except NO_POSITIONS:
            return ""
        if mine != theirs:
            return "DATABASE_REPLICA_URL leads to another database, not to a replica."
        return "" if follows else "DATABASE_REPLICA_URL leads to no replica, but to a server of its own."

    def seconds_behind(self) -> float:
        """At most so many seconds of commits are missing there.

        The replica holds all that the primary had logged when it last stood where the replica stands
        now, and all that was committed up to the last commit it has replayed: the better of the two.
        """
        try:
            lsn, at = ask(PRIMARY, SENT)
            asked_at = monotonic()
            replayed, last_commit = ask(REPLICA, REPLAYED)
        except NO_POSITIONS:
            return 0.0
        self.sent.append((asked_at, position(lsn)))
        return min(self.since_passed(position(replayed), asked_at), since(last_commit, at))

    def since_passed(self, here: int, now: float) -> float:
        """Seconds since the primary stood where the replica is, as far as this process has looked."""
        while len(self.sent) > 1 and self.sent[1][1] <= here:
            self.sent.popleft()
        seen_at, sent = self.sent[0]
        return now - seen_at if sent <= here else UNKNOWN

    def has_replayed(self, lsn: str) -> bool:
        """Whether what stood in the primary's log before `lsn` can be read there."""
        try:
            return position(ask(REPLICA, REPLAYED)[0]) >= position(lsn)
        except OUT_OF_REACH:
            self.failed()
            return False

    def failed(self) -> None:
        """The next request asks anew."""
        self.asked_again_at = 0.0
        connections[REPLICA].close()


def since(last_commit: datetime | None, now: datetime) -> float:
    return (now - last_commit).total_seconds() if last_commit else UNKNOWN


def behind_in_words(seconds: float) -> str:
    if seconds == UNKNOWN:
        return "It is not known how far the read replica is behind."
    time = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:,.0f} minutes"
    return f"The read replica may be {time} behind."
