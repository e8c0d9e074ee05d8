"""Each day's digest to each recipient once, from however many hosts it is started."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction

from .. import audit
from ..models import SentDigest
from .channels import CertainlyNotSent, Channel, by_mail, by_webhook
from .telling import Message

SENT, ALREADY = "sent", "already sent"


def recipients(to: Iterable[str] = ()) -> dict[str, Channel]:
    """By the name under which they are remembered. Those that are named; else all that settings name."""
    named = {address.lower(): by_mail(address) for address in to}
    if named:
        return named
    found = {address.lower(): by_mail(address) for address in settings.HELIOX_DIGEST_TO}
    if webhook := settings.HELIOX_DIGEST_WEBHOOK:
        found[urlsplit(webhook).hostname or webhook] = by_webhook(webhook)
    return found


def send_once(message: Message, day: date, to: str, channel: Channel) -> str:
    """Noted before it leaves, so that nobody else sends it meanwhile.

    What certainly did not leave is forgotten again; what perhaps did stays noted.
    """
    note = note_of(day, to)
    if note is None:
        return ALREADY
    try:
        channel(message)
    except CertainlyNotSent:
        note.delete()
        raise
    audit.record("digest", to, f"of {day}")
    return SENT


def note_of(day: date, to: str) -> SentDigest | None:
    """None where there is one already."""
    try:
        with transaction.atomic():
            return SentDigest.objects.create(day=day, to=to)
    except IntegrityError:
        return None
