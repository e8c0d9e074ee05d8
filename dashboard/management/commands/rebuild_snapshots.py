"""manage.py rebuild_snapshots: derives the snapshots of bill lines again, for the cost basis that is set."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from dashboard.ingest.figures import rebuild
from dashboard.ingest.rows import wait_for_other_imports
from dashboard.naming import Names


class Command(BaseCommand):
    help = "Derives the daily snapshots from the bill lines again, for the present HELIOX_COST_BASIS."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            wait_for_other_imports()
            changed = rebuild(Names.load())
        words = ", ".join(f"{rows:,} of {table}" for table, rows in changed.items())
        self.stdout.write(f"Cost basis {settings.HELIOX_COST_BASIS}: changed {words}.")
