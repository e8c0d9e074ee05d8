"""Who may see figures, of which teams, and who may take them away."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from sys import intern
from typing import Any
from uuid import UUID

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from .databases import reading_from
from .models import DayNote, TeamLimit
from .remembered import until_written
from .replica import PRIMARY

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


def teams_of(user: User) -> frozenset[UUID] | None:
    """The teams that a person is limited to; None for who sees all, as Finance and admins do."""
    return user.teams if isinstance(user, Reader) else rights_of(user).limit


def sees_nothing(user: User) -> bool:
    """Signed in, and every page with figures is closed to them."""
    return user.is_authenticated and (not may_view(user) or teams_of(user) == frozenset())


@dataclass(frozen=True)
class Rights:
    """What tables say of a user beside their own row. permissions: in order. limit: as of teams_of.

    own_notes: there are notes that they may change while they may not those of others.
    """

    permissions: tuple[str, ...]
    limit: frozenset[UUID] | None
    own_notes: bool

    def __len__(self) -> int:
        return len(self.permissions) + 1


def rights_of(user: User) -> Rights:
    """As the primary has them; not asked again until something is written."""
    if not hasattr(user, "_rights"):
        with reading_from(PRIMARY):
            asked = ("rights", user.pk, user.is_superuser, user.is_staff)
            user._rights = until_written(asked, lambda: stored_rights(user))
    return user._rights


def stored_rights(user: User) -> Rights:
    permissions = sorted(map(intern, ModelBackend().get_all_permissions(user)))
    sees_all = user.is_superuser or "dashboard.see_all_teams" in permissions
    own_notes = not user.is_staff and "dashboard.change_daynote" in permissions and has_left_notes(user)
    return Rights(tuple(permissions), None if sees_all else limit_of(user), own_notes)


def limit_of(user: User) -> frozenset[UUID] | None:
    limits = TeamLimit.objects.using(PRIMARY).filter(user=user.pk).values_list("teams", flat=True)
    found = list(limits)
    return frozenset(team for team in found if team) if found else None


def has_left_notes(user: User) -> bool:
    return DayNote.objects.using(PRIMARY).filter(author=user.pk).exists()


@dataclass(frozen=True)
class Reader:
    """All that of a user decides what pages show: two who are alike in it see the same.

    pk: of who has left notes and may change them, but not those of others.
    """

    permissions: tuple[str, ...]
    is_superuser: bool
    is_staff: bool
    teams: frozenset[UUID] | None
    pk: int | None
    is_active = is_authenticated = True

    @classmethod
    def like(cls, user: User) -> Reader:
        rights = rights_of(user)
        permissions = () if user.is_superuser else rights.permissions
        own = user.pk if rights.own_notes else None
        return cls(permissions, user.is_superuser, user.is_staff, rights.limit, own)

    @property
    def content(self) -> tuple[Any, ...]:
        """In one order, whatever order it was gathered in."""
        teams = None if self.teams is None else sorted(self.teams)
        return self.permissions, self.is_superuser, self.is_staff, teams, self.pk

    def has_perm(self, permission: str) -> bool:
        return self.is_superuser or permission in self.permissions

    def has_perms(self, permissions: Iterable[str]) -> bool:
        return all(map(self.has_perm, permissions))

    def has_module_perms(self, app: str) -> bool:
        return self.is_superuser or any(one.startswith(f"{app}.") for one in self.permissions)


def only(allowed: Callable[[User], bool], reason: str, of_some_teams: bool = False) -> Callable[[View], View]:
    """Decorator: the page answers 403 with that reason to those who are not allowed.

    of_some_teams: the page shows who is limited to teams their own, and nothing else; no other page does.
    """

    def decorator(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not allowed(request.user):
                raise PermissionDenied(reason)
            check_limit(request.user, of_some_teams)
            return view(request, *args, **kwargs)

        return guarded

    return decorator


def check_limit(user: User, of_some_teams: bool) -> None:
    teams = teams_of(user)
    if teams is not None and not teams:
        raise PermissionDenied("Your account is limited to teams and has none yet, so it sees no figures.")
    if teams is not None and not of_some_teams:
        raise PermissionDenied("This page shows all teams together. Your account is limited to some of them.")


NO_ROLE = "Your account has no role yet, so it sees no figures."
viewing = only(may_view, NO_ROLE)
viewing_own_teams = only(may_view, NO_ROLE, of_some_teams=True)
importing = only(may_import, "Your role may not import files.")


def check_export(user: User) -> None:
    """Raises PermissionDenied; pages call it before they give `_export`."""
    if not may_export(user):
        raise PermissionDenied("Your role may look at figures but not download them.")
