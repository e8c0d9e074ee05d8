"""manage.py distribute: spreads the jobs of a migrated database over the workers of a Citus coordinator."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection, transaction

from dashboard import workers
from dashboard.sharding import CannotDistribute, still_to_run


class Command(BaseCommand):
    help = (
        "Spreads the jobs over the workers of a Citus coordinator, and copies to each what jobs are joined "
        "with. Does only what is still to do. Stop the web processes before, and start them anew afterwards."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print the SQL, run nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        try:
            found = still_to_run(connection)
        except CannotDistribute as refused:
            raise CommandError(str(refused)) from None
        for group in found:
            self.stdout.write("\n".join(in_words(group)))
            if not dry_run:
                run(group)
        workers.ask_again(connection)
        if not found:
            self.stdout.write("Nothing to do: the jobs are distributed.")


def in_words(group: list[str]) -> list[str]:
    sql = [f"{statement};" for statement in group]
    return sql if len(group) == 1 else ["BEGIN;", *sql, "COMMIT;"]


def run(group: list[str]) -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in group:
                cursor.execute(statement)
    except DatabaseError as error:
        raise CommandError(
            f"{str(error).strip()}\nWhat was printed before is done, this is not. "
            "Run the command again when the cause is mended: it goes on from here."
        ) from None
