"""PostgreSQL is frozen for twenty seconds and then gone for thirty, under a web server as shipped."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic, sleep

from dashboard.tests.servers import private_postgresql, standing_still
from dashboard.trouble import frozen

from . import Outcome
from .serving import Answer, ask, seconds_until, web_server

FROZEN, GONE = 20, 30  # seconds
FREE_AGAIN = frozen.LONG + frozen.PATIENCE + 1  # when no thread waits any more
READERS = 12  # three times as many as the web server has threads


def drill() -> Outcome:
    with private_postgresql().server() as database, web_server(database.url, workers=1) as port:
        seen: dict[str, list[Answer]] = {"alive": [], "ready": [], "pages": []}
        for _ in range(READERS):
            ask(port, "/costs/")
        with standing_still(database), readers(port) as read:
            look(port, seen, FROZEN)
        thawed = seconds_until(lambda: ask(port, "/readyz").status == 200)
        thawed = max(thawed, seconds_until(lambda: ask(port, "/costs/").status == 302))
        database.process.send_signal(signal.SIGINT)
        database.process.wait()
        look(port, seen, GONE, pages=True)
        database.start()
        back = seconds_until(lambda: ask(port, "/costs/").status == 302)
    alive, ready, pages = seen["alive"], seen["ready"], seen["pages"]
    well = sum(one.status == 200 and one.seconds < FREE_AGAIN for one in alive)
    refused = sum(one.status == 503 for one in read)
    said_no = sum(one.status == 503 and one.seconds < FREE_AGAIN + 3 for one in ready)
    told = sum(one.status == 503 and one.seconds < 4 for one in pages)
    at_once = sum(one.seconds < 0.5 for one in pages)
    figure = (
        f"/healthz answered {well} of {len(alive)} beside {READERS} readers, the longest after "
        f"{max(one.seconds for one in alive):.1f} s; {refused} of {len(read)} of their pages were a 503, the "
        f"longest after {max(one.seconds for one in read):.1f} s; /readyz said no {said_no} of {len(ready)}, "
        f"ready {thawed:.1f} s after it thawed; while gone {told} of {len(pages)} pages were a 503 "
        f"within 4 s, {at_once} of them at once; back {back:.1f} s after the database was"
    )
    ok = well == len(alive) and said_no == len(ready) and told == len(pages) and thawed < 2 and back < 3
    return Outcome(ok and bool(pages) and refused == len(read) > 0, figure)


@contextmanager
def readers(port: int) -> Iterator[list[Answer]]:
    """What they got, those who were still waiting in the end as well."""
    got: list[Answer] = []
    over = Event()

    def read() -> None:
        while not over.is_set():
            got.append(ask(port, "/costs/"))
            over.wait(0.1)

    threads = [Thread(target=read) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        yield got
    finally:
        over.set()
        for thread in threads:
            thread.join()


def look(port: int, seen: dict[str, list[Answer]], seconds: float, pages: bool = False) -> None:
    until = monotonic() + seconds
    while monotonic() < until:
        seen["alive"].append(ask(port, "/healthz"))
        seen["ready"].append(ask(port, "/readyz"))
        if pages:
            seen["pages"] += [ask(port, "/costs/") for _ in range(3)]
        sleep(0.2)
