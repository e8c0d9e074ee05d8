"""datasette on the SQLite file: its page of jobs and its stream of CSV."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..beside import ROOT, Failed, environment
from ..databases import Database
from ..measuring import Cost, Result, Table, columns, figures, interleaved, number
from ..worker import backend_cpu
from .environments import tried

if TYPE_CHECKING:
    from ..bench import Bench

NAME = "datasette"
HOST = "127.0.0.1"
ROWS = 100_000  # of its stream that are waited for
# Its own limits are for a public site.
LIMITS = {"sql_time_limit_ms": "60000", "max_csv_mb": "0", "max_returned_rows": "1000"}


def pages_and_file(bench: Bench) -> Result:
    def measure(programs: Path) -> Result:
        files = [bench.databases.sqlite(size) for size in (bench.sizes.few, bench.sizes.middle)]
        with served(programs, files[0]) as few, served(programs, files[1]) as many:
            page = interleaved({files[0].label: few.page, files[1].label: many.page}, runs=5)
            stream = interleaved({"": many.stream}, runs=1)[""]
        pages = [(f"page of jobs, {label}", *figures(runs), "") for label, runs in page.items()]
        rows = (f"first {ROWS:,} rows of the CSV", *figures(stream), number(ROWS / stream.wall))
        return Result(tables=[Table(columns(NAME, "ms", "rows a second"), [*pages, rows])])

    return tried(bench.environments, NAME, measure)


class Served:
    def __init__(self, process: subprocess.Popen, port: int, name: str) -> None:
        self.process, self.port, self.path = process, port, f"/{name}/jobs"

    def page(self) -> Cost:
        return self.timed(f"{self.path}?_size=50", most=None)

    def stream(self) -> Cost:
        return self.timed(f"{self.path}.csv?_stream=on&_size=max", most=ROWS)

    def timed(self, path: str, most: int | None) -> Cost:
        before, started = self.cpu(), time.perf_counter()
        connection = http.client.HTTPConnection(HOST, self.port, timeout=300)
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise Failed(f"{path} answered {answer.status}")
        lines = 0
        while (part := answer.read(1 << 16)) and (most is None or lines <= most):
            lines += part.count(b"\n")
        wall, used = time.perf_counter() - started, self.cpu() - before
        connection.close()
        return Cost(used, 0.0, wall)

    def cpu(self) -> float:
        """Of all its threads."""
        return sum(backend_cpu(int(task.name)) for task in Path(f"/proc/{self.process.pid}/task").iterdir())


@contextmanager
def served(programs: Path, database: Database) -> Iterator[Served]:
    port = free_port()
    command = [str(programs / "datasette"), "serve", str(database.path), "--host", HOST, "--port", str(port)]
    for name, value in LIMITS.items():
        command += ["--setting", name, value]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port, process)
        yield Served(process, port, database.path.stem)
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise Failed("the server did not start")
