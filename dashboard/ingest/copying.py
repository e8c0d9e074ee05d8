"""Values as PostgreSQL's COPY spells them in its text format, quickly: they come by the million."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

NULL = "\\N"
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
UTC_OFFSET = "+00:00"


def as_copied(value: Any) -> str:
    if value is None or isinstance(value, str):
        return escaped(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def escaped(text: str | None) -> str:
    if text is None:
        return NULL
    return text.translate(ESCAPED) if "\\" in text or not text.isprintable() else text


class Remembered(dict[Any, str]):
    """What a function makes of values of which few are different."""

    def __init__(self, spell: Callable[[Any], str], most: int = 50_000) -> None:
        self.spell, self.most = spell, most

    def __missing__(self, value: Any) -> str:
        if len(self) >= self.most:
            self.clear()
        spelled = self[value] = self.spell(value)
        return spelled


NAME = Remembered(escaped)


def instant(moment: datetime | None) -> str:
    """In UTC. A datetime's own isoformat takes three times as long."""
    if moment is None:
        return NULL
    if moment.tzinfo is not UTC or moment.microsecond:
        return moment.astimezone(UTC).isoformat(" ")
    return f"{DAY[moment.date()]} {HOUR[moment.hour]}{MINUTE[moment.minute]}{SECOND[moment.second]}"


DAY = Remembered(date.isoformat)
HOUR = [f"{hour:02}:" for hour in range(24)]
MINUTE = [f"{minute:02}:" for minute in range(60)]
SECOND = [f"{second:02}{UTC_OFFSET}" for second in range(60)]


def second(since_1970: int | None) -> str:
    """The instant so many seconds after 1970 began."""
    if since_1970 is None:
        return NULL
    day, rest = divmod(since_1970, 86400)
    minutes, seconds = divmod(rest, 60)
    return f"{DAY_SINCE_1970[day]} {HOUR[minutes // 60]}{MINUTE[minutes % 60]}{SECOND[seconds]}"


DAY_SINCE_1970 = Remembered(lambda day: date.fromordinal(date(1970, 1, 1).toordinal() + day).isoformat())
