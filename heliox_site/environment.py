"""Values of the environment, each as its kind; a bad one stops the start with a sentence.

What may hold a password is not repeated in it.
"""

import importlib.util
import os
import re
from datetime import UTC, datetime, time
from email.utils import parseaddr
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import EmailValidator, validate_email

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SHORTEST_SECRET = 32
# Words of secrets that documents, examples and tests show, and what Django's own examples begin with.
PUBLISHED = re.compile("insecure|change-?me|changeit|default|example|for-tests|secret|password|qwerty")
PUBLISHED_BEGINNING = "django-insecure-"


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def listed(name: str) -> list[str]:
    """What stands between commas."""
    return [value.strip() for value in text(name).split(",") if value.strip()]


def switch(name: str) -> bool:
    value = text(name, "0").lower()
    if value not in {"0", "1", "false", "true", "no", "yes", "off", "on"}:
        raise ImproperlyConfigured(f"{name} is {value!r}, expected 1 or 0.")
    return value in {"1", "true", "yes", "on"}


def choice(name: str, allowed: tuple[str, ...]) -> str:
    """One of `allowed`, the first of them when nothing is set."""
    value = text(name, allowed[0])
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} is {value!r}, expected one of: {', '.join(allowed)}.")
    return value


def whole_number(name: str, default: int, most: int, least: int = 1) -> int:
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= most):
        raise ImproperlyConfigured(f"{name} is {value!r}, expected a whole number from {least} to {most}.")
    return int(value)


def time_zone(name: str) -> str:
    value = text(name, "UTC")
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ImproperlyConfigured(f"{name} is {value!r}, expected a zone such as Europe/Berlin.") from None
    return value


def fixed_now(name: str, zone: str) -> datetime | None:
    """An aware moment; a bare date means its first moment in the display zone."""
    value = text(name)
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment and moment.tzinfo is None and moment.time() == time() and len(value) == len("2025-01-31"):
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    if moment is None or moment.tzinfo is None:
        raise ImproperlyConfigured(
            f"{name} is {value!r}, expected a date (2025-01-31) "
            "or a time with its zone (2025-01-31T12:00+00:00)."
        )
    return moment.astimezone(UTC)


def for_extra(name: str, package: str, extra: str) -> str:
    """A setting that means nothing without an extra being installed."""
    value = text(name)
    if value and importlib.util.find_spec(package) is None:
        raise ImproperlyConfigured(f"{name} is set, but the extra for it is missing: run make {extra}.")
    return value


def web_address(name: str, *, any_path: bool = False) -> str:
    """An https:// address; http:// is for this machine only. It is not repeated: it may hold a secret."""
    value = text(name).rstrip("/")
    try:
        where = urlsplit(value)
        plain = where.port is None or 0 < where.port < 65536
    except ValueError:
        where, plain = urlsplit(""), False
    plain = plain and not (where.username or where.fragment) and value.isprintable() and " " not in value
    if not any_path:
        plain = plain and not (where.path or where.query)
    safe = where.scheme == "https" or (where.scheme == "http" and where.hostname in LOOPBACK)
    if value and not (plain and safe and where.hostname):
        example = "https://hooks.example.com/services/…" if any_path else "https://heliox.example.com"
        raise ImproperlyConfigured(
            f"{name} is not understood, expected {example} (http:// only on this machine)."
        )
    return value


def mail_addresses(name: str) -> list[str]:
    found = listed(name)
    for address in found:
        try:
            validate_email(address)
        except ValidationError:
            raise ImproperlyConfigured(
                f"{name} holds {address!r}, expected mail addresses with commas between."
            ) from None
    return found


def sender(name: str, default: str) -> str:
    """An address, with or without a name before it; its host may be one of this network, without a dot."""
    value = text(name, default)
    address = parseaddr(value)[1]
    host = address.rpartition("@")[2]
    known = [host] if re.fullmatch("[A-Za-z0-9_-]+", host) else []
    try:
        EmailValidator(allowlist=known)(address)
    except ValidationError:
        raise ImproperlyConfigured(
            f"{name} is {value!r}, expected heliox@example.com or Heliox <heliox@example.com>; "
            'a name with a comma stands in quotes: "Heliox, GPUs" <heliox@example.com>.'
        ) from None
    return value


def weakness_of_secret(value: str) -> str:
    """What a stranger could guess it by, in words."""
    if len(value) < SHORTEST_SECRET:
        return "too short"
    if is_made_up_of_published_words(value.lower()):
        return "one that somebody published"
    repeats = any(value == (value[:n] * len(value))[: len(value)] for n in range(1, len(value) // 2 + 1))
    counted = sum(0 <= ord(after) - ord(one) <= 1 for one, after in zip(value, value[1:], strict=False))
    if repeats or len(set(value)) < 10 or counted > len(value) // 2:
        return "not random"
    return ""


def is_made_up_of_published_words(value: str) -> bool:
    """Whether without them the rest is no random key: chance puts such a word into some of these, too."""
    rest, words = PUBLISHED.subn("", value)
    if not words:
        return False
    too_short = len(rest) < SHORTEST_SECRET
    return words > 1 or too_short or value.startswith(PUBLISHED_BEGINNING) or reads_like_words(rest)


def reads_like_words(value: str) -> bool:
    """Chance sets digits between letters, a person who writes words hardly any."""
    kinds = [char.isdigit() for char in value if char.isalnum()]
    changes = sum(one != after for one, after in zip(kinds, kinds[1:], strict=False))
    return changes <= len(kinds) // 6
