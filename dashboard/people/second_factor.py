"""The second factor: a code of 30 seconds from an app, and recovery codes for when it is lost."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlencode

import segno
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import salted_hmac
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice, default_key

from . import sessions, signals

PAGE = "second_factor"  # where it is set up
VERIFIED = "second_factor"  # in the session: this sign-in was with a second factor
RECOVERY_CODES = 10
NEVER = -1  # django-otp's word for the step of the last code where there was none
ISSUER = "Heliox"


def has_one(user: Any) -> bool:
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def must_have_one(user: Any) -> bool:
    whom = settings.HELIOX_REQUIRE_SECOND_FACTOR
    return whom == "all" or (whom == "staff" and (user.is_staff or user.is_superuser))


# Setting it up


def new_key() -> str:
    return default_key()


def as_typed(key: str) -> str:
    """What to type into an app that cannot read the picture: base32, in groups of four."""
    text = base64.b32encode(bytes.fromhex(key)).decode()
    return " ".join(text[n : n + 4] for n in range(0, len(text), 4))


def picture(key: str, user: User) -> str:
    """The QR code as SVG for a data address, which needs no style and no script."""
    facts = {"secret": as_typed(key).replace(" ", ""), "issuer": ISSUER, "digits": 6, "period": 30}
    address = f"otpauth://totp/{ISSUER}:{quote(user.get_username())}?{urlencode(facts)}"
    svg = BytesIO()
    segno.make(address, error="m").save(svg, kind="svg", scale=4, border=4, light="#fff", dark="#000")
    return "data:image/svg+xml;base64," + base64.b64encode(svg.getvalue()).decode()


def set_up(request: HttpRequest, user: User, key: str, code: str) -> list[str]:
    """The recovery codes, or none where the code is not that key's. Signs the user out elsewhere."""
    with transaction.atomic():
        device = TOTPDevice.objects.create(user=user, name="app", key=key, confirmed=False)
        if not device.verify_token(digits(code)):
            device.delete()
            return []
        TOTPDevice.objects.filter(user=user).exclude(pk=device.pk).delete()
        device.confirmed = True
        device.save()
        codes = new_recovery_codes(user)
    request.session[VERIFIED] = True
    request.session.cycle_key()
    sessions.end_all(user, but=request.session.session_key)
    signals.second_factor_set_up.send(User, request=request, user=user)
    return codes


def new_recovery_codes(user: User) -> list[str]:
    """They are kept as keyed hashes: a copy of the database tells none of them."""
    codes = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        StaticDevice.objects.filter(user=user).delete()
        device = StaticDevice.objects.create(user=user, name="recovery codes")
        StaticToken.objects.bulk_create(StaticToken(device=device, token=kept(user, code)) for code in codes)
    return ["-".join(code[n : n + 4] for n in range(0, 16, 4)) for code in codes]


def recovery_codes_left(user: Any) -> int:
    return StaticToken.objects.filter(device__user=user).count()


def kept(user: User, code: str) -> str:
    digest = salted_hmac("dashboard.people.second_factor", f"{user.pk} {code}", algorithm="sha256").digest()
    return base64.b32encode(digest)[:16].decode()


# Using it


def accepts(request: HttpRequest, user: User, typed: str) -> bool:
    """Whether it is the app's code of now or a recovery code; each is good for once."""
    if of_the_app(user, digits(typed)):
        return True
    if not of_recovery(user, typed):
        signals.second_factor_failed.send(User, request=request, user=user)
        return False
    left = recovery_codes_left(user)
    signals.recovery_code_used.send(User, request=request, user=user, left=left)
    return True


@transaction.atomic
def of_the_app(user: User, code: str) -> bool:
    """The device is locked meanwhile, so that two requests do not use the same code."""
    devices = TOTPDevice.objects.filter(user=user, confirmed=True).select_for_update()
    return len(code) == 6 and any(as_of_now(device).verify_token(code) for device in devices)


def as_of_now(device: TOTPDevice) -> TOTPDevice:
    """A code that was used while the clock was ahead would make all those before it old."""
    used_at = (device.last_t - device.drift) * device.step + device.t0
    if used_at > time.time() + sessions.AHEAD:
        device.last_t = NEVER
    return device


@transaction.atomic
def of_recovery(user: User, typed: str) -> bool:
    code = "".join(typed.replace("-", "").split()).lower()
    devices = StaticDevice.objects.filter(user=user).select_for_update()
    return any(device.verify_token(kept(user, code)) for device in devices)


def digits(typed: str) -> str:
    text = "".join(typed.split())
    return text if text.isascii() and text.isdigit() else ""


def remove(request: HttpRequest | None, user: User, by: Any) -> bool:
    """Whether there was one. Who was signed in with it is signed out, but for the session that asked."""
    with transaction.atomic():
        removed, _ = TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
    own = request is not None and by == user
    if own:
        request.session.pop(VERIFIED, None)  # type: ignore[union-attr]
    sessions.end_all(user, but=request.session.session_key if own else None)  # type: ignore[union-attr]
    if removed:
        signals.second_factor_removed.send(User, request=request, user=user, by=by)
    return bool(removed)


class RequireSecondFactor:
    """Middleware: who must have a second factor and has none sets it up before anything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, *arguments: Any) -> HttpResponseBase | None:
        if not settings.HELIOX_REQUIRE_SECOND_FACTOR or not getattr(view, "login_required", True):
            return None
        user = request.user
        if not user.is_authenticated or request.session.get(VERIFIED) or not must_have_one(user):
            return None
        return None if is_open_without(request) else HttpResponseRedirect(reverse(PAGE))


def is_open_without(request: HttpRequest) -> bool:
    return request.resolver_match is not None and request.resolver_match.view_name in (
        PAGE,
        "logout",
        "theme",
    )
