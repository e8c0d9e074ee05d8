"""django-import-export takes the same file of jobs: ten thousand of its rows, told by the row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..measuring import Result, Runs, Table, columns, figures, number
from .environments import tried
from .lists import beside

if TYPE_CHECKING:
    from ..bench import Bench

NAME = "django-import-export"
ROWS = 10_000


def imports_of_jobs(bench: Bench, raw: Runs) -> Result:
    """raw: what a row costs by COPY."""

    def measure(programs: Path) -> Result:
        file = first_rows(bench.file_of_jobs, bench.scratch / "some_jobs.csv")
        runs = Runs()
        with bench.databases.copy(bench.databases.without_jobs()) as copy, beside(programs, copy) as worker:
            cost = worker.call("benchmarks.peers.project.importing:jobs", file=str(file))
            runs.costs.append(cost.each(ROWS))
        line = (NAME, *figures(runs, "µs"), number(runs.cpu / raw.cpu))
        return Result(tables=[Table(columns(f"a row of {ROWS:,}", "µs", "against raw COPY"), [line])])

    return tried(bench.environments, NAME, measure)


def first_rows(of: Path, to: Path) -> Path:
    """None of our cells has a line break, so that lines are rows."""
    with open(of, "rb") as file, open(to, "wb") as out:
        for _ in range(ROWS + 1):
            out.write(file.readline())
    return to
