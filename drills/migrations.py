"""Every migration back, forward and back on a filled database, then all of them forward.

Beside one who reads and one who writes, whom PostgreSQL lets in meanwhile.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction
from django.db.migrations.loader import MigrationLoader

from dashboard import moving, rollups
from dashboard.backups.saying import totals
from dashboard.models import GpuDay, Team
from dashboard.tests.cast import name_everything
from dashboard.tests.servers import connected_to, new_database

from . import Outcome

MANY = 1_000_000 if connection.vendor == "postgresql" else 100_000  # SQLite makes whole tables anew
JOBS = int(os.environ.get("MIGRATED_JOBS", MANY))
LONGEST = 2  # seconds
FOUR = ("teams", "jobs", "cost_snapshots", "usage_snapshots")
CELLS_A_DAY = 1_000
TIMES = "SELECT count(end_time), min(start_time), max(end_time), count(DISTINCT team_id) FROM jobs"
READS = tuple(f"SELECT id FROM {table} LIMIT 1" for table in FOUR)
WRITES = (
    "INSERT INTO teams (name) VALUES ('another')",
    "INSERT INTO jobs (team_id, model_name, gpu_type, provider) "
    "SELECT id, 'm', 'L4', 'AWS' FROM teams LIMIT 1",
    "INSERT INTO cost_snapshots (date, provider, gpu_type, cost_usd) VALUES ('2000-01-01', 'AWS', 'L4', 1)",
    "INSERT INTO usage_snapshots (date, provider, gpu_type, gpu_hours) VALUES ('2000-01-01', 'AWS', 'L4', 1)",
)


def drill() -> Outcome:
    with TemporaryDirectory() as folder, new_database(Path(folder)) as url, connected_to(default=url):
        call_command("migrate", verbosity=0)
        fill()
        rights, path = rights_given(), steps(migrations())
        waits, wrong, amounts = [], [], sums()
        for name in path:
            waits.append(longest_wait_beside(name))
            before, amounts = amounts, sums()
            wrong += [f"{name}: {what}" for what in [*changed(before, amounts), *wrong_roll_ups()]]
        wrong += changed(rights, rights_given())
    for one in wrong:
        print(one, file=sys.stderr)
    waited = f"others waited {max(waits):.1f} s at most, " if connection.vendor == "postgresql" else ""
    figure = (
        f"{len(path)} steps, {len(wrong)} other sums of {len(amounts)}, roll-ups and rights; "
        f"{waited}{JOBS:,} jobs, costs and metered hours each"
    )
    return Outcome(not wrong and max(waits) <= LONGEST, figure)


def migrations() -> list[str]:
    return sorted(name for app, name in MigrationLoader(None).disk_migrations if app == "dashboard")


def steps(names: list[str]) -> list[str]:
    """Each is undone, done again beside the filled tables of those before, and undone; then all are done."""
    pairs = zip(reversed(names[:-1]), reversed(names[1:]), strict=True)
    return [name for before, after in pairs for name in (before, after, before)] + names[1:]


def longest_wait_beside(name: str) -> float:
    """Seconds that others waited while the database went to that migration."""
    with beside(READS) as reading, beside(WRITES) as writing:
        began = perf_counter()
        call_command("migrate", "dashboard", name, verbosity=0)
    took, wait = perf_counter() - began, max(reading() + writing())
    print(f"  to {name}: {took:.1f} s, others waited {wait:.1f} s", file=sys.stderr, flush=True)
    return wait


def fill() -> None:
    """A company with a row in nearly every table, jobs a minute apart until there are enough, and as many
    costs and metered hours.
    """
    call_command("seed_demo", days=365, jobs=min(10_000, JOBS), verbosity=0)
    name_everything(["one", "other"])
    team = Team.objects.order_by("pk")[0].pk
    minutes, days = "n % 500000", f"n / {CELLS_A_DAY}"
    if connection.vendor == "postgresql":
        series = "generate_series(1, %s) AS n"
        start = f"timestamptz '2025-01-01' + ({minutes}) * interval '1 minute'"
        date = f"date '2001-01-01' + {days}"
    else:
        numbers = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < %s)"
        series = f"({numbers} SELECT n FROM t)"
        start = f"datetime('2025-01-01', ({minutes}) || ' minutes')"
        date = f"date('2001-01-01', ({days}) || ' days')"
        team = team.hex
    jobs = "INSERT INTO jobs (team_id, model_name, gpu_type, provider, status, start_time, end_time) "
    jobs += f"SELECT %s, 'm' || (n % 50), 'L4', 'AWS', 'completed', {start}, {start} FROM {series}"
    cells = f"SELECT {date}, 'AWS', 'L' || (n % {CELLS_A_DAY}), n % 100000 / 100.0 FROM {series}"
    with connection.cursor() as cursor:
        cursor.execute(spelled(jobs), [team, max(JOBS - 10_000, 1)])
        for table, amount in (("cost_snapshots", "cost_usd"), ("usage_snapshots", "gpu_hours")):
            into = f"INSERT INTO {table} (date, provider, gpu_type, {amount}) "
            cursor.execute(spelled(into + cells), [JOBS])
    call_command("roll_up", verbosity=0)


def spelled(sql: str) -> str:
    """With signs of percent that are no places of parameters."""
    return sql.replace(" % ", " %% ")


def sums() -> dict[str, Any]:
    """Rows and amounts of every table that is there, but of those that are made anew from others."""
    anew = {*moving.FILLED_BY_MIGRATIONS}
    anew |= {model._meta.db_table for model in apps.get_models() if moving.is_left_behind(model, True)}
    found = {what: total for what, total in totals("default").items() if what.split(".")[0] not in anew}
    return found | {"times of jobs": first_row(TIMES)}


def rights_given() -> dict[str, Any]:
    return {what: total for what, total in totals("default").items() if what in moving.FILLED_BY_MIGRATIONS}


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Of what is on both sides."""
    both = before.keys() & after.keys()
    return [f"{what} {before[what]} → {after[what]}" for what in sorted(both) if before[what] != after[what]]


def wrong_roll_ups() -> list[str]:
    there = GpuDay._meta.db_table in connection.introspection.table_names()
    return [str(one) for one in islice(rollups.verify(), 3)] if there else []


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
