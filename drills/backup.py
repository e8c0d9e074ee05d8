"""Twenty backups beside a writer that commits without a break; each is restored and its totals compared."""

from __future__ import annotations

import multiprocessing
import os
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.management import call_command
from django.db import connection

from dashboard import backups
from dashboard.backups import programs, saying
from dashboard.models import CostSnapshot, Job, Team
from dashboard.tests.servers import connected_to, new_database, private_postgresql

from . import Outcome

BACKUPS = int(os.environ.get("BACKUPS", 20))


def drill() -> Outcome:
    find_programs()
    with TemporaryDirectory() as folder, new_database(Path(folder)) as url:
        with connected_to(default=url):
            call_command("migrate", verbosity=0)
        acknowledged, is_over, writer = write_beside(url)
        try:
            made = [one_backup(Path(folder), url, number, acknowledged) for number in range(BACKUPS)]
        finally:
            is_over.set()
            writer.join()
        whole = sum(before <= int(totals["cost_snapshots"]) for before, totals, _ in made)
        alike = sum(is_restored(totals, file) for _, totals, file in made)
    figure = (
        f"{whole} of {BACKUPS} held all that was acknowledged before they began, {alike} of {BACKUPS} were "
        f"restored with equal totals, beside {acknowledged.value:,} commits"
    )
    return Outcome(whole == alike == BACKUPS and acknowledged.value > BACKUPS, figure)


def find_programs() -> None:
    """pg_dump of the server that the drill runs on, which may be that of a wheel."""
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        server = connection.pg_version // 10_000  # type: ignore[attr-defined]
        for folder in private_postgresql().candidate_binaries():
            if programs.version_of(folder / "pg_dump") >= server:
                os.environ.setdefault("HELIOX_PG_BIN", str(folder))


def write_beside(url: str) -> tuple[Any, Any, Any]:
    """A process of its own, as a web process is; it counts what the database has acknowledged."""
    fork = multiprocessing.get_context("fork")
    acknowledged, is_over = fork.Value("q", 0), fork.Event()
    writer = fork.Process(target=write, args=(url, acknowledged, is_over), daemon=True)
    writer.start()
    while not acknowledged.value and writer.is_alive():
        is_over.wait(0.05)
    return acknowledged, is_over, writer


def write(url: str, acknowledged: Any, is_over: Any) -> None:
    with connected_to(default=url):
        team = Team.objects.create(name="writer")
        while not is_over.wait(0.001):
            day = date(2020, 1, 1) + timedelta(days=acknowledged.value % 3000)
            gpu_type = f"T{acknowledged.value // 3000}"
            Job.objects.create(team=team, model_name="m", provider="W", gpu_type=gpu_type)
            CostSnapshot.objects.create(date=day, provider="W", gpu_type=gpu_type, cost_usd="0.01")
            acknowledged.value += 1


def one_backup(folder: Path, url: str, number: int, acknowledged: Any) -> tuple[int, dict[str, str], Path]:
    """What was acknowledged before it began, its totals, and the file."""
    before, file = acknowledged.value, folder / f"{number}.backup"
    with connected_to(default=url):
        return before, backups.backup(file).totals, file


def is_restored(totals: dict[str, str], file: Path) -> bool:
    (place := file.with_suffix(".restored")).mkdir()
    with new_database(place) as url, connected_to(default=url):
        backups.restore(file)
        found = saying.totals("default") | {"audit_events": totals["audit_events"]}
        return not saying.compared(totals, found)
