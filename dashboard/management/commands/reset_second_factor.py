"""manage.py reset_second_factor USER: takes the second factor off somebody who is locked out."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from dashboard.people import second_factor


class Command(BaseCommand):
    help = "Takes the second factor and the recovery codes off a user, who is signed out everywhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the name that the user signs in with")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        if second_factor.remove(None, user, by=None):
            self.stdout.write(f"{user} has no second factor any more, and is signed out everywhere.")
        else:
            self.stdout.write(f"{user} had no second factor.")
