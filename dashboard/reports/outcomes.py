"""The last link of allocation by what became of the jobs: a model's cents of a cell upon its statuses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

from ..naming import Names
from ..scope import Scope
from .allocation import UNBILLED, USE, Share
from .job_time import pieces
from .sharing import spread

Place = tuple[date, str, str, UUID, str]  # day, provider, GPU type, team, model
Times = Mapping[Place, Mapping[str, int]]  # GPU microseconds by status


class Outcome(NamedTuple):
    """The part of a share that jobs of one status used; cents None where nothing is billed."""

    day: date
    provider: str
    gpu_type: str
    team: UUID
    model: str
    status: str
    microseconds: int
    cents: int | None


def outcomes(shares: Iterable[Share], scope: Scope, names: Names) -> list[Outcome]:
    """shares: by model, of the scope. What teams pay for directly has no jobs and is left out."""
    times = times_by_status(scope, names)
    of_jobs = (one for one in shares if one.line in (USE, UNBILLED))
    return [outcome for one in of_jobs for outcome in told_apart(one, times)]


def told_apart(one: Share, times: Times) -> Iterator[Outcome]:
    """The cents of the statuses add up to the share's."""
    assert one.team is not None
    place = one.day, one.provider, one.gpu_type, one.team, one.model
    spent = times.get(place, {})
    cents = spread(one.cents or 0, spent, "by_use", one.day.toordinal())
    for status in sorted(cents):
        yield Outcome(*place, status, spent[status], None if one.cents is None else cents[status])


def times_by_status(scope: Scope, names: Names) -> Times:
    keys = ["day", "provider", "gpu_type", "team", "model", "status"]
    found: defaultdict[Place, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for day, provider, gpu_type, team, model, status, microseconds in pieces(
        keys, scope.but(statuses=(), q="", quality=()), names, scope.span
    ):
        found[day, names.provider(provider), names.gpu_type(gpu_type), team, model][status] += microseconds
    return found
