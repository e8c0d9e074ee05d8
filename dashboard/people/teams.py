"""For people limited to some teams, ids of other teams and of their jobs are as those that nobody has.

An address of another team's is no page, as that of nobody's is none. Elsewhere ids mean nothing to begin
with: a filter knows the reader's own teams alone. To refuse those of others there would tell that they are
somebody's, and whoever knows a name can work out the id that an import makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse

from ..access import teams_of
from ..models import Job, Team

AN_ID = re.compile(r"(?:[0-9a-f]-*){31}[0-9a-f]", re.IGNORECASE)  # hyphens may stand anywhere


class KeepTeamsApart:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Raises Http404."""
        own = teams_of(request.user) if request.user.is_authenticated else None
        ids = set() if own is None else {UUID(one) for one in AN_ID.findall(f"{request.path} {kwargs}")}
        if ids and names_others(ids, own or frozenset()):
            raise Http404


def names_others(ids: set[UUID], own: frozenset[UUID]) -> bool:
    if Team.objects.filter(pk__in=ids - own).exists():
        return True
    return Job.objects.filter(pk__in=ids).exclude(team__in=own).exists()
