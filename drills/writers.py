"""Eight threads of two web processes read and then write the same row, 125 times each: no change is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from django.core.management import call_command
from django.db import Error, close_old_connections, transaction

from dashboard.models import CostSnapshot
from dashboard.tests.conftest import PROJECT, make_cost
from dashboard.tests.servers import connected_to, new_database

from . import Outcome
from .serving import PRODUCTION

PROCESSES, THREADS, TIMES = 2, 4, 125
CENT = Decimal("0.01")
WRITE = """
import sys
import heliox_site.wsgi
from drills.writers import failures
print(failures(sys.argv[1]))
"""


def drill() -> Outcome:
    with TemporaryDirectory() as folder, new_database(Path(folder)) as url:
        with connected_to(default=url):
            call_command("migrate", verbosity=0)
            row = make_cost("2025-03-01", "0.00").pk
        failed = failed_of_web_processes(url, row)
        with connected_to(default=url):
            cents = int(CostSnapshot.objects.get().cost_usd / CENT)
    whole = PROCESSES * THREADS * TIMES
    figure = f"{failed} of {whole:,} transactions failed, {whole - failed - cents} changes were lost"
    return Outcome(not failed and cents == whole, figure)


def failed_of_web_processes(url: str, row: UUID) -> int:
    """With the settings of production, the pool and the limits of pages among them."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url} | PRODUCTION
    command = [sys.executable, "-W", "ignore", "-c", WRITE, str(row)]
    running = [
        subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    return sum(int(one.communicate()[0]) for one in running)


def failures(row: str) -> int:
    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(failures_of_one, [row] * THREADS))


def failures_of_one(row: str) -> int:
    return sum(not add_a_cent(row) for _ in range(TIMES))


def add_a_cent(row: str) -> bool:
    try:
        with transaction.atomic():
            stored = CostSnapshot.objects.select_for_update().get(pk=row)
            stored.cost_usd += CENT
            stored.save()
    except Error:
        return False
    finally:
        close_old_connections()  # as after a request: back into the pool
    return True
