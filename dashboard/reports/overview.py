"""Where the hours and the money of a span went, at one glance."""

from __future__ import annotations

from dataclasses import dataclass

from ..models import Job
from ..naming import Names
from ..scope import Scope
from . import teams, usage
from .changes import Changes
from .compare import Sides


@dataclass(frozen=True)
class Overview:
    cells: list[usage.Hours]
    total: usage.Sum
    changes: Changes
    teams: list[teams.TeamUse]
    running: int
    newest: list[Job]
    longest: list[Job]


def overview(scope: Scope, sides: Sides, names: Names) -> Overview:
    cells = usage.cells(scope, names)
    newest, longest = teams.newest_and_longest(scope, names)
    return Overview(
        cells,
        usage.total(cells),
        Changes.of(scope, cells, sides, names),
        teams.team_use(scope, names),
        teams.running_now(scope, names),
        newest,
        longest,
    )
