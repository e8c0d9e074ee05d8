"""SQL of our own, run on a connection: a migration's, the primary's, a worker's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def execute(connection: Any, sql: str, params: Sequence[Any] = ()) -> int:
    """How many rows it was about. A text without parameters is sent as it is, signs of percent too."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.rowcount
