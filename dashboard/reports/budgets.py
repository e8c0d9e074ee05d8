"""Monthly budgets against what was spent, what is expected, and the pace at which the days go by.

A budget has a basis and an idle view of its own. What counts is the cost of closed days.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate
from uuid import UUID

from django.conf import settings

from ..models import Budget
from ..money import to_cents, usd
from ..naming import Names
from ..scope import ONE_DAY, Scope, Span, fiscal_year_start, shift_month
from . import spend
from .allocation import allocate, allocate_in_sum
from .forecast import Daily, by_provider, history, outlook
from .freshness import Freshness

SHARE_DAYS = timedelta(days=28)
ZERO = Decimal("0.00")
HUNDRED = Decimal(100)
OVER, EXPECTED_OVER, AHEAD, ON_PACE, UNKNOWN = "over", "expected-over", "ahead", "on-pace", "unknown"
WORDS = {
    OVER: "over budget",
    EXPECTED_OVER: "will likely go over",
    AHEAD: "ahead of pace",
    ON_PACE: "within budget",
    UNKNOWN: "nothing billed yet",
}


@dataclass(frozen=True)
class Spent:
    """What a subject cost on each closed day of a month, and what it is expected to cost on the others.

    through: the last day that is closed at every provider that counts. None where nothing is closed at all.
    What some of them are known to have cost since is a part of what is expected. expected is None where
    too little is known to say.
    """

    closed: Mapping[date, Decimal]
    expected: Mapping[date, Decimal] | None
    through: date | None


@dataclass(frozen=True)
class BudgetState:
    """year_*: of the months of the fiscal year, up to this one, for which the subject has a budget."""

    budget: Budget
    month: Span
    spent: Spent
    year_amount: Decimal = ZERO
    year_spent: Decimal = ZERO

    @property
    def amount(self) -> Decimal:
        return self.budget.monthly_usd

    @property
    def booked(self) -> Decimal:
        return sum(self.spent.closed.values(), ZERO)

    @property
    def forecast(self) -> Decimal | None:
        """Of the month's end."""
        expected = self.spent.expected
        return None if expected is None else self.booked + sum(expected.values(), ZERO)

    @property
    def closed_days(self) -> int:
        through = self.spent.through
        if through is None or through < self.month.start:
            return 0
        return Span(self.month.start, through + ONE_DAY).clipped(self.month).length

    @property
    def pace(self) -> Decimal:
        """The part of the amount that the month's closed days have of its days."""
        return to_cents(self.amount * self.closed_days / self.month.length)

    @property
    def used(self) -> Decimal:
        return self.booked / self.amount

    @property
    def crossed(self) -> Decimal | None:
        """The highest threshold in percent that is reached."""
        percents = self.budget.percents
        place = bisect_right(percents, self.used * HUNDRED)
        return percents[place - 1] if place else None

    @property
    def reached_on(self) -> date | None:
        """When 100 % is or will be reached at this pace; None where not within the month."""
        days = merged(self.spent.closed, self.spent.expected or {})
        sums = accumulate(days.values())
        return next((day for day, total in zip(days, sums, strict=True) if total >= self.amount), None)

    @property
    def status(self) -> str:
        if self.booked >= self.amount:
            return OVER
        if not self.closed_days:
            return UNKNOWN
        if self.forecast is not None and self.forecast > self.amount:
            return EXPECTED_OVER
        return AHEAD if self.booked > self.pace else ON_PACE

    @property
    def year_used(self) -> Decimal | None:
        return self.year_spent / self.year_amount if self.year_amount else None


def budget_states(month: date, names: Names, freshness: Freshness) -> list[BudgetState]:
    """Of every budget that holds in the month, whatever a page is narrowed to. month: its first day."""
    span = Span(month, shift_month(month, 1))
    year = Span(fiscal_year_start(month, settings.HELIOX_FISCAL_MONTH), span.end)
    budgets = list(Budget.objects.during(year).select_related("team"))
    money = Money(names, freshness, span, year.start)
    return [
        with_year(BudgetState(one, span, money.of(one)), budgets, year, money)
        for one in budgets
        if one.holds(month)
    ]


def with_year(state: BudgetState, budgets: Iterable[Budget], year: Span, money: Money) -> BudgetState:
    alike = [one for one in budgets if one.same_subject(state.budget)]
    amounts = {month: one.monthly_usd for one in alike for month in one.months(year)}
    before = in_stretches(month for month in amounts if month < state.month.start)
    spent = sum((money.spent(state.budget, span) for span in before), state.booked)
    return replace(state, year_amount=sum(amounts.values(), ZERO), year_spent=spent)


def in_stretches(months: Iterable[date]) -> list[Span]:
    """months: their first days. Those that follow each other are one span."""
    spans: list[Span] = []
    for month in sorted(months):
        start = spans.pop().start if spans and spans[-1].end == month else month
        spans.append(Span(start, shift_month(month, 1)))
    return spans


class Money:
    """What budgets are held against in one month; asked once for each basis and idle view."""

    def __init__(self, names: Names, freshness: Freshness, month: Span, first: date) -> None:
        self.names, self.freshness, self.month = names, freshness, month
        self.told = history(first)

    def of(self, budget: Budget) -> Spent:
        return self.of_team(budget) if budget.team_id else self.of_bill(budget)

    def of_bill(self, budget: Budget) -> Spent:
        series, through = self.series(budget), self.through(budget)
        known, found = by_day(series, self.month), outlook(series, self.month)
        closed = up_to(through, known)
        if not found.parts or found.reason:
            return Spent(closed, None, through)
        since = {day: usd for day, usd in known.items() if day not in closed}
        return Spent(closed, merged(since, found.days), through)

    def of_team(self, budget: Budget) -> Spent:
        """The bill's own forecast for the days to come × the team's share of the last 28 closed days."""
        assert budget.team_id
        everything = self.of_bill(Budget(basis=budget.basis))
        through = everything.through
        if through is None:
            return everything
        days = self.team_days(budget).get(budget.team_id, {})
        closed = {day: usd(cents) for day, cents in days.items() if day <= through}
        if everything.expected is None:
            return Spent(closed, None, through)
        share = self.share(budget, through)
        left = merged(everything.closed, everything.expected)
        return Spent(closed, {d: to_cents(usd * share) for d, usd in left.items() if d > through}, through)

    def share(self, budget: Budget, through: date) -> Decimal:
        """Of what was billed on the last 28 closed days; 0 where that is not above nought."""
        assert budget.team_id
        teams, bill = self.shares(budget, Span(through - SHARE_DAYS + ONE_DAY, through + ONE_DAY))
        return Decimal(teams.get(budget.team_id, 0)) / bill if bill > 0 else Decimal(0)

    def spent(self, budget: Budget, span: Span) -> Decimal:
        """On the closed days of earlier months."""
        if budget.team_id is None:
            return sum(up_to(self.through(budget), by_day(self.series(budget), span)).values(), ZERO)
        through = self.through(Budget(basis=budget.basis))
        if through is None or through < span.start:
            return ZERO
        closed = Span(span.start, min(span.end, through + ONE_DAY))
        return usd(self.shares(budget, closed)[0].get(budget.team_id, 0))

    def shares(self, budget: Budget, span: Span) -> tuple[dict[UUID, int], int]:
        """Cents of each team, and of the whole bill."""

        def read() -> tuple[dict[UUID, int], int]:
            teams: defaultdict[UUID, int] = defaultdict(int)
            found = allocate_in_sum(view_of(budget).over(span), self.names)
            for one in found:
                if one.team is not None:
                    teams[one.team] += one.cents or 0
            return dict(teams), sum(one.cents or 0 for one in found)

        return self.names.once((Money, "shares", budget.basis, budget.idle, span), read)

    def team_days(self, budget: Budget) -> dict[UUID, dict[date, int]]:
        def read() -> dict[UUID, dict[date, int]]:
            teams: defaultdict[UUID, dict[date, int]] = defaultdict(dict)
            for one in allocate(view_of(budget).over(self.month), self.names).shares:
                if one.team is not None and one.cents is not None:
                    teams[one.team][one.day] = teams[one.team].get(one.day, 0) + one.cents
            return dict(teams)

        return self.names.once((Money, "days", budget.basis, budget.idle, self.month), read)

    def through(self, budget: Budget) -> date | None:
        """The last day that is closed at every provider that counts and still bills; else, at all others."""
        begun = [daily for daily in self.series(budget) if daily.known]
        live = [daily.through for daily in begun if not daily.late]
        return min(live, default=self.freshness.through() if begun else None)

    def series(self, budget: Budget) -> list[Daily]:
        """By provider; a day on which it billed anything is known."""
        asked = Money, "series", self.told, self.freshness, budget.basis, budget.provider, budget.gpu_type
        return self.names.once(asked, lambda: self.read_series(budget))

    def read_series(self, budget: Budget) -> list[Daily]:
        wanted: defaultdict[tuple[str, date], Decimal] = defaultdict(lambda: ZERO)
        for one in self.costs(budget):
            wanted[one.provider, one.day] += one.usd
        everything = Budget(basis=budget.basis, provider=budget.provider)
        known = {(one.provider, one.day) for one in self.costs(everything)}
        return by_provider(wanted, known, self.names, self.freshness)

    def costs(self, budget: Budget) -> list[spend.Cost]:
        """Of the budget's hardware, on its basis, as far back as anything asks."""
        scope = Scope(self.told, basis=budget.basis)
        every = self.names.once((Money, scope), lambda: spend.costs(scope, self.names))
        provider, gpu_type = self.names.provider(budget.provider), self.names.gpu_type(budget.gpu_type)
        return [one for one in every if provider in ("", one.provider) and gpu_type in ("", one.gpu_type)]


def merged(one: Mapping[date, Decimal], other: Mapping[date, Decimal]) -> dict[date, Decimal]:
    return {day: one.get(day, ZERO) + other.get(day, ZERO) for day in sorted(one.keys() | other.keys())}


def view_of(budget: Budget) -> Scope:
    return Scope(basis=budget.basis, idle=budget.idle)


def by_day(series: Sequence[Daily], span: Span) -> dict[date, Decimal]:
    """Of days that are closed at their provider, ascending."""
    days: defaultdict[date, Decimal] = defaultdict(lambda: ZERO)
    for daily in series:
        for day in span:
            if day <= daily.through and day in daily.usd:
                days[day] += daily.usd[day]
    return dict(sorted(days.items()))


def up_to(through: date | None, days: Mapping[date, Decimal]) -> dict[date, Decimal]:
    return {day: usd for day, usd in days.items() if through is not None and day <= through}
