"""manage.py send_digest: yesterday, the month so far and what needs a look, by mail or into a chat."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from dashboard.clock import today
from dashboard.digests import CertainlyNotSent, Message, PerhapsSent, recipients, send_once, told
from dashboard.digests.channels import Channel
from dashboard.models.calendar import FIRST_DAY
from dashboard.naming import Names
from dashboard.reports.digest import digest
from dashboard.scope import ONE_DAY

FAILED, WRONGLY_ASKED = 1, 2


class Command(BaseCommand):
    help = "Sends yesterday's digest, once to each recipient however often it is started. Meant for cron."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", nargs="+", action="extend", default=[], metavar="ADDRESS", type=address)
        parser.add_argument("--day", type=day, help="another than yesterday: YYYY-MM-DD")
        parser.add_argument("--dry-run", action="store_true", help="print it; send and store nothing")

    def handle(self, *args: Any, to: list[str], day: date | None, dry_run: bool, **options: Any) -> None:
        of = checked(day or today() - ONE_DAY)
        channels = {} if dry_run else checked_recipients(to)
        names = Names.load()
        message = told(digest(of, names), names)
        if dry_run:
            self.stdout.write(f"{message.subject}\n\n{message.text}")
        elif not self.all_sent(message, of, channels):
            sys.exit(FAILED)

    def all_sent(self, message: Message, of: date, channels: dict[str, Channel]) -> bool:
        """A recipient that fails keeps no other from being sent to."""
        failed = 0
        for to, channel in channels.items():
            try:
                self.stdout.write(f"{to}: {send_once(message, of, to, channel)}")
            except CertainlyNotSent as error:
                failed += 1
                self.stderr.write(f"{to}: not sent, and will be tried again when next started: {error}")
            except PerhapsSent as error:
                failed += 1
                self.stderr.write(f"{to}: perhaps sent, so it is not tried again: {error}")
        return not failed


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day such as 2025-03-31") from None


def address(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError:
        raise ArgumentTypeError(f"{text!r} is no mail address") from None
    return text


def checked(of: date) -> date:
    if not FIRST_DAY <= of < today():
        raise CommandError(f"Give a day before today, {today()}: {of} is not over.", returncode=WRONGLY_ASKED)
    return of


def checked_recipients(to: Iterable[str]) -> dict[str, Channel]:
    channels = recipients(to)
    if not channels:
        raise CommandError(
            "Nobody to send it to: give --to, or set HELIOX_DIGEST_TO or HELIOX_DIGEST_WEBHOOK. "
            "--dry-run prints it.",
            returncode=WRONGLY_ASKED,
        )
    if any("@" in name for name in channels) and not settings.HELIOX_MAIL_URL:
        raise CommandError("No mail leaves from here: set HELIOX_MAIL_URL.", returncode=WRONGLY_ASKED)
    return channels
