"""Budgets by hand: pace, what is spent and foreseen, thresholds, the day of 100 %, fiscal years."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.models import Budget, CostSnapshot, Provider
from dashboard.naming import Names
from dashboard.reports.allocation import allocate
from dashboard.reports.budgets import BudgetState, Spent, budget_states
from dashboard.reports.freshness import Freshness
from dashboard.scope import Scope, Span, shift_month

from .conftest import examples, make_cost, make_job, make_team, make_usage


def budget(usd: str = "3100", first: str = "2025-01-01", **facts: Any) -> Budget:
    one = Budget(monthly_usd=Decimal(usd), first_month=date.fromisoformat(first), **facts)
    one.full_clean()
    one.save()
    return one


def states(month: str = "2025-03-01") -> list[BudgetState]:
    names = Names.load()
    return budget_states(date.fromisoformat(month), names, Freshness.load(names))


def state(month: str = "2025-03-01") -> BudgetState:
    [one] = states(month)
    return one


@pytest.fixture
def hundred_a_day(db, as_of):
    """AWS costs $100 a day from January to 11 March; by its lag the 10th is the last closed day."""
    as_of("2025-03-12 12:00")
    CostSnapshot.objects.bulk_create(
        CostSnapshot(date=day, provider="AWS", gpu_type="A100-80GB", cost_usd=100)
        for day in Span.inclusive(date(2025, 1, 1), date(2025, 3, 11))
    )


def test_at_just_the_pace_it_is_within_budget(hundred_a_day):
    budget("3100")
    one = state()
    assert (one.booked, one.pace, one.forecast) == (Decimal(1000), Decimal("1000.00"), Decimal(3100))
    assert (one.status, one.crossed, one.closed_days) == ("on-pace", None, 10)
    assert one.reached_on == date(2025, 3, 31)


def test_at_twice_the_pace_the_day_of_a_hundred_percent_is_told(hundred_a_day):
    budget("1550")
    one = state()
    assert one.used == Decimal(1000) / 1550
    assert (one.status, one.crossed) == ("expected-over", Decimal(50))
    assert one.reached_on == date(2025, 3, 16)


def test_what_is_spent_is_over(hundred_a_day):
    budget("950")
    one = state()
    assert (one.status, one.crossed, one.reached_on) == ("over", Decimal(100), date(2025, 3, 10))


def test_a_budget_that_is_never_reached(hundred_a_day):
    budget("9000", thresholds="10, 11.5, 90")
    one = state()
    assert (one.status, one.reached_on, one.crossed) == ("on-pace", None, Decimal(10))


def test_ahead_of_pace_and_still_within(hundred_a_day):
    CostSnapshot.objects.filter(date=date(2025, 3, 2)).update(cost_usd=150)
    budget("3200")
    one = state()
    assert (one.booked, one.forecast, one.status) == (Decimal(1050), Decimal(3150), "ahead")


def test_a_provider_and_a_gpu_type_are_by_any_spelling(hundred_a_day):
    make_cost("2025-03-05", "7.00", provider="AWS", gpu_type="L4")
    budget("100", provider=" aws ")
    budget("100", gpu_type="l4")
    aws, l4 = sorted(states(), key=lambda one: -one.booked)
    assert (aws.booked, l4.booked) == (Decimal(1007), Decimal(7))


def test_a_team_is_foreseen_by_its_share_of_28_days(hundred_a_day):
    """Of $100 and 10 metered hours a day, jobs hold 5: half the cost. 21 open days × $100 × ½ are left."""
    for month, days in ((2, 28), (3, 11)):
        for day in range(1, days + 1):
            make_usage(f"2025-{month:02}-{day:02}", "10")
            make_job(f"2025-{month:02}-{day:02} 00:00", f"2025-{month:02}-{day:02} 05:00")
    budget("1500", team=make_team("vision"))
    one = state()
    assert (one.booked, one.forecast) == (Decimal(500), Decimal(500 + 21 * 50))
    assert one.status == "expected-over"


def test_idle_cost_counts_where_the_budget_says_so(hundred_a_day):
    """Of the 2nd alone: of other days nobody knows whether anything stood idle."""
    make_usage("2025-03-02", "10")
    make_job("2025-03-02 00:00", "2025-03-02 05:00")
    apart = budget("1500", team=make_team("vision"))
    assert state().booked == Decimal(50)
    Budget.objects.filter(pk=apart.pk).update(idle="by_use")
    assert state().booked == Decimal(100)


def test_a_month_that_is_over_is_what_it_came_to(hundred_a_day):
    budget("2700")
    one = state("2025-02-01")
    assert (one.booked, one.forecast, one.pace) == (Decimal(2800), Decimal(2800), Decimal(2700))
    assert (one.status, one.reached_on) == ("over", date(2025, 2, 27))


def fifty_a_day(provider: str, first: date, last: date) -> None:
    CostSnapshot.objects.bulk_create(
        CostSnapshot(date=day, provider=provider, gpu_type="L4", cost_usd=50)
        for day in Span.inclusive(first, last)
    )


def test_spent_and_pace_are_of_the_days_that_are_closed_at_every_provider(hundred_a_day):
    """GCP is closed through the 6th: 6 × $150, then 4 × $100 known and 21 × $100 + 25 × $50 expected."""
    Provider.objects.create(name="GCP", lag_days=5)
    fifty_a_day("GCP", date(2025, 1, 1), date(2025, 3, 11))
    budget("4650")
    budget("3100", provider="AWS")
    everything, aws = sorted(states(), key=lambda one: one.budget.provider)
    assert (everything.spent.through, everything.closed_days) == (date(2025, 3, 6), 6)
    assert (everything.booked, everything.pace, everything.forecast) == (900, 900, 4650)
    assert (everything.status, everything.reached_on) == ("on-pace", date(2025, 3, 31))
    assert (aws.booked, aws.spent.through) == (1000, date(2025, 3, 10))


def test_a_provider_without_a_closed_day_holds_no_budget_back(hundred_a_day):
    make_cost("2025-03-05", "-12.34", provider="HandCo")
    budget("3100")
    one = state()
    assert (one.booked, one.pace, one.spent.through) == (1000, 1000, date(2025, 3, 10))


def test_the_pace_of_a_provider_that_has_ended_goes_on_by_the_days_of_the_others(hundred_a_day):
    """It billed on 1–3 January, and AWS went on for more than 35 days."""
    fifty_a_day("Lambda", date(2025, 1, 1), date(2025, 1, 3))
    budget("310", provider="Lambda")
    january, march = state("2025-01-01"), state()
    assert (january.booked, january.closed_days, january.pace) == (150, 31, 310)
    assert (march.booked, march.closed_days, march.pace) == (0, 10, 100)
    assert (january.status, march.status) == ("on-pace", "on-pace")


def test_open_days_of_an_earlier_month_are_in_no_fiscal_year(hundred_a_day):
    """The 11th of March is open, seen from April, too: of $100 and 10 hours a day, jobs hold half."""
    for day in range(1, 12):
        make_usage(f"2025-03-{day:02}", "10")
        make_job(f"2025-03-{day:02} 00:00", f"2025-03-{day:02} 05:00")
    budget("3100")
    budget("3100", team=make_team("vision"))
    for month in ("2025-03-01", "2025-04-01"):
        spent = {one.budget.team_id is None: one.year_spent for one in states(month)}
        assert spent == {True: 3100 + 2800 + 1000, False: 500}


def test_a_month_to_come_is_foreseen(hundred_a_day):
    budget("2900")
    one = state("2025-04-01")
    assert (one.booked, one.forecast, one.status) == (Decimal(0), Decimal(3000), "unknown")


@pytest.mark.parametrize(
    ("fiscal_month", "amount", "spent"), [(1, 9000, 6900), (2, 6000, 3800), (3, 3000, 1000)]
)
def test_a_fiscal_year_is_the_sum_of_its_months(hundred_a_day, settings, fiscal_month, amount, spent):
    settings.HELIOX_FISCAL_MONTH = fiscal_month
    budget("3000")
    one = state()
    assert (one.year_amount, one.year_spent) == (Decimal(amount), Decimal(spent))


def test_amounts_of_the_year_follow_the_budgets_of_its_months(hundred_a_day):
    """From February on there was one."""
    budget("1000", "2025-02-01", last_month=date(2025, 2, 10))
    budget("2000", "2025-03-15")
    one = state()
    assert (one.amount, one.year_amount, one.year_spent) == (Decimal(2000), Decimal(3000), Decimal(3800))


def test_nothing_billed_is_told_as_such(db, as_of):
    as_of("2025-03-12 12:00")
    budget("100")
    one = state()
    assert (one.booked, one.forecast, one.status) == (Decimal(0), None, "unknown")


@settings(max_examples=examples(100))
@given(
    month=st.dates(date(2024, 1, 1), date(2027, 12, 1)), usd=st.integers(1, 10**7), closed=st.integers(0, 40)
)
def test_the_pace_is_the_budget_at_the_end_of_any_month(month, usd, closed):
    span = Span(month.replace(day=1), shift_month(month.replace(day=1), 1))
    days = list(span)
    through = days[min(closed, len(days)) - 1] if closed else None
    one = BudgetState(Budget(monthly_usd=Decimal(usd)), span, Spent({}, {}, through))
    assert one.closed_days == min(closed, len(days))
    assert (one.pace == usd) == (one.closed_days == span.length)
    assert abs(one.pace - Decimal(usd) * one.closed_days / span.length) <= Decimal("0.005")


def test_all_gpus_are_the_bill_that_is_shared(company):
    budget("30000")
    shared = allocate(Scope(Span(date(2025, 2, 1), date(2025, 3, 1))), Names.load())
    assert state("2025-02-01").booked == Decimal(shared.bill) / 100


# What can be typed in


@pytest.mark.parametrize("thresholds", ["", "none", "50; 75", "0", "-5", "NaN", "1001", "1e9"])
def test_thresholds_are_percents(db, thresholds):
    with pytest.raises(ValidationError):
        budget(thresholds=thresholds)


def test_a_budget_is_for_one_subject(db):
    with pytest.raises(ValidationError, match="one provider, GPU type or team"):
        budget(provider="AWS", gpu_type="L4")


def test_no_two_budgets_of_a_subject_meet(db):
    budget(provider="AWS", last_month=date(2025, 6, 1))
    with pytest.raises(ValidationError, match="covers some of these months"):
        budget(provider="aws ", first="2025-06-20")
    budget(provider="AWS", first="2025-07-01")


# The page


def test_no_address_decides_a_breach(client, finance, hundred_a_day):
    budget("950")
    client.force_login(finance)
    plain = client.get("/budgets/").context["budgets"].rows
    turned = (
        client.get("/budgets/?provider=GCP&basis=billed&idle=evenly&start=2025-01-01").context["budgets"].rows
    )
    assert [row["state"].status for row in plain] == [row["state"].status for row in turned] == ["over"]


def test_the_file_is_the_page(client, finance, hundred_a_day):
    budget("950")
    client.force_login(finance)
    answer = client.get("/budgets/?month=2025-03&_export=csv")
    [row] = csv.DictReader(b"".join(answer.streaming_content).decode("utf-8-sig").splitlines())
    assert (row["name"], row["spent_usd"], row["forecast_usd"]) == ("Everything", "1000.00", "3100.00")
    assert (row["used"], row["reached_on"], row["state"]) == ("1.0526", "2025-03-10", "over budget")


@pytest.mark.parametrize("month", ["", "2025-13", "0001-01", "9999-12", "x" * 7, "2025-1"])
def test_any_month_of_the_address_is_answered(client, finance, hundred_a_day, month):
    client.force_login(finance)
    page = client.get("/budgets/", {"month": month})
    assert page.status_code == 200
    assert ("is no month from 2000-01 to 2099-12. This is March 2025." in page.content.decode()) == bool(
        month
    )


def test_the_number_of_queries_does_not_grow_with_budgets(
    client, finance, hundred_a_day, django_assert_max_num_queries
):
    budget("950")
    for name in ("a", "b", "c", "d"):
        budget("10", team=make_team(name))
    client.force_login(finance)
    with django_assert_max_num_queries(56):
        client.get("/budgets/")
    for name in ("e", "f", "g", "h"):
        budget("10", team=make_team(name))
    with django_assert_max_num_queries(56):
        client.get("/budgets/")


def test_an_admin_types_one_in(client, admin, hundred_a_day):
    client.force_login(admin)
    form = {"first_month": "2025-03-17", "monthly_usd": "3,100.00", "basis": "effective", "idle": "apart"}
    answer = client.post("/admin/dashboard/budget/add/", form | {"thresholds": "80"}, follow=True)
    assert answer.status_code == 200
    one = Budget.objects.get()
    assert (one.first_month, one.monthly_usd, one.percents) == (date(2025, 3, 1), 3100, [80])


def test_a_budget_of_two_subjects_is_refused_in_words_of_people(client, admin, hundred_a_day):
    client.force_login(admin)
    form = {"first_month": "2025-03-17", "monthly_usd": "3100", "basis": "effective", "idle": "apart"}
    two = {"provider": "AWS", "gpu_type": "L4", "thresholds": "80"}
    errors = client.post("/admin/dashboard/budget/add/", form | two).context["adminform"].form.errors
    assert errors == {"gpu_type": ["A budget is for one provider, GPU type or team, or for everything."]}
