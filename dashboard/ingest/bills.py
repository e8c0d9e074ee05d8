"""FOCUS rows become bill lines of a delivery, and snapshots from them."""

from __future__ import annotations

from typing import Any

from .records import FileRefused


class Bills:
    def __init__(self, on_conflict: str, tally: Any) -> None: ...

    def __bool__(self) -> bool:
        return False

    def add(self, file: str, row: Any) -> None:
        raise FileRefused("Bills cannot be imported yet.")

    def plan(self, names: Any) -> None: ...

    def write(self, run: Any) -> None: ...
