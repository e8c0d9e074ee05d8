"""FOCUS rows of one call: the deliveries that they make, and the snapshots that follow."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ..models import ImportRun
from ..models.names import name_key
from ..naming import Names
from .deliveries import Draft, in_force, subject, warn_of_fewer_days
from .figures import BillFigures
from .records import BillRow
from .summary import GIVEN_TWICE, Tally

Drafts = dict[tuple[str, str, date], Draft]


@dataclass
class Part:
    """A file of the call. It is known by the number of its rows, their charges and the lines they make."""

    drafts: Drafts = field(default_factory=dict)
    rows: int = 0
    charges: int = 0

    def add(self, file: str, row: BillRow) -> None:
        key = name_key(row.provider), name_key(row.account), row.period[0]
        if key not in self.drafts:
            self.drafts[key] = Draft(row.provider, row.account, *row.period)
        self.drafts[key].add(file, row)
        self.rows += 1
        self.charges += row.charge

    def content(self) -> Hashable:
        return self.rows, self.charges, *sorted((key, draft.digest) for key, draft in self.drafts.items())


class Bills:
    """All files of one call are one delivery per provider, billing account and billing period."""

    def __init__(self, on_conflict: str, tally: Tally) -> None:
        self.on_conflict, self.tally = on_conflict, tally
        self.part = Part()
        self.drafts: Drafts = {}
        self.told: dict[Hashable, str] = {}
        self.changed: list[Draft] = []
        self.figures: BillFigures | None = None

    def __bool__(self) -> bool:
        return bool(self.drafts)

    def add(self, file: str, row: BillRow) -> None:
        self.part.add(file, row)

    def end_file(self, name: str) -> None:
        """The same rows in other bytes, as Parquet beside CSV, count once."""
        part, self.part = self.part, Part()
        content = part.content()
        if part.charges and content in self.told:
            self.tally.ignore(GIVEN_TWICE, part.rows)
            self.tally.warnings.append(f"{name} has the very rows of {self.told[content]}: they count once.")
            return
        self.told[content] = name
        for key, draft in part.drafts.items():
            if self.drafts.setdefault(key, draft) is not draft:
                self.drafts[key].take(draft)

    def pairs(self) -> set[tuple[str, str]]:
        return {(draft.provider, key[-1]) for draft in self.drafts.values() for key in draft.lines}

    def plan(self, names: Names, lock: bool) -> None:
        if not self.drafts:
            return
        for draft in self.under_one_name(names):
            draft.settle(in_force(draft, names))
            if draft.is_there:
                self.tally.count("unchanged", sum(line.rows for line in draft.lines.values()))
            else:
                self.changed.append(draft)
        self.figures = BillFigures(self.changed, names, lock)
        self.figures.settle(self.on_conflict, self.tally)
        for draft in self.changed:
            self.count_rows(draft)
            draft.report(self.tally)
            warn_of_fewer_days(draft, self.tally)
        self.figures.report(self.tally)

    def under_one_name(self, names: Names) -> list[Draft]:
        found: dict[Any, Draft] = {}
        for draft in self.drafts.values():
            if found.setdefault(subject(draft, names), draft) is not draft:
                found[subject(draft, names)].take(draft)
        return list(found.values())

    def count_rows(self, draft: Draft) -> None:
        assert self.figures is not None
        for key, fate in draft.fates().items():
            if draft.cell(key) not in self.figures.refused:
                self.tally.count(fate, draft.lines[key].rows)

    def write(self, run: ImportRun) -> None:
        for draft in self.changed:
            draft.write(run)
        if self.figures is not None:
            self.figures.write(run)
