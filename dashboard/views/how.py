"""How a figure on a page is computed: what it means, its formula, and the rows, days and basis behind it."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.urls import reverse

from ..glossary import term


@dataclass(frozen=True)
class How:
    """facts: (label, text) in the order of the page. rows_url: the list of the rows behind the figure."""

    name: str
    meaning: str
    formula: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    rows: str = ""
    rows_url: str = ""
    help_url: str = ""


def how(
    anchor: str, facts: list[tuple[str, str]], formula: str = "", rows: str = "", rows_url: str = ""
) -> How:
    """anchor: of the glossary's term. formula: with this figure's numbers, where the page has them."""
    word = term(anchor)
    url = f"{reverse('help')}#{anchor}"
    return How(word.name, word.meaning, formula or word.formula, facts, rows, rows_url, url)
