"""The sign-ins of the local demonstration. They open nothing once HELIOX_DEMO is off."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from .people.backend import Backend

ROLES = {"viewer": "Viewer", "finance": "Finance", "manager": "Manager", "admin": "Admin"}
MAILBOX = "demo.invalid"
HEADING = ("user", "password", "role")


def password_of(name: str) -> str:
    return f"demo-{name}"


def create_users() -> None:
    """One user for each role, without a password of their own: a copy of the database opens no door."""
    for name, group in ROLES.items():
        user = User(username=name, email=f"{name}@{MAILBOX}", is_staff=group == "Admin")
        user.set_unusable_password()
        user.save()
        user.groups.add(Group.objects.get(name=group))


def demo_users() -> list[User]:
    users = User.objects.filter(
        is_active=True, username__in=ROLES, email__in=[f"{name}@{MAILBOX}" for name in ROLES]
    )
    return [user for user in users if not user.has_usable_password()]


def sign_ins() -> list[str]:
    """What to type on the login page: a heading, and a line for each demo user that the database has."""
    names = {user.username for user in demo_users()}
    told = [(name, password_of(name), ROLES[name]) for name in ROLES if name in names]
    return [f"{name:8} {password:14} {role}" for name, password, role in [HEADING, *told]] if told else []


class DemoBackend(Backend):
    """Lets demo users in by their published passwords; settings list it under HELIOX_DEMO only."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        if not settings.HELIOX_DEMO or username not in ROLES:
            return None
        if not constant_time_compare(password or "", password_of(username)):
            return None
        return next((user for user in demo_users() if user.username == username), None)
