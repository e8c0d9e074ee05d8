"""What months came to, remembered by this process for as long as what they are made of stays the same.

Who asks says by what each month is known; a month that cannot be told to be unchanged has no key and is
worked out each time. A process that remembers nothing answers the same, only later.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from ..databases import reading
from ..scope import Span, bucket_end, buckets, shift_month
from ..writes import state

Month = TypeVar("Month")  # what a month comes to
Row = TypeVar("Row")
Found = TypeVar("Found", bound=Sized)
Known = TypeVar("Known")
MOST_KEPT = 200_000  # rows, of some hundred bytes each
SHORT = 7  # days
PATIENCE = 10  # seconds for another thread that works out the same months
_keeps: ContextVar[bool] = ContextVar("keeps", default=True)


@dataclass
class Kept:
    """The months used last, by their keys, of so many rows at most; one alone may have a quarter of them."""

    most: int = MOST_KEPT
    months: OrderedDict[bytes, Any] = field(default_factory=OrderedDict)
    sizes: dict[bytes, int] = field(default_factory=dict)
    rows: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __contains__(self, key: bytes) -> bool:
        return key in self.months

    def get(self, key: bytes) -> Any:
        with self.lock:
            if key in self.months:
                self.months.move_to_end(key)
            return self.months.get(key)

    def keep(self, key: bytes, month: Any, rows: int) -> None:
        with self.lock:
            if rows > self.most // 4 or not _keeps.get():
                return
            self.rows += 1 + rows - self.sizes.get(key, 0)
            self.months[key], self.sizes[key] = month, 1 + rows
            self.months.move_to_end(key)
            while self.rows > self.most:
                self.rows -= self.sizes.pop(self.months.popitem(last=False)[0])

    def forget(self) -> None:
        with self.lock:
            self.months.clear()
            self.sizes.clear()
            self.rows = 0


KEPT = Kept()
TOLD = Kept()  # what texts say
WORKING = threading.RLock()  # of many that miss the same months one works them out


def once(known_by: Hashable, work_out: Callable[[Known], list[Row]], known: Known) -> list[Row]:
    """What something comes to of which nothing but its own content decides. Nobody changes the answer."""
    key = digest(known_by, known)
    rows: list[Row] | None = TOLD.get(key)
    if rows is None:
        rows = work_out(known)
        TOLD.keep(key, rows, len(rows))
    return rows


def until_written(
    asked: Hashable, work_out: Callable[[], Found], unknown: Found | None = None, weight: int = 1
) -> Found:
    """What something comes to by what is stored alone, whatever the moment. Nobody changes the answer.

    unknown: what to take where nobody can tell whether something was written. weight: of one of its rows.
    """
    stored = state(reading())
    if stored is None:
        return work_out() if unknown is None else unknown
    key = digest("until written", reading().alias, asked)
    before: tuple[Hashable, Found] | None = TOLD.get(key)
    if before and before[0] == stored:
        return before[1]
    found = work_out()
    TOLD.keep(key, (stored, found), weight * len(found))
    return found


@contextmanager
def keeping_nothing() -> Iterator[None]:
    """Of what is asked once and in passing: it would only take the place of what pages ask for again."""
    token = _keeps.set(False)
    try:
        yield
    finally:
        _keeps.reset(token)


def forget() -> None:
    KEPT.forget()
    TOLD.forget()


def by_month(
    span: Span,
    keys: Mapping[date, bytes],
    work_out: Callable[[Span], dict[date, Month]],
    unchanged: Callable[[], set[date]],
    rows_of: Callable[[Any], int] = len,
) -> list[Month]:
    """What each month comes to by its days within the span.

    keys: of the first of each month; of a month that the span cuts, what its part is known by.
    work_out: the months that some days come to. unchanged: those whose key would still be the same.
    """
    if all(key in KEPT for key in keys.values()):
        return found(span, keys, work_out)[0]
    with first_at(WORKING, PATIENCE):
        months, worked_out = found(span, keys, work_out)
        # What was worked out while its month changed may be of both before and after.
        for month in unchanged() & worked_out.keys() & keys.keys():
            KEPT.keep(keys[month], worked_out[month], rows_of(worked_out[month]))
        return months


@contextmanager
def first_at(lock: Any, patience: float) -> Iterator[bool]:
    """Whether nobody else is at it. Who comes later waits so many seconds for what comes of it, then goes on.

    Those who waited in vain go on side by side: where a table is held, each would else wait for it anew,
    and behind all others.
    """
    is_first = lock.acquire(blocking=False)
    if not is_first and lock.acquire(timeout=patience):
        lock.release()
    try:
        yield is_first
    finally:
        if is_first:
            lock.release()


def found(
    span: Span, keys: Mapping[date, bytes], work_out: Callable[[Span], dict[date, Month]]
) -> tuple[list[Month], dict[date, Month]]:
    """All months, and those of them that had to be worked out."""
    kept = {month: known for month, key in keys.items() if (known := KEPT.get(key)) is not None}
    worked_out: dict[date, Month] = {}
    for stretch in without(span, kept):
        worked_out |= work_out(stretch)
    return [*kept.values(), *worked_out.values()], worked_out


def is_worth_it(span: Span | None) -> bool:
    """Whether working it out again takes longer than telling whether it changed."""
    return span is not None and span.length >= SHORT


def part_of(month: date, span: Span) -> Span:
    """The days of the month that are within the span."""
    return Span(month, shift_month(month, 1)).clipped(span)


def firsts(span: Span | None) -> list[date]:
    """The first of each month that the span's days are of."""
    return buckets(span, "month") if span and span.length else []


def in_months(span: Span | None, rows: Iterable[Row], day: Callable[[Row], date]) -> dict[date, list[Row]]:
    """By the first of their months; a month of the span without rows is there too."""
    months: dict[date, list[Row]] = {first: [] for first in firsts(span)}
    for row in rows:
        months.setdefault(day(row).replace(day=1), []).append(row)
    return months


def without(span: Span, months: Iterable[date]) -> Iterator[Span]:
    """The stretches of the span between these months."""
    start = span.start
    for month in sorted(months):
        if start < month:
            yield Span(start, month)
        start = bucket_end(month, "month")
    if start < span.end:
        yield Span(start, span.end)


def digest(*parts: Any) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=20).digest()
