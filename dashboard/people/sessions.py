"""How long somebody stays signed in: until idle for too long, and never beyond a limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Q
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone

from ..trouble import outages

BEGAN, SEEN = "signed_in_at", "seen_at"
NOTED_EVERY = 5 * 60  # seconds; a session is not written on each request
AHEAD = 5 * 60  # seconds by which a stored moment may lie ahead of this host's clock
CLEARED_AT_ONCE = 500
PATIENCE = 1  # seconds that a reader waits for a writer on SQLite


class Sessions(SessionMiddleware):
    """Who only reads is not kept from it where the database cannot note just now that they were here."""

    def process_response(self, request: Any, response: HttpResponse) -> HttpResponse:
        noted = getattr(request, "noted_session", None)
        if noted is None or noted != dict(request.session.items()):
            return self.saved(request, response)
        try:
            with little_patience():
                return self.saved(request, response)
        except outages.OUTAGES:
            request.session.modified = False
            return super().process_response(request, response)

    def saved(self, request: Any, response: HttpResponse) -> HttpResponse:
        """Django takes any trouble of the database for a session that was deleted meanwhile."""
        try:
            return super().process_response(request, response)
        except SessionInterrupted as error:
            for cause in outages.chain(error):
                if isinstance(cause, outages.OUTAGES):
                    raise cause from None
            raise


@contextmanager
def little_patience() -> Iterator[None]:
    if connection.vendor != "sqlite":
        yield
        return
    sqlite = connection.connection
    [before] = sqlite.execute("PRAGMA busy_timeout").fetchone()
    sqlite.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000}")
    try:
        yield
    finally:
        sqlite.execute(f"PRAGMA busy_timeout = {before}")


class LimitSessions:
    """Middleware: a session that was idle for too long, or that is too old, is no session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *arguments: Any) -> None:
        if not getattr(view, "login_required", True) or SESSION_KEY not in request.session:
            return
        session, moment = request.session, int(time.time())
        if is_over(session, moment):
            session.flush()
        elif moment - session[SEEN] >= min(NOTED_EVERY, settings.SESSION_COOKIE_AGE // 4):
            session[SEEN] = moment
            request.noted_session = dict(session.items())  # type: ignore[attr-defined]


def is_over(session: Any, moment: int) -> bool:
    limits = {BEGAN: settings.HELIOX_SIGNED_IN_SECONDS, SEEN: settings.SESSION_COOKIE_AGE}
    return not all(is_within(limit, session.get(key, 0), moment) for key, limit in limits.items())


def is_within(limit: int, since: int, moment: int) -> bool:
    """In seconds. What is far ahead was stored by a clock that was wrong, and would go on for too long."""
    return -AHEAD <= moment - since < limit


@receiver(user_logged_in)
def begin(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    request.session[BEGAN] = request.session[SEEN] = int(time.time())
    clear_some()


def clear_some() -> None:
    """Expired ones, of which `manage.py clearsessions` takes all that are left, and those of a clock ahead.

    The latter would be alive again when the day comes that it told.
    """
    now, longest = timezone.now(), max(settings.SESSION_COOKIE_AGE, settings.HELIOX_SIGNED_IN_SECONDS)
    over = Q(expire_date__lt=now) | Q(expire_date__gt=now + timedelta(seconds=longest + AHEAD))
    sessions = Session.objects.filter(over).order_by("expire_date")
    Session.objects.filter(pk__in=list(sessions.values_list("pk", flat=True)[:CLEARED_AT_ONCE])).delete()


def end_all(user: User, but: str | None = None) -> None:
    """Signs that user out everywhere; `but`: the key of a session that goes on."""
    sessions = Session.objects.filter(expire_date__gt=timezone.now()).exclude(pk=but)
    theirs = [row.pk for row in sessions.iterator() if row.get_decoded().get(SESSION_KEY) == str(user.pk)]
    Session.objects.filter(pk__in=theirs).delete()


@receiver(post_save, sender=User)
def sign_out_when_inactive(sender: Any, instance: User, created: bool, **kwargs: Any) -> None:
    """So that old cookies stay dead when the account is switched on again."""
    if not instance.is_active and not created:
        end_all(instance)
