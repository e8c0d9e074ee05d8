"""Which database the present request reads from: the primary, or a replica that follows it.

A page's figures all come from one of the two. Who is signed in, and whatever is written, is the
primary's; so is what a session reads until the replica has replayed what that session wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.core.signing import BadSignature
from django.db import DatabaseError, Error, OperationalError, connection, connections
from django.db.models import Model
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from psycopg.errors import QueryCanceled

from .replica import OUT_OF_REACH, PRIMARY, REPLICA, Replica, position_written
from .trouble import frozen

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FIGURES = "dashboard.views."
# A dry run writes before it takes everything back; the others tell how the primary is.
NO_FIGURES = frozenset(FIGURES + name for name in ("imports", "accounts", "sign_in", "health", "metrics"))
AN_HOUR = 3600

_alias: ContextVar[str] = ContextVar("reads_from", default=PRIMARY)


def reading() -> Any:
    """The connection that this request reads figures from; outside of requests, the primary's."""
    return connections[_alias.get()]


def database_id(row: Any) -> Any:
    """A UUID, or a row's, as the database that is read from knows it in plain SQL."""
    pk = getattr(row, "pk", row)
    return pk.hex if reading().vendor == "sqlite" else pk


@contextmanager
def reading_from(alias: str) -> Iterator[None]:
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)


LIMITS = ("statement_timeout", "lock_timeout")


@contextmanager
def at_leisure() -> Iterator[None]:
    """The limits of a web process's pages are not for what may take as long as it takes, such as imports."""
    if connection.vendor != "postgresql":
        yield
        return
    before = replaced(connection, LIMITS, ("0", "0"))
    try:
        with frozen.serving(False):
            yield
    finally:
        with suppress(DatabaseError):  # a rollback has set them back, or the connection is gone
            replaced(connection, LIMITS, before)


def replaced(connection: Any, names: Sequence[str], values: Sequence[str]) -> Sequence[str]:
    """What these settings of the connection were."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(['current_setting(%s)'] * len(names))}", names)
        before = cursor.fetchone()
        for name, value in zip(names, values, strict=True):
            cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
    return before


class Unhurried:
    """Connections whose queries may take as long as they take; for a lock they wait no longer than a page."""

    limit = ("statement_timeout",)

    def __init__(self) -> None:
        self.before: dict[str, Sequence[str]] = {}

    def add(self, connection: Any) -> None:
        """One that is out of reach is left to who asks it something."""
        if connection.vendor == "postgresql" and connection.alias not in self.before:
            with suppress(Error):
                self.before[connection.alias] = replaced(connection, self.limit, ("0",))

    def end(self) -> None:
        for alias, before in self.before.items():
            if connections[alias].connection is not None:
                with suppress(Error):
                    replaced(connections[alias], self.limit, before)


class ReadsFollowTheRequest:
    """The database router where there is a replica."""

    primary_only = frozenset({"auth", "contenttypes", "sessions", "otp_totp", "otp_static"})

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return PRIMARY if model._meta.app_label in self.primary_only else _alias.get()

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return PRIMARY

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == PRIMARY


class ReadFromReplica:
    """Middleware: pages that only read take their figures from the replica while it can be trusted."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if REPLICA not in connections:
            raise MiddlewareNotUsed
        self.get_response = get_response
        self.replica = Replica()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with reading_from(PRIMARY):
            response = self.get_response(request)
            if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
                response.streaming_content = still_reading_from(_alias.get(), response.streaming_content)
        if request.method not in SAFE:
            remember_write(request, response)
        return response

    def process_view(self, request: HttpRequest, view: Any, *arguments: Any) -> None:
        if request.method not in SAFE or not shows_figures(view):
            return
        trouble = self.replica.trouble()
        if not trouble and self.holds_what_was_written(request):
            _alias.set(REPLICA)
        else:
            request.replica_note = trouble or self.replica.trouble()  # type: ignore[attr-defined]

    def holds_what_was_written(self, request: HttpRequest) -> bool:
        try:
            lsn = request.get_signed_cookie(cookie_name(), max_age=AN_HOUR)
            if lsn:
                return self.replica.has_replayed(lsn)
            request.get_signed_cookie(cookie_name(), max_age=settings.HELIOX_REPLICA_LAG)
        except (KeyError, BadSignature):  # nothing was written, or long ago
            return True
        return False

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A replica that breaks off costs nobody a page: it is read once more, from the primary."""
        if _alias.get() != REPLICA or not broke_off(exception):
            return None
        self.replica.failed()
        _alias.set(PRIMARY)
        request.replica_note = "The read replica broke off."  # type: ignore[attr-defined]
        if unhurried := getattr(request, "unhurried", None):
            unhurried.add(reading())
        view, args, kwargs = request.resolver_match  # type: ignore[misc]
        return view(request, *args, **kwargs)


def shows_figures(view: Any) -> bool:
    module = getattr(view, "__module__", "")
    return module.startswith(FIGURES) and module not in NO_FIGURES


def broke_off(exception: Exception) -> bool:
    """Not a page that took too long: the primary would take as long."""
    return isinstance(exception, OUT_OF_REACH) and not isinstance(exception.__cause__, QueryCanceled)


def cookie_name() -> str:
    return "__Host-written" if settings.SESSION_COOKIE_SECURE else "written"


def remember_write(request: HttpRequest, response: HttpResponseBase) -> None:
    """The reader's browser keeps how far the primary's log had come; without that, when it was."""
    try:
        lsn = position_written()
    except OperationalError:  # then nothing was written either
        return
    response.set_signed_cookie(
        cookie_name(),
        lsn,
        max_age=AN_HOUR,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def still_reading_from(alias: str, content: Any) -> Iterator[bytes]:
    """A file is written after its request has been answered."""
    chunks, end = iter(content), object()
    while True:
        with reading_from(alias):
            chunk: Any = next(chunks, end)
        if chunk is end:
            return
        yield chunk
