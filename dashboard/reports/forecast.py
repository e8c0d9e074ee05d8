"""What a month or quarter will cost: what is booked of closed days, and what the other days are expected to.

Each provider's days are read for themselves. Its level is the trimmed mean of its last seven known days,
weekdays evened out by the eight weeks before; where its last fortnights all rose or all fell, half of that
slope goes on. Expected amounts are estimates and computed in floats; what is booked stays exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import groupby, islice
from math import ceil
from statistics import fmean, median
from typing import Any

from ..clock import today
from ..money import carry_cents, to_cents
from ..naming import Names
from ..remembered.by_value import ByValue
from ..scope import ONE_DAY, Scope, Span, bucket_end, bucket_start, shift_month
from . import spend
from .freshness import GONE_AFTER as LATE_AFTER
from .freshness import Freshness

WEEK = timedelta(days=7)
WEEKS = 8  # by which weekdays are told apart, and in which a slope shows
LEVEL_DAYS = 7
FEWEST_DAYS = 7
GONE_AFTER = timedelta(days=14)  # of closed days without a row nothing more is expected of a provider
CARRIED_ON = 0.5  # of a slope
HELD = 0.8  # share of the cases in which what comes lies within the band
BAND_WEEKS = 26
BAND_STEP = timedelta(days=5)
FEWEST_ERRORS = 8
MONTHS_BACK = 6
ASKED_ON = (5, 10, 20)
# For six months of past answers, each with a band of its own and the weeks before.
HISTORY = timedelta(days=31 * MONTHS_BACK + 7 * BAND_WEEKS + 92 + 7 * WEEKS)
ZERO = Decimal("0.00")
TOO_LITTLE = f"fewer than {FEWEST_DAYS} closed days are known"


@dataclass(frozen=True, eq=False)
class Daily(ByValue):
    """A provider's USD by day. through: its last closed day; lag: days after which a day is closed.

    late: others have billed on for so long that this one has ended. A day without a row is unknown. Rows
    after `through` are of open days and tell nothing yet.
    """

    provider: str
    usd: Mapping[date, Decimal]
    through: date
    lag: int = 1
    late: bool = False

    @property
    def content(self) -> tuple[Any, ...]:
        return self.provider, self.through, self.lag, self.late, tuple(sorted(self.usd.items()))

    @cached_property
    def known(self) -> dict[date, float]:
        """Of closed days."""
        return {day: float(amount) for day, amount in self.usd.items() if day <= self.through}

    def closed_by(self, day: date) -> date:
        """The last day that was closed when that day began."""
        return min(self.through, day - (1 + self.lag) * ONE_DAY)

    def as_of(self, asked_on: date | None) -> Daily:
        """When that day began; None for now. What ended later than that had not ended."""
        had_ended = asked_on is None or asked_on > self.through + LATE_AFTER
        return replace(self, late=False) if self.late and not had_ended else self

    def booked(self, span: Span, through: date) -> Decimal:
        return sum((self.usd[day] for day in span if day <= through and day in self.usd), ZERO)


# One provider


@dataclass(frozen=True, slots=True)
class Fit:
    """A day costs (level + slope × days after `through`) × the factor of its weekday."""

    through: date
    level: float
    slope: float
    factors: tuple[float, ...]

    def on(self, day: date) -> float:
        ahead = (day - self.through).days
        return (self.level + self.slope * ahead) * self.factors[day.weekday()]

    def over(self, days: Iterable[date]) -> float:
        return sum(map(self.on, days))


NOTHING = (1.0,) * 7


def fit(known: Mapping[date, float], through: date) -> Fit | None:
    """known: USD by day; none after `through` is looked at. None where there is no day, or none lately."""
    days = Span.inclusive(through - WEEKS * WEEK + ONE_DAY, through)
    recent = [(day, known[day]) for day in days if day in known]
    if not recent or recent[-1][0] <= through - GONE_AFTER:
        return None
    factors = weekday_factors(dict(recent))
    even = [(day, amount / factors[day.weekday()]) for day, amount in recent]
    slope = slope_of(even, through)
    last = [amount - slope * (day - through).days for day, amount in even[-LEVEL_DAYS:]]
    return Fit(through, trimmed_mean(last), slope, factors)


def weekday_factors(known: Mapping[date, float]) -> tuple[float, ...]:
    """Of Monday to Sunday, 1 on average: the median ratio of such a day to the seven days around it."""
    ratios: defaultdict[int, list[float]] = defaultdict(list)
    for day, amount in known.items():
        around = [known.get(day + n * ONE_DAY) for n in range(-3, 4)]
        mean = fmean(near) if len(near := [one for one in around if one is not None]) == 7 else 0.0
        if mean > 0 and amount > 0:
            ratios[day.weekday()].append(amount / mean)
    if len(ratios) < 7 or min(map(len, ratios.values())) < 2:
        return NOTHING
    factors = [median(ratios[weekday]) for weekday in range(7)]
    mean = fmean(factors)
    return tuple(factor / mean for factor in factors)


def slope_of(even: Sequence[tuple[date, float]], through: date) -> float:
    """USD a day, of what weeks differ by; 0 unless the last three fortnights went one way."""
    weeks = {
        age: median(amount for _, amount in days)
        for age, days in groupby(even, key=lambda one: (through - one[0]).days // 7)
    }
    if len(weeks) < WEEKS:
        return 0.0
    older, newer, newest = (fmean(weeks[age] for age in ages) for ages in ((4, 5), (2, 3), (0, 1)))
    if not (older < newer < newest or older > newer > newest):
        return 0.0
    slopes = [(weeks[a] - weeks[b]) / (7 * (b - a)) for a in range(WEEKS) for b in range(a + 1, WEEKS)]
    return CARRIED_ON * median(slopes)


def trimmed_mean(amounts: Sequence[float]) -> float:
    """Without the highest and the lowest fifth: one odd day in a week says nothing."""
    cut = len(amounts) // 5
    return fmean(sorted(amounts)[cut : len(amounts) - cut])


# Several providers


@dataclass(frozen=True)
class Part:
    """days: expected USD of each day that is not closed, in cents that add up to `expected`."""

    provider: str
    booked: Decimal
    expected: Decimal
    days: Mapping[date, Decimal] = field(default_factory=dict)
    ended: bool = False

    @property
    def total(self) -> Decimal:
        return self.booked + self.expected


@dataclass(frozen=True)
class Outlook:
    """low, high: of the total; None without enough history. reason: why nothing is expected, in words."""

    span: Span
    parts: tuple[Part, ...]
    low: Decimal | None = None
    high: Decimal | None = None
    reason: str = ""

    @property
    def booked(self) -> Decimal:
        return sum((part.booked for part in self.parts), ZERO)

    @property
    def expected(self) -> Decimal:
        return sum((part.expected for part in self.parts), ZERO)

    @property
    def total(self) -> Decimal:
        return self.booked + self.expected

    @property
    def is_closed(self) -> bool:
        return not self.reason and not any(part.days or part.ended for part in self.parts)

    @property
    def days(self) -> dict[date, Decimal]:
        """Expected USD by day, ascending."""
        days: defaultdict[date, Decimal] = defaultdict(lambda: ZERO)
        for part in self.parts:
            for day, amount in part.days.items():
                days[day] += amount
        return dict(sorted(days.items()))


def outlook(series: Sequence[Daily], span: Span, asked_on: date | None = None) -> Outlook:
    """What the span will come to, by what is closed now or was when the day asked_on began."""
    return remembered(tuple(series), span, asked_on)


@lru_cache(maxsize=256)
def remembered(series: tuple[Daily, ...], span: Span, asked_on: date | None) -> Outlook:
    series = tuple(one.as_of(asked_on) for one in series)
    closed = [daily.closed_by(asked_on) if asked_on else daily.through for daily in series]
    found = without_band(series, closed, span)
    if found.reason:
        return found
    if found.is_closed:
        return replace(found, low=found.total, high=found.total)
    if not found.days:
        return found
    live = [(one, day) for one, day in zip(series, closed, strict=True) if not one.late]
    through = min(day for one, day in live if days_by(one, day))
    off = band(series, through, len(found.days))
    width = None if off is None else to_cents(abs(found.expected) * Decimal(off))
    return found if width is None else replace(found, low=found.total - width, high=found.total + width)


def without_band(series: Sequence[Daily], closed: Sequence[date], span: Span) -> Outlook:
    """Of all providers, once enough days of one of them are closed; a new one is told by the days it has."""
    begun = [(one, through) for one, through in zip(series, closed, strict=True) if days_by(one, through)]
    if not any(days_by(*one) >= FEWEST_DAYS for one in begun):
        return Outlook(span, (), reason=TOO_LITTLE if series else "nothing is stored")
    return Outlook(span, tuple(part_of(one, through, span) for one, through in begun))


def days_by(daily: Daily, through: date) -> int:
    """How many of its first few days were closed by then."""
    return sum(day <= through for day in islice(daily.known, FEWEST_DAYS))


def part_of(daily: Daily, through: date, span: Span) -> Part:
    booked, left = daily.booked(span, through), [day for day in span if day > through]
    known = fit_at(daily, through) if left and not daily.late else None
    if known is None:
        return Part(daily.provider, booked, ZERO, ended=bool(left))
    amounts = carry_cents(Decimal(known.on(day)) for day in left)
    return Part(daily.provider, booked, sum(amounts, ZERO), dict(zip(left, amounts, strict=True)))


@lru_cache(maxsize=4096)
def fit_at(daily: Daily, through: date) -> Fit | None:
    return fit(daily.known, through)


# The band: how far as many days ahead were off before


def band(series: Sequence[Daily], through: date, days: int) -> float | None:
    """The share of what is expected by which four of five past forecasts of as many days were off at most.

    Of n errors the ⌈0.8 (n + 1)⌉th is taken (split conformal prediction). None where fewer than eight are
    known.
    """
    errors = sorted(
        off for origin in origins(through, days) if (off := error(series, origin, days)) is not None
    )
    place = ceil(HELD * (len(errors) + 1))
    return errors[place - 1] if len(errors) >= FEWEST_ERRORS and place <= len(errors) else None


def origins(through: date, days: int) -> Iterator[date]:
    """Last closed days of past forecasts whose days have all come by now, from a grid that never moves."""
    last = through - days * ONE_DAY
    last -= timedelta(days=last.toordinal() % BAND_STEP.days)
    first = last - BAND_WEEKS * WEEK
    while last > first:
        yield last
        last -= BAND_STEP


def error(series: Sequence[Daily], origin: date, days: int) -> float | None:
    """|came − said| ÷ said of the days after the origin that are known; None where nothing was said."""
    said = came = 0.0
    ahead = list(Span(origin + ONE_DAY, origin + (days + 1) * ONE_DAY))
    for daily in series:
        if past := fit_at(daily, origin):
            of_them = [day for day in ahead if day in daily.known]
            said += past.over(of_them)
            came += sum(daily.known[day] for day in of_them)
    return abs(came - said) / said if said > 0 else None


# What it would have said


@dataclass(frozen=True)
class Past:
    """said, low, high: the forecast of a month as of one of its days; came: what that month came to.

    last_month and run_rate are what the two simplest guesses would have said on that day.
    """

    month: date
    asked_on: date
    said: Decimal
    came: Decimal
    low: Decimal | None
    high: Decimal | None
    last_month: Decimal | None
    run_rate: Decimal | None

    @property
    def held(self) -> bool | None:
        return None if self.low is None or self.high is None else self.low <= self.came <= self.high

    def off(self, guess: Decimal | None) -> Decimal | None:
        """(guess − came) ÷ came; None where nothing came or was guessed."""
        return None if guess is None or self.came <= 0 else (guess - self.came) / self.came


@dataclass(frozen=True)
class Record:
    """How it did, beside "last month again" and a straight run rate on the same days."""

    pasts: tuple[Past, ...]

    def error(self, way: str) -> Decimal | None:
        """The mean of |guess − came| ÷ came. way: "said", "last_month" or "run_rate"."""
        offs = [past.off(getattr(past, way)) for past in self.compared]
        known = [abs(off) for off in offs if off is not None]
        return sum(known, Decimal(0)) / len(known) if known else None

    @property
    def compared(self) -> list[Past]:
        """Where all three had something to say."""
        return [past for past in self.pasts if past.last_month is not None and past.run_rate is not None]

    @property
    def with_band(self) -> int:
        return sum(past.held is not None for past in self.pasts)

    @property
    def held(self) -> int:
        return sum(bool(past.held) for past in self.pasts)


def record(series: Sequence[Daily], months: int = MONTHS_BACK) -> Record:
    """Of the last months that are wholly closed."""
    return recorded(tuple(series), months)


@lru_cache(maxsize=32)
def recorded(series: tuple[Daily, ...], months: int) -> Record:
    if not series:
        return Record(())
    live = [daily.through for daily in series if daily.known and not daily.late]
    through = min(live) if live else max(daily.through for daily in series)
    after = (through + ONE_DAY).replace(day=1)
    wholly = [shift_month(after, -back) for back in range(months, 0, -1)]
    asked = [(month, month + (day - 1) * ONE_DAY) for month in wholly for day in ASKED_ON]
    return Record(tuple(past for month, day in asked if (past := past_of(series, month, day)) is not None))


def past_of(series: Sequence[Daily], month: date, asked_on: date) -> Past | None:
    """None where too little was known then. Days that nobody knows even now are left out of both sides."""
    span, before = Span(month, shift_month(month, 1)), Span(shift_month(month, -1), month)
    found = outlook(series, span, asked_on)
    if found.reason:
        return None
    closed = [(one, one.closed_by(asked_on)) for one in series if not one.as_of(asked_on).late]
    came = sum((daily.booked(span, daily.through) for daily in series), ZERO)
    last_month = sum((daily.booked(before, through) for daily, through in closed), ZERO)
    unknown = never_came(series, found)
    low, high = (None if edge is None else edge - unknown for edge in (found.low, found.high))
    rate = run_rate(closed, span)
    return Past(month, asked_on, found.total - unknown, came, low, high, last_month or None, rate)


def never_came(series: Sequence[Daily], found: Outlook) -> Decimal:
    """What was expected of days that no bill speaks of to this day."""
    known = {daily.provider: daily.usd for daily in series}
    return sum(
        (usd for part in found.parts for day, usd in part.days.items() if day not in known[part.provider]),
        ZERO,
    )


def run_rate(closed: Sequence[tuple[Daily, date]], span: Span) -> Decimal | None:
    """The mean of the closed days of the span, else of the last seven, over all its days."""
    if not closed:
        return None
    through = min(day for _, day in closed)
    so_far = Span(span.start, max(span.start, min(span.end, through + ONE_DAY)))
    asked = so_far if so_far.length else Span(through - WEEK + ONE_DAY, through + ONE_DAY)
    booked = sum((daily.booked(asked, through) for daily, _ in closed), ZERO)
    return to_cents(booked / asked.length * span.length) if booked else None


# From what is stored


def series_of(scope: Scope, names: Names, freshness: Freshness, first: date | None = None) -> list[Daily]:
    """The bill of the scope's hardware on its basis, by provider, back to where past answers need it.

    first: a day that is told in any case.
    """
    asked = scope.over(history(first))
    wanted = spend.by_provider_and_day(asked, names)
    known = spend.by_provider_and_day(asked.but(gpu_types=()), names) if scope.gpu_types else wanted
    return by_provider(wanted, known, names, freshness)


def history(first: date | None = None) -> Span:
    back_to = today() - HISTORY
    return Span(min(first or back_to, back_to), today() + ONE_DAY)


def by_provider(
    wanted: Mapping[tuple[str, date], Decimal],
    known: Iterable[tuple[str, date]],
    names: Names,
    freshness: Freshness,
) -> list[Daily]:
    """known: a day on which a provider billed other GPUs is known, too; those wanted cost nothing then."""
    days: defaultdict[str, dict[date, Decimal]] = defaultdict(dict)
    for provider, day in sorted(known, key=lambda key: (key[0].casefold(), key[1])):
        days[provider][day] = wanted.get((provider, day), ZERO)
    # Of one that has ended nothing more comes: its last days are as complete as they will be.
    closed = {one.provider: one.last if one.late else one.through for one in freshness.providers}
    late = {one.provider for one in freshness.providers if one.late}
    return [
        Daily(provider, usd, closed.get(provider, max(usd)), names.lag(provider), provider in late)
        for provider, usd in days.items()
        if any(usd.values())
    ]


def month_of(day: date) -> Span:
    first = day.replace(day=1)
    return Span(first, shift_month(first, 1))


def quarter_of(day: date, fiscal_month: int) -> Span:
    first = bucket_start(day, "quarter", fiscal_month)
    return Span(first, bucket_end(first, "quarter"))
