"""Every migration back and forward on a filled database, beside one who reads and one who writes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter

from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction
from django.db.migrations.loader import MigrationLoader

from dashboard.models import Team
from dashboard.tests.servers import connected_to, new_database

from . import Outcome

JOBS = int(os.environ.get("MIGRATED_JOBS", 1_000_000))
LONGEST = 2  # seconds
SUMS = (
    "SELECT count(*), count(DISTINCT name) FROM teams",
    "SELECT count(*), count(end_time), min(start_time), max(end_time), count(DISTINCT team_id) FROM jobs",
    "SELECT count(*), sum(CAST(round(cost_usd * 100) AS bigint)) FROM cost_snapshots",
    "SELECT count(*), sum(CAST(round(gpu_hours * 100) AS bigint)) FROM usage_snapshots",
)
READS = (
    "SELECT id FROM jobs LIMIT 1",
    "SELECT id FROM cost_snapshots LIMIT 1",
    "SELECT id FROM teams LIMIT 1",
)
WRITES = (
    "INSERT INTO jobs (team_id, model_name, gpu_type, provider) "
    "SELECT id, 'm', 'L4', 'AWS' FROM teams LIMIT 1",
)


def drill() -> Outcome:
    with TemporaryDirectory() as folder, new_database(Path(folder)) as url, connected_to(default=url):
        call_command("migrate", verbosity=0)
        fill()
        before, names = sums(), migrations()
        waits, unequal = [], []
        for name in [*reversed(names[:-1]), *names[1:]]:
            with beside(READS) as reading, beside(WRITES) as writing:
                began = perf_counter()
                call_command("migrate", "dashboard", name, verbosity=0)
            took, wait = perf_counter() - began, max(reading() + writing())
            waits.append(wait)
            unequal += [name] if sums() != before else []
            print(f"  to {name}: {took:.1f} s, others waited {wait:.1f} s", file=sys.stderr, flush=True)
    kept = connection.vendor != "postgresql" or max(waits) <= LONGEST
    waited = f"others waited {max(waits):.1f} s at most, {JOBS:,} jobs"
    figure = f"{len(waits)} steps, {len(unequal)} with other sums; {waited}"
    return Outcome(not unequal and kept, figure)


def migrations() -> list[str]:
    return sorted(name for app, name in MigrationLoader(None).disk_migrations if app == "dashboard")


def fill() -> None:
    """A company, and its jobs again and again, an hour apart, until there are enough."""
    call_command("seed_demo", days=365, jobs=min(10_000, JOBS), verbosity=0)
    team = Team.objects.order_by("pk")[0].pk
    series = (
        "generate_series(1, %s) AS n"
        if connection.vendor == "postgresql"
        else (
            "(WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < %s) SELECT n FROM t)"
        )
    )
    start = (
        "timestamptz '2025-01-01' + n % 500000 * interval '1 minute'"
        if connection.vendor == "postgresql"
        else "datetime('2025-01-01', (n %% 500000) || ' minutes')"
    ).replace("n % ", "n %% ")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs (team_id, model_name, gpu_type, provider, status, start_time, end_time) "
            f"SELECT %s, 'm' || n %% 50, 'L4', 'AWS', 'completed', {start}, {start} FROM {series}",
            [team if connection.vendor == "postgresql" else team.hex, max(JOBS - 10_000, 1)],
        )
    call_command("roll_up", verbosity=0)


def sums() -> list[tuple]:
    return [first_row(sql) for sql in SUMS]


def first_row(sql: str) -> tuple:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


@contextmanager
def beside(statements: tuple[str, ...]) -> Iterator[Callable[[], list[float]]]:
    """Somebody on a connection of its own, who takes back what it did; what each time took."""
    waits, is_over = [0.0], Event()

    def work() -> None:
        connections.close_all()
        while not is_over.wait(0.02):
            for sql in statements:
                began = perf_counter()
                try:
                    with transaction.atomic(), connection.cursor() as cursor:
                        cursor.execute(sql)
                        transaction.set_rollback(True)
                except DatabaseError:
                    pass
                waits.append(perf_counter() - began)
        connection.close()

    thread = Thread(target=work, daemon=True)
    if connection.vendor == "postgresql":
        thread.start()
    try:
        yield lambda: waits
    finally:
        is_over.set()
        if thread.ident:
            thread.join()
