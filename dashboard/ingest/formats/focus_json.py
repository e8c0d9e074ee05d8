"""FOCUS keeps what has many names in one cell, as a JSON object."""

from __future__ import annotations

import json
from typing import Any


def json_object(text: str) -> dict[str, Any] | None:
    """None for what is no JSON object."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return {_whole(name): _whole(value) for name, value in found.items()} if "\\u" in text else found


def _whole(value: Any) -> Any:
    """What JSON can escape and no database holds: half a surrogate pair becomes U+FFFD, NUL a blank."""
    if not isinstance(value, str):
        return value
    return value.replace("\0", " ").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
