"""Fills an empty database with an invented company: two years of bills and jobs up to today."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import BaseCommand, CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dashboard import clock
from dashboard.demo_data.plan import JOBS_PER_DAY, TWO_YEARS, Plan
from dashboard.demo_data.write import occupied_by, write

MOST_DAYS, MOST_JOBS = 3650, 10_000_000


class Command(BaseCommand):
    help = "Load believable demo data into an empty database; the same for the same seed and day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=TWO_YEARS, help="days before today (default 730)")
        parser.add_argument("--jobs", type=int, help="jobs in all (default 27.4 a day: 20,002 in two years)")
        parser.add_argument("--seed", type=int, default=1, help="another seed is another company (default 1)")

    def handle(self, *args: Any, days: int, jobs: int | None, seed: int, **options: Any) -> None:
        jobs = round(days * JOBS_PER_DAY) if jobs is None else jobs
        if not 7 <= days <= MOST_DAYS:
            raise CommandError(f"--days is {days}, expected 7 to {MOST_DAYS:,}.")
        if not days <= jobs <= MOST_JOBS:
            raise CommandError(f"--jobs is {jobs}, expected {days:,} (one a day) to {MOST_JOBS:,}.")
        if found := occupied_by():
            raise CommandError(
                f"The database is not empty: it has {', '.join(found)}. "
                "Demo data goes into an empty one only; nothing was written."
            )
        plan = Plan(clock.today(), days, jobs, seed)
        with self.progress(jobs) as progress:
            run = write(plan, progress)
        rows = ", ".join(f"{made['created']:,} {name}" for name, made in run.summary["tables"].items())
        self.stdout.write(f"Demo data: {rows.replace('_', ' ')}.")

    @contextmanager
    def progress(self, jobs: int) -> Iterator[Callable[[int], None]]:
        if not sys.stderr.isatty():
            yield self.in_words(jobs)
            return
        columns = TextColumn("Jobs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Progress(*columns) as bar:
            task = bar.add_task("", total=jobs)
            yield lambda done: bar.update(task, completed=done)

    def in_words(self, jobs: int) -> Callable[[int], None]:
        """A line at each fifth of the way, for logs."""
        said = 0

        def progress(done: int) -> None:
            nonlocal said
            if (reached := done * 5 // jobs) > said:
                said = reached
                self.stdout.write(f"{reached * 20} % of the jobs")

        return progress
