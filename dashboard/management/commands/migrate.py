"""Django's migrate, which first looks whether the tables of another tool can be adopted."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from ...schema import refuse_jobs_without_team

ADOPTION = ("dashboard", "0002_adopt_existing_tables")


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> Any:
        connection = connections[options["database"]]
        if ADOPTION not in MigrationRecorder(connection).applied_migrations():
            refuse_jobs_without_team(connection)
        return super().handle(*args, **options)
