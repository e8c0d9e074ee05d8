"""Why one period cost more than another: volume, mix, rate, what is new and what is gone, to the cent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from ..money import settle
from ..naming import Names
from ..scope import Scope
from .compare import Sides
from .kinds import NO_COST, Bought, bought

Cell = tuple[str, str, str]  # provider, GPU type, kind
ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Side:
    """Cents and metered hours of a cell in one period. without_hours: cents of days that nobody metered."""

    cents: int
    gpu_hours: Decimal | None = None
    without_hours: int = 0

    @property
    def is_priced(self) -> bool:
        """Whether a rate can be told: hours and cost are above zero."""
        return self.gpu_hours is not None and self.gpu_hours > 0 and self.cents > 0

    @property
    def rate(self) -> Decimal | None:
        """USD per GPU-hour."""
        if self.gpu_hours is None or not self.is_priced:
            return None
        return Decimal(self.cents).scaleb(-2) / self.gpu_hours


@dataclass(frozen=True, slots=True)
class Parts:
    """Cents of a difference, in the order of the bridge. What fits no other part is no_rate."""

    volume: int = 0
    mix: int = 0
    rate: int = 0
    new: int = 0
    gone: int = 0
    no_rate: int = 0

    @property
    def total(self) -> int:
        return sum(astuple(self))

    def __add__(self, other: Parts) -> Parts:
        return Parts(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Step:
    """How one provider, GPU type and kind changed; a side is None where it has no cost at all."""

    provider: str
    gpu_type: str
    kind: str
    before: Side | None
    now: Side | None
    parts: Parts

    @property
    def change(self) -> int:
        return cents_of(self.now) - cents_of(self.before)

    @property
    def has_rates(self) -> bool:
        """In both periods, so that hours and rate can be told apart."""
        return bool(self.before and self.before.is_priced and self.now and self.now.is_priced)


@dataclass(frozen=True)
class Bridge:
    """steps: the largest change first."""

    steps: list[Step]

    @property
    def in_both(self) -> Bridge:
        return Bridge([step for step in self.steps if step.has_rates])

    @property
    def hours(self) -> tuple[Decimal, Decimal]:
        """Before and now."""
        before = (step.before.gpu_hours for step in self.steps if step.before and step.before.gpu_hours)
        now = (step.now.gpu_hours for step in self.steps if step.now and step.now.gpu_hours)
        return sum(before, Decimal(0)), sum(now, Decimal(0))

    @property
    def without_hours(self) -> tuple[int, int]:
        """Before and now, cents of rates that have no hours on their days."""
        steps = self.in_both.steps
        before = sum(step.before.without_hours for step in steps if step.before)
        return before, sum(step.now.without_hours for step in steps if step.now)

    @cached_property
    def parts(self) -> Parts:
        return sum((step.parts for step in self.steps), Parts())

    @property
    def before(self) -> int:
        return sum(cents_of(step.before) for step in self.steps)

    @property
    def now(self) -> int:
        return sum(cents_of(step.now) for step in self.steps)

    @property
    def change(self) -> int:
        return self.now - self.before

    def by(self, key: Callable[[Step], str]) -> dict[str, Bridge]:
        groups: defaultdict[str, list[Step]] = defaultdict(list)
        for step in self.steps:
            groups[key(step)].append(step)
        return {name: Bridge(groups[name]) for name in sorted(groups, key=str.casefold)}


def bridge(scope: Scope, sides: Sides, names: Names) -> Bridge:
    before, now = (by_cell(bought(scope.over(span), names)) for span in (sides.before, sides.now))
    return bridged(before, now)


def by_cell(found: Iterable[Bought]) -> dict[Cell, Side]:
    """Hours without any cost row are no part of what was spent."""
    cents: defaultdict[Cell, int] = defaultdict(int)
    without_hours: defaultdict[Cell, int] = defaultdict(int)
    hours: dict[Cell, Decimal] = {}
    for one in found:
        if one.kind == NO_COST:
            continue
        cell = one.provider, one.gpu_type, one.kind
        cents[cell] += one.cents
        if one.gpu_hours is None:
            without_hours[cell] += one.cents
        else:
            hours[cell] = hours.get(cell, Decimal(0)) + one.gpu_hours
    return {cell: Side(amount, hours.get(cell), without_hours[cell]) for cell, amount in cents.items()}


def bridged(before: dict[Cell, Side], now: dict[Cell, Side]) -> Bridge:
    growth = growth_of(before, now)
    steps = [
        Step(*cell, before.get(cell), now.get(cell), parts_of(before.get(cell), now.get(cell), growth))
        for cell in sorted(before.keys() | now.keys())
    ]
    return Bridge(sorted(steps, key=lambda step: -abs(step.change)))


def growth_of(before: dict[Cell, Side], now: dict[Cell, Side]) -> Fraction:
    """New hours ÷ old hours of the cells that have a rate in both periods; 1 where there are none."""
    both = [cell for cell in before.keys() & now.keys() if before[cell].is_priced and now[cell].is_priced]
    old, new = (sum((hours_of(side[cell]) for cell in both), ZERO) for side in (before, now))
    return new / old if old else Fraction(1)


def parts_of(before: Side | None, now: Side | None, growth: Fraction) -> Parts:
    """volume: all hours grow alike; mix: these grew otherwise; both at the old rate. Σ parts = Δcost."""
    change = cents_of(now) - cents_of(before)
    if not all(side is None or side.is_priced for side in (before, now)):
        return Parts(no_rate=change)
    if before is None:
        return Parts(new=change)
    if now is None:
        return Parts(gone=change)
    own_growth = hours_of(now) / hours_of(before)
    exact = (
        before.cents * (growth - 1),
        before.cents * (own_growth - growth),
        now.cents - before.cents * own_growth,
    )
    return Parts(*settle(change, [part / 100 for part in exact]))


def cents_of(side: Side | None) -> int:
    return side.cents if side else 0


def hours_of(side: Side) -> Fraction:
    return Fraction(side.gpu_hours or 0)


@dataclass(frozen=True, slots=True)
class Reason:
    """The part of one cell that moved the total most, one way or the other.

    part: hours (volume and mix), rate, new, gone or no_rate; cents: signed.
    """

    step: Step
    part: str
    cents: int


def reasons(found: Bridge) -> tuple[Reason | None, Reason | None]:
    """The largest reason for the difference and the largest against it."""
    moved = [reason for step in found.steps for reason in reasons_of(step) if reason.cents]
    up = found.change > 0
    with_it = [reason for reason in moved if (reason.cents > 0) == up]
    against = [reason for reason in moved if (reason.cents > 0) != up]
    return largest(with_it), largest(against)


def reasons_of(step: Step) -> list[Reason]:
    parts = step.parts
    amounts = {
        "hours": parts.volume + parts.mix,
        "rate": parts.rate,
        "new": parts.new,
        "gone": parts.gone,
        "no_rate": parts.no_rate,
    }
    return [Reason(step, part, cents) for part, cents in amounts.items()]


def largest(found: list[Reason]) -> Reason | None:
    return max(found, key=lambda reason: abs(reason.cents), default=None)
