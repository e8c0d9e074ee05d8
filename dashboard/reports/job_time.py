"""The jobs of a scope, their GPU time and their number: from the roll-ups where these know the filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count

from .. import gpu_time, rollups
from ..models.entities import JobQuerySet
from ..naming import Names
from ..rollups import Picked
from ..scope import Scope, Span
from .oddities import odd

COLUMNS = {"team": "team_id", "model": "model_name"}


def picked(scope: Scope, names: Names) -> Picked:
    """What the scope narrows to, but for its days, its search and its checks of data quality."""
    return Picked(
        providers=names.provider_spellings(scope.providers) if scope.providers else (),
        gpu_types=names.gpu_spellings(scope.gpu_types) if scope.gpu_types else (),
        teams=scope.teams,
        statuses=scope.statuses,
        models=scope.models,
    )


def jobs_of(scope: Scope, names: Names) -> JobQuerySet:
    """The jobs that the scope narrows to, but for its days."""
    jobs = picked(scope, names).jobs()
    if scope.quality:
        jobs = odd(jobs, scope.quality)
    return jobs.found_by(scope.q) if scope.q else jobs


def jobs_within(scope: Scope, names: Names) -> JobQuerySet:
    return jobs_of(scope, names).within(scope.span, names.spellings_by_clock())


def time_by(
    keys: Sequence[str], scope: Scope, names: Names, span: Span | None = None
) -> list[tuple[Any, ...]]:
    """(one value per key …, GPU microseconds, job-days, jobs that begin) within the span, as of now.

    Providers and GPU types come as stored, and fold into display names.
    """
    if scope.q or scope.quality:
        return gpu_time.measured(keys, jobs_of(scope, names), names, span)
    return rollups.by(keys, picked(scope, names), names, span)


def spent_by(keys: Sequence[str], scope: Scope, names: Names) -> dict[Any, int]:
    """GPU microseconds within the scope's days by the values of the keys; of one key by its value."""
    if scope.q or scope.quality:
        rows = gpu_time.spent_by(keys, jobs_of(scope, names), names, scope.span)
    else:
        rows = rollups.spent_by(keys, picked(scope, names), names, scope.span)
    return {row[0] if len(keys) == 1 else row[:-1]: row[-1] for row in rows}


def gpu_microseconds(scope: Scope, names: Names) -> int:
    return spent_by([], scope, names).get((), 0)


def count_by(keys: Sequence[str], scope: Scope, names: Names) -> list[tuple[Any, ...]]:
    """(one value per key …, jobs that overlap the scope's days); all jobs without days."""
    if scope.q or scope.quality:
        jobs, columns = jobs_within(scope, names).order_by(), [COLUMNS.get(key, key) for key in keys]
        return list(jobs.values_list(*columns).annotate(Count("pk"))) if keys else [(jobs.count(),)]
    return rollups.count_by(keys, picked(scope, names), names, scope.span)


def count(scope: Scope, names: Names) -> int:
    """Jobs that overlap the scope's days; all that it narrows to without days."""
    return sum(jobs for (jobs,) in count_by([], scope, names))


def models_by_team(scope: Scope, names: Names) -> dict[Any, int]:
    if scope.q or scope.quality:
        jobs = jobs_within(scope, names).order_by()
        return dict(jobs.values_list("team_id").annotate(Count("model_name", distinct=True)))
    return rollups.models_by_team(picked(scope, names), names, scope.span)
