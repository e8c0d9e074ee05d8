"""Thirty viewers at once on a server as README.md starts it, while a million jobs come in (row 15)."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .bench import Bench
from .beside import ROOT, Beside, Failed, environment
from .cluster import script
from .databases import MANAGE, Database
from .measuring import Goal, Result, Table, number
from .pages import of_three_years
from .peers.datasette import HOST, free_port, wait_for

SITE = "heliox.example.com"
VIEWERS = 30
WARM, QUIET, LONGEST = 60, 60, 1800  # seconds
SCRIPT = Path(__file__).with_name("viewers.lua")


@dataclass(frozen=True)
class Seen:
    """What the viewers saw: seconds that half and that 99 of 100 answers took at most."""

    requests: int
    errors: int
    half: float
    most: float
    a_second: float

    def line(self, name: str) -> tuple[str, ...]:
        times = (number(seconds * 1000) for seconds in (self.half, self.most))
        return name, f"{self.requests:,}", str(self.errors), *times, number(self.a_second)


def under_load(bench: Bench) -> Result:
    file = unknown_jobs(bench.file_of_jobs, bench.scratch / "new_jobs.csv")
    with bench.databases.copy(bench.three_years) as copy:
        settings = production(copy)
        with Beside(settings) as worker:
            cookie = worker.call("session").said["cookie"]
        with served(settings) as port:
            url = f"http://{HOST}:{port}{of_three_years(bench)}"
            viewed(url, cookie, WARM).wait()  # each process works the months out that it then remembers
            quiet = seen(viewed(url, cookie, QUIET))
            viewers = viewed(url, cookie, LONGEST)
            failed = subprocess.run(
                [*map(str, MANAGE), "ingest", str(file)], env=environment(**settings), capture_output=True
            ).returncode
            viewers.send_signal(signal.SIGINT)
            busy = seen(viewers)
    if failed:
        raise Failed("the import failed")
    if not quiet.requests or not busy.requests:
        raise Failed("the viewers got no answer in time")
    return told(quiet, busy, bench.middle.label)


def told(quiet: Seen, busy: Seen, label: str) -> Result:
    goals = [
        Goal("errors", quiet.errors + busy.errors, 0, ""),
        Goal("99 of 100 answers, against the quiet server", busy.most / quiet.most, 5),
    ]
    names = ("", "requests", "errors", "half within, ms", "99 of 100 within, ms", "requests a second")
    lines = [quiet.line("quiet"), busy.line(f"while {label} jobs come in")]
    by = "wrk" if wrk() else "a small client of the bench, for wrk is not installed"
    return Result(goals, [Table(names, lines)], [f"{VIEWERS} viewers are {by}, on the same machine."])


def unknown_jobs(of: Path, to: Path) -> Path:
    """The same jobs without their ids: they are new wherever they come in."""
    with open(of, "rb") as file, open(to, "wb") as out:
        out.writelines(line.partition(b",")[2] for line in file)
    return to


def production(database: Database) -> dict[str, str]:
    return {
        "DATABASE_URL": database.url,
        "HELIOX_SECRET_KEY": secrets.token_urlsafe(48),
        "HELIOX_ALLOWED_HOSTS": SITE,
        "HELIOX_BEHIND_PROXY": "1",
    }


@contextmanager
def served(settings: dict[str, str]) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "heliox_site.wsgi:application"]
    command += ["--host", HOST, "--port", str(port), "--log-level", "warning"]
    command += ["--workers", "2", "--blocking-threads", "4", "--workers-kill-timeout", "10"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(**settings), start_new_session=True)
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def wrk() -> str | None:
    return shutil.which("wrk")


def viewed(url: str, cookie: str, seconds: int) -> subprocess.Popen:
    """Viewers for that long, or until they are interrupted; then they say what they saw."""
    headers = {"Host": SITE, "X-Forwarded-Proto": "https", "Cookie": cookie}
    if wrk() or script("debian.py").install_packages(["wrk"], "The viewers are wrk."):
        command = ["wrk", "-t", "1", "-c", str(VIEWERS), "-d", f"{seconds}s", "--timeout", "60s"]
        command += ["-s", str(SCRIPT), url]
        for name, value in headers.items():
            command += ["-H", f"{name}: {value}"]
    else:
        command = [sys.executable, "-m", "benchmarks.viewers", url, str(VIEWERS), str(seconds)]
        command += [json.dumps(headers)]
    return subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)


def seen(viewers: subprocess.Popen) -> Seen:
    said, _ = viewers.communicate()
    found = [line for line in said.splitlines() if line.startswith("{")]
    if not found:
        raise Failed("the viewers said nothing")
    return Seen(**json.loads(found[-1]))
