"""A file of jobs comes in: against a bare COPY, once more, with roll-ups and without (rows 8 and 10)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .bench import Bench
from .beside import Beside, Psql
from .databases import Database
from .files import copy_to
from .measuring import Cost, Goal, Result, Runs, Table, columns, figures, number
from .peers.importing import imports_of_jobs

RUNS = 2
SAVES = 50
RAW = "CREATE TABLE raw_jobs (LIKE jobs INCLUDING ALL);"
# The rows of the file as COPY takes them, in the order of the file.
READY = """SELECT * FROM jobs WHERE NOT coalesce(end_time < start_time, false)
ORDER BY start_time DESC NULLS LAST, id DESC"""


@dataclass
class Imports:
    """What each way of bringing the same jobs in cost, a run for each turn."""

    raw: Runs = field(default_factory=Runs)
    ours: Runs = field(default_factory=Runs)
    again: Runs = field(default_factory=Runs)
    bare: Runs = field(default_factory=Runs)
    saves: dict[str, Runs] = field(default_factory=dict)
    changed: int = 0

    def save(self, name: str, cost: Cost) -> None:
        self.saves.setdefault(name, Runs()).costs.append(cost.each(SAVES))


def measured(bench: Bench) -> Imports:
    """Both rows look at the same imports, which take long: they are made once."""
    if not hasattr(bench, "imports"):
        found, csv, rows = Imports(), bench.file_of_jobs, ready_rows(bench)
        bench.databases.leave_all()
        for _ in range(RUNS):
            raw(bench, found, rows)
            imported(bench, found, csv)
            imported_bare(bench, found, csv)
        bench.imports = found  # type: ignore[attr-defined]
    return bench.imports  # type: ignore[attr-defined]


def ready_rows(bench: Bench) -> Path:
    path = bench.scratch / "jobs.rows"
    if not path.exists():
        with bench.databases.cluster.session(bench.middle.name) as psql:
            copy_to(psql, " ".join(READY.split()), str(path), "")
    return path


def raw(bench: Bench, found: Imports, rows: Path) -> None:
    with bench.databases.copy(bench.databases.without_jobs()) as copy, session(bench, copy) as psql:
        psql.ask(RAW)
        found.raw.costs.append(psql.timed(f"\\copy raw_jobs FROM '{rows}'").each(bench.middle.jobs))


def session(bench: Bench, database: Database) -> Psql:
    return bench.databases.cluster.session(database.name)


def imported(bench: Bench, found: Imports, csv: Path) -> None:
    with bench.databases.copy(bench.databases.without_jobs()) as copy:
        worker = bench.worker(copy)
        found.ours.costs.append(worker.call("ingest", file=str(csv)).each(bench.middle.jobs))
        saved(bench, copy, found, "with roll-ups")
        again = worker.call("ingest", file=str(csv))
        found.again.costs.append(again.each(bench.middle.jobs))
        found.changed += changes(again)


def imported_bare(bench: Bench, found: Imports, csv: Path) -> None:
    with bench.databases.copy(bench.databases.without_jobs()) as copy:
        worker = bench.worker(copy)
        worker.call("drop_triggers")
        found.bare.costs.append(worker.call("ingest", file=str(csv)).each(bench.middle.jobs))
        saved(bench, copy, found, "without")


def saved(bench: Bench, database: Database, found: Imports, how: str) -> None:
    """On the connection that imported, and on a new one; the saves leave every job as it was."""
    after_import, fresh = bench.worker(database), Beside(bench.databases.settings(database))
    with fresh:
        for name, worker in (("after an import", after_import), ("", fresh)):
            worker.call("load_jobs_to_save", number=SAVES)
            for _ in range(3):
                found.save(f"{name} {how}".strip(), worker.call("save_jobs"))
            worker.call("restore_jobs")


def changes(cost: Cost) -> int:
    """Rows of jobs that an import has created, changed or removed."""
    tables = cost.said["counts"]["tables"]
    return sum(tables.get("jobs", {}).values())


# The rows of the bench


def against_raw_copy(bench: Bench) -> Result:
    found = measured(bench)
    goals = [
        Goal("CPU of a row against a raw COPY", found.ours.cpu / found.raw.cpu, 2),
        Goal("the same file again", found.again.cpu / found.ours.cpu, 0.7),
        Goal("jobs that it changes", found.changed, 0, "jobs"),
    ]
    told = {"raw COPY of ready rows": found.raw, "ours": found.ours, "the same file again": found.again}
    lines = [(name, *figures(runs, "µs"), number(runs.cpu / found.raw.cpu)) for name, runs in told.items()]
    tables = [Table(columns("a row", "µs", "against raw COPY"), lines)]
    return Result(goals, tables).and_of(imports_of_jobs(bench, found.raw))


def cost_of_rollups(bench: Bench) -> Result:
    found = measured(bench)
    goals = [Goal("import of a row", found.ours.cpu / found.bare.cpu, 1.8)]
    lines = [(name, *figures(runs, "µs")) for name, runs in (("without", found.bare), ("with", found.ours))]
    saves = []
    for when, words in (("", "one-row save"), ("after an import ", "one-row save right after an import")):
        without, with_them = found.saves[f"{when}without"], found.saves[f"{when}with roll-ups"]
        goals.append(Goal(words, with_them.cpu / without.cpu, 2))
        saves += [(f"{words}, without", *figures(without)), (f"{words}, with", *figures(with_them))]
    tables = [Table(columns("import of a row", "µs"), lines), Table(columns("save"), saves)]
    return Result(goals, tables)
