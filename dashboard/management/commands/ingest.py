"""manage.py ingest FILE…: loads bills, job logs and CSV files, or says what that would do."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import IntegrityError, OperationalError

from dashboard.ingest.formats import FORMATS
from dashboard.ingest.giving_way import Progress, nobody
from dashboard.ingest.load import ON_CONFLICT, Source, load
from dashboard.ingest.records import Options
from dashboard.ingest.summary import Summary
from dashboard.ingest.values import BadValue, zone
from dashboard.ingest.words import in_words
from dashboard.restating import restating

DONE, REFUSED, WRONG_USAGE = 0, 1, 2


class Command(BaseCommand):
    help = "Imports FOCUS bills, Slurm job logs and CSV files; the format is recognised from the content."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
        parser.add_argument("--format", choices=[known.NAME for known in FORMATS])
        parser.add_argument("--cluster", metavar="NAME", help="cluster on which the jobs of a log ran")
        parser.add_argument("--account", metavar="NAME", help="billing account of bill rows that name none")
        parser.add_argument("--time-zone", metavar="ZONE", help="zone of times without an offset (UTC)")
        parser.add_argument("--team-tag", metavar="KEY", help="tag of a bill whose value names the team")
        parser.add_argument(
            "--on-conflict",
            choices=ON_CONFLICT,
            default="refuse",
            help="where a figure is there already that another kind of source wrote",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
        parser.add_argument("--json", action="store_true", help="print the summary as JSON only")

    def handle(self, *args: Any, **options: Any) -> None:
        said = Options(options["cluster"], options["account"], options["time_zone"], options["team_tag"])
        check_usage(options["files"], said)
        sources = [Source(path.name.encode(errors="replace").decode(), path) for path in options["files"]]
        try:
            noting = nullcontext() if options["dry_run"] else restating()
            with noting, progress_bar(quiet=options["json"]) as progress:
                summary = load(
                    sources,
                    said,
                    format=options["format"],
                    progress=progress,
                    on_conflict=options["on_conflict"],
                    dry_run=options["dry_run"],
                )
        except (OperationalError, IntegrityError) as error:
            raise CommandError(f"The database did not take it, and nothing was written: {error}") from None
        self.tell(summary, options["json"])
        if not summary.ok:
            sys.exit(REFUSED)

    def tell(self, summary: Summary, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(summary.as_json(), indent=2, cls=DjangoJSONEncoder))
        else:
            self.stdout.write("\n".join(in_words(summary)))


def check_usage(files: list[Path], options: Options) -> None:
    for path in files:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise CommandError(f"{path} {what}.", returncode=WRONG_USAGE)
        try:
            path.open("rb").close()
        except OSError as error:
            raise CommandError(
                f"{path} cannot be opened: {error.strerror}.", returncode=WRONG_USAGE
            ) from None
    try:
        zone(options.time_zone)
    except BadValue as bad:
        raise CommandError(f"--time-zone: {bad}.", returncode=WRONG_USAGE) from None


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """On a terminal only, and on stderr, so that the summary can be piped."""
    if quiet or not sys.stderr.isatty():
        yield nobody
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=None)

        def told(what: str, done: int, total: int) -> None:
            planning = what == "Reading" and done >= total
            bar.update(task, description="Planning" if planning else what, completed=done, total=total)

        yield told
