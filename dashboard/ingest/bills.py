"""FOCUS rows of one call: the deliveries that they make, and the snapshots that follow."""

from __future__ import annotations

from datetime import date

from ..models import ImportRun
from ..models.names import name_key
from ..naming import Names
from .deliveries import Draft, current_delivery, warn_of_fewer_days
from .figures import BillFigures
from .records import BillRow
from .summary import Tally


class Bills:
    """All files of one call are one delivery per provider, billing account and billing period."""

    def __init__(self, on_conflict: str, tally: Tally) -> None:
        self.on_conflict, self.tally = on_conflict, tally
        self.drafts: dict[tuple[str, str, date], Draft] = {}
        self.changed: list[Draft] = []
        self.figures: BillFigures | None = None

    def __bool__(self) -> bool:
        return bool(self.drafts)

    def add(self, file: str, row: BillRow) -> None:
        key = name_key(row.provider), name_key(row.account), row.period[0]
        if key not in self.drafts:
            self.drafts[key] = Draft(row.provider, row.account, *row.period)
        self.drafts[key].add(file, row)

    def pairs(self) -> set[tuple[str, str]]:
        return {(draft.provider, key[-1]) for draft in self.drafts.values() for key in draft.lines}

    def plan(self, names: Names, lock: bool) -> None:
        if not self.drafts:
            return
        for draft in self.drafts.values():
            draft.settle(current_delivery(draft, names))
            if draft.replaces is None or draft.replaces.digest != draft.digest:
                self.changed.append(draft)
            else:
                self.tally.count("unchanged", sum(line.rows for line in draft.lines.values()))
        self.figures = BillFigures(self.changed, names, lock)
        self.figures.settle(self.on_conflict, self.tally)
        for draft in self.changed:
            self.count_rows(draft)
            draft.report(self.tally)
            warn_of_fewer_days(draft, self.tally)
        self.figures.report(self.tally)

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
