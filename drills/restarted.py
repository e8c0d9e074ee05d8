"""PostgreSQL is restarted again and again, and once killed, under people who read without a break."""

from __future__ import annotations

import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep
from typing import Any

from dashboard.tests.servers import private_postgresql

from . import Outcome
from .serving import Answer, ask, seconds_until, signed_in, web_server

READERS = 12
DOWN = (0, 2, 4, 7)  # seconds that it stays away, each by another way to end it
ENDS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
PAGES = ("/costs/", "/jobs/", "/teams/", "/usage/", "/")


def drill() -> Outcome:
    with private_postgresql().server() as database, web_server(database.url) as port:
        cookie, over = signed_in(database.url), Event()
        with ThreadPoolExecutor(READERS) as readers:
            reading = [readers.submit(read, port, cookie, over, number) for number in range(READERS)]
            slowest = max(restarted(database, port, cookie, end, down) for end in ENDS for down in DOWN)
            over.set()
            answers = [answer for one in reading for answer in one.result()]
    return told(answers, slowest)


def told(answers: list[Answer], slowest: float) -> Outcome:
    by_status = Counter(answer.status for answer in answers)
    others = {status: number for status, number in by_status.items() if status not in (200, 503)}
    mute = sum(answer.status == 503 and "retry-after" not in answer.headers for answer in answers)
    figure = (
        f"{len(ENDS) * len(DOWN)} restarts beside {READERS} readers: {by_status[200]:,} pages, "
        f"{by_status[503]:,} answers of 503 with Retry-After, others: {others or 'none'}, the longest "
        f"{max(answer.seconds for answer in answers):.1f} s; pages again after at most {slowest:.1f} s"
    )
    return Outcome(not others and not mute and by_status[200] > 100 and slowest < 10, figure)


def restarted(database: Any, port: int, cookie: str, end: int, down: float) -> float:
    """Seconds from the moment that it takes connections until a page is there."""
    sleep(3)
    database.process.send_signal(end)
    database.process.wait()
    sleep(down)
    start_again(database)
    return seconds_until(lambda: ask(port, "/costs/", cookie).status == 200)


def start_again(database: Any) -> None:
    """What a killed server leaves running ends by itself in a moment, and keeps the next from starting."""
    for _ in range(50):
        try:
            return database.start()
        except Exception:  # of bin/with_postgres, which is a module of its own each time
            sleep(0.2)
    database.start()


def read(port: int, cookie: str, over: Event, number: int) -> list[Answer]:
    answers = []
    while not over.is_set():
        answers.append(ask(port, PAGES[(number + len(answers)) % len(PAGES)], cookie))
        over.wait(0.02)
    return answers
