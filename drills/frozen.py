"""PostgreSQL is frozen for twenty seconds and then gone for thirty, under a web server as shipped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from dashboard.tests.servers import private_postgresql

from . import Outcome
from .serving import Answer, ask, seconds_until, web_server

FROZEN, GONE = 20, 30  # seconds


def drill() -> Outcome:
    with private_postgresql().server() as database, web_server(database.url, workers=1) as port:
        seen: dict[str, list[Answer]] = {"alive": [], "ready": [], "pages": []}
        with stopped(database):
            look(port, seen, FROZEN)
        thawed = seconds_until(lambda: ask(port, "/readyz").status == 200)
        database.process.send_signal(signal.SIGINT)
        database.process.wait()
        look(port, seen, GONE, pages=True)
        database.start()
        back = seconds_until(lambda: ask(port, "/costs/").status == 302)
    alive, ready, pages = seen["alive"], seen["ready"], seen["pages"]
    well = sum(one.status == 200 and one.seconds < 1 for one in alive)
    said_no = sum(one.status == 503 and one.seconds < 3 for one in ready)
    told = sum(one.status == 503 and one.seconds < 4 for one in pages)
    at_once = sum(one.seconds < 0.5 for one in pages)
    figure = (
        f"/healthz answered {well} of {len(alive)}, /readyz said no {said_no} of {len(ready)} within 3 s, "
        f"ready {thawed:.1f} s after it thawed; while gone {told} of {len(pages)} pages were a 503 "
        f"within 4 s, {at_once} of them at once; back {back:.1f} s after the database was"
    )
    ok = well == len(alive) and said_no == len(ready) and told == len(pages) and thawed < 2 and back < 3
    return Outcome(ok and bool(pages), figure)


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


def look(port: int, seen: dict[str, list[Answer]], seconds: float, pages: bool = False) -> None:
    until = monotonic() + seconds
    while monotonic() < until:
        seen["alive"].append(ask(port, "/healthz"))
        seen["ready"].append(ask(port, "/readyz"))
        if pages:
            seen["pages"] += [ask(port, "/costs/") for _ in range(3)]
        sleep(0.2)
