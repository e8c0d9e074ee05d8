"""On SQLite 600,000 jobs are imported beside people who sign in, click and read: nobody is sent away."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic

from django.contrib.auth.hashers import Argon2PasswordHasher

from dashboard.models import Job
from dashboard.tests.conftest import make_user
from dashboard.tests.servers import connected_to

from . import Outcome, many_jobs
from .kills import log_file
from .serving import Answer, ask, import_file, signed_in, web_server

STORED, ROWS = 100_000, int(os.environ.get("IMPORTED_ROWS", 600_000))
SIGNING_IN, READING = 3, 3  # people at once
PAGES = ("/", "/costs/", "/jobs/", "/teams/", "/allocation/")
PASSWORD = "correct horse battery staple"


def drill() -> Outcome:
    with TemporaryDirectory() as folder:
        url, file = f"sqlite:///{folder}/heliox.sqlite3", log_file(Path(folder), ROWS).path
        with web_server(url) as port:
            many_jobs.fill(url, STORED)
            cookie, over = signed_in(url), Event()
            new_users(url)
            with ThreadPoolExecutor(SIGNING_IN + READING) as people:
                sign_ins = [people.submit(sign_in, port, f"user{n}", over) for n in range(SIGNING_IN)]
                views = [people.submit(read, port, cookie, n, over) for n in range(READING)]
                began = monotonic()
                imported = import_file(url, file)
                took = monotonic() - began
                over.set()
                signed, seen = answers_of(sign_ins), answers_of(views)
        with connected_to(default=url):
            stored = Job.objects.count()
    failed = Counter(one.status for one in signed + seen if one.status not in (200, 302))
    figure = (
        f"{len(signed)} sign-ins and {len(seen):,} pages during an import of {ROWS:,} jobs of {took:.0f} s: "
        f"other answers {dict(failed) or 'none'}; the longest sign-in took {longest(signed):.1f} s, the "
        f"longest page {longest(seen):.1f} s"
    )
    return Outcome(not imported and not failed and stored == STORED + ROWS, figure)


def new_users(url: str) -> None:
    with connected_to(default=url):
        for n in range(SIGNING_IN):
            user = make_user(f"user{n}", "Viewer")
            user.password = Argon2PasswordHasher().encode(PASSWORD, "saltsaltsalt")
            user.save()


def sign_in(port: int, name: str, over: Event) -> list[Answer]:
    answers = []
    while not over.wait(1):
        form = {"username": name, "password": PASSWORD}
        answers.append(ask(port, "/accounts/login/", form=form, timeout=300))
    return answers


def read(port: int, cookie: str, first: int, over: Event) -> list[Answer]:
    answers = []
    while not over.wait(0.3):
        answers.append(ask(port, PAGES[(first + len(answers)) % len(PAGES)], cookie, timeout=300))
    return answers


def answers_of(people: list) -> list[Answer]:
    return [answer for one in people for answer in one.result()]


def longest(answers: list[Answer]) -> float:
    return max((one.seconds for one in answers), default=0.0)
