"""Text that a spreadsheet would run: a leading ' in our files stops that, and comes off again."""

from __future__ import annotations

import re

# Text that already looks guarded gets one more, so that taking one off always gives the text back.
_RUNS = re.compile(r"'*[^\S\t\r\n]*[=+\-@|%\t\r\n\0]")


def guarded(value: str) -> str:
    return "'" + value if _RUNS.match(value) else value


def unguarded(value: str) -> str:
    return value[1:] if value[:1] == "'" and _RUNS.match(value, 1) else value
