"""Which days of one provider's GPU type stand out of what its weekdays cost before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from statistics import median

from ..scope import ONE_DAY

# Chosen by measuring, see docs/anomalies.md.
WEEKS = 8  # of the same weekday
RECENT = 28  # days whose distance from their weekday's median tells drift and noise
LEAST_DAYS, LEAST_WEEKS = 21, 3  # with less history nothing is said
THRESHOLD = 6  # times the noise
LEAST_NOISE = Fraction(2, 100)  # of what is expected, where days hardly differ
LASTING = 7  # days that stay off are a new level
PAUSE = 2  # days that were as expected do not end it: weekends often are
MAD_TO_SIGMA = Fraction(14826, 10000)

Floor = Callable[[date], int]


@dataclass(frozen=True, slots=True)
class Point:
    """What a cell cost on a day, in cents, and its metered GPU-hours where they are known."""

    cents: int
    gpu_hours: Decimal | None = None

    @property
    def rate(self) -> Fraction | None:
        """Cents per GPU-hour."""
        if not self.gpu_hours or self.gpu_hours <= 0 or self.cents <= 0:
            return None
        return self.cents / Fraction(self.gpu_hours)


@dataclass(frozen=True, slots=True)
class Off:
    """A day beside what was expected of it. point None: the day has no row, which is not nought."""

    day: date
    expected: int
    rate: Fraction | None = None
    point: Point | None = None

    @property
    def by_hours(self) -> Fraction | None:
        """Δhours × old rate, in cents; None where hours or the old rate are not known."""
        if self.point is None or self.point.gpu_hours is None or self.rate is None or self.expected <= 0:
            return None
        return Fraction(self.point.gpu_hours) * self.rate - self.expected

    @property
    def expected_hours(self) -> Fraction | None:
        return self.expected / self.rate if self.rate and self.expected > 0 else None


@dataclass(frozen=True, slots=True)
class Finding:
    """Days that belong together. kind: "days", "level" (its first week is told) or "missing"."""

    kind: str
    days: tuple[Off, ...]

    @property
    def first(self) -> date:
        return self.days[0].day

    @property
    def last(self) -> date:
        return self.days[-1].day

    @property
    def expected(self) -> int:
        return sum(off.expected for off in self.days)

    @property
    def actual(self) -> int | None:
        if self.kind == "missing":
            return None
        return sum(off.point.cents for off in self.days if off.point)

    @property
    def difference(self) -> int | None:
        return None if self.actual is None else self.actual - self.expected

    @property
    def severity(self) -> int:
        """Cents at stake: the difference, or what was expected of days that have no row."""
        return abs(self.expected if self.difference is None else self.difference)

    @property
    def by_hours(self) -> int | None:
        parts = [off.by_hours for off in self.days]
        known = [part for part in parts if part is not None]
        return half_up(sum(known, Fraction(0))) if len(known) == len(parts) else None

    @property
    def by_rate(self) -> int | None:
        """The rest of the difference, Δrate × new hours: both parts add up to it."""
        if self.difference is None or self.by_hours is None:
            return None
        return self.difference - self.by_hours

    @property
    def moved(self) -> str:
        """ "hours", "rate", or "" where it cannot be told."""
        if self.by_hours is None or self.by_rate is None:
            return ""
        return "hours" if abs(self.by_hours) >= abs(self.by_rate) else "rate"

    @property
    def gpu_hours(self) -> Decimal | None:
        known = [off.point.gpu_hours for off in self.days if off.point and off.point.gpu_hours is not None]
        return sum(known, Decimal(0)) if len(known) == len(self.days) else None

    @property
    def expected_hours(self) -> Decimal | None:
        known = [off.expected_hours for off in self.days if off.expected_hours is not None]
        if len(known) < len(self.days):
            return None
        total = sum(known, Fraction(0))
        return Decimal(total.numerator) / total.denominator


def half_up(amount: Fraction | float) -> int:
    """To whole cents, away from nought at the half."""
    exact = Fraction(amount)
    return int((Decimal(exact.numerator) / exact.denominator).quantize(Decimal(1), ROUND_HALF_UP))


@dataclass
class History:
    """Days that were as expected; those that stood out are kept out of it."""

    weekdays: list[deque[Point]] = field(default_factory=lambda: [deque(maxlen=WEEKS) for _ in range(7)])
    errors: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))
    length: int = 0

    def add(self, day: date, point: Point) -> None:
        same = self.weekdays[day.weekday()]
        if same:
            self.errors.append(point.cents - self.usual(day))
        same.append(point)
        self.length += 1

    def usual(self, day: date) -> int:
        return half_up(median(point.cents for point in self.weekdays[day.weekday()]))

    def knows(self, day: date) -> bool:
        return self.length >= LEAST_DAYS and len(self.weekdays[day.weekday()]) >= LEAST_WEEKS

    def expected(self, day: date) -> int:
        """The weekday's median, and by how much days lately were off theirs: that is drift."""
        return self.usual(day) + self.drift

    @property
    def drift(self) -> int:
        return half_up(median(self.errors)) if self.errors else 0

    def noise(self, expected: int) -> Fraction:
        drift = self.drift
        deviation = median(abs(error - drift) for error in self.errors) if self.errors else 0
        return max(MAD_TO_SIGMA * Fraction(deviation), LEAST_NOISE * abs(expected))

    def rate(self, day: date) -> Fraction | None:
        rates = [rate for point in self.weekdays[day.weekday()] if (rate := point.rate)]
        return median(rates) if rates else None

    def moved(self, found: Finding, as_before: Set[int] = frozenset()) -> History:
        """As if all of it had been on the new level, so that weekdays and noise stay known.

        as_before: weekdays that stayed on the old one.
        """
        ratios = [Fraction(off.point.cents, off.expected) for off in found.days if off.point and off.expected]
        by = median(ratios) if ratios else Fraction(0)
        if by <= 0 or found.expected <= 0:
            return History()
        new = History(length=self.length)
        hours = hours_ratio(found)
        for weekday, points in enumerate(self.weekdays):
            stays = weekday in as_before
            new.weekdays[weekday].extend(points if stays else (scaled(one, by, hours) for one in points))
        new.errors.extend(half_up(error * by) for error in self.errors)
        return new


def hours_ratio(found: Finding) -> Fraction:
    if not found.gpu_hours or not found.expected_hours:
        return Fraction(1)
    return Fraction(found.gpu_hours) / Fraction(found.expected_hours)


def scaled(point: Point, by: Fraction, hours_by: Fraction) -> Point:
    hours = point.gpu_hours
    if hours is not None:
        hours *= Decimal(hours_by.numerator) / hours_by.denominator
    return Point(half_up(point.cents * by), hours)


@dataclass
class Walk:
    """Goes through a cell's days, oldest first. unsaid: days that have a row which tells nothing."""

    floor: Floor
    unsaid: Set[date] = frozenset()
    history: History = field(default_factory=History)
    spell: list[Off] = field(default_factory=list)
    pause: int = 0
    as_before: set[int] = field(default_factory=set)
    last: date | None = None
    unbroken: int = 0

    def over(self, points: Mapping[date, Point], through: date) -> Iterator[Finding]:
        for day in sorted(points):
            if day > through:
                break
            yield from self.missing(day)
            yield from self.take(day, points[day])
        yield from self.missing(through + ONE_DAY)
        yield from self.over_with()

    def missing(self, day: date) -> Iterator[Finding]:
        """A gap in rows that came every day for four weeks; a cell that bills now and then has none."""
        days = self.gap_before(day)
        if days and self.unbroken >= RECENT:
            off = [Off(one, self.history.expected(one)) for one in days if self.history.knows(one)][:LASTING]
            if off and sum(one.expected for one in off) >= self.floor(days[0]):
                yield from self.over_with()
                yield Finding("missing", tuple(off))
        self.unbroken = 0 if days else self.unbroken + 1
        self.last = day

    def gap_before(self, day: date) -> list[date]:
        if self.last is None:
            return []
        between = ((self.last + timedelta(n)) for n in range(1, (day - self.last).days))
        return [one for one in between if one not in self.unsaid]

    def take(self, day: date, point: Point) -> Iterator[Finding]:
        if not self.history.knows(day):
            self.history.add(day, point)
            return
        off = Off(day, self.history.expected(day), self.history.rate(day), point)
        if self.spell and self.goes_on(off):
            self.spell.append(off)
            self.pause = 0
        elif self.stands_out(off):
            yield from self.over_with()
            self.spell.append(off)
        else:
            yield from self.as_expected(off)
        if len(self.spell) == LASTING:
            yield self.settle()

    def as_expected(self, off: Off) -> Iterator[Finding]:
        if self.spell:
            self.pause += 1
            self.as_before.add(off.day.weekday())
        if self.pause > PAUSE:
            yield from self.over_with()
        if off.point:
            self.history.add(off.day, off.point)

    def stands_out(self, off: Off, share: Fraction = Fraction(1)) -> bool:
        limit = max(THRESHOLD * self.history.noise(off.expected), Fraction(self.floor(off.day)))
        return abs(distance(off)) >= limit * share

    def goes_on(self, off: Off) -> bool:
        """Half of the way off, to the same side, still belongs to the days before."""
        same_side = (distance(off) > 0) == (distance(self.spell[0]) > 0)
        return same_side and self.stands_out(off, Fraction(1, 2))

    def settle(self) -> Finding:
        found = Finding("level", tuple(self.spell))
        self.history = self.history.moved(found, self.as_before - {off.day.weekday() for off in found.days})
        self.begin_anew()
        for off in found.days:
            if off.point:
                self.history.add(off.day, off.point)
        return found

    def over_with(self) -> Iterator[Finding]:
        if self.spell:
            yield Finding("days", tuple(self.spell))
            self.begin_anew()

    def begin_anew(self) -> None:
        self.spell, self.pause, self.as_before = [], 0, set()


def distance(off: Off) -> int:
    return off.point.cents - off.expected if off.point else -off.expected


def findings(
    points: Mapping[date, Point], through: date, floor: Floor, unsaid: Set[date] = frozenset()
) -> list[Finding]:
    """through: the last closed day. floor: the least difference in cents that counts on a day."""
    return list(Walk(floor, unsaid).over(points, through))


def floor_of(totals: Mapping[date, int], share: Fraction, least: int) -> Floor:
    """A share of the median day of all cells together over the four weeks before, in cents."""
    known: dict[date, int] = {}

    def floor(day: date) -> int:
        if day not in known:
            before: Iterable[date] = (day - timedelta(n) for n in range(1, RECENT + 1))
            days = [totals[one] for one in before if one in totals]
            known[day] = max(least, half_up(median(days) * share) if days else least)
        return known[day]

    return floor
