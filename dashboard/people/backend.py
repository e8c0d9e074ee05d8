"""Django's users and passwords; what they may is asked for once, not at each click."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from ..access import rights_of


class Backend(ModelBackend):
    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if obj is not None or user_obj.is_anonymous or not user_obj.is_active:
            return set()
        return set(rights_of(user_obj).permissions)
