"""Whether anything is noted that no settling has seen yet: it is asked once for what is stored.

Nobody sees the rows that a long import has noted before its commit, and all who read would pass over them.
"""

from __future__ import annotations

from ..models import GpuTimeChange
from ..naming import Names
from ..remembered import until_written

NOTED = GpuTimeChange._meta.db_table


def noted(names: Names) -> list[str]:
    """The table of what is noted, or nothing where it has no row: the same for all figures of a page."""
    return names.once(noted, lambda: until_written("noted", those_with_rows, unknown=[NOTED]))


def those_with_rows() -> list[str]:
    return [NOTED] if GpuTimeChange.objects.order_by().exists() else []
