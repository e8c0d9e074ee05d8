"""Fills an empty database with demo data and one user for each role; leaves any other database alone."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import BaseCommand, CommandError, call_command
from django.db import transaction

from dashboard import demo
from dashboard.models import CostSnapshot, Job, Team, UsageSnapshot


class Command(BaseCommand):
    help = "Fill an empty database with demo data and sign-ins (local demonstration only)."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.HELIOX_DEMO:
            raise CommandError("Demo sign-ins are for a local demonstration: start it with `make run`.")
        if any(model.objects.exists() for model in (Team, Job, CostSnapshot, UsageSnapshot, User)):
            return
        self.stdout.write("The database is empty: loading two years of demo data.")
        # All or nothing, so that a start broken off half-way is made again by the next one.
        with transaction.atomic():
            call_command("seed_demo")
            demo.create_users()
