"""The files whose figures a stored row holds already: a sum does not tell what was added to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

from ..models import ImportChange, ImportRun
from ..models.names import name_key
from .rows import pieces


@dataclass
class FilesHeld:
    """with_first: not only those that were added, but also those of the import that they were added to."""

    with_first: bool = False
    files: dict[int, set[str]] = field(default_factory=dict)  # digests, by run
    adding: set[int] = field(default_factory=set)
    before: dict[tuple[UUID, int], tuple[int | None, bool]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any, rows: Iterable[Any], with_first: bool) -> FilesHeld:
        held = cls(with_first)
        runs = ImportRun.objects.filter(status=ImportRun.Status.COMMITTED)
        asked = runs if with_first else runs.filter(options__on_conflict="add")
        for run, files, options in asked.values_list("pk", "files", "options"):
            held.files[run] = {file[name] for file in files for name in ("sha256", "figures") if name in file}
            if options.get("on_conflict") == "add":
                held.adding.add(run)
        for ids in pieces(row.pk for row in rows if row.imported_by_id in held.files):
            changes = ImportChange.objects.filter(table=model._meta.db_table, row_id__in=ids)
            facts = "row_id", "run_id", "before__imported_by_id", "before__from_lines"
            for pk, run, run_before, from_lines in changes.values_list(*facts):
                held.before[pk, run] = run_before, bool(from_lines)
        return held

    def by_all(self, rows: Iterable[Any], digests: set[str]) -> bool:
        """Whether each of these holds the figures of the file that has these digests."""
        return not any(digests.isdisjoint(self.by(row)) for row in rows)

    def by(self, row: Any) -> set[str]:
        found: set[str] = set()
        run, derived = row.imported_by_id, getattr(row, "from_lines", False)
        while run in self.files:
            found |= self.files[run]
            run_before, was_derived = self.before.get((row.pk, run), (None, False))
            # A bill that replaces another leaves alone what was entered and added to it.
            if run not in self.adding and not (derived and was_derived):
                break
            run, derived = run_before, was_derived
        return found


class FileContents:
    """Digests of what files say, in whatever order, with whatever ends of lines, packed or not."""

    def __init__(self) -> None:
        self.sums: Counter[str] = Counter()  # by the digest of the file's bytes

    def add(self, file: str, *facts: Any) -> None:
        """One row of the file."""
        self.sums[file] += int.from_bytes(sha256(repr([*map(plain, facts)]).encode()).digest())

    def __contains__(self, file: str) -> bool:
        return file in self.sums

    def of(self, file: str) -> str:
        return f"{self.sums[file] % 2**256:064x}"

    def digests(self, file: str) -> set[str]:
        return {file, self.of(file)}


def plain(fact: Any) -> str:
    if isinstance(fact, Decimal):
        return format(fact.normalize(), "f")
    return name_key(fact) if isinstance(fact, str) else str(fact)
