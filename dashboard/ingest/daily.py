"""Rows of the daily cost and usage CSV meet the snapshots that are stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import Any

from ..models import CostSnapshot, ImportRun, UsageSnapshot
from ..naming import Names
from ..posted import post
from ..scope import Scope
from .files_held import FileContents, FilesHeld
from .records import CostRow, Refused, UsageRow
from .snapshots import AMOUNT, CHOICES, TOO_MUCH, Cell, Figure, SnapshotPlan, whose
from .summary import KEPT, Tally
from .told_again import ToldAgain

MODELS: dict[type, Any] = {CostRow: CostSnapshot, UsageRow: UsageSnapshot}


@dataclass(frozen=True, slots=True)
class Said:
    file: int
    name: str
    digest: str
    row: Any


@dataclass
class Beside:
    """What period entries and rates post on the days of a cost file: pages show it as cost."""

    usd: dict[Cell, Decimal] = field(default_factory=dict)
    sources: dict[Cell, str] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, plan: SnapshotPlan, names: Names) -> Beside:
        told = cls()
        stored = (row for rows in plan.stored.values() for row in rows)
        billed = {(row.date, names.provider(row.provider), names.gpu_type(row.gpu_type)) for row in stored}
        for posting in post(Scope(span=plan.span), names, lambda: billed).postings:
            cell = plan.key(posting.cell)
            told.usd[cell] = told.usd.get(cell, Decimal("0.00")) + posting.usd
            told.sources[cell] = posting.source
        return told

    def whole_cost(self, plan: SnapshotPlan, figure: Figure, stored: list[Any]) -> Decimal | None:
        """What pages show for the cell, where not all of it is stored: a file of ours says just that."""
        posted = self.usd.get(plan.key(figure.cell))
        return None if posted is None else posted + plan.amount_of(stored)

    def meet(self, cell: Cell) -> None:
        if cell in self.sources:
            self.met[self.sources[cell]] += 1

    def warn(self, tally: Tally) -> None:
        if both := self.met["period"]:
            tally.warnings.append(
                f"On {both:,} of these days a period entry tells a cost, too: the two add up."
            )
        if instead := self.met["rate"]:
            tally.warnings.append(f"On {instead:,} of these days the figure takes the place of a rate.")


def amount_of(row: CostRow | UsageRow) -> Decimal:
    return row.cost_usd if isinstance(row, CostRow) else row.gpu_hours


def cell_of(row: CostRow | UsageRow) -> Cell:
    return row.day, row.provider, row.gpu_type


def cell_in_words(row: CostRow | UsageRow) -> str:
    return " ".join(map(str, cell_of(row)))


def is_of_a_csv(snapshot: CostSnapshot | UsageSnapshot) -> bool:
    return snapshot.imported_by_id is not None and not snapshot.from_lines


class DailyFiles:
    """A CSV updates the cells that one wrote, unless told to keep or add; over anything else it asks."""

    def __init__(self, on_conflict: str, tally: Tally) -> None:
        self.on_conflict, self.tally = on_conflict, tally
        self.said: dict[Any, list[Said]] = {CostSnapshot: [], UsageSnapshot: []}
        self.file, self.name, self.digest = 0, "", ""
        self.contents = FileContents()
        self.plans: list[SnapshotPlan] = []
        self.held = FilesHeld()
        self.beside = Beside()

    def __bool__(self) -> bool:
        return any(self.said.values())

    def begin_file(self, number: int, name: str, digest: str) -> None:
        self.file, self.name, self.digest = number, name, digest

    def add(self, row: CostRow | UsageRow) -> None:
        self.said[MODELS[type(row)]].append(Said(self.file, self.name, self.digest, row))
        self.contents.add(
            self.digest, type(row).__name__, row.day, row.provider, row.gpu_type, amount_of(row)
        )

    def pairs(self) -> set[tuple[str, str]]:
        return {(said.row.provider, said.row.gpu_type) for rows in self.said.values() for said in rows}

    def plan(self, names: Names, lock: bool) -> None:
        for model, rows in self.said.items():
            if rows:
                plan = SnapshotPlan(model, names, (said.row.day for said in rows), lock)
                stored = chain.from_iterable(plan.stored.values())
                self.held = FilesHeld.of(model, plan.amount, stored, with_first=self.on_conflict == "add")
                self.beside = Beside.of(plan, names) if model is CostSnapshot else Beside()
                self.plan_table(plan, rows)
                self.beside.warn(self.tally)
                plan.report(self.tally)
                self.plans.append(plan)

    def plan_table(self, plan: SnapshotPlan, rows: list[Said]) -> None:
        add = self.on_conflict == "add"
        again = ToldAgain("a day", "date", cell_in_words, add, self.contents, self.tally)
        told: defaultdict[Cell, list[Said]] = defaultdict(list)
        for said in rows:
            told[plan.key(cell_of(said.row))].append(said)
        for same in told.values():
            self.settle(plan, again.counting(same))

    def settle(self, plan: SnapshotPlan, told: list[Said]) -> None:
        """told: of several files only where they are to be added."""
        stored = plan.at(cell_of(told[-1].row))
        news = [said for said in told if not (stored and self.added_before(stored, said))]
        self.tally.count("unchanged", len(told) - len(news))
        if not news:
            return
        row, amount = news[-1].row, sum((amount_of(said.row) for said in news), Decimal("0.00"))
        names = (stored[0].provider, stored[0].gpu_type) if stored else (row.provider, row.gpu_type)
        figure = Figure(row.day, *names, amount)
        if amount == self.beside.whole_cost(plan, figure, stored):
            self.tally.count("unchanged", len(news))
        elif not stored and abs(amount) < TOO_MUCH:
            self.beside.meet(plan.key(figure.cell))
            self.tally.count(plan.put(figure, []), len(news))
        elif stored and self.on_conflict != "add" and plan.amount_of(stored) == amount:
            self.tally.count("unchanged", len(news))
        elif self.on_conflict == "refuse" and all(is_of_a_csv(one) for one in stored):
            self.tally.count(plan.put(figure, stored))
        else:
            self.settle_conflict(plan, news, figure, stored)

    def settle_conflict(
        self, plan: SnapshotPlan, told: list[Said], figure: Figure, stored: list[Any]
    ) -> None:
        there = plan.amount_of(stored)
        if self.on_conflict == "keep":
            self.tally.ignore(KEPT)
        elif self.on_conflict == "replace":
            self.tally.count(plan.put(figure, stored))
        elif self.on_conflict == "add" and abs(there + figure.amount) < TOO_MUCH:
            both = Figure(figure.day, figure.provider, figure.gpu_type, there + figure.amount)
            self.tally.count(plan.put(both, stored), len(told))
        else:
            self.refuse(plan, told, figure, stored)

    def refuse(self, plan: SnapshotPlan, told: list[Said], figure: Figure, stored: list[Any]) -> None:
        cell, last = " ".join(map(str, figure.cell)), told[-1]
        expected = f"a sum for {cell} below {TOO_MUCH:,}"
        if stored:
            there = plan.amount_of(stored)
            expected = f"{there}, the figure stored for {cell}, {whose(stored)}: {CHOICES}"
            self.tally.conflicts += 1
        value = format(figure.amount, "f")
        self.tally.refuse(last.name, Refused(last.row.line, AMOUNT[plan.model], value, expected), len(told))

    def added_before(self, stored: list[Any], said: Said) -> bool:
        """The stored sum holds this very file's figure already."""
        if not said.digest or self.on_conflict == "replace":
            return False
        return self.held.by_all(stored, self.contents.digests(said.digest), amount_of(said.row))

    def write(self, run: ImportRun) -> None:
        for plan in self.plans:
            plan.write(run)
