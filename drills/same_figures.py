"""All samples into SQLite and PostgreSQL; every page and file must say the same, character by character."""

from __future__ import annotations

from . import Outcome
from .suites import longer


def drill() -> Outcome:
    figure = "every page, CSV, workbook and admin list, two ranges, five ways: the same on both databases"
    return longer(figure, "test_same_figures.py", SAME="all")
