"""Eight processes read and then write the same row, 125 times each: none fails, no change is lost."""

from __future__ import annotations

import multiprocessing
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from django.core.management import call_command
from django.db import Error, transaction

from dashboard.models import CostSnapshot
from dashboard.tests.conftest import make_cost
from dashboard.tests.servers import connected_to, new_database

from . import Outcome

WRITERS, TIMES = 8, 125
CENT = Decimal("0.01")


def drill() -> Outcome:
    with TemporaryDirectory() as folder, new_database(Path(folder)) as url:
        with connected_to(default=url):
            call_command("migrate", verbosity=0)
            row = make_cost("2025-03-01", "0.00").pk
        failed = sum(counted(url, row))
        with connected_to(default=url):
            cents = int(CostSnapshot.objects.get().cost_usd / CENT)
    whole = WRITERS * TIMES
    figure = f"{failed} of {whole:,} transactions failed, {whole - failed - cents} changes were lost"
    return Outcome(not failed and cents == whole, figure)


def counted(url: str, row: UUID) -> list[int]:
    """How many failed in each process."""
    fork = multiprocessing.get_context("fork")
    failures: Any = [fork.Value("q", TIMES) for _ in range(WRITERS)]
    writers = [fork.Process(target=write, args=(url, row, failed), daemon=True) for failed in failures]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return [failed.value for failed in failures]


def write(url: str, row: UUID, failed: Any) -> None:
    with connected_to(default=url):
        failed.value = sum(not add_a_cent(row) for _ in range(TIMES))


def add_a_cent(row: UUID) -> bool:
    try:
        with transaction.atomic():
            stored = CostSnapshot.objects.select_for_update().get(pk=row)
            stored.cost_usd += CENT
            stored.save()
    except Error:
        return False
    return True
