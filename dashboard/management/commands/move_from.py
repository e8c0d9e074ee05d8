"""manage.py move_from URL: everything of another database into this one, and the totals of both."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from dashboard.moving import CannotMove, Total, move, source_at, unknown_columns
from heliox_site.databases import database


class Command(BaseCommand):
    help = (
        "Moves everything from the database at URL into the one of DATABASE_URL, which must be new and "
        "migrated. All or nothing: rows, money and hours of both are compared before anything stays."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", help="sqlite:///path or postgres://…, as DATABASE_URL was until now")
        parser.add_argument(
            "--sessions", action="store_true", help="keep people signed in (needs the same key)"
        )

    def handle(self, *args: Any, url: str, sessions: bool, **options: Any) -> None:
        try:
            with source_at(database(url, "URL")), progress_bar() as progress:
                found = move(sessions, progress)
                unknown = unknown_columns()
        except (CannotMove, ImproperlyConfigured) as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write("\n".join(in_words(found)))
        if unknown:
            self.stdout.write(f"Left behind, for Heliox does not know it: {', '.join(unknown)}.")


def in_words(found: list[Total]) -> list[str]:
    stored = [one for one in found if one.source or one.target]
    rows = [("", "there", "here"), *((one.what, f"{one.source:,}", f"{one.target:,}") for one in stored)]
    first, second, third = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [f"{what:{first}}  {there:>{second}}  {here:>{third}}" for what, there, here in rows]
    return [*lines, "Everything is moved, and both sides agree."]


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None] | None]:
    """On a terminal only, and on stderr, so that the totals can be piped."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def report(table: str, done: int, rows: int) -> None:
            bar.update(task, description=table, completed=done, total=rows)

        yield report
