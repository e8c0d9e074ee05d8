"""Who may see figures and who may take them away."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

User = Any  # a request's user: Django types it by a base class that knows no permissions
View = Callable[..., HttpResponseBase]


def may_view(user: User) -> bool:
    return user.has_perm("dashboard.view_job")


def may_export(user: User) -> bool:
    return user.has_perm("dashboard.export_files")


def may_administer(user: User) -> bool:
    return user.is_active and user.is_staff


def may_add(user: User, *models: Any) -> bool:
    return user.has_perms([f"dashboard.add_{model._meta.model_name}" for model in models])


def may_change(user: User, model: str) -> bool:
    return user.has_perm(f"dashboard.change_{model}")


def may_import(user: User) -> bool:
    return user.has_perm("dashboard.import_files")


def only(allowed: Callable[[User], bool], reason: str) -> Callable[[View], View]:
    """Decorator: the page answers 403 with that reason to those who are not allowed."""

    def decorator(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not allowed(request.user):
                raise PermissionDenied(reason)
            return view(request, *args, **kwargs)

        return guarded

    return decorator


viewing = only(may_view, "Your account has no role yet, so it sees no figures.")
importing = only(may_import, "Your role may not import files.")


def check_export(user: User) -> None:
    """Raises PermissionDenied; pages call it before they give `_export`."""
    if not may_export(user):
        raise PermissionDenied("Your role may look at figures but not download them.")
