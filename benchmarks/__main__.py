"""make bench: builds the databases, measures the rows, writes docs/performance.md.

FULL=1 takes ten million jobs for many, QUICK=1 so few that it only shows that all of it works, and writes
nothing. ROWS=2,5 measures these rows only. KEEP=folder keeps the databases.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import performance
from .bench import Bench
from .beside import Failed, environment
from .cluster import started
from .databases import FULL, MANAGE, QUICK, USUAL, Databases, Sizes, usable
from .machine import machine, versions
from .measuring import Goal, Result
from .peers.environments import Environments
from .rows import ROWS, Row


def main() -> int:
    began = time.monotonic()
    sizes, rows = chosen_sizes(), chosen_rows(os.environ.get("ROWS", ""))
    compress_static_files()
    with place("KEEP") as kept, place() as scratch, started(usable(kept) / "postgres") as cluster:
        databases = Databases(cluster, kept, say)
        bench = Bench(databases, Environments(kept / "peers", say), scratch, sizes, say)
        try:
            for row in rows:
                result = measured(bench, row)
                if sizes != QUICK:
                    performance.write(performance.remember(sizes.many.short, about(bench), row, result))
        finally:
            databases.leave_all()
    say(
        f"{(time.monotonic() - began) / 60:.0f} minutes" + (", docs/performance.md" if sizes != QUICK else "")
    )
    return 0


def about(bench: Bench) -> dict[str, Any]:
    cluster = bench.databases.cluster
    return {
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": "make bench FULL=1" if bench.is_full else "make bench",
        "many": bench.sizes.many.label,
        "machine": machine(),
        "versions": versions(cluster),
        "settings": cluster.given | {"fsync": "off"},
        "built": bench.databases.notes["built"],
    }


def is_set(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0")


def chosen_sizes() -> Sizes:
    return FULL if is_set("FULL") else QUICK if is_set("QUICK") else USUAL


def chosen_rows(asked: str) -> list[Row]:
    known = {str(row.number): row for row in ROWS}
    numbers = [number.strip() for number in asked.split(",") if number.strip()] or list(known)
    if unknown := [number for number in numbers if number not in known]:
        sys.exit(f"ROWS holds {', '.join(unknown)}, expected numbers from 1 to {len(ROWS)}.")
    return [known[number] for number in numbers]


def measured(bench: Bench, row: Row) -> Result:
    """A row that fails is told, and the others go on: a run takes long."""
    say(f"{row.number:2}  {row.work}")
    began = time.monotonic()
    try:
        result = row.measure(bench)
    except Exception as failed:
        if not isinstance(failed, Failed):
            traceback.print_exc()
        result = Result([Goal("all of it", None, 0, "")], notes=[f"Not measured: {in_one_line(failed)}."])
    for line in in_words(result):
        say(f"    {line}")
    say(f"    {time.monotonic() - began:.0f} s")
    return result


def in_one_line(failed: Exception) -> str:
    """Without the paths of this machine."""
    text = " ".join(str(failed).split()) or type(failed).__name__
    return re.sub(r"\S*/\S*", "…", text)[:200]


def in_words(result: Result) -> Iterator[str]:
    for goal in result.goals:
        words = {True: "met", False: "MISSED", None: "NOT MEASURED"}[goal.met]
        yield f"{performance.value_of(goal):>12}  {words:6}  {goal.of} (goal {goal.in_words})"
    yield from result.notes


def say(text: str) -> None:
    print(text, flush=True)


def compress_static_files() -> None:
    """Into var/, as production serves them; pages link to them by their fingerprints."""
    settings = environment(HELIOX_DEMO="1")
    command = [*map(str, MANAGE), "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(command, env=settings, check=True)


@contextmanager
def place(variable: str = "") -> Iterator[Path]:
    """The folder that the variable names, which stays, or one for as long as the block runs."""
    named = os.environ.get(variable, "") if variable else ""
    if named:
        folder = Path(named).expanduser().resolve()
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="heliox-bench-") as folder_of_this_run:
        os.chmod(folder_of_this_run, 0o755)  # for the account that PostgreSQL runs as
        yield Path(folder_of_this_run)


if __name__ == "__main__":
    sys.exit(main())
