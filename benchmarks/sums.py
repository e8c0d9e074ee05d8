"""Roll-ups against the jobs themselves, and how long it takes to make them anew (rows 9 and 11)."""

from __future__ import annotations

from .bench import Bench
from .beside import Beside, Failed
from .databases import TEN_MILLION
from .measuring import Goal, Result, Runs, Table, columns, figures, interleaved

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
    worker, ways, found = bench.worker(bench.large), {"jobs": True, "roll-ups": False}, []
    for way in ways.values():
        worker.call(function, from_jobs=way)
        found.append(worker.call("found").said)
    if not found[0]["rows"]:
        raise Failed("there is nothing to compare")
    things = {name: worker.calling(function, from_jobs=way) for name, way in ways.items()}
    return interleaved(things, runs=3), found[0] == found[1]


def rebuilt(bench: Bench) -> Result:
    """On a copy, for the sums are written anew. Seconds are those that ten million jobs would take."""
    found = {}
    with bench.databases.copy(bench.large) as copy:
        for what in ("rebuild", "verify"):
            with Beside(bench.databases.settings(copy) | {"PGOPTIONS": ""}) as worker:
                found[f"--{what}"] = worker.call("roll_up", how=what)
    scale = TEN_MILLION.jobs / copy.jobs
    differences = sum(cost.said["differs"] for cost in found.values())
    goals = [
        Goal("rebuild and verify 10 M jobs", found["--rebuild"].wall * scale, 60, "s"),
        Goal("found to differ", differences, 0, "times"),
    ]
    lines = [(name, *figures(Runs([cost]), "s")) for name, cost in found.items()]
    words = f"Scaled from {copy.label} jobs." if scale > 1 else "With PostgreSQL's parallel workers."
    return Result(goals, [Table(columns(f"{copy.label} jobs", "s"), lines)], [words])
