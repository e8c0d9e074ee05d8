"""Monthly budgets against what was spent, what is expected, and the pace at which the days go by.

A budget has a basis and an idle view of its own. What counts is the cost of closed days.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from .forecast import Daily, outlook, series_of
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
    expected is None where too little is known to say.
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
        closed, expected = self.spent.closed, self.spent.expected or {}
        days = sorted(closed.keys() | expected.keys())
        sums = accumulate(closed.get(day, ZERO) + expected.get(day, ZERO) for day in days)
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
    money = Money(names, freshness, span)
    return [
        with_year(BudgetState(one, span, money.of(one)), budgets, year, money)
        for one in budgets
        if one.holds(month)
    ]


def with_year(state: BudgetState, budgets: Iterable[Budget], year: Span, money: Money) -> BudgetState:
    alike = [one for one in budgets if one.same_subject(state.budget)]
    amounts = {month: one.monthly_usd for one in alike for month in one.months(year)}
    spent = money.by_month(state.budget, year)
    return replace(
        state,
        year_amount=sum(amounts.values(), ZERO),
        year_spent=sum((spent(month) for month in amounts if month != state.month.start), state.booked),
    )


class Money:
    """What budgets are held against in one month; asked once for each basis and idle view."""

    def __init__(self, names: Names, freshness: Freshness, month: Span) -> None:
        self.names, self.freshness, self.month = names, freshness, month

    def of(self, budget: Budget) -> Spent:
        return self.of_team(budget) if budget.team_id else self.of_bill(budget)

    def of_bill(self, budget: Budget) -> Spent:
        series = self.series(scope_of(budget))
        found = outlook(series, self.month)
        closed = by_day(series, self.month)
        known = bool(found.parts) and not found.reason
        return Spent(closed, found.days if known else None, last_closed(series))

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
        left = {day: to_cents(amount * share) for day, amount in self.open(budget, through).items()}
        return Spent(closed, left, through)

    def open(self, budget: Budget, through: date) -> dict[date, Decimal]:
        """What the whole bill will come to on each day that is not closed at every provider."""
        series = self.series(Scope(basis=budget.basis))
        days = dict(outlook(series, self.month).days)
        for day, amount in by_day(series, self.month).items():
            days[day] = days.get(day, ZERO) + amount
        return {day: amount for day, amount in days.items() if day > through}

    def share(self, budget: Budget, through: date) -> Decimal:
        """Of what was billed on the last 28 closed days; 0 where that is not above nought."""
        span = Span(through - SHARE_DAYS + ONE_DAY, through + ONE_DAY)

        def shares() -> tuple[dict[UUID, int], int]:
            teams: defaultdict[UUID, int] = defaultdict(int)
            found = allocate_in_sum(view_of(budget).over(span), self.names)
            for one in found:
                if one.team is not None:
                    teams[one.team] += one.cents or 0
            return dict(teams), sum(one.cents or 0 for one in found)

        teams, bill = self.names.once((Money, "share", budget.basis, budget.idle, span), shares)
        assert budget.team_id
        return Decimal(teams.get(budget.team_id, 0)) / bill if bill > 0 else Decimal(0)

    def team_days(self, budget: Budget) -> dict[UUID, dict[date, int]]:
        def days() -> dict[UUID, dict[date, int]]:
            teams: defaultdict[UUID, dict[date, int]] = defaultdict(dict)
            for one in allocate(view_of(budget).over(self.month), self.names).shares:
                if one.team is not None and one.cents is not None:
                    teams[one.team][one.day] = teams[one.team].get(one.day, 0) + one.cents
            return dict(teams)

        return self.names.once((Money, "days", budget.basis, budget.idle, self.month), days)

    def series(self, scope: Scope) -> list[Daily]:
        asked = Money, "series", scope, self.month
        first = self.month.start
        return self.names.once(asked, lambda: series_of(scope, self.names, self.freshness, first))

    def by_month(self, budget: Budget, year: Span) -> Callable[[date], Decimal]:
        """USD of each earlier month of the year."""
        if budget.team_id is None:
            amounts = self.bill_by_month(budget, year)
            return lambda month: amounts.get(month, ZERO)
        team = budget.team_id
        return lambda month: usd(self.teams_in(budget, month).get(team, 0))

    def bill_by_month(self, budget: Budget, year: Span) -> dict[date, Decimal]:
        before = Span(year.start, self.month.start)
        sums: defaultdict[date, Decimal] = defaultdict(lambda: ZERO)
        if before.length:
            amounts = spend.by_provider_and_day(scope_of(budget).over(before), self.names)
            for (_, day), amount in amounts.items():
                sums[day.replace(day=1)] += amount
        return dict(sums)

    def teams_in(self, budget: Budget, month: date) -> dict[UUID, int]:
        def teams() -> dict[UUID, int]:
            sums: defaultdict[UUID, int] = defaultdict(int)
            for one in allocate_in_sum(view_of(budget).over(Span(month, shift_month(month, 1))), self.names):
                if one.team is not None:
                    sums[one.team] += one.cents or 0
            return dict(sums)

        return self.names.once((Money, "teams", budget.basis, budget.idle, month), teams)


def scope_of(budget: Budget) -> Scope:
    return Scope(
        providers=(budget.provider,) if budget.provider else (),
        gpu_types=(budget.gpu_type,) if budget.gpu_type else (),
        basis=budget.basis,
    )


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


def last_closed(series: Sequence[Daily]) -> date | None:
    """At every provider that still bills."""
    newest = max((daily.through for daily in series), default=None)
    live = [daily.through for daily in series if newest and daily.through > newest - SHARE_DAYS]
    return min(live, default=None)
