"""Half an hour of reading, downloading, signing in and importing (SOAK=120 minutes: two): nothing grows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic

from django.contrib.sessions.models import Session
from django.db import connection

from dashboard.tests.servers import ask as ask_database
from dashboard.tests.servers import connected_to, new_database

from . import Outcome, many_jobs
from .beside_import import PAGES, PASSWORD, SIGNING_IN, new_users
from .kills import log_file
from .serving import ask, import_file, memory_of, signed_in, web_server, workers_of

MINUTES = float(os.environ.get("SOAK", 30))
JOBS, ROWS = 20_000, 2_000
FILES = ("/jobs/?_export=csv", "/teams/?_export=xlsx", "/costs/?_export=csv")
WARM = 0.4  # of the time: until then processes fill what they remember
MOST_GROWN = 15  # MB of all web processes from the first third of the warm time to the last: a few kB a click
IDLE = 2  # minutes; a session that is over goes at somebody's next sign-in
CONNECTIONS = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()"


@dataclass(frozen=True)
class Look:
    """kB of all web processes; connections to the database; rows of sessions."""

    memory: int
    connections: int
    sessions: int


def drill() -> Outcome:
    with (
        TemporaryDirectory() as folder,
        new_database(Path(folder)) as url,
        web_server(url, HELIOX_IDLE_MINUTES=str(IDLE)) as port,
    ):
        many_jobs.fill(url, JOBS)
        new_users(url)
        over, cookie = Event(), signed_in(url)
        with ThreadPoolExecutor(SIGNING_IN + 4) as people:
            tasks = [people.submit(signs_in, port, f"user{n}", over) for n in range(SIGNING_IN)]
            tasks += [people.submit(reads, port, cookie, n, over) for n in range(3)]
            tasks.append(people.submit(imports, url, Path(folder), over))
            looks = list(watched(url, port))
            over.set()
            wrong = sum(one.result() for one in tasks)
    return told(looks, wrong)


def told(looks: list[Look], wrong: int) -> Outcome:
    warm = looks[int(len(looks) * WARM) :]
    third = max(len(warm) // 3, 1)
    first, last = (mean(look.memory for look in some) / 1024 for some in (warm[:third], warm[-third:]))
    connections, sessions = (
        max(getattr(look, what) for look in looks) for what in ("connections", "sessions")
    )
    figure = (
        f"{MINUTES:g} minutes: the web processes held {first:.0f} MB when warm and {last:.0f} MB in the end, "
        f"at most {connections} connections, at most {sessions} sessions stored, {wrong} wrong answers"
    )
    flat = last - first <= MOST_GROWN and connections <= 20 and sessions <= 1_000
    return Outcome(flat and not wrong and len(warm) >= 3, figure)


def watched(url: str, port: int) -> Iterator[Look]:
    until, nobody = monotonic() + MINUTES * 60, Event()
    while monotonic() < until:
        nobody.wait(5)
        with connected_to(default=url):
            yield Look(sum(map(memory_of, workers_of(port))), connections(), Session.objects.count())


def connections() -> int:
    return ask_database("default", CONNECTIONS) if connection.vendor == "postgresql" else 0


# What people do; each gives the number of answers that were wrong


def signs_in(port: int, name: str, over: Event) -> int:
    wrong = 0
    while not over.wait(1):
        form = {"username": name, "password": PASSWORD}
        wrong += ask(port, "/accounts/login/", form=form, timeout=300).status != 302
    return wrong


def reads(port: int, cookie: str, first: int, over: Event) -> int:
    """Pages and now and then a file, of which as many are given at a time as there are places for."""
    clicks = wrong = 0
    while not over.wait(0.5):
        clicks += 1
        path = FILES[clicks % 3] if clicks % 7 == 0 else PAGES[(first + clicks) % len(PAGES)]
        status = ask(port, path, cookie, timeout=300).status
        wrong += status != 200 and not (status == 503 and path in FILES)
    return wrong


def imports(url: str, folder: Path, over: Event) -> int:
    """The same jobs with other ends, in a process of its own each time, as cron would."""
    wrong = turn = 0
    while not over.wait(20):
        turn += 1
        wrong += import_file(url, log_file(folder, ROWS, "log.csv", turn).path) != 0
    return wrong
