"""Pages as they were made, for all who see the same, until something is written or a minute is over.

Who comes while somebody makes a page anew after its minute gets the old one, for another minute.

It is made for a Reader, who has no name: what is a person's own on it is left open and filled in for each.
"""

from __future__ import annotations

import copy
import re
import secrets
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import wraps
from typing import Any, TypeGuard

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.html import escape

from ..access import Reader
from ..clock import now
from ..databases import reading
from ..remembered import Kept, digest, first_at
from ..writes import State, state

MINUTE = timedelta(minutes=1)
PATIENCE = 10  # seconds for another thread that makes the same page
SECRET = secrets.token_hex(16)  # nobody's text can be taken for an opening
OPENING = re.compile(rf"\[{SECRET} (\w+)\]".encode())
View = Callable[..., HttpResponseBase]
Parts = list[bytes]  # what all see, and between two of these the name of an opening


def opening(name: str) -> str:
    return f"[{SECRET} {name}]"


def messages_to(request: HttpRequest) -> str:
    return render_to_string("_messages.html", request=request) if len(get_messages(request)) else ""


FILLED_IN: dict[str, Callable[[HttpRequest], str]] = {
    "name": lambda request: escape(request.user.get_username()),
    "messages": messages_to,
    "csrf_token": get_token,
}
OPENINGS = {name: opening(name) for name in FILLED_IN}
PAGES = Kept(most=settings.HELIOX_PAGES_MB * 1024**2)
MAKING = [threading.Lock() for _ in range(32)]


def kept(view: View) -> View:
    """Decorator of views that show a page and do nothing, below those that say who may see it."""

    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        stored = state(reading()) if may_be_kept(request) else None
        if stored is None:
            return view(request, *args, **kwargs)
        reader = Reader.like(request.user)
        key = known_by(request, reader, stored)
        if known := last_made(key, lasts(key)):
            return filled_in(known, request)
        with making(key) as is_first:
            if known := last_made(key, lasts(key) if is_first else 2 * MINUTE):
                return filled_in(known, request)
            began = now()
            response = view(asked_by(reader, request), *args, **kwargs)
            if not is_page(response):
                return response
            parts = OPENING.split(response.content)
            PAGES.keep(key, (began, parts), sum(map(len, parts)))
            return filled_in(parts, request)

    return page


def lasts(key: bytes) -> timedelta:
    """Half a minute to a minute, so that pages that were made together are not all made anew together."""
    return MINUTE * (255 + key[1]) / 510


def last_made(key: bytes, within: timedelta) -> Parts | None:
    began, parts = PAGES.get(key) or (None, None)
    return parts if began and timedelta(0) <= now() - began < within else None


def making(key: bytes) -> AbstractContextManager[bool]:
    """Whether nobody else is at it; who comes then waits only where there is none of the last two minutes."""
    patience = 0 if last_made(key, 2 * MINUTE) else PATIENCE
    return first_at(MAKING[key[0] % len(MAKING)], patience)


def may_be_kept(request: HttpRequest) -> bool:
    """No file, and no form that is sent."""
    return PAGES.most > 0 and request.method == "GET" and "_export" not in request.GET


def known_by(request: HttpRequest, reader: Reader, stored: State) -> bytes:
    asked = (request.build_absolute_uri(), request.COOKIES.get("theme"), getattr(request, "replica_note", ""))
    return digest(stored, reading().alias, reader.content, asked)


def asked_by(reader: Reader, request: HttpRequest) -> HttpRequest:
    """The same request, of somebody without a name."""
    asked = copy.copy(request)
    asked.resolver_match = request.resolver_match
    asked.user = reader  # type: ignore[assignment]
    asked.openings = OPENINGS  # type: ignore[attr-defined]
    return asked


def is_page(response: HttpResponseBase) -> TypeGuard[HttpResponse]:
    """And says nothing but its text."""
    return isinstance(response, HttpResponse) and response.status_code == 200 and not response.cookies


def filled_in(parts: Parts, request: HttpRequest) -> HttpResponse:
    own = {name: fill(request).encode() for name, fill in FILLED_IN.items() if name.encode() in parts[1::2]}
    return HttpResponse(
        b"".join(own[part.decode()] if place % 2 else part for place, part in enumerate(parts))
    )
