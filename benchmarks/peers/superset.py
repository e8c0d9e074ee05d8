"""Apache Superset's chart API: the file of all jobs, and a chart over three years and over ninety days."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..beside import ROOT, Failed, environment
from ..databases import THREE_YEARS, Database
from ..measuring import Cost, Result, Runs, Table, columns, figures, interleaved, number
from .environments import tried
from .lists import socket_of
from .superset_inside import PASSWORD, USER

if TYPE_CHECKING:
    from ..bench import Bench

NAME = "Apache Superset"
COLUMNS = ("id", "external_id", "team_id", "model_name", "gpu_type", "gpu_count", "provider", "status")
TIMES = ("start_time", "end_time")
HOURS = "SUM(EXTRACT(EPOCH FROM end_time - start_time) * gpu_count) / 3600"
CONFIG = """
SECRET_KEY = "only-for-this-measurement" * 2
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/superset.sqlite3"
WTF_CSRF_ENABLED = TALISMAN_ENABLED = False
ROW_LIMIT = SQL_MAX_ROW = 20_000_000
"""
PREPARED = (
    ("db", "upgrade"),
    ("fab", "create-admin", "--username", USER, "--password", PASSWORD)
    + ("--firstname", "Ben", "--lastname", "Chmark", "--email", "bench@example.com"),
    ("init",),
)


def files_of_jobs(bench: Bench) -> Result:
    """It holds them all in memory."""

    def measure(programs: Path) -> Result:
        with charts(bench, programs, bench.middle) as ask:
            runs = Runs([ask("jobs", {"columns": [*COLUMNS, *TIMES], "row_limit": bench.middle.jobs}, "csv")])
        if runs.said("rows") != [bench.middle.jobs]:
            raise Failed("its file does not hold all jobs")
        memory = f"{number(runs.said('grown')[0])} MB"
        line = (NAME, *figures(runs, "s"), number(bench.middle.jobs / runs.wall), memory)
        return Result(
            tables=[
                Table(columns(f"{bench.middle.label} jobs", "s", "rows a second", "memory growth"), [line])
            ]
        )

    return tried(bench.environments, NAME, measure)


def chart_of_three_years(bench: Bench) -> Result:
    def measure(programs: Path) -> Result:
        with charts(bench, programs, bench.three_years) as ask:
            spans = {f"{days} days": hours_a_day(bench, days) for days in (90, THREE_YEARS)}
            things: dict[str, Callable[[], Cost]] = {
                words: lambda query=query: ask("jobs", query, "json")  # type: ignore[misc]
                for words, query in spans.items()
            }
            runs = interleaved(things, runs=3)
        few, many = runs.values()
        lines = [(words, *figures(some)) for words, some in runs.items()]
        words = f"Superset's three years cost {number(many.cpu / few.cpu)} times its 90 days."
        return Result(tables=[Table(columns("Superset, job GPU-hours a day"), lines)], notes=[words])

    return tried(bench.environments, NAME, measure)


def hours_a_day(bench: Bench, days: int) -> dict[str, Any]:
    today = bench.databases.as_of[:10]
    span = f"DATEADD(DATETIME('{today}'), -{days}, day) : {today}"
    return {
        "columns": ["provider"],
        "is_timeseries": True,
        "granularity": "start_time",
        "extras": {"time_grain_sqla": "P1D"},
        "metrics": [{"expressionType": "SQL", "sqlExpression": HOURS, "label": "hours"}],
        "time_range": span,
        "row_limit": 100_000,
    }


Ask = Callable[[str, dict[str, Any], str], Cost]


@contextmanager
def charts(bench: Bench, programs: Path, database: Database) -> Iterator[Ask]:
    """Asks for a chart of a table. Each query has a connection of its own: the server says what they took."""
    folder = bench.scratch / "superset"
    settings = prepared(folder, programs)
    process = subprocess.Popen(
        [str(programs / "python"), "-m", "benchmarks.peers.superset_inside"],
        cwd=ROOT,
        env=environment(**settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    url = f"postgresql+psycopg2://heliox@/{database.name}?host={socket_of(database)}"
    tables = said(process, do="add", url=url, tables=["jobs"])

    def ask(table: str, query: dict[str, Any], form: str) -> Cost:
        before = bench.databases.cluster.ended_cpu()
        told = said(process, do="chart", dataset=tables[table], query=query, form=form)
        db = bench.databases.cluster.ended_cpu() - before
        return Cost(told.pop("app"), db, told.pop("wall"), told)

    try:
        yield ask
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait()


def said(process: subprocess.Popen, **asked: Any) -> dict[str, Any]:
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps(asked) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    told = json.loads(line) if line else {"error": "it ended"}
    if "error" in told:
        raise Failed(told["error"])
    return told


def prepared(folder: Path, programs: Path) -> dict[str, str]:
    """A Superset with its own tables and one user."""
    config = folder / "superset_config.py"
    settings = {"SUPERSET_CONFIG_PATH": str(config), "FLASK_APP": "superset"}
    if not folder.exists():
        folder.mkdir()
        config.write_text(CONFIG.format(folder=folder))
        for command in PREPARED:
            call = [str(programs / "superset"), *command]
            done = subprocess.run(
                call, cwd=folder, env=environment(**settings), capture_output=True, timeout=300
            )
            if done.returncode:
                raise Failed(f"superset {command[0]} failed")
    return settings
