"""manage.py doctor: whether everything is as it should be, and what to do where it is not."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from dashboard.doctor import BAD, Finding, examine


class Command(BaseCommand):
    help = "Looks at settings, database, roll-ups, data, mail, files and clock; 1 when something is bad."
    requires_system_checks: list[str] = []  # what they find is told with the rest

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--thorough", action="store_true", help="recount all jobs, too")
        parser.add_argument("--json", action="store_true", help="print the findings as JSON only")

    def handle(self, *args: Any, **options: Any) -> None:
        found = []
        for finding in examine(options["thorough"]):
            found.append(finding)
            if not options["json"]:
                self.stdout.write(in_words(finding))
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in found], indent=2))
        if any(finding.level == BAD for finding in found):
            sys.exit(1)


def in_words(finding: Finding) -> str:
    line = f"{finding.level:4}  {finding.what:12}  {finding.found}"
    return f"{line}\n                    {finding.todo}" if finding.todo else line
