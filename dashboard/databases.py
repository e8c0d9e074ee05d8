"""Which database the present request reads from: the primary, or a replica that follows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

PRIMARY, REPLICA = DEFAULT_DB_ALIAS, "replica"

_alias: ContextVar[str] = ContextVar("reads_from", default=PRIMARY)


def reading() -> Any:
    """The connection that this request reads figures from; outside of requests, the primary's."""
    return connections[_alias.get()]


@contextmanager
def reading_from(alias: str) -> Iterator[None]:
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)


class ReadsFollowTheRequest:
    """Figures come from where the request reads; who is signed in, and every write, is the primary's."""

    primary_only = frozenset({"auth", "contenttypes", "sessions"})

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return PRIMARY if model._meta.app_label in self.primary_only else _alias.get()

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return PRIMARY

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == PRIMARY
