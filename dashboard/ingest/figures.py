"""The snapshots that follow from bill lines, and what to do where a figure stands that no bill brought."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..models import BillLine, CostSnapshot, ImportRun, UsageSnapshot
from ..money import WIDE
from ..naming import Names
from ..scope import shift_month
from .deliveries import Draft, Line, in_force
from .derive import Group, Sum, all_groups, figures, group_of, line_sums, reach
from .records import Refused
from .snapshots import AMOUNT, CHOICES, TOO_MUCH, Cell, SnapshotPlan, whose
from .summary import Tally

ENTERED_ACCOUNT = "(entered)"
ENTERED_HOURS = "GPU-hours"  # service category of an entered line that holds hours, not dollars
TABLES = (CostSnapshot, UsageSnapshot)


class Deriving:
    """Snapshots of whole months of providers and GPU types, brought in line with sums of lines."""

    def __init__(self, groups: set[Group], names: Names, lock: bool) -> None:
        self.groups = groups
        self.plans = {model: SnapshotPlan(model, names, reach(groups), lock) for model in TABLES}

    def settle(self, sums: dict[Cell, Sum], taken: dict[Any, set[Cell]]) -> None:
        """Entered figures stay, but for the cells in `taken`, which the lines take over."""
        for model, plan in self.plans.items():
            made = figures(model, sums)
            for cell in sorted(made.keys() | self.derived_before(plan)):
                stored = plan.at(cell)
                own, entered = own_of(cell, stored), [row for row in stored if not row.from_lines]
                if entered and not own and cell not in taken[model]:
                    continue
                if cell in made:
                    plan.put(made[cell], own or entered)
                else:
                    for row in own:
                        plan.remove(row)

    def derived_before(self, plan: SnapshotPlan) -> set[Cell]:
        rows = (row for same in plan.stored.values() for row in same if row.from_lines)
        cells = {(row.date, row.provider, row.gpu_type) for row in rows}
        return {cell for cell in cells if group_of(cell) in self.groups}

    def write(self, run: ImportRun | None) -> None:
        for plan in self.plans.values():
            plan.write(run)


def own_of(cell: Cell, stored: list[Any]) -> list[Any]:
    """Of the rows in the place of a cell, the one that its lines made."""
    return [row for row in stored if row.from_lines and (row.provider, row.gpu_type) == cell[1:]]


def rebuild(names: Names) -> dict[str, int]:
    """Derives every snapshot of bill lines again; how many rows changed, per table."""
    groups = all_groups()
    for model in TABLES:
        derived = model.objects.filter(from_lines=True).values_list("date", "provider", "gpu_type")
        groups |= {group_of(cell) for cell in derived}
    deriving = Deriving(groups, names, lock=True)
    deriving.settle(line_sums(groups), {model: set() for model in TABLES})
    deriving.write(None)
    return {model._meta.db_table: plan.size for model, plan in deriving.plans.items()}


class BillFigures:
    """What the changed deliveries do to the snapshots."""

    def __init__(self, drafts: list[Draft], names: Names, lock: bool) -> None:
        self.drafts, self.names = drafts, names
        groups = {group for draft in drafts for group in draft.groups()}
        self.deriving = Deriving(groups, names, lock)
        replaced = [one.pk for draft in drafts for one in draft.replaces]
        self.before = line_sums(groups)
        self.after = line_sums(groups, without=replaced)
        for draft in drafts:
            add_lines(self.after, draft)
        self.refused: set[Cell] = set()
        self.entered: list[Draft] = []

    def settle(self, on_conflict: str, tally: Tally) -> None:
        self.refuse_too_much(tally)
        contested = {model: self.contested(model) for model in TABLES}
        taken: dict[Any, set[Cell]] = {model: set() for model in TABLES}
        if on_conflict == "refuse":
            for model, cells in contested.items():
                self.refuse(model, cells, tally)
        elif on_conflict == "keep":
            for model, cells in contested.items():
                if cells:
                    table = model._meta.verbose_name_plural
                    tally.notes.append(f"{len(cells)} {table} keep the figure that was there.")
        else:
            taken = {model: set(cells) for model, cells in contested.items()}
            if on_conflict == "add":
                self.entered = self.entered_drafts(contested)
        self.deriving.settle(self.after, taken)

    def contested(self, model: Any) -> dict[Cell, Decimal]:
        """Cell → what the bill says, where an entered figure says something else and the lines are new.

        An entered figure beside one of lines, which an alias has brought together, is not in their place.
        """
        plan, found = self.deriving.plans[model], {}
        for cell, figure in figures(model, self.after).items():
            entered = [row for row in plan.at(cell) if not row.from_lines]
            news = self.before.get(cell, Sum()).of(model) != self.after[cell].of(model)
            beside = own_of(cell, plan.at(cell))
            if entered and news and not beside and plan.amount_of(entered) != figure.amount:
                found[cell] = figure.amount
        return found

    def refuse(self, model: Any, cells: dict[Cell, Decimal], tally: Tally) -> None:
        plan = self.deriving.plans[model]
        for cell, amount in cells.items():
            entered = [row for row in plan.at(cell) if not row.from_lines]
            there, name = plan.amount_of(entered), " ".join(map(str, cell))
            expected = f"{there}, the figure stored for {name}, {whose(entered)}: {CHOICES}"
            tally.conflicts += 1
            self.refuse_cell(cell, AMOUNT[model], amount, expected, tally)

    def refuse_too_much(self, tally: Tally) -> None:
        for model in TABLES:
            for cell, figure in figures(model, self.after).items():
                if abs(figure.amount) >= TOO_MUCH:
                    expected = f"a day's sum below {TOO_MUCH:,}"
                    self.refuse_cell(cell, AMOUNT[model], figure.amount, expected, tally)

    def refuse_cell(self, cell: Cell, column: str, amount: Decimal, expected: str, tally: Tally) -> None:
        lines = [
            line for draft in self.drafts for key, line in draft.lines.items() if draft.cell(key) == cell
        ]
        first = min(lines, key=lambda line: line.line, default=None)
        rows = 0 if cell in self.refused else sum(line.rows for line in lines)
        self.refused.add(cell)
        why = Refused(first.line if first else 0, column, format(amount, "f"), expected)
        tally.refuse(first.file if first else "", why, rows)

    def entered_drafts(self, contested: dict[Any, dict[Cell, Decimal]]) -> list[Draft]:
        """The entered figures as lines of deliveries of their own, so that the sum outlives the next bill."""
        drafts: dict[Group, Draft] = {}
        for model, cells in contested.items():
            plan = self.deriving.plans[model]
            for cell in cells:
                amount = plan.amount_of(row for row in plan.at(cell) if not row.from_lines)
                provider, month = cell[1], cell[0].replace(day=1)
                key = (plan.key(cell)[1], "", month)
                if key not in drafts:
                    drafts[key] = entered_draft(provider, month, self.names)
                add_entered(drafts[key], model, cell, amount)
                self.after[cell].add(*((amount, None) if model is CostSnapshot else (None, amount)))
        return list(drafts.values())

    def report(self, tally: Tally) -> None:
        for draft in self.entered:
            draft.report(tally)
        for plan in self.deriving.plans.values():
            plan.report(tally)

    def write(self, run: ImportRun) -> None:
        for draft in self.entered:
            draft.write(run)
        self.deriving.write(run)


def add_lines(sums: dict[Cell, Sum], draft: Draft) -> None:
    credit = draft.credit_per_dollar()
    for key, line in draft.lines.items():
        if key[-1]:
            cost, gpu_hours = line.cost, line.stored()[2]
            total = sums.setdefault(draft.cell(key), Sum())
            total.add(cost, gpu_hours)
            if credit and cost > 0:
                total.add(WIDE.multiply(cost, credit), None)


def entered_draft(provider: str, month: Any, names: Names) -> Draft:
    """With what was entered and added earlier for that provider and month."""
    draft = Draft(provider, ENTERED_ACCOUNT, month, shift_month(month, 1))
    draft.settle(in_force(draft, names))
    for key, (billed, effective, gpu_hours, rows) in draft.old_lines.items():
        draft.lines[key] = Line("", 0, billed, effective, gpu_hours, rows)
    return draft


def add_entered(draft: Draft, model: Any, cell: Cell, amount: Decimal) -> None:
    day, _, gpu_type = cell
    hours = model is UsageSnapshot
    key = (day, "", "", BillLine.Kind.ENTERED.value, ENTERED_HOURS if hours else "", gpu_type)
    line = draft.lines.setdefault(key, Line("", 0))
    line.rows += 1
    if hours:
        line.gpu_hours = amount + (line.gpu_hours or 0)
    else:
        line.billed, line.effective = line.billed + amount, line.effective + amount
