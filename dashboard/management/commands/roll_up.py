"""manage.py roll_up: settles what writes have noted into the roll-ups; verifies or rebuilds them."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import connection

from dashboard import late_indexes, rollups, typed, workers, writes
from dashboard.rollups import triggers

MOST_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Brings what writes to jobs have noted into the roll-ups that pages read. Imports do it by "
        "themselves; run it now and then where another tool writes jobs. Indexes that a killed import left "
        "out are made."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--rebuild", action="store_true", help="sum all jobs anew, mend triggers, compare"
        )
        parser.add_argument(
            "--verify", action="store_true", help="compare the sums with the jobs; 1 if they differ"
        )

    def handle(self, *args: Any, rebuild: bool, verify: bool, **options: Any) -> None:
        if rebuild:
            if not workers.hold_jobs(connection):
                triggers.install(connection)
            writes.install(connection)
            typed.install(connection)
            differences = rollups.rebuild()
            self.stdout.write("Summed all jobs anew.")
            self.report(iter(differences))
        elif verify:
            self.report(rollups.verify())
        else:
            for model in apps.get_app_config("dashboard").get_models():
                late_indexes.make_missing(model)
            rollups.settle()
            writes.fold(connection)
            self.stdout.write("Settled.")

    def report(self, differences: Iterator[Any]) -> None:
        shown = list(islice(differences, MOST_SHOWN))
        more = sum(1 for _ in differences)
        for one in shown:
            self.stdout.write(str(one))
        if more:
            self.stdout.write(f"… and {more:,} more.")
        missing = not (triggers.are_there(connection) or workers.hold_jobs(connection))
        if missing:
            self.stdout.write("The triggers that keep the roll-ups are missing.")
        if shown or missing:
            self.stdout.write("Mend this with: manage.py roll_up --rebuild")
            sys.exit(1)
        self.stdout.write("The roll-ups agree with the jobs.")
