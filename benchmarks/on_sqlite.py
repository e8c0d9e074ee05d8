"""SQLite with one million jobs (row 14)."""

from __future__ import annotations

import shutil

from .bench import Bench
from .beside import Beside, Failed, timed_command
from .databases import Database
from .joblist import address, depth_of, given_again, single_filters
from .measuring import Cost, Goal, Result, Table, columns, figures, interleaved, number, table, worst
from .pages import compared_pages
from .peers.datasette import pages_and_file

HOURS = "(julianday(end_time) - julianday(start_time)) * 24"
SAME_COLUMNS = f"""SELECT j.id, external_id, t.name, model_name, gpu_type, gpu_count, provider, status,
start_time, end_time, {HOURS} * 3600, round({HOURS} * gpu_count, 6)
FROM jobs j JOIN teams t ON t.id = j.team_id;
"""


def on_sqlite(bench: Bench) -> Result:
    small, large = bench.databases.sqlite(bench.sizes.few), bench.databases.sqlite(bench.sizes.middle)
    result = compared_pages(small, large, bench.worker, 1.2)
    for more in (filters(bench, small, large), depth_of(bench, large), exported(bench, large)):
        result.and_of(more)
    return result.and_of(pages_and_file(bench))


def filters(bench: Bench, small: Database, large: Database) -> Result:
    asked_for = single_filters(bench, small, large)
    found = {
        words: interleaved(
            {one.label: bench.worker(one).getting(address(asked)) for one in (small, large)}, runs=5
        )
        for words, asked in asked_for.items()
    }
    most = max(runs[large.label].cpu for runs in found.values()) * 1000
    goals = [
        worst(found, "list of jobs, slowest growth: {}", 1.3),
        Goal("list of jobs, most CPU", most, 15, "ms"),
    ]
    return Result(goals, [table(found, "filter"), given_again(bench, large, asked_for)])


def exported(bench: Bench, database: Database) -> Result:
    runs = interleaved(
        {"sqlite3": lambda: by_shell(bench, database), "ours": lambda: ours(bench, database)}, 3
    )
    speed = runs["sqlite3"].wall / runs["ours"].wall
    lines = [(name, *figures(some, "s"), number(database.jobs / some.wall)) for name, some in runs.items()]
    goals = [Goal("rows a second against the sqlite3 shell", speed, 0.35, at_least=True)]
    return Result(goals, [Table(columns(f"file of {database.label} jobs", "s", "rows a second"), lines)])


def by_shell(bench: Bench, database: Database) -> Cost:
    shell = shutil.which("sqlite3")
    if not shell:
        raise Failed("the program sqlite3 is not installed")
    command = [shell, "-batch", "-csv", "-header", str(database.path)]
    return timed_command(command, {}, to=bench.scratch / "shell.csv", text=SAME_COLUMNS)


def ours(bench: Bench, database: Database) -> Cost:
    with Beside(bench.databases.settings(database)) as worker:
        return worker.call("export", to=str(bench.scratch / "ours.csv"))
