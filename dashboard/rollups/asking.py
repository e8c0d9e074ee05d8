"""GPU time and jobs by what pages ask for; days of whole months are remembered until something changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from ..naming import Names
from ..remembered import by_month, digest, firsts, months_within
from ..scope import Span
from .reading import Picked, asked_once, summed_by
from .stamps import known_by

Rows = list[tuple[Any, ...]]


def by(keys: Sequence[str], picked: Picked, names: Names, span: Span | None = None) -> Rows:
    """(one value per key …, GPU microseconds, job-days, jobs that begin) within the span, as of now.

    Providers and GPU types come as stored; fold them by `names`. Without "day" among the keys
    the job-days mean little. Days of whole months may be remembered.
    """
    question = summed_by_month if "day" in keys and months_within(span) else summed_by
    return asked_once(question, keys, picked, names, span)


def spent_by(keys: Sequence[str], picked: Picked, names: Names, span: Span | None = None) -> Rows:
    """(one value per key …, GPU microseconds)."""
    return [(*row[: len(keys)], row[len(keys)]) for row in by(keys, picked, names, span)]


def summed_by_month(keys: Sequence[str], picked: Picked, names: Names, span: Span) -> Rows:
    months = months_within(span)
    assert months
    known = known_by(picked, names, months)
    asked, place = (tuple(keys), picked.as_key()), keys.index("day")

    def summed(days: Span) -> dict[date, Rows]:
        rows: dict[date, Rows] = {month: [] for month in firsts(days)}
        for row in summed_by(keys, picked, names, days):
            rows[row[place].replace(day=1)].append(row)
        return rows

    def unchanged() -> set[date]:
        now = known_by(picked, names, months)
        return {month for month, before in known.items() if now.get(month) == before}

    by_key = {month: digest("by", month, asked, known_as) for month, known_as in known.items()}
    return [row for month in by_month(span, by_key, summed, unchanged) for row in month]
