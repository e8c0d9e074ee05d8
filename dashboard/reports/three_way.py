"""Cost, metered and job hours of a cell side by side: which of the three are there, and what is at stake."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from ..glossary import term
from ..naming import Names
from ..scope import Scope
from .usage import Hours, Sum, cells, total

OVER_REPORTED = "over-reported"
TOLERANCE = Decimal("0.01")  # hours


@dataclass(frozen=True, slots=True)
class State:
    """One of the seven. has: cost, metered hours, job hours."""

    key: str
    has: tuple[bool, bool, bool]

    @property
    def anchor(self) -> str:
        return f"state-{self.key}"

    @property
    def name(self) -> str:
        return term(self.anchor).name

    @property
    def meaning(self) -> str:
        return term(self.anchor).meaning


STATES = (
    State("matched", (True, True, True)),
    State("nobody-ran", (True, True, False)),
    State("not-metered", (True, False, True)),
    State("cost-only", (True, False, False)),
    State("not-billed", (False, True, True)),
    State("metered-only", (False, True, False)),
    State("jobs-only", (False, False, True)),
)
BY_KEY = {state.key: state for state in STATES}
BY_PRESENCE = {state.has: state for state in STATES}


def state_of(cell: Hours) -> State:
    """A stored 0.00 is there; a job without hours is not."""
    present = cell.usd is not None, cell.metered is not None, cell.job_microseconds > 0
    return BY_PRESENCE[present]


def excess(cell: Hours) -> Decimal | None:
    """Job hours beyond the metered ones; None within 0.01 h of them and where nothing is metered."""
    if cell.metered is None or cell.job_hours - cell.metered <= TOLERANCE:
        return None
    return cell.job_hours - cell.metered


def at_stake(cell: Hours) -> tuple[Decimal, Decimal]:
    """Money before hours, whichever way they point."""
    return abs(cell.usd or Decimal(0)), max(cell.metered or Decimal(0), cell.job_hours)


@dataclass(frozen=True)
class Match:
    """cells: in the order of `ranked`."""

    cells: list[Hours]

    @cached_property
    def by_state(self) -> dict[str, list[Hours]]:
        found: dict[str, list[Hours]] = {state.key: [] for state in STATES}
        for cell in self.cells:
            found[state_of(cell).key].append(cell)
        return found

    @cached_property
    def over_reported(self) -> list[Hours]:
        """The largest excess first."""
        over = [(excess(cell), cell) for cell in self.cells]
        found = [(hours, cell) for hours, cell in over if hours is not None]
        return [cell for _, cell in sorted(found, key=lambda pair: -pair[0])]

    @cached_property
    def total(self) -> Sum:
        return total(self.cells)

    def sums(self) -> dict[str, Sum]:
        return {key: total(found) for key, found in self.by_state.items()}

    def of(self, key: str) -> list[Hours]:
        """The cells of a state, the over-reported ones, or all where there is no such state."""
        if key == OVER_REPORTED:
            return self.over_reported
        return self.by_state.get(key, self.cells)


def match(scope: Scope, names: Names) -> Match:
    return Match(ranked(cells(scope, names)))


def ranked(found: Iterable[Hours]) -> list[Hours]:
    """What does not match first; by money, then by hours, then the oldest."""
    by_stake = sorted(found, key=lambda cell: tuple(-amount for amount in at_stake(cell)))
    return sorted(by_stake, key=lambda cell: all(state_of(cell).has))
