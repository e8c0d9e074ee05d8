"""manage.py backup FILE: everything that is stored, as of one moment, in one file."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from dashboard.backups import CannotBackUp, Manifest, backup


class Command(BaseCommand):
    help = "Writes the whole database into a file while others go on writing, and says what its tables hold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="where there is such a file already")

    def handle(self, *args: Any, file: Path, replace: bool, **options: Any) -> None:
        try:
            made = backup(file, replace)
        except CannotBackUp as refused:
            raise CommandError(str(refused)) from None
        except DatabaseError as error:
            raise CommandError(f"The database does not answer as it should: {str(error).strip()}") from None
        self.stdout.write("\n".join(in_words(made)))
        self.stdout.write(f"{file} holds all of it, as of {made.made_at}: {made.size:,} bytes unpacked.")


def in_words(manifest: Manifest) -> list[str]:
    """The totals that are not nought."""
    stored = [(what, value) for what, value in manifest.totals.items() if value != "0"]
    width = max((len(what) for what, _ in stored), default=0)
    return [f"{what:{width}}  {value:>24}" for what, value in stored]
