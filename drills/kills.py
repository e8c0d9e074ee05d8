"""Imports of 100,000 rows are killed at fifty random points; the same file comes in three times at once."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from django.core.management import call_command
from django.db import DatabaseError, connection

from dashboard import rollups
from dashboard.ingest.load import Source, load
from dashboard.models import BillLine, CostSnapshot, Delivery, ImportRun, Job
from dashboard.models.exact import CentSum, PreciseSum
from dashboard.tests.servers import ask, connected_to, new_database, private_postgresql

from . import Outcome
from .restarted import start_again

ROWS = int(os.environ.get("KILLED_ROWS", 100_000))
POINTS = int(os.environ.get("KILLS", 50))
ROUNDS = int(os.environ.get("ROUNDS", 30))
MOST_LATE = max(POINTS // 5, 1)  # kills that come when all is committed prove little
LONGEST = 600  # seconds of an import that nobody kills, and of what is killed until it has ended
FORK = multiprocessing.get_context("fork")
START = datetime(2025, 1, 1, tzinfo=UTC)


def drill() -> Outcome:
    with TemporaryDirectory() as folder, place(Path(folder)) as where:
        files = [log_file(Path(folder)), bill_file(Path(folder))]
        took = [seconds_of(where, file) for file in files]
        chance = random.Random(20250301)
        clean = late = 0
        for point in range(POINTS):
            which, weapon = point % 2, where.weapons[point // 2 % len(where.weapons)]
            try:
                lasted = survives(where, files[which], weapon, chance.uniform(0.05, took[which]))
                took[which] = lasted or took[which] / 2
                late += lasted is None
                clean += 1
            except AssertionError as broken:
                print(f"kill {point}: {broken!r}", flush=True)
        once = sum(three_at_once(where, Path(folder)) for _ in range(ROUNDS))
    figure = (
        f"{clean} of {POINTS} kills of an import of {ROWS:,} rows left nothing half there, nothing doubled, "
        f"and its rerun gave every cent and hour ({late} came after the commit); the same file three times "
        f"at once: once in {once} of {ROUNDS} rounds"
    )
    return Outcome(clean == POINTS and once == ROUNDS and late <= MOST_LATE, figure)


# Where it happens


@dataclass
class Place:
    """fresh: a new, migrated database. weapons: what is killed, given the client's process."""

    fresh: Callable[[], Any]
    weapons: list[Callable[[Any, str], None]]


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    if connection.vendor == "sqlite":
        with new_database(folder) as url:
            migrate(url)
            yield Place(partial(new_database, folder, url), [kill_client])
        return
    postgresql = private_postgresql()
    kept = {"synchronous_commit": "on", "full_page_writes": "on"}  # else what was acknowledged may go
    with postgresql.server(postgresql.SETTINGS | kept) as database:
        migrate(database.url.removesuffix("/postgres") + "/template1")
        weapons = [kill_client, kill_backend, partial(kill_postmaster, database)]
        yield Place(partial(copy_of, database.url, "template1"), weapons)


def migrate(url: str) -> None:
    with connected_to(default=url):
        call_command("migrate", verbosity=0)


@contextmanager
def copy_of(server: str, template: str) -> Iterator[str]:
    """No connection lasts: the server may be killed meanwhile."""
    name = f"killed_{uuid4().hex}"
    with connected_to(default=server):
        ask("default", f"CREATE DATABASE {name} TEMPLATE {template}")
    yield f"{server.rpartition('/')[0]}/{name}"
    with connected_to(default=server):
        ask("default", f"DROP DATABASE {name} WITH (FORCE)")


def kill_client(client: Any, url: str) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(client.pid, signal.SIGKILL)


def kill_backend(client: Any, url: str) -> None:
    with connected_to(default=url.rpartition("/")[0] + "/postgres"), connection.cursor() as cursor:
        name = url.rpartition("/")[2]
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'", [name]
        )
        for (pid,) in cursor.fetchall():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def kill_postmaster(database: Any, client: Any, url: str) -> None:
    os.kill(database.process.pid, signal.SIGKILL)
    database.process.wait()
    client.join(60)
    start_again(database)


# What is imported, and what it must come to


@dataclass(frozen=True)
class File:
    path: Path
    stored: Callable[[], tuple[Any, ...]]
    whole: tuple[Any, ...]


def log_file(folder: Path, rows: int = 0, name: str = "jobs.csv", longer: int = 0) -> File:
    """longer: by how many seconds each job is than in the file of before."""
    rows = rows or ROWS
    with open(folder / name, "w") as file:
        file.write("job_id,team,model_name,gpu_type,provider,start_time,end_time,status\n")
        seconds = 0
        for n in range(rows):
            begin, lasts = START + timedelta(minutes=n), 600 + n * 37 % 20_000 + longer
            seconds += lasts
            end = begin + timedelta(seconds=lasts)
            file.write(f"j{n},team {n % 9},m{n % 40},A100-80GB,AWS,{begin:%FT%TZ},{end:%FT%TZ},completed\n")
    return File(folder / name, jobs_and_time, (rows, seconds * 1_000_000, True))


def jobs_and_time() -> tuple[Any, ...]:
    """Rows, GPU time by the roll-ups, and whether these are as a recount says."""
    jobs = Job.objects.count()
    spent = sum(int(row[0]) for row in rolled_up())
    return jobs, spent, not list(rollups.verify())


def rolled_up() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT microseconds FROM gpu_days UNION ALL SELECT microseconds FROM gpu_time_changes"
        )
        return cursor.fetchall()


def bill_file(folder: Path) -> File:
    """Of whole cents, a part of them credits; nearly each row is a line of its own."""
    columns = (
        "BilledCost,EffectiveCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,"
        "ChargePeriodEnd,ChargeCategory,ProviderName,BillingAccountId,SubAccountId,ServiceCategory,"
        "ConsumedQuantity,ConsumedUnit,x_UsageType\n"
    )
    period, unit = "2025-01-01T00:00:00Z,2025-02-01T00:00:00Z", "1,Hours,USE1-BoxUsage:p5.48xlarge"
    cents = 0
    with open(folder / "bill.csv", "w") as file:
        file.write(columns)
        for n in range(ROWS):
            day, price = START + timedelta(days=n % 31), n % 997 - 31
            cents += price
            usd, next_day = f"{Decimal(price) / 100:.2f}", day + timedelta(days=1)
            charge = f"{day:%FT%TZ},{next_day:%FT%TZ},Usage,AWS,main,sub {n % 5000}"
            file.write(f"{usd},{usd},USD,{period},{charge},Compute,{unit}\n")
    return File(folder / "bill.csv", lines_and_costs, (Decimal(cents) / 100, Decimal(cents) / 100, 1))


def lines_and_costs() -> tuple[Any, ...]:
    """The sums of the bill's lines and of the daily costs made of them, and how many deliveries there are."""
    lines = BillLine.objects.aggregate(usd=PreciseSum("billed"))["usd"]
    days = CostSnapshot.objects.aggregate(usd=CentSum("cost_usd"))["usd"]
    return lines or 0, days or 0, Delivery.objects.count()


# What happens


def importing(url: str, path: Path, said: Any) -> None:
    """said: how many rows were inserted, once the import has reported."""
    with suppress(DatabaseError), connected_to(default=url):
        summary = load([Source(path.name, path)])
        said.value = summary.inserted if summary.committed else -2


def begun(url: str, path: Path) -> tuple[Any, Any]:
    said = FORK.Value("q", -1)
    client = FORK.Process(target=importing, args=(url, path, said), daemon=True)
    client.start()
    return client, said


def seconds_of(where: Place, file: File) -> float:
    with where.fresh() as url:
        return complete(url, file)


def end_of(client: Any) -> None:
    client.join(LONGEST)
    if client.is_alive():
        client.kill()
        raise AssertionError(f"an import did not end within {LONGEST} s")


def complete(url: str, file: File) -> float:
    """Its seconds until all is committed."""
    began = monotonic()
    client, said = begun(url, file.path)
    end_of(client)
    lasted = monotonic() - began
    assert said.value >= 0, f"the rerun said {said.value}"
    assert (found := stored(url, file)) == file.whole, f"{found} instead of {file.whole}"
    return lasted


def stored(url: str, file: File) -> tuple[Any, ...]:
    with connected_to(default=url):
        return (*file.stored(),)


def survives(where: Place, file: File, kill: Callable[[Any, str], None], after: float) -> float | None:
    """The seconds of its rerun; None where the kill came when all was committed already."""
    with where.fresh() as url:
        client, said = begun(url, file.path)
        client.join(after)
        kill(client, url)
        end_of(client)
        reported = said.value >= 0
        found = answered(lambda: stored(url, file))
        runs = answered(lambda: runs_of(url))
        assert runs in (0, 1) and (runs or not reported), f"{runs} imports, reported: {reported}"
        if runs:
            assert found == file.whole, f"{found} instead of {file.whole}"
        else:
            assert not any(found[:2]), f"partly there: {found}"
        lasted = complete(url, file)
        return None if runs else lasted


def runs_of(url: str) -> int:
    with connected_to(default=url):
        return ImportRun.objects.count()


def answered(ask: Callable[[], Any]) -> Any:
    """A server whose backend was killed is away for a moment."""
    for _ in range(100):
        try:
            return ask()
        except Exception as error:
            trouble = error
            sleep(0.1)
    raise trouble


def three_at_once(where: Place, folder: Path) -> bool:
    file = log_file(folder, 2000, "few.csv")
    with where.fresh() as url:
        running = [begun(url, file.path) for _ in range(3)]
        for client, _ in running:
            end_of(client)
        inserted = sorted(said.value for _, said in running)
        return inserted == [0, 0, 2000] and stored(url, file) == file.whole
