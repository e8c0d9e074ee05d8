"""An address in which more is chosen than it has room for: which filter that is, and the page without it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, QueryDict
from django.utils.encoding import escape_uri_path
from django.utils.http import escape_leading_slashes

LONGEST_QUERY = 8_000
LONGEST_VALUE = 2_000
MOST_VALUES = 300  # of a query; pages offer 200 names, and each of their links says all that are chosen
LONGEST_LOOKED_AT = 100_000
# Filters of which many are chosen at once.
CHOSEN = {"team": "teams", "model": "models", "provider": "providers", "gpu_type": "GPU types"}


def fits(query: QueryDict) -> bool:
    if sum(len(values) for _, values in query.lists()) > MOST_VALUES:
        return False
    return all(is_readable(text) for name, values in query.lists() for text in (name, *values))


def is_readable(text: str) -> bool:
    return "\0" not in text and len(text) <= LONGEST_VALUE


def chosen_too_often(request: HttpRequest) -> dict[str, Any]:
    """Empty where no filter alone is what makes the address too long."""
    too_long = len(request.META.get("QUERY_STRING", "")) > LONGEST_LOOKED_AT
    if request.method not in ("GET", "HEAD") or too_long or "\0" in request.path:
        return {}
    try:
        rest = request.GET.copy()
    except SuspiciousOperation:  # more fields than Django takes apart
        return {}
    name = max(CHOSEN, key=lambda name: len(rest.getlist(name)))
    values = rest.getlist(name)
    rest.pop(name, None)
    query = rest.urlencode()
    if len(values) < 2 or not fits(rest) or len(query) > LONGEST_QUERY:
        return {}
    most = room(name, values, rest)
    if len(values) <= most or not all(map(is_readable, values)):
        return {}  # it is for something else that the address is refused
    path = escape_leading_slashes(escape_uri_path(request.path))
    return {
        "number": len(values),
        "what": CHOSEN[name],
        "room": most,
        "without": f"{path}?{query}" if query else path,
    }


def room(name: str, values: list[str], rest: QueryDict) -> int:
    """How many of these values there are at most beside the rest, those that are kept with the page too."""
    longest = max(len(urlencode({name: value})) for value in values) + len("&")
    by_length = (LONGEST_QUERY - len(rest.urlencode())) // longest
    by_number = MOST_VALUES - sum(len(others) for _, others in rest.lists())
    return max(0, min(by_length, by_number))
