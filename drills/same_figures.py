"""All samples into SQLite and PostgreSQL; every page and file must say the same, character by character."""

from __future__ import annotations

from . import Outcome
from .suites import longer


def drill() -> Outcome:
    figure = "every page and file, two ranges, four ways each: the same text on both databases"
    return longer(figure, "test_same_figures.py", SAME="all")
