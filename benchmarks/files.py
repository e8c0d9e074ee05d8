"""Files of jobs, against the speed at which the database itself writes them (row 7)."""

from __future__ import annotations

from statistics import median

from .bench import Bench
from .beside import Beside, Psql
from .databases import Database
from .joblist import NO_SUCH_WORD
from .measuring import Cost, Goal, Result, Runs, Table, columns, figures, interleaved, number
from .peers.superset import files_of_jobs

STORED = "j.id, external_id, t.name, model_name, gpu_type, gpu_count, provider, status, start_time, end_time"
RAN = "extract(epoch FROM end_time - start_time)"
COMPUTED = f"{RAN}, round({RAN} * gpu_count / 3600, 6)"
JOBS = "FROM jobs j JOIN teams t ON t.id = j.team_id"
# As the database finds them, and in the order of the page.
SAME_COLUMNS = f"SELECT {STORED}, {COMPUTED} {JOBS}"
SAME_ORDER = f"{SAME_COLUMNS} ORDER BY start_time DESC NULLS LAST, j.id DESC"
OURS, LIMIT, ORDERED = "ours", "\\copy", "\\copy in our order"


def exported(bench: Bench) -> Result:
    result = Result()
    for database in dict.fromkeys((bench.middle, bench.large)):
        runs = against_copy(bench, database)
        result.goals += goals(runs, database.label)
        result.tables.append(table(runs, database))
    result.notes.append(
        "Ours is a process of its own for each run; memory is its peak less what it held before."
    )
    return result.and_of(files_of_jobs(bench))


def against_copy(bench: Bench, database: Database) -> dict[str, Runs]:
    things = {
        LIMIT: lambda: copied(bench, database, SAME_COLUMNS),
        OURS: lambda: ours(bench, database),
        ORDERED: lambda: copied(bench, database, SAME_ORDER),
    }
    return interleaved(things, runs=3, warm=0 if bench.is_full else 1)


def ours(bench: Bench, database: Database) -> Cost:
    to = str(bench.scratch / "ours.csv")
    with Beside(bench.databases.settings(database)) as worker:
        worker.call("export", to=to, url=f"/jobs/?_export=csv&q={NO_SUCH_WORD}")
        cost = worker.call("export", to=to)
    assert cost.said["rows"] == database.jobs, cost.said
    return cost


def copied(bench: Bench, database: Database, select: str) -> Cost:
    with bench.databases.cluster.session(database.name) as psql:
        return copy_to(psql, select, str(bench.scratch / "copied.csv"))


def copy_to(psql: Psql, select: str, to: str, how: str = "CSV HEADER") -> Cost:
    return psql.timed(f"\\copy ({select}) TO '{to}' {how}")


def goals(runs: dict[str, Runs], label: str) -> list[Goal]:
    ours, limit = runs[OURS], runs[LIMIT]
    return [
        Goal(f"rows a second, {label}", limit.wall / ours.wall, 0.8, at_least=True),
        Goal(f"memory growth, {label}", max(ours.said("grown")), 16, "MB"),
        Goal(f"first byte, {label}", median(ours.said("first")) * 1000, 150, "ms"),
    ]


def table(runs: dict[str, Runs], database: Database) -> Table:
    lines = [
        (name, *figures(some, "s"), number(database.jobs / some.wall), number(runs[LIMIT].cpu / some.cpu))
        for name, some in runs.items()
    ]
    more = ("rows a second", "rows per CPU second against \\copy")
    return Table(columns(f"{database.label} jobs", "s", *more), lines)
