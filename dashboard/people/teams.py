"""For people limited to some teams, ids of other teams and of their jobs are unknown, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse

from ..access import teams_of
from ..models import Job, Team

AN_ID = re.compile(r"(?:[0-9a-f]-*){31}[0-9a-f]", re.IGNORECASE)  # hyphens may stand anywhere
MOST_IDS = 1_000  # far beyond what a form of theirs holds; to look up very many takes long


class KeepTeamsApart:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Raises Http404."""
        own = teams_of(request.user) if request.user.is_authenticated else None
        ids = set() if own is None else set(ids_in(request, kwargs))
        if len(ids) > MOST_IDS or (ids and names_others(ids, own or frozenset())):
            raise Http404


def names_others(ids: set[UUID], own: frozenset[UUID]) -> bool:
    if Team.objects.filter(pk__in=ids - own).exists():
        return True
    return Job.objects.filter(pk__in=ids).exclude(team__in=own).exists()


def ids_in(request: HttpRequest, kwargs: dict[str, Any]) -> Iterator[UUID]:
    for data in (request.GET, request.POST):
        for _, values in data.lists():
            for value in values:
                yield from (UUID(found) for found in AN_ID.findall(str(value)))
    for found in AN_ID.findall(f"{request.path} {kwargs}"):
        yield UUID(found)
