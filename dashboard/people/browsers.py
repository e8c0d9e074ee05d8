"""Browsers from which somebody has signed in before: their tries are counted apart from strangers'.

So a stranger who tries out passwords of an account cannot keep its owner out.
"""

from __future__ import annotations

import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import salted_hmac

from .usernames import meant

SALT = "dashboard.people.browsers"
KNOWN_FOR = 90 * 24 * 3600


def account_key(username: str) -> str:
    """Stands for a name as typed: what people type there by mistake, a password at times, is not kept."""
    return salted_hmac(SALT, meant(username).casefold(), algorithm="sha256").hexdigest()


def cookie_name() -> str:
    return "__Host-known" if settings.SESSION_COOKIE_SECURE else "known"


def known_browser(request: HttpRequest, account: str) -> str:
    """What this browser was called when this account last signed in with it, or nothing."""
    try:
        known, browser = signing.loads(request.COOKIES.get(cookie_name(), ""), salt=SALT, max_age=KNOWN_FOR)
    except (signing.BadSignature, TypeError, ValueError):
        return ""
    return browser if known == account else ""


def remember(request: HttpRequest, response: HttpResponseBase, username: str) -> None:
    account = account_key(username)
    browser = known_browser(request, account) or secrets.token_urlsafe(16)
    response.set_cookie(
        cookie_name(),
        signing.dumps([account, browser], salt=SALT),
        max_age=KNOWN_FOR,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
