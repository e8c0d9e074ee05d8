"""For people limited to some teams, the only ids that there are are those of their own teams and jobs.

Any other one is 404, whether somebody has it or not: whoever knows a team's name can work out the id that an
import makes of it, and must not learn by trying it that there is such a team.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse

from ..access import teams_of
from ..models import Job

AN_ID = re.compile(r"(?:[0-9a-f]-*){31}[0-9a-f]", re.IGNORECASE)  # hyphens may stand anywhere
TEXTS = frozenset({"q", "model", "provider", "gpu_type"})  # of theirs, and may look like one
# What is sent there names no team: passwords, codes, the page to go back to.
OF_NO_TEAM = frozenset({"login", "sign_in_code", "logout", "password_change", "second_factor", "theme"})
MOST_IDS = 1_000  # far beyond what a form of theirs holds; to look up very many takes long


class KeepTeamsApart:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Raises Http404."""
        assert request.resolver_match
        if request.resolver_match.view_name in OF_NO_TEAM:
            return
        own = teams_of(request.user) if request.user.is_authenticated else None
        if own is not None and not all_theirs(set(ids_in(request, kwargs)) - own, own):
            raise Http404


def all_theirs(jobs: set[UUID], own: frozenset[UUID]) -> bool:
    if len(jobs) > MOST_IDS:
        return False
    return not jobs or Job.objects.filter(pk__in=jobs, team__in=own).count() == len(jobs)


def ids_in(request: HttpRequest, kwargs: dict[str, Any]) -> Iterator[UUID]:
    for data in (request.GET, request.POST):
        for name, values in data.lists():
            for value in values if name not in TEXTS else ():
                yield from (UUID(found) for found in AN_ID.findall(str(value)))
    for found in AN_ID.findall(f"{request.path} {kwargs}"):
        yield UUID(found)
