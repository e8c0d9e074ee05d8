"""What the bill of a whole month came to once shared, remembered for as long as nothing that made it changes.

Each process remembers for itself, and only months that it can tell to be unchanged: their rows, hours and
covered days are compared as they were read, their GPU time and bill lines by what these are known by.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from django.conf import settings

from .. import rollups
from ..models import Delivery, SpendMapping
from ..naming import Names
from ..scope import Scope, Span, bucket_end, shift_month
from .billed import Billed
from .job_time import picked

Sums = dict[str, dict[UUID | None, int]]  # cents by line and team
Share = Callable[[Scope, Billed], dict[date, Sums]]
MOST_KEPT = 1000
PATIENCE = 10  # seconds for another thread that shares the same months


@dataclass
class Kept:
    """The months used last, by what they are made of."""

    sums: OrderedDict[bytes, Sums] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __contains__(self, key: bytes) -> bool:
        return key in self.sums

    def get(self, key: bytes) -> Sums | None:
        with self.lock:
            if key in self.sums:
                self.sums.move_to_end(key)
            return self.sums.get(key)

    def keep(self, key: bytes, sums: Sums) -> None:
        with self.lock:
            self.sums[key] = sums
            while len(self.sums) > MOST_KEPT:
                self.sums.popitem(last=False)


KEPT = Kept()
SHARING = threading.Lock()  # of many that miss the same months one shares them


def by_month(scope: Scope, names: Names, share: Share) -> list[Sums]:
    """The sums of each month within the scope, and of the parts of one at its ends.

    share: what each month within a scope comes to; asked only for days of which nothing is remembered.
    """
    billed = Billed.read(scope, names)
    months = whole_months_within(scope.span)
    if months is None:
        return list(share(scope, billed).values())
    known = Known.read(scope.over(months), names)
    keys = known.keys(scope, names, billed)
    if all(key in KEPT for key in keys.values()):
        return found(scope, billed, keys, share)[0]
    waited = SHARING.acquire(timeout=PATIENCE)
    try:
        sums, shared = found(scope, billed, keys, share)
        remember(keys, shared, known.unchanged(scope.over(months), names))
        return sums
    finally:
        if waited:
            SHARING.release()


def found(
    scope: Scope, billed: Billed, keys: dict[date, bytes], share: Share
) -> tuple[list[Sums], dict[date, Sums]]:
    """All sums, and those of them that had to be shared."""
    kept = {month: sums for month, key in keys.items() if (sums := KEPT.get(key)) is not None}
    shared: dict[date, Sums] = {}
    assert scope.span
    for span in without(scope.span, kept):
        shared |= share(scope.over(span), billed.within(span))
    return [*kept.values(), *shared.values()], shared


def remember(keys: dict[date, bytes], shared: dict[date, Sums], unchanged: set[date]) -> None:
    """What was shared while its month changed is not kept: it may be of both before and after."""
    for month, key in keys.items():
        if month in unchanged and key not in KEPT:
            KEPT.keep(key, shared.get(month, {}))


def whole_months_within(span: Span | None) -> Span | None:
    if span is None or not span.length:
        return None
    first = span.start if span.start.day == 1 else shift_month(span.start.replace(day=1), 1)
    last = span.end.replace(day=1)
    return Span(first, last) if first < last else None


def without(span: Span, months: Iterable[date]) -> Iterator[Span]:
    """The stretches of the span between these months."""
    start = span.start
    for month in sorted(months):
        if start < month:
            yield Span(start, month)
        start = bucket_end(month, "month")
    if start < span.end:
        yield Span(start, span.end)


@dataclass(frozen=True)
class Known:
    """What is not read again to tell whether it changed.

    jobs: by month, what its GPU time is known by. lines: the bills that are current, and who pays directly.
    """

    jobs: dict[date, Hashable]
    lines: tuple[Any, ...]

    @classmethod
    def read(cls, scope: Scope, names: Names) -> Known:
        assert scope.span
        everybody = scope.but(teams=(), statuses=(), models=(), q="")
        return cls(rollups.known_by(picked(everybody, names), names, scope.span), lines_known_by())

    def keys(self, scope: Scope, names: Names, billed: Billed) -> dict[date, bytes]:
        """Of each month that can be told to be unchanged."""
        asked = scope.providers, scope.gpu_types, scope.basis, scope.idle
        set_up = settings.HELIOX_COST_BASIS, settings.HELIOX_SPREAD_CREDITS
        shown = sorted(names.providers.items()), sorted(names.gpu_types.items())
        common, of_months = digest(asked, set_up, shown, self.lines), billed.of_months(self.jobs)
        return {month: digest(month, common, known, of_months[month]) for month, known in self.jobs.items()}

    def unchanged(self, scope: Scope, names: Names) -> set[date]:
        """The months that are still known by the same."""
        now = Known.read(scope, names)
        if now.lines != self.lines:
            return set()
        return {month for month, known in self.jobs.items() if now.jobs.get(month) == known}


def lines_known_by() -> tuple[Any, ...]:
    """Lines never change within a delivery."""
    mapped = ("provider", "sub_account", "tag", "team_id", "valid_from", "valid_to")
    bills = Delivery.objects.filter(current=True).order_by("pk").values_list("pk", "digest")
    return tuple(bills), tuple(SpendMapping.objects.order_by("pk").values_list(*mapped))


def digest(*parts: Any) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=20).digest()
