"""Nothing, one row, the greatest amounts, credits, running jobs and odd days, at every page and file."""

from __future__ import annotations

from . import Outcome
from .suites import longer


def drill() -> Outcome:
    figure = "11 databases, every page five ways: no 5xx, no None, NaN, Infinity or nought below zero"
    return longer(figure, "test_extremes.py", EXTREMES="all")
