"""A frozen database enforces none of its own timeouts: a request that waits long asks whether it is there.

Its machine hangs, or its disk. What was sent to it is taken in and never answered, and a web server whose
threads all wait for it answers nobody, not even the one who asks whether it is alive.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any, Self

import psycopg
from psycopg import errors

LONG = 2.0  # seconds of waiting after which it is asked, again and again
PATIENCE = 2  # seconds for an answer
_serving: ContextVar[bool] = ContextVar("serving", default=False)


@contextmanager
def serving(served: bool = True) -> Iterator[None]:
    """A request of which somebody waits for the answer; not served: work that takes as long as it takes."""
    token = _serving.set(served)
    try:
        yield
    finally:
        _serving.reset(token)


class Watched(psycopg.Connection[Any]):
    """psycopg wakes up ten times a second while it waits: that is when we look at the clock."""

    reached_by: dict[str, Any]

    @classmethod
    def connect(cls, conninfo: str = "", **params: Any) -> Self:
        made = super().connect(conninfo, **params)
        made.reached_by = {"conninfo": conninfo, **params}
        return made

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        return super().wait(self.watched(gen) if _serving.get() else gen, *args, **kwargs)

    def watched(self, gen: Any) -> Any:
        """The same generator, but for an end where the server stands still."""
        since = monotonic()
        try:
            state = next(gen)
            while True:
                ready = yield state
                if not ready and monotonic() - since > LONG:
                    if not answers(self.reached_by):
                        self.stands_still()
                        self.pgconn.finish()
                        raise errors.OperationalError("the database does not answer")
                    since = monotonic()
                state = gen.send(ready)
        except StopIteration as done:
            return done.value

    def stands_still(self) -> None:
        """Other requests need not find out by themselves."""
        from . import outages

        outages.gone.stands_still()


class WatchedReplica(Watched):
    def stands_still(self) -> None:
        """Pages are read from the primary then."""


def answers(reached_by: dict[str, Any]) -> bool:
    """Whether it takes a new connection, or says why not."""
    try:
        psycopg.connect(**reached_by | {"connect_timeout": PATIENCE}).close()
    except errors.ConnectionTimeout:
        return False
    except psycopg.Error:
        return True
    return True
