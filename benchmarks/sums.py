"""Roll-ups against the jobs themselves, and how long it takes to make them anew (rows 9 and 11)."""

from __future__ import annotations

from .bench import Bench
from .beside import Failed, timed_command
from .databases import MANAGE, TEN_MILLION
from .measuring import Goal, Result, Runs, Table, columns, figures, interleaved, number

ASKED = {
    "GPU-hours per team and day": ("hours_by_team_and_day", 0.01),
    "allocation in dollars": ("dollars", 0.1),
}


def from_rollups(bench: Bench) -> Result:
    result = Result()
    for words, (function, limit) in ASKED.items():
        runs, same = both_ways(bench, function)
        result.goals.append(Goal(words, runs["roll-ups"].cpu / runs["jobs"].cpu, limit))
        result.goals.append(Goal(f"{words}: differing answers", 0 if same else 1, 0, ""))
        lines = [(f"from {name}", *figures(some)) for name, some in runs.items()]
        result.tables.append(Table(columns(words), lines))
    result.notes.append("Over 90 days; answers are compared to the microsecond and to the cent.")
    return result


def both_ways(bench: Bench, function: str) -> tuple[dict[str, Runs], bool]:
    worker, ways = bench.worker(bench.large), {"jobs": True, "roll-ups": False}
    found = [worker.call(function, from_jobs=way) and worker.call("found").said for way in ways.values()]
    if not found[0]["rows"]:
        raise Failed("there is nothing to compare")
    things = {name: worker.calling(function, from_jobs=way) for name, way in ways.items()}
    return interleaved(things, runs=3), found[0] == found[1]


def rebuilt(bench: Bench) -> Result:
    """On a copy, for the sums are written anew. Seconds are those that ten million jobs would take."""
    with bench.databases.copy(bench.large) as copy:
        settings = bench.databases.settings(copy) | {"PGOPTIONS": ""}
        cost = timed_command([*MANAGE, "roll_up", "--rebuild"], **settings)
        check = timed_command([*MANAGE, "roll_up", "--verify"], **settings)
    scale = TEN_MILLION.jobs / copy.jobs
    goals = [Goal("rebuild and verify 10 M jobs", cost.wall * scale, 60, "s")]
    lines = [("--rebuild, which verifies too", number(cost.wall)), ("--verify alone", number(check.wall))]
    words = "Both ended without a difference." + (f" Scaled from {copy.label} jobs." if scale > 1 else "")
    return Result(goals, [Table((f"{copy.label} jobs", "wall, s"), lines)], [words])
