"""manage.py restore FILE: a backup in the place of what is stored, all of it or nothing."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from dashboard.backups import CannotBackUp, restore


class Command(BaseCommand):
    help = (
        "Puts a backup into the database of DATABASE_URL and compares its totals with those that were true "
        "when it was made. When anything fails, the database stays as it was. Stop the service first. "
        "Everybody signs in anew afterwards."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="what is stored now is lost")

    def handle(self, *args: Any, file: Path, replace: bool, **options: Any) -> None:
        try:
            said = restore(file, replace)
        except CannotBackUp as refused:
            raise CommandError(f"{refused} Nothing was changed.") from None
        except DatabaseError as error:
            raise CommandError(f"The database does not answer as it should: {str(error).strip()}") from None
        self.stdout.write("\n".join(["Everything is restored, and the totals agree.", *said]))
