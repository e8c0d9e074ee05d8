"""Of what a request says of its body, only its type and the boundary of its parts are believed.

Django reads address and form by any codec that is named there, also by those that make no text of them, and
makes no request at all where a parameter is spelled in a codec that nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

BOUNDARY = re.compile(r';\s*boundary=("[^"]*"|[^;\s]+)', re.IGNORECASE)
Application = Callable[[dict[str, Any], Callable], Any]


def typed_plainly(application: Application) -> Application:
    """Around all of Django: its own middleware comes too late."""

    def plain(environ: dict[str, Any], start_response: Callable) -> Any:
        environ["CONTENT_TYPE"] = plain_type(environ.get("CONTENT_TYPE", ""))
        return application(environ, start_response)

    return plain


def plain_type(declared: str) -> str:
    boundary = BOUNDARY.search(declared)
    return declared.partition(";")[0] + (boundary[0] if boundary else "")
