"""Single values as a file spells them, read strictly: a number, a day, a time, a name.

What is not exactly of the expected form raises BadValue, whose `expected` completes
the sentence "… is not …".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from itertools import product
from uuid import UUID
from zoneinfo import ZoneInfo

YEARS = range(2000, 2100)
NAME_LENGTH = 255  # teams, models, accounts, job ids
LABEL_LENGTH = 100  # providers, GPU types, service categories
STATUS_LENGTH = 50
UNSPECIFIED = "unspecified"


class BadValue(ValueError):
    def __init__(self, value: str, expected: str, column: str = ""):
        super().__init__(f"{value!r} is not {expected}")
        self.value = shortened(value)
        self.expected = expected
        self.column = column


def shortened(text: str, length: int = 80) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


# Numbers

NUMBER_LENGTH = 40
MOST_DECIMALS = 30  # a double in an export has up to 17 digits behind up to 13 zeros
_PLAIN = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
_SCIENTIFIC = re.compile(_PLAIN.pattern + r"(?:[eE][+-]?[0-9]{1,3})?")
_ZERO = Decimal(0)
_PLACES = {2: "two", 6: "six"}


def decimal(
    text: str,
    *,
    places: int | None = None,
    exponent: bool = False,
    low: Decimal = Decimal("-1e12"),
    high: Decimal = Decimal("1e12"),
) -> Decimal:
    """A number between low and high, both inclusive. With `places` the answer has exactly that many."""
    digits = text.strip(" ")
    if len(digits) > NUMBER_LENGTH:
        raise BadValue(text, f"a number of at most {NUMBER_LENGTH} characters")
    plain = _PLAIN.fullmatch(digits)
    if not plain and not (exponent and _SCIENTIFIC.fullmatch(digits)):
        raise BadValue(text, "a number like 1234.56")
    number = Decimal(digits)
    if not low <= number <= high:
        raise BadValue(text, f"a number from {low:,f} to {high:,f}")
    if not plain or len(digits) > MOST_DECIMALS:
        number = _spelled_out(text, number)
    if places is not None:
        number = _with_places(text, number, places)
    return number or _ZERO  # never -0


def _spelled_out(text: str, number: Decimal) -> Decimal:
    exponent = int(number.as_tuple().exponent)
    if exponent < -MOST_DECIMALS:
        raise BadValue(text, f"a number with at most {MOST_DECIMALS} decimals")
    return Decimal(int(number)) if exponent > 0 else number


def _with_places(text: str, number: Decimal, places: int) -> Decimal:
    rounded = number.quantize(Decimal(1).scaleb(-places))
    if rounded != number:
        raise BadValue(text, f"a number with at most {_PLACES.get(places, places)} decimals")
    return rounded


# Days and times

_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?"
    r"(?: ?(?:(Z|z|UTC)|([+-])([0-9]{2})(?::?([0-9]{2}))?))?"
)
_A_DAY = "a day like 2026-05-31 from 2000 to 2099"
_A_TIME = "a time like 2026-05-31T14:00:00Z from 2000 to 2099"


def iso_day(text: str) -> date:
    match = _DAY.fullmatch(text.strip(" "))
    try:
        day = date(*map(int, match.groups())) if match else None
    except ValueError:
        day = None
    if day is None or day.year not in YEARS:
        raise BadValue(text, _A_DAY)
    return day


def zone(name: str | None) -> tzinfo:
    """The IANA zone of that name; UTC where none is named."""
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfo("Europe") is a folder
        raise BadValue(name, "a time zone like Europe/Oslo") from None


def moment(text: str, local: tzinfo = UTC) -> datetime:
    """The instant, in UTC. A time without offset is `local`; one that occurs twice is the first."""
    return moments(text, local)[0]


# Nearly all times of a file are of one of these shapes, whose digits datetime checks in a fifth of the time.
_WITH_Z = re.compile(r"20..-..-..[T ](?:[01].|2[0-3]):..:..Z").fullmatch
_WITH_OFFSET = re.compile(r"20..-..-..[T ](?:[01].|2[0-3]):..:..[+-](?:0.|1[0-3]):[0-5].").fullmatch
_WITHOUT = re.compile(r"20..-..-..[T ](?:[01].|2[0-3]):..:..").fullmatch


def moments(text: str, local: tzinfo = UTC) -> tuple[datetime, ...]:
    """Every instant that the text can mean, in UTC: two for a local time that occurs twice."""
    try:
        if _WITH_Z(text):
            return (datetime.fromisoformat(text),)
        instant = _usual(text, local)
    except ValueError:
        instant = None
    return (instant,) if instant and instant.year in YEARS else _unusual(text, local)


def _usual(text: str, local: tzinfo) -> datetime | None:
    if _WITHOUT(text):
        offset = _steady_offset(text[:13], local)
        return None if offset is None else datetime.fromisoformat(text + "Z") - offset
    return datetime.fromisoformat(text).astimezone(UTC) if _WITH_OFFSET(text) else None


@lru_cache(maxsize=50_000)
def _steady_offset(hour: str, local: tzinfo) -> timedelta | None:
    """The offset of every minute of a local hour; None where a clock is changed within it."""
    ends = (datetime.fromisoformat(f"{hour}:00:00"), datetime.fromisoformat(f"{hour}:59:59"))
    offsets = {end.replace(tzinfo=local, fold=fold).utcoffset() for end in ends for fold in (0, 1)}
    return offsets.pop() if len(offsets) == 1 else None


def _unusual(text: str, local: tzinfo) -> tuple[datetime, ...]:
    match = _TIME.fullmatch(text.strip(" "))
    if match is None:
        raise BadValue(text, _A_TIME)
    try:
        stamp, offset = _parts(match)
        if offset is not None:
            instants = [(stamp - offset).replace(tzinfo=UTC)]
        elif local is UTC:
            instants = [stamp.replace(tzinfo=UTC)]
        else:
            instants = _local_instants(stamp, local)
    except (ValueError, OverflowError):
        raise BadValue(text, _A_TIME) from None
    if not instants:
        raise BadValue(text, f"a time that {local} had: its clocks were put forward then")
    if instants[0].year not in YEARS:
        raise BadValue(text, _A_TIME)
    return tuple(instants)


def _parts(match: re.Match) -> tuple[datetime, timedelta | None]:
    year, month, day, hour, minute, second, fraction, utc, sign, hours, minutes = match.groups()
    microsecond = int((fraction or "").ljust(6, "0"))
    stamp = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), microsecond)
    if utc:
        return stamp, timedelta()
    if not sign:
        return stamp, None
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if int(minutes or 0) > 59 or offset > timedelta(hours=14):
        raise ValueError("no such offset")
    return stamp, offset if sign == "+" else -offset


def _local_instants(stamp: datetime, local: tzinfo) -> list[datetime]:
    instants = []
    for fold in (0, 1):
        instant = stamp.replace(tzinfo=local, fold=fold).astimezone(UTC)
        exists = instant.astimezone(local).replace(tzinfo=None, fold=0) == stamp
        if exists and instant not in instants:
            instants.append(instant)
    return instants


def span(
    starts: tuple[datetime, ...], ends: tuple[datetime, ...], elapsed: timedelta | None = None
) -> tuple[datetime, datetime]:
    """Of the instants that a start and an end can mean, the pair that fits the elapsed time.

    Without one, the shortest pair that does not run backwards.
    """
    pairs = sorted(product(starts, ends), key=lambda pair: pair[1] - pair[0])
    if elapsed is not None:
        return min(pairs, key=lambda pair: abs(pair[1] - pair[0] - elapsed))
    forward = [pair for pair in pairs if pair[1] >= pair[0]]
    return forward[0] if forward else pairs[-1]


# Names and other text

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BREAKS = frozenset("\u2028\u2029\ufeff")


def _is_control(char: str) -> bool:
    return char in _BIDI or char in _BREAKS or unicodedata.category(char) == "Cc"


def text(value: str, length: int = NAME_LENGTH, *, what: str = "a name") -> str:
    """The value without blanks around it, never empty."""
    name = value.strip()
    if not name:
        raise BadValue(value, f"{what}; it may not be empty")
    if len(name) > length:
        raise BadValue(value, f"{what} of at most {length} characters")
    if not value.isprintable() and any(map(_is_control, value)):
        raise BadValue(value, f"{what} without line breaks, control characters and text-direction marks")
    return name


def tidied(value: str, length: int = NAME_LENGTH) -> str:
    """Free text that nobody can be asked to mend: control characters become blanks, the rest is cut off."""
    if not value.isprintable():
        value = "".join(" " if _is_control(char) else char for char in value)
    return value.strip()[:length].rstrip()


_UUID = re.compile("-".join(f"[0-9a-fA-F]{{{digits}}}" for digits in (8, 4, 4, 4, 12)))


def uuid(value: str) -> UUID:
    digits = value.strip(" ")
    if not _UUID.fullmatch(digits):
        raise BadValue(value, "an id like 123e4567-e89b-42d3-a456-426614174000")
    return UUID(int=int(digits.replace("-", ""), 16))


def key(name: str) -> str:
    """Names are the same when their keys are: blanks and capitals do not tell them apart."""
    return " ".join(name.split()).casefold()


def listed(names: Iterable[str], most: int = 8) -> str:
    """'a', 'b' and 3 more: short enough for a sentence whatever the file holds."""
    names = [f"'{shortened(name, 40)}'" for name in names]
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
