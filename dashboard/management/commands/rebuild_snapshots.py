"""manage.py rebuild_snapshots: derives the snapshots of bill lines again, for the cost basis that is set."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from dashboard import audit
from dashboard.ingest.figures import rebuild
from dashboard.ingest.rows import wait_for_other_imports
from dashboard.naming import Names
from dashboard.restating import restating


class Command(BaseCommand):
    help = "Derives the daily snapshots from the bill lines again, for the present HELIOX_COST_BASIS."

    def handle(self, *args: Any, **options: Any) -> None:
        with restating(), transaction.atomic():
            wait_for_other_imports()
            changed = rebuild(Names.load())
            words = ", ".join(f"{rows:,} of {table}" for table, rows in changed.items())
            said = f"Cost basis {settings.HELIOX_COST_BASIS}: changed {words}."
            if rows := sum(changed.values()):
                audit.record("changed", "daily snapshots, derived again from bill lines", said, rows=rows)
        self.stdout.write(said)
