"""GPU time and jobs by what pages ask for; what a month comes to by day is remembered until it changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from operator import itemgetter
from typing import Any
from uuid import UUID

from ..naming import Names
from ..remembered import by_month, digest, in_months, is_worth_it, part_of, until_written
from ..remembered.days_over import remembered_when_over
from ..scope import Span
from .reading import Picked, asked_once, count_models, counted_by, summed_by
from .stamps import known_by

Rows = list[tuple[Any, ...]]


def by(keys: Sequence[str], picked: Picked, names: Names, span: Span | None = None) -> Rows:
    """(one value per key …, GPU microseconds, job-days, jobs that begin) within the span, as of now.

    Providers and GPU types come as stored; fold them by `names`. Without "day" among the keys
    the job-days mean little. What comes by day may be remembered.
    """
    question = summed_by_month if "day" in keys and is_worth_it(span) else summed_at_once
    return asked_once(question, keys, picked, names, span)


def spent_by(keys: Sequence[str], picked: Picked, names: Names, span: Span | None = None) -> Rows:
    """(one value per key …, GPU microseconds)."""
    return [(*row[: len(keys)], row[len(keys)]) for row in by(keys, picked, names, span)]


def count_by(keys: Sequence[str], picked: Picked, names: Names, span: Span | None = None) -> Rows:
    """(one value per key …, jobs that overlap the span), each job once; all jobs without a span."""
    return asked_once(counted, keys, picked, names, span)


def count(picked: Picked, names: Names, span: Span | None = None) -> int:
    return sum(jobs for (jobs,) in count_by([], picked, names, span))


def models_by_team(picked: Picked, names: Names, span: Span | None = None) -> dict[UUID, int]:
    """How many different models the jobs that overlap the span are of."""
    asked = "models", picked.as_key(), span
    return remembered_when_over(asked, span, names, lambda: count_models(picked, names, span))


def counted(keys: Sequence[str], picked: Picked, names: Names, span: Span | None) -> Rows:
    def found() -> Rows:
        return counted_by(keys, picked, names, span)

    asked = "counted", keys, picked.as_key(), span
    return remembered_when_over(asked, span, names, found) if span else until_written(asked, found)


def summed_at_once(keys: Sequence[str], picked: Picked, names: Names, span: Span | None) -> Rows:
    asked = "summed", keys, picked.as_key(), span
    return remembered_when_over(asked, span, names, lambda: summed_by(keys, picked, names, span))


def summed_by_month(keys: Sequence[str], picked: Picked, names: Names, span: Span) -> Rows:
    known = known_by(picked, names, span)
    asked, day = (tuple(keys), picked.as_key()), itemgetter(keys.index("day"))

    def summed(days: Span) -> dict[date, Rows]:
        return in_months(days, summed_by(keys, picked, names, days), day)

    def unchanged() -> set[date]:
        now = known_by(picked, names, span)
        return {month for month, before in known.items() if now.get(month) == before}

    by_key = {month: digest("by", part_of(month, span), asked, known_as) for month, known_as in known.items()}
    return [row for month in by_month(span, by_key, summed, unchanged) for row in month]
