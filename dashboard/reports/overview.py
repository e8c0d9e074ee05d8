"""Where the hours and the money of a span went, at one glance."""

from __future__ import annotations

from dataclasses import dataclass

from ..models import Job
from ..naming import Names
from ..scope import Scope
from . import teams, usage
from .compare import Comparison, spend_change
from .freshness import Freshness


@dataclass(frozen=True)
class Overview:
    cells: list[usage.Hours]
    total: usage.Sum
    change: Comparison | None
    teams: list[teams.TeamUse]
    running: int
    newest: list[Job]
    longest: list[Job]


def overview(scope: Scope, preset: str, names: Names, freshness: Freshness) -> Overview:
    cells = usage.cells(scope, names)
    newest, longest = teams.newest_and_longest(scope, names)
    return Overview(
        cells,
        usage.total(cells),
        spend_change(scope, preset, names, freshness),
        teams.team_use(scope, names),
        teams.running_now(scope, names),
        newest,
        longest,
    )
