"""Who is asking just now, for log lines and the audit: a person, an address, a request's number."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from .people.addresses import client_address

COMMAND_LINE = "command line"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


@dataclass(frozen=True)
class Asker:
    who: str = ""
    user_id: int | None = None
    address: str = ""
    request_id: str = ""

    def known_as(self, user: Any) -> Asker:
        """The same request, made by that person."""
        return replace(self, who=user.get_username(), user_id=user.pk)


@contextmanager
def asking(request: HttpRequest) -> Iterator[None]:
    request.id = number_of(request)  # type: ignore[attr-defined]
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def asker() -> Asker:
    request = _request.get()
    if request is None:
        return Asker(login_name(), None, COMMAND_LINE)
    one = Asker("", None, client_address(request), request_id())
    user = known_user(request)
    return one.known_as(user) if user else one


def request_id() -> str:
    return getattr(_request.get(), "id", "")


def user_id() -> int | None:
    request = _request.get()
    return getattr(known_user(request), "pk", None) if request else None


def asks_for_a_body() -> bool:
    """By the method as it was sent: to "head", which Django takes for HEAD, servers give all of it."""
    request = _request.get()
    return request is None or request.META["REQUEST_METHOD"] != "HEAD"


def known_user(request: HttpRequest) -> Any:
    """None for a stranger, and where nothing has asked yet: no log line looks up a session by itself."""
    user = request.__dict__.get("user")
    if isinstance(user, SimpleLazyObject):
        user = request.__dict__.get("_cached_user")
    return user if user and user.is_authenticated else None


def number_of(request: HttpRequest) -> str:
    """The proxy's own, so that its log and ours agree; anybody else's is not believed."""
    given = request.headers.get("X-Request-ID", "") if settings.HELIOX_BEHIND_PROXY else ""
    return given if REQUEST_ID.fullmatch(given) else uuid4().hex


def login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return ""
