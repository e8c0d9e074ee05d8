"""Two hundred people with three seconds between their clicks, before and while a million jobs come in."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from dashboard.tests.conftest import PROJECT
from dashboard.tests.servers import private_postgresql

from . import Outcome, many_jobs
from .kills import log_file
from .serving import BEHIND_PROXY, HOST, PRODUCTION, ask, signed_in, web_server, workers_of

PEOPLE = int(os.environ.get("PEOPLE", 200))
THINKING, QUIET = 3.0, 60.0  # seconds
STORED, ROWS = 100_000, int(os.environ.get("IMPORTED_ROWS", 1_000_000))
PAGES = ("/", "/costs/", "/jobs/", "/jobs/?status=completed", "/teams/", "/usage/", "/allocation/", "/help/")
ROLES = ("Finance", "Manager", "Viewer", "Manager", "Admin")
# Some clicks ask what nobody has asked before: days of one's own, a word to look for.
OWN = float(os.environ.get("OWN_QUESTIONS", 0.1))
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Click:
    status: int
    seconds: float


@dataclass(frozen=True)
class Seen:
    clicks: list[Click]
    lasted: float
    cpu: float  # seconds of the web server

    @property
    def errors(self) -> int:
        return sum(click.status != 200 for click in self.clicks)

    def within(self, share: float) -> float:
        """Seconds that this share of the clicks took at most."""
        took = sorted(click.seconds for click in self.clicks)
        return took[min(int(len(took) * share), len(took) - 1)]

    def __str__(self) -> str:
        each = self.cpu / len(self.clicks) * 1000
        wrong = dict(Counter(click.status for click in self.clicks if click.status != 200))
        return (
            f"{len(self.clicks):,} clicks ({len(self.clicks) / self.lasted:.1f} a second, {each:.0f} ms of "
            f"the web server's CPU each), errors: {wrong or 'none'}, half within {self.within(0.5):.2f} s, "
            f"p99 {self.within(0.99):.2f} s"
        )


def drill() -> Outcome:
    postgresql = private_postgresql()
    with TemporaryDirectory() as folder, postgresql.server() as database, web_server(database.url) as port:
        many_jobs.fill(database.url, STORED)
        file = log_file(Path(folder), ROWS).path
        cookies = [signed_in(database.url, f"person {n}", ROLES[n % len(ROLES)]) for n in range(PEOPLE)]
        for page in PAGES:
            for cookie in cookies[:20]:
                ask(port, page, cookie)
        before, during = asyncio.run(two_crowds(port, cookies, database.url, file))
    figure = (
        f"{PEOPLE} people of {len(set(ROLES))} roles, {THINKING:.0f} s between clicks, {OWN:.0%} of them "
        f"questions of one's own; before: {before}; during {ROWS:,} rows: {during}"
    )
    ok = not before.errors + during.errors and before.within(0.99) <= 1 and during.within(0.99) <= 2
    return Outcome(ok, figure)


async def two_crowds(port: int, cookies: list[str], url: str, file: Path) -> tuple[Seen, Seen]:
    before = await crowd(port, cookies, asyncio.sleep(QUIET))
    return before, await crowd(port, cookies, imported(url, file))


async def imported(url: str, file: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url} | PRODUCTION
    importing = await asyncio.create_subprocess_exec(
        *(sys.executable, "manage.py", "ingest", str(file)),
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    assert await importing.wait() == 0, "the import failed"


async def crowd(port: int, cookies: list[str], meanwhile: object) -> Seen:
    """What people see until the other thing is over."""
    over, clicks = asyncio.Event(), []  # type: ignore[var-annotated]
    began, cpu = monotonic(), cpu_of(workers_of(port))
    people = [asyncio.create_task(person(n, port, cookie, over, clicks)) for n, cookie in enumerate(cookies)]
    await meanwhile  # type: ignore[misc]
    lasted, used = monotonic() - began, cpu_of(workers_of(port)) - cpu
    seen = list(clicks)
    over.set()
    await asyncio.gather(*people)
    return Seen(seen, lasted, used)


def cpu_of(processes: Iterable[int]) -> float:
    """Seconds so far."""
    told = (Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in processes)
    return sum(int(facts[11]) + int(facts[12]) for facts in told) / TICKS


async def person(n: int, port: int, cookie: str, over: asyncio.Event, clicks: list[Click]) -> None:
    chance = random.Random(n)
    await pause(over, chance.uniform(0, THINKING))
    while not over.is_set():
        began = monotonic()
        page = own_question(chance) if chance.random() < OWN else chance.choice(PAGES)
        status = await click(port, page, cookie)
        clicks.append(Click(status, monotonic() - began))
        await pause(over, THINKING)


def own_question(chance: random.Random) -> str:
    page, last = chance.choice(PAGES).partition("?")[0], chance.randint(2, 31)
    days = f"start=2025-03-{chance.randint(1, last - 1):02}&end=2025-03-{last:02}"
    return f"{page}?{days}&q=model+{chance.randint(0, 999)}"


async def pause(over: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(over.wait(), seconds)
    except TimeoutError:
        return


async def click(port: int, path: str, cookie: str) -> int:
    headers = BEHIND_PROXY | {"Cookie": cookie, "Connection": "close"}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write("\r\n".join(lines).encode())
        answer = await reader.read()
        writer.close()
        return int(answer[9:12]) if answer else 0
    except OSError:
        return 0
