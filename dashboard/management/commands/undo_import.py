"""manage.py undo_import ID: takes an import back."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, OperationalError

from dashboard.ingest.undo import CannotUndo, undo
from dashboard.models import ImportRun
from dashboard.restating import restating

REFUSED, WRONG_USAGE = 1, 2


class Command(BaseCommand):
    help = "Takes an import back: every table is as it was before. Refuses when later changes built upon it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, metavar="ID", help="number of the import, as /imports/ lists it")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON only")

    def handle(self, *args: Any, **options: Any) -> None:
        reasons: list[str] = []
        try:
            with restating():
                undo(options["run"])
        except ImportRun.DoesNotExist:
            raise CommandError(f"There is no import {options['run']}.", returncode=WRONG_USAGE) from None
        except CannotUndo as refused:
            reasons = refused.reasons
        except (OperationalError, IntegrityError) as error:
            raise CommandError(f"The database did not take it, and nothing was undone: {error}") from None
        self.tell(options["run"], reasons, options["json"])
        if reasons:
            sys.exit(REFUSED)

    def tell(self, run: int, reasons: list[str], as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"run": run, "undone": not reasons, "reasons": reasons}, indent=2))
        elif reasons:
            self.stdout.write("\n".join([f"Import {run} cannot be undone. Nothing was changed.", *reasons]))
        else:
            self.stdout.write(f"Import {run} is undone: every table is as it was before.")
