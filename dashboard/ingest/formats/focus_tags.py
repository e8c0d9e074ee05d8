"""One tag of a bill row: FOCUS keeps them as a JSON object in one cell."""

from __future__ import annotations

import json
from functools import lru_cache

from dashboard.ingest import values
from dashboard.ingest.formats.focus_json import json_object
from dashboard.ingest.formats.focus_notes import Watch


def tag_value(text: str, name: str, watch: Watch) -> str:
    """Empty without the tag. A tag without a value is `true`, as FOCUS says."""
    tags = _tags(text)
    if tags is None:
        watch.unreadable_tags += 1
        return ""
    if name not in tags:
        watch.other_tags(tags)
        return ""
    watch.tag_seen = True
    value = tags[name]
    if value is None or isinstance(value, dict | list):
        return ""
    return values.tidied(value if isinstance(value, str) else json.dumps(value))


@lru_cache(4096)
def _tags(text: str) -> dict | None:
    """None for what is no JSON object."""
    text = text.strip()
    if not text or text.upper() == "NULL":
        return {}
    if text.startswith('"'):
        text = "{" + text + "}"  # Azure's own exports leave the braces out
    return json_object(text)
