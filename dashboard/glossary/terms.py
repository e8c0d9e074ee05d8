"""A word of the pages: what the figure means and how it is made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """anchor: what a page's "?" leads to. formula: the figure in one line, empty where there is none."""

    anchor: str
    name: str
    meaning: str
    formula: str = ""
