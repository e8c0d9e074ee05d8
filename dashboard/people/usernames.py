"""Which user a name means that somebody typed: one answer for the sign-in, its throttle and the audit."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.contrib.auth.forms import UsernameField
from django.contrib.auth.models import User

LONGEST = User._meta.get_field("username").max_length or 0


def meant(typed: str) -> str:
    """Without blanks around, each character in its one spelling; a name that is too long is nobody's."""
    name = typed.strip()
    return unicodedata.normalize("NFKC", name).strip() if len(name) <= LONGEST else name


def known(typed: str) -> str:
    """The name of a user, or nothing: what nobody is called is at times a password in the wrong field."""
    name = meant(typed)
    return name if "\0" not in name and User.objects.filter(username=name).exists() else ""


class NameField(UsernameField):
    def to_python(self, value: Any) -> str:
        return meant(value or "")
