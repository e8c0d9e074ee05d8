"""manage.py prune_audit --days N: takes away the audit events that are older."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dashboard import audit
from dashboard.models import AuditEvent

FEWEST_DAYS = 30


class Command(BaseCommand):
    help = "Takes away audit events that are older than so many days, and says so in the audit."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, required=True, metavar="N", help=f"at least {FEWEST_DAYS}")

    def handle(self, *args: Any, days: int, **options: Any) -> None:
        if not FEWEST_DAYS <= days <= 36_500:
            raise CommandError(f"--days is {days}: keep at least {FEWEST_DAYS} days, so that it helps.")
        gone = AuditEvent.objects.prune(timezone.now() - timedelta(days=days))
        audit.record("pruned", f"older than {days} days", rows=gone)
        self.stdout.write(f"{gone:,} events were older than {days} days and are gone.")
