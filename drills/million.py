"""A million jobs as one file: what memory it takes, how soon it begins, and what is left by who goes away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from django.db import connection

from dashboard.tests.servers import ask as ask_database
from dashboard.tests.servers import connected_to, new_database

from . import Outcome, many_jobs
from .serving import BEHIND_PROXY, HOST, ask, memory_of, seconds_until, signed_in, web_server, workers_of

JOBS = int(os.environ.get("JOBS", 1_000_000))
FILE, WORKBOOK = "/jobs/?preset=all&_export=csv", "/jobs/?preset=all&_export=xlsx"
GO_AWAY = 20  # people
BUSY = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'"


@dataclass(frozen=True)
class Download:
    """grown: MB by which the process grew beyond the most that it had had."""

    lines: int
    first_byte: float
    seconds: float
    grown: float


def drill() -> Outcome:
    with TemporaryDirectory() as folder, new_database(Path(folder)) as url, web_server(url, 1) as port:
        many_jobs.fill(url, JOBS)
        cookie, process = signed_in(url, group="Manager"), workers_of(port)[0]
        for page in ("/jobs/", "/jobs/?start=2025-03-30&end=2025-03-30&_export=csv"):
            ask(port, page, cookie)
        done = downloaded(port, cookie, FILE, process)
        book = downloaded(port, cookie, WORKBOOK, process)
        for _ in range(GO_AWAY):
            with asked(port, cookie) as answer:
                answer.read(10_000)
        freed = seconds_until(lambda: ask(port, "/teams/?_export=csv", cookie).status == 200, 30)
        left = seconds_until(lambda: copies(url) == 0, 30)
    figure = (
        f"{done.lines:,} lines in {done.seconds:.1f} s, the first byte after {done.first_byte:.2f} s, the "
        f"process grew by {done.grown:.1f} MB; as a workbook, written before it leaves, {book.seconds:.0f} s "
        f"and {book.grown:.1f} MB; {GO_AWAY} times somebody went away: the next file came {freed:.1f} s, the "
        f"last query ended {left:.1f} s after"
    )
    small = done.grown < 50 and book.grown < 50
    ok = done.lines == JOBS + 1 and done.first_byte < 2 and small and freed < 5 and left < 5
    return Outcome(ok, figure)


@contextmanager
def asked(port: int, cookie: str, file: str = FILE) -> Iterator[HTTPResponse]:
    """Until a place is free, as a browser's user would ask again."""
    for _ in range(100):
        reader = HTTPConnection(HOST, port, timeout=600)
        reader.request("GET", file, headers=BEHIND_PROXY | {"Cookie": cookie})
        answer = reader.getresponse()
        if answer.status == 200:
            break
        reader.close()
        sleep(0.1)
    yield answer
    reader.close()


def downloaded(port: int, cookie: str, file: str, process: int) -> Download:
    before, began, lines = memory_of(process, "VmHWM"), monotonic(), 0
    with asked(port, cookie, file) as answer:
        first = answer.read(1)
        first_byte = monotonic() - began
        while piece := answer.read(2**18):
            lines += piece.count(b"\n")
    assert first
    grown = (memory_of(process, "VmHWM") - before) / 1024
    return Download(lines, first_byte, monotonic() - began, grown)


def copies(url: str) -> int:
    """Queries of files that still run; SQLite has none of its own."""
    if connection.vendor == "sqlite":
        return 0
    with connected_to(default=url):
        return ask_database("default", BUSY)
