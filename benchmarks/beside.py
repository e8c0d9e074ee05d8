"""Processes that are asked and measured: a worker beside a database, psql, and what runs to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from .measuring import Cost
from .worker import backend_cpu

ROOT = Path(__file__).resolve().parent.parent
# A parallel worker is a process of its own, whose CPU the backend's does not tell.
SERIAL = {"PGOPTIONS": "-c max_parallel_workers_per_gather=0"}


class Failed(Exception):
    """A row cannot be measured, and why."""


def environment(**more: str) -> dict[str, str]:
    """Ours without what the caller has set for another Heliox or another PostgreSQL."""
    foreign = ("HELIOX_", "DATABASE_", "DJANGO_", "PG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | more


class Beside:
    """A worker and what it says of each request."""

    def __init__(self, settings: Mapping[str, str], python: str | Path = sys.executable) -> None:
        self.complaints = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115 (closed with the worker)
        self.process = subprocess.Popen(
            [str(python), "-m", "benchmarks.worker"],
            cwd=ROOT,
            env=environment(**settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            text=True,
        )
        self.hear()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.complaints.seek(0)
            last = (self.complaints.read().strip() or "without a word").splitlines()[-1]
            raise Failed(f"a worker ended: {last}")
        told = json.loads(line)
        if "error" in told:
            raise Failed(told["error"])
        return told

    def ask(self, asked: dict[str, Any]) -> Cost:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        told = self.hear()
        return Cost(told.pop("app"), told.pop("db"), told.pop("wall"), told)

    def get(self, url: str) -> Cost:
        cost = self.ask({"get": url})
        if cost.said["status"] != 200:
            raise Failed(f"{url} answered {cost.said['status']}")
        return cost

    def getting(self, url: str) -> Callable[[], Cost]:
        return lambda: self.get(url)

    def sql(self, sql: str) -> Cost:
        return self.ask({"sql": sql})

    def call(self, function: str, **arguments: Any) -> Cost:
        """function: "module:name"; without a module it is one of `inside`."""
        place = function if ":" in function else f"benchmarks.inside:{function}"
        return self.ask({"call": place, "with": arguments})

    def calling(self, function: str, **arguments: Any) -> Callable[[], Cost]:
        return lambda: self.call(function, **arguments)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
        self.complaints.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Psql:
    """A session of PostgreSQL's own client."""

    def __init__(self, program: Path, url: str) -> None:
        self.process = subprocess.Popen(
            [
                str(program),
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--set",
                "ON_ERROR_STOP=1",
            ]
            + ["--dbname", url.replace("postgres:", "postgresql:")],
            cwd=ROOT,
            env=environment(**SERIAL),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.backend = int(self.ask("SELECT pg_backend_pid();")[0])

    def ask(self, *lines: str) -> list[str]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n".join(lines) + "\n\\echo <done>\n")
        self.process.stdin.flush()
        said: list[str] = []
        for line in self.process.stdout:
            if line.strip() == "<done>":
                return said
            said.append(line.strip())
        raise Failed(f"psql: {said[-1] if said else 'no answer'}")

    def timed(self, *lines: str) -> Cost:
        app, db, started = backend_cpu(self.process.pid), backend_cpu(self.backend), time.perf_counter()
        said = self.ask(*lines)
        wall = time.perf_counter() - started
        return Cost(
            backend_cpu(self.process.pid) - app, backend_cpu(self.backend) - db, wall, {"lines": said[:3]}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def timed_command(
    command: Sequence[str | Path], settings: Mapping[str, str], to: Path | None = None, text: str = ""
) -> Cost:
    """A program from its start to its end; text is what it reads, `to` takes what it prints."""
    with tempfile.TemporaryFile("w+") as given, open(to or os.devnull, "wb") as out:
        given.write(text)
        given.seek(0)
        started = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)), cwd=ROOT, env=environment(**settings), stdin=given, stdout=out
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode:
        raise Failed(f"{Path(command[0]).name} failed with {process.returncode}")
    return Cost(used.ru_utime + used.ru_stime, 0.0, wall)
