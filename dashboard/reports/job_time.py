"""The jobs of a scope, their GPU time and their number: from the roll-ups where these know the filters."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence, Sized
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.db.models import Count

from .. import gpu_time, rollups
from ..models.entities import JobQuerySet
from ..naming import Names
from ..remembered.days_over import remembered_when_over
from ..rollups import Picked
from ..scope import Scope, Span
from .oddities import odd

COLUMNS = {"team": "team_id", "model": "model_name"}
Found = TypeVar("Found", bound=Sized)


def picked(scope: Scope, names: Names) -> Picked:
    """What the scope narrows to, but for its days, its search and its checks of data quality."""
    return Picked(
        providers=names.provider_spellings(scope.providers) if scope.providers else (),
        gpu_types=names.gpu_spellings(scope.gpu_types) if scope.gpu_types else (),
        teams=scope.teams,
        statuses=scope.statuses,
        models=scope.models,
    )


def remembered(
    asked: Hashable, scope: Scope, names: Names, work_out: Callable[[], Found], weight: int = 1
) -> Found:
    """What the scope's jobs come to on its days, if these are over; a search or a check is worked out anew.

    asked: what is asked beside the scope's days and what it narrows to.
    """
    if scope.seeks_jobs:
        return work_out()
    of_jobs = asked, scope.span, picked(scope, names).as_key()
    return remembered_when_over(of_jobs, scope.span, names, work_out, weight)


def jobs_of(scope: Scope, names: Names) -> JobQuerySet:
    """The jobs that the scope narrows to, but for its days. A page asks for them in three places."""

    def found() -> JobQuerySet:
        jobs = picked(scope, names).jobs()
        if scope.quality:
            jobs = odd(jobs, scope.quality)
        return jobs.found_by(scope.q) if scope.q else jobs

    of_scope: JobQuerySet = names.once((jobs_of, scope), found)
    return of_scope.all()


def jobs_within(scope: Scope, names: Names) -> JobQuerySet:
    return jobs_of(scope, names).within(scope.span, names.spellings_by_clock())


def time_by(
    keys: Sequence[str], scope: Scope, names: Names, span: Span | None = None
) -> list[tuple[Any, ...]]:
    """(one value per key …, GPU microseconds, job-days, jobs that begin) within the span, as of now.

    Providers and GPU types come as stored, and fold into display names.
    """
    summed, jobs = told_apart(scope, names)
    known = rollups.by(keys, summed, names, span) if summed else []
    return known if jobs is None else rollups.added(keys, known, gpu_time.measured(keys, jobs, names, span))


def pieces(
    keys: Sequence[str], scope: Scope, names: Names, span: Span | None = None
) -> list[tuple[Any, ...]]:
    """(one value per key …, GPU microseconds) in rows that are yet to be added up."""
    summed, jobs = told_apart(scope, names)
    known = rollups.pieces(keys, summed, names, span) if summed else []
    if jobs is None:
        return known
    return known + [row[: len(keys) + 1] for row in gpu_time.measured(keys, jobs, names, span)]


def told_apart(scope: Scope, names: Names) -> tuple[Picked | None, JobQuerySet | None]:
    """The scope's jobs of which the roll-ups tell, and those that must be looked at one by one."""
    if scope.quality:
        return None, jobs_of(scope, names)
    all_of_it = picked(scope, names)
    if not scope.q:
        return all_of_it, None
    models, ways = all_of_it.jobs().meant_by(scope.q)
    chosen = [model for model in models if not scope.models or model in scope.models]
    summed = replace(all_of_it, models=chosen) if chosen else None
    others = all_of_it.jobs().exclude(model_name__among=models)
    return summed, others.filter(reduce(or_, ways)) if ways else None


def spent_by(keys: Sequence[str], scope: Scope, names: Names) -> dict[Any, int]:
    """GPU microseconds within the scope's days by the values of the keys; of one key by its value."""
    width = len(keys)
    rows = time_by(keys, scope, names, scope.span)
    return {row[0] if width == 1 else row[:width]: row[width] for row in rows if row[width]}


def gpu_microseconds(scope: Scope, names: Names) -> int:
    return spent_by([], scope, names).get((), 0)


def count_by(keys: Sequence[str], scope: Scope, names: Names) -> list[tuple[Any, ...]]:
    """(one value per key …, jobs that overlap the scope's days); all jobs without days."""
    summed, jobs = told_apart(scope, names)
    known = rollups.count_by(keys, summed, names, scope.span) if summed else []
    if jobs is None:
        return known
    within = jobs.within(scope.span, names.spellings_by_clock()).order_by()
    columns = [COLUMNS.get(key, key) for key in keys]
    apart = list(within.values_list(*columns).annotate(Count("pk"))) if keys else [(within.count(),)]
    return rollups.added(keys, known, apart)


def count(scope: Scope, names: Names) -> int:
    """Jobs that overlap the scope's days; all that it narrows to without days."""
    return sum(jobs for (jobs,) in count_by([], scope, names))


def models_by_team(scope: Scope, names: Names) -> dict[Any, int]:
    if scope.seeks_jobs:
        jobs = jobs_within(scope, names).order_by()
        return dict(jobs.values_list("team_id").annotate(Count("model_name", distinct=True)))
    return rollups.models_by_team(picked(scope, names), names, scope.span)
