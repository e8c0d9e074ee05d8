"""The migrations that there are, and those that the database lacks."""

from __future__ import annotations

from functools import cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from .counted import are, counted

Migrations = frozenset[tuple[str, str]]


@cache
def on_disk() -> Migrations:
    return frozenset(MigrationLoader(None).disk_migrations)


def lacking() -> Migrations:
    return on_disk() - set(MigrationRecorder(connection).applied_migrations())


def lacking_in_words() -> str:
    """Empty where none is."""
    number = len(lacking())
    return f"{counted(number, 'migration')} {are(number)} not applied" if number else ""
