"""Rows of the daily cost and usage CSV meet the snapshots that are stored."""

from __future__ import annotations

from typing import Any

from .records import FileRefused


class SnapshotFiles:
    def __init__(self, on_conflict: str, tally: Any) -> None: ...

    def __bool__(self) -> bool:
        return False

    def begin_file(self, name: str, digest: str) -> None: ...

    def add(self, row: Any) -> None:
        raise FileRefused("Daily figures cannot be imported yet.")

    def plan(self, names: Any) -> None: ...

    def write(self, run: Any) -> None: ...
