"""PostgreSQL is frozen for twenty seconds and then gone for thirty, under a web server as shipped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from dashboard.tests.servers import private_postgresql

from . import Outcome

PORT = 8766
FROZEN, GONE = 20, 30  # seconds
SERVER = ("--interface", "wsgi", "heliox_site.wsgi:application", "--workers", "1", "--blocking-threads", "4")
PRODUCTION = {
    "HELIOX_SECRET_KEY": "wKq3Zr8TnVb5XsYdLp2HfGmJc7RtBv9QeUa4NxMz",
    "HELIOX_ALLOWED_HOSTS": "127.0.0.1",
    "HELIOX_BEHIND_PROXY": "1",
}


@dataclass(frozen=True)
class Answer:
    status: int
    seconds: float


def drill() -> Outcome:
    with private_postgresql().server() as database, web_server(database.url):
        seen: dict[str, list[Answer]] = {"alive": [], "ready": [], "pages": []}
        with stopped(database):
            look(seen, FROZEN)
        thawed = seconds_until(lambda: ask("/readyz").status == 200)
        database.process.send_signal(signal.SIGINT)
        database.process.wait()
        look(seen, GONE, pages=True)
    alive, ready = seen["alive"], seen["ready"]
    well = sum(one.status == 200 and one.seconds < 1 for one in alive)
    said_no = sum(one.status == 503 and one.seconds < 3 for one in ready)
    broken = sum(one.status != 503 for one in seen["pages"])
    figure = (
        f"/healthz answered {well} of {len(alive)}, /readyz said no {said_no} of {len(ready)} within 3 s, "
        f"ready {thawed:.1f} s after it thawed, {broken} of {len(seen['pages'])} pages were no 503 while gone"
    )
    ok = well == len(alive) and said_no == len(ready) and broken == 0 and thawed < 2
    return Outcome(ok and bool(seen["pages"]), figure)


@contextmanager
def web_server(url: str) -> Iterator[None]:
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url} | PRODUCTION
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], env=environment, check=True)
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"], env=environment, check=True
    )
    serve = [str(Path(sys.executable).with_name("granian")), *SERVER, "--port", str(PORT)]
    process = subprocess.Popen(serve, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        seconds_until(lambda: ask("/readyz").status == 200)
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def stopped(database: Any) -> Iterator[None]:
    """The server with all its processes, as a machine that hangs."""
    parent = database.process.pid
    family = [parent, *map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())]
    for one in family:
        os.kill(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in family:
            os.kill(one, signal.SIGCONT)


def look(seen: dict[str, list[Answer]], seconds: float, pages: bool = False) -> None:
    until = monotonic() + seconds
    while monotonic() < until:
        seen["alive"].append(ask("/healthz"))
        seen["ready"].append(ask("/readyz"))
        if pages:
            seen["pages"].append(ask("/costs/"))
        sleep(0.2)


def ask(path: str) -> Answer:
    """0 where nobody answers. The session is nobody's, and has to be looked up."""
    began = monotonic()
    connection = HTTPConnection("127.0.0.1", PORT, timeout=30)
    try:
        cookie = {"X-Forwarded-Proto": "https", "Cookie": "__Host-sessionid=" + "x" * 32}
        connection.request("GET", path, headers=cookie)
        return Answer(connection.getresponse().status, monotonic() - began)
    except OSError:
        return Answer(0, monotonic() - began)
    finally:
        connection.close()


def seconds_until(happened: Callable[[], bool], most: float = 60) -> float:
    began = monotonic()
    while not happened() and monotonic() < began + most:
        sleep(0.1)
    return monotonic() - began
