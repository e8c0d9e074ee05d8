"""Where the hours and the money of a span went, at one glance."""

from __future__ import annotations

from dataclasses import dataclass

from ..models import Job, Team
from ..naming import Names
from ..scope import Scope
from . import teams, usage
from .allocation import allocate_in_sum
from .breakdown import Breakdown, broken_down
from .changes import Changes
from .compare import Sides


@dataclass(frozen=True)
class Overview:
    """shares: the cost of each team; None where nothing is billed, and teams tell their hours instead."""

    cells: list[usage.Hours]
    changes: Changes
    teams: list[teams.TeamUse]
    shares: Breakdown | None
    running: int
    newest: list[Job]
    longest: list[Job]


def shares(scope: Scope, names: Names) -> Breakdown:
    """The cost of each team, and what is nobody's."""
    found = [one for one in allocate_in_sum(scope, names) if one.cents is not None]
    return broken_down(found, "team", "", dict(Team.objects.values_list("pk", "name")))


def overview(cells: list[usage.Hours], scope: Scope, sides: Sides, names: Names) -> Overview:
    """cells: those of the scope."""
    newest, longest = teams.newest_and_longest(scope, names)
    is_billed = any(cell.usd is not None for cell in cells)
    return Overview(
        cells,
        Changes.of(scope, cells, sides, names),
        [] if is_billed else teams.team_use(scope, names),
        shares(scope, names) if is_billed else None,
        teams.running_now(scope, names),
        newest,
        longest,
    )
