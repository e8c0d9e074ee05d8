"""What days that are over come to, remembered until anything is written: time alone changes none of it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sized
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings

from ..clock import day_by
from ..scope import Span
from . import until_written

if TYPE_CHECKING:  # names are remembered themselves
    from ..naming import Names

Found = TypeVar("Found", bound=Sized)


def remembered_when_over(
    asked: Hashable, span: Span | None, names: Names, work_out: Callable[[], Found], weight: int = 1
) -> Found:
    """Of days that are not over it is worked out each time. weight: of one of its rows in memory."""
    if not are_over(span, names):
        return work_out()
    by = settings.HELIOX_COST_BASIS, settings.HELIOX_SPREAD_CREDITS
    return until_written((asked, by), work_out, weight=weight)


def are_over(span: Span | None, names: Names) -> bool:
    """By every clock at the page's moment: no job comes to overlap them, or to run longer in them."""
    if span is None:
        return False
    clocks = ("UTC", *names.spellings_by_clock())
    return all(day_by(clock, names.moment()) >= span.end for clock in clocks)
