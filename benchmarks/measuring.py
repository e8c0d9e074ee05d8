"""What a run costs, runs of several things in turn, and the ratio of their medians."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Cost:
    """Seconds: CPU of the application, CPU of the database, and on the clock. said: what else came of it."""

    app: float
    db: float
    wall: float
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        return self.app + self.db

    def each(self, number: int) -> Cost:
        """Of one of that many rows or saves."""
        return Cost(self.app / number, self.db / number, self.wall / number, self.said)


@dataclass
class Runs:
    costs: list[Cost] = field(default_factory=list)

    @property
    def app(self) -> float:
        return median(cost.app for cost in self.costs)

    @property
    def db(self) -> float:
        return median(cost.db for cost in self.costs)

    @property
    def cpu(self) -> float:
        return median(cost.cpu for cost in self.costs)

    @property
    def wall(self) -> float:
        return median(cost.wall for cost in self.costs)

    def said(self, name: str) -> list[Any]:
        return [cost.said[name] for cost in self.costs if name in cost.said]


def interleaved(things: Mapping[str, Callable[[], Cost]], runs: int = 7, warm: int = 1) -> dict[str, Runs]:
    """ABAB…: whatever else the machine does meets all of them alike. What warms up is not kept."""
    found = {name: Runs() for name in things}
    for turn in range(warm + runs):
        for name, run in things.items():
            cost = run()
            if turn >= warm:
                found[name].costs.append(cost)
    return found


@dataclass(frozen=True)
class Goal:
    """value: None where it could not be measured."""

    of: str
    value: float | None
    limit: float
    unit: str = "×"
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def share(self) -> float | None:
        """Of what is allowed: 1 is just met, more is missed. None where nothing at all is allowed."""
        if self.value is None or not self.limit:
            return None
        used = self.limit / self.value if self.at_least and self.value else self.value / self.limit
        return max(used, 1e-6)

    @property
    def in_words(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g} {self.unit}".strip()


@dataclass(frozen=True)
class Table:
    """What was measured, a line for each thing; cells are text."""

    columns: tuple[str, ...]
    lines: Sequence[tuple[str, ...]]


@dataclass
class Result:
    goals: list[Goal] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def and_of(self, other: Result) -> Result:
        self.goals += other.goals
        self.tables += other.tables
        self.notes += other.notes
        return self


def number(value: float) -> str:
    """Three digits, and none that say nothing: 0.812, 1.27, 15, 2,900."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    places = 3 if abs(value) < 0.1 else 2 if abs(value) < 10 else 1
    return f"{value:.{places}f}" if abs(value) >= 0.001 else f"{value:.2g}"


UNITS = {"s": 1.0, "ms": 1e3, "µs": 1e6}


def figures(runs: Runs, unit: str = "ms") -> tuple[str, ...]:
    """Application, database, both, and wall, as cells."""
    return tuple(number(value * UNITS[unit]) for value in (runs.app, runs.db, runs.cpu, runs.wall))


def columns(first: str, unit: str = "ms", *more: str) -> tuple[str, ...]:
    return (first, *(f"{name}, {unit}" for name in ("app CPU", "database CPU", "CPU", "wall")), *more)


# Several things, each measured beside little and beside much

Compared = Mapping[str, Mapping[str, Runs]]


def ratio(runs: Mapping[str, Runs]) -> float:
    """Of the last to the first, by the median of their CPU."""
    few, *_, many = runs.values()
    return many.cpu / few.cpu


def worst(found: Compared, of: str, limit: float) -> Goal:
    name = max(found, key=lambda name: ratio(found[name]))
    return Goal(of.format(name), ratio(found[name]), limit)


def table(found: Compared, what: str) -> Table:
    lines = [line for name, runs in found.items() for line in lines_of(name, runs)]
    beside, *more = columns("beside")
    return Table((what, beside, *more, "ratio"), lines)


def lines_of(name: str, runs: Mapping[str, Runs]) -> Iterator[tuple[str, ...]]:
    for place, (label, some) in enumerate(runs.items()):
        last = place == len(runs) - 1
        yield "" if place else name, label, *figures(some), number(ratio(runs)) if last else ""
