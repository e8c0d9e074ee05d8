"""The files whose figures a stored row holds already: a sum does not tell what was added to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from ..models import ImportChange, ImportRun
from ..models.names import name_key
from .rows import pieces


class Held(NamedTuple):
    """What a row was: by which run, whether derived from lines of a bill, and its figure."""

    run: int | None = None
    derived: bool = False
    amount: Decimal | None = None


@dataclass
class FilesHeld:
    """amount: the column of the figure. with_first: not only files that were added, but also those of the
    import that they were added to.
    """

    amount: str = ""
    with_first: bool = False
    files: dict[int, set[str]] = field(default_factory=dict)  # digests, by run
    adding: set[int] = field(default_factory=set)
    before: dict[tuple[UUID, int], Held] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any, amount: str, rows: Iterable[Any], with_first: bool) -> FilesHeld:
        held = cls(amount, with_first)
        runs = ImportRun.objects.filter(status=ImportRun.Status.COMMITTED)
        asked = runs if with_first else runs.filter(options__on_conflict="add")
        for run, files, options in asked.values_list("pk", "files", "options"):
            held.files[run] = {file[name] for file in files for name in ("sha256", "figures") if name in file}
            if options.get("on_conflict") == "add":
                held.adding.add(run)
        for ids in pieces(row.pk for row in rows if row.imported_by_id in held.files):
            changes = ImportChange.objects.filter(table=model._meta.db_table, row_id__in=ids)
            facts = "imported_by_id", "from_lines", amount
            before = changes.values_list("row_id", "run_id", *(f"before__{fact}" for fact in facts))
            for pk, run, run_before, from_lines, figure in before:
                held.before[pk, run] = Held(run_before, bool(from_lines), as_decimal(figure))
        return held

    def by_all(self, rows: Iterable[Any], digests: set[str], figure: Decimal) -> bool:
        """Whether each of these holds this figure of the file that has these digests."""
        return all(self.holds(row, digests, figure) for row in rows)

    def holds(self, row: Any, digests: set[str], figure: Decimal) -> bool:
        now = Held(row.imported_by_id, getattr(row, "from_lines", False), getattr(row, self.amount))
        while now.run in self.files:
            was_added = now.run in self.adding
            # Of the files of one import the last one that told a cell stands there alone.
            if (was_added or now.amount == figure) and not digests.isdisjoint(self.files[now.run]):
                return True
            before = self.before.get((row.pk, now.run), Held())
            # A bill that replaces another leaves alone what was entered and added to it.
            if not was_added and not (now.derived and before.derived):
                return False
            now = before
        return False


def as_decimal(figure: Any) -> Decimal | None:
    """Of JSON, in which figures of ten digits and two decimals are floats that tell them exactly."""
    return None if figure is None else Decimal(str(figure))


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
