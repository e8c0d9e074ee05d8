"""The one source of "now", which HELIOX_AS_OF can hold still."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone


def now() -> datetime:
    return getattr(settings, "HELIOX_AS_OF", None) or timezone.now()


def today() -> date:
    """Today by the bill's default clock, UTC."""
    return now().astimezone(UTC).date()


def today_by(clock: str) -> date:
    """Today by a bill's clock, the name of a time zone."""
    return day_by(clock, now())


def day_by(clock: str, moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(clock)).date()
