"""Whether readers have to add what is noted and not yet settled: not where it is known to be empty.

Nobody sees what a long import has noted before it commits, and yet all who read would pass over those rows.
"""

from __future__ import annotations

from typing import Any

from .. import writes
from ..databases import reading
from ..naming import Names
from ..remembered import until_written

NOTED = "gpu_time_changes"
# Of one moment. Every statement that adds or takes away what is noted changes the stamps.
SEEN = f"SELECT {writes.STAMPS}, EXISTS (SELECT 1 FROM {NOTED}) FROM {writes.TABLE}"
Condition = tuple[str, list[Any]]
ALWAYS: Condition = ("1 = 1", [])


def if_any(names: Names) -> Condition:
    """SQL: true at a statement's own moment unless nothing is noted then. The table is not looked at for it.

    SQLite's readers meet no rows of an import that goes on.
    """
    if reading().vendor == "sqlite":
        return ALWAYS
    return names.once(if_any, lambda: until_written("noted", condition, unknown=ALWAYS))


def condition() -> Condition:
    with reading().cursor() as cursor:
        cursor.execute(SEEN)
        stamps, are_some = cursor.fetchone()
    return ALWAYS if are_some else (f"(SELECT {writes.STAMPS} FROM {writes.TABLE}) <> %s", [stamps])
