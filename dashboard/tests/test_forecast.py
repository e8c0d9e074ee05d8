"""What a month will cost: worked by hand, held as properties, and as the page and its file tell it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.reports.forecast import (
    Daily,
    fit,
    month_of,
    outlook,
    past_of,
    quarter_of,
    record,
    weekday_factors,
)
from dashboard.scope import Span

from .conftest import examples, make_cost

MONDAY = date(2025, 1, 6)
ONE_DAY = timedelta(days=1)


def daily(
    usd: Callable[[date], object],
    first: str,
    last: str,
    through: str = "",
    provider: str = "AWS",
    lag: int = 1,
    late: bool = False,
) -> Daily:
    """usd: of each day; None where there is no row."""
    span = Span.inclusive(date.fromisoformat(first), date.fromisoformat(last))
    amounts = {day: Decimal(str(amount)) for day in span if (amount := usd(day)) is not None}
    return Daily(provider, amounts, date.fromisoformat(through) if through else span.last, lag, late)


def flat(day: date) -> str:
    return "100"


def march(*series: Daily):
    return outlook(series, month_of(date(2025, 3, 1)))


# Worked by hand


def test_a_hundred_a_day_and_an_open_day_of_forty_is_a_hundred_a_day():
    one = daily(
        lambda day: "40" if day == date(2025, 3, 11) else "100", "2025-01-01", "2025-03-11", "2025-03-10"
    )
    found = march(one)
    assert (found.booked, found.expected, found.total) == (Decimal(1000), Decimal(2100), Decimal(3100))
    assert found.days[date(2025, 3, 11)] == Decimal("100.00")
    assert (found.low, found.high) == (found.total, found.total)


def test_weekends_at_half_price_are_foreseen():
    """Ten working days and four weekend days a fortnight: 17 to 30 March has ten and four again."""
    half = daily(lambda day: "50" if day.weekday() > 4 else "100", "2025-01-06", "2025-03-16")
    found = outlook([half], Span.inclusive(date(2025, 3, 17), date(2025, 3, 30)))
    assert abs(found.expected - 1200) < 1
    assert found.days[date(2025, 3, 22)] == pytest.approx(Decimal(50), abs=1)


def test_weekday_factors_are_ratios_to_the_week_around():
    known = {MONDAY + n * ONE_DAY: (40.0 if n % 7 == 6 else 110.0) for n in range(28)}
    factors = weekday_factors(known)
    assert factors[0] == pytest.approx(1.1) and factors[6] == pytest.approx(0.4)
    assert sum(factors) == pytest.approx(7)


def test_a_price_cut_is_the_new_level_after_a_week():
    cut = daily(lambda day: "100" if day < date(2025, 3, 1) else "60", "2025-01-01", "2025-03-08")
    assert abs(march(cut).expected - 23 * 60) < 5


def test_a_gap_is_unknown_and_not_nothing():
    missing = {date(2025, 3, n) for n in (5, 6, 7)}
    gap = daily(lambda day: None if day in missing else "100", "2025-01-01", "2025-03-10")
    found = march(gap)
    assert (found.booked, found.expected) == (Decimal(700), Decimal(2100))


def test_a_credit_is_booked_and_bends_nothing():
    credit = daily(lambda day: "-900" if day == date(2025, 3, 8) else "100", "2025-01-01", "2025-03-10")
    found = march(credit)
    assert (found.booked, found.expected) == (Decimal(0), Decimal(2100))


def test_a_steady_rise_is_half_carried_on():
    """$1 more each day; seven days' mean stands three days back, half of $1 a day goes on."""
    rise = daily(lambda day: (day - date(2025, 1, 1)).days, "2025-01-01", "2025-03-02")
    known = fit(rise.known, rise.through)
    assert known is not None and known.slope == pytest.approx(0.5, abs=0.02)
    assert march(rise).days[date(2025, 3, 31)] == pytest.approx(Decimal(60 - 3 + 3 * 0.5 + 29 * 0.5), abs=3)


@pytest.mark.parametrize("days", [0, 1, 6])
def test_of_too_few_days_nothing_is_said(days):
    few = daily(flat, "2025-03-01", "2025-03-10", f"2025-03-{days:02}" if days else "2025-02-28")
    assert march(few).reason and march(few).total == 0


def test_seven_days_are_enough_for_a_number_and_not_for_a_band():
    found = march(daily(flat, "2025-03-01", "2025-03-07"))
    assert (found.total, found.low, found.high) == (Decimal(3100), None, None)


def test_of_a_provider_that_stopped_nothing_more_is_expected():
    stopped = daily(
        lambda day: "10" if day < date(2025, 2, 20) else None, "2025-01-01", "2025-03-10", provider="OCI"
    )
    found = march(daily(flat, "2025-01-01", "2025-03-10"), stopped)
    assert [(part.provider, part.ended) for part in found.parts] == [("AWS", False), ("OCI", True)]
    assert found.expected == Decimal(2100)


def test_of_a_provider_that_bills_no_more_nothing_is_expected_and_others_are_judged_without_it():
    """OCI was stopped on 20 November; until 25 December it might still have billed."""
    aws = daily(flat, "2024-06-01", "2025-03-10")
    oci = daily(lambda day: "10", "2024-06-01", "2024-11-20", provider="OCI", late=True)
    found = march(aws, oci)
    assert [(part.provider, part.ended) for part in found.parts] == [("AWS", False), ("OCI", True)]
    assert (found.expected, found.low, found.high) == (2100, 3100, 3100)
    december = month_of(date(2024, 12, 1))
    before, after = (outlook((aws, oci), december, date(2024, 12, day)) for day in (20, 27))
    assert [part.ended for part in before.parts] == [False, False]
    assert [part.ended for part in after.parts] == [False, True]
    assert record((aws, oci)).pasts[-1].month == date(2025, 2, 1)


def test_a_provider_without_a_closed_day_holds_back_no_record():
    aws = daily(flat, "2024-06-01", "2025-03-10")
    new = daily(lambda day: "-12.34", "2025-01-05", "2025-01-05", "2025-01-04", provider="HandCo")
    assert record((aws, new)).pasts[-1].month == record((aws,)).pasts[-1].month == date(2025, 2, 1)


def test_where_all_providers_stopped_nothing_is_taken_for_closed():
    gone = daily(lambda day: "10" if day < date(2025, 2, 20) else None, "2025-01-01", "2025-03-10")
    found = march(gone)
    assert (found.expected, found.is_closed, found.low) == (0, False, None)


def test_each_provider_is_read_up_to_its_own_last_closed_day():
    late = daily(flat, "2025-01-01", "2025-03-10", "2025-03-08", provider="GCP")
    found = march(daily(flat, "2025-01-01", "2025-03-10"), late)
    assert (found.booked, found.expected) == (Decimal(1800), Decimal(2100 + 2300))


def test_a_month_that_costs_less_than_nothing_is_told():
    credits = daily(lambda day: "-5", "2025-01-01", "2025-03-10")
    assert march(credits).total == Decimal(-155)


@pytest.mark.parametrize(
    ("fiscal_month", "first", "last"), [(1, "2025-01-01", "2025-03-31"), (2, "2025-02-01", "2025-04-30")]
)
def test_a_quarter_follows_the_fiscal_year(fiscal_month, first, last):
    quarter = quarter_of(date(2025, 3, 5), fiscal_month)
    assert (str(quarter.start), str(quarter.last)) == (first, last)


# What it would have said


def test_what_it_would_have_said_knows_nothing_of_later_days():
    doubled = daily(lambda day: "200" if day >= date(2025, 3, 10) else "100", "2024-12-01", "2025-03-31")
    past = past_of([doubled], date(2025, 3, 1), date(2025, 3, 10))
    assert past is not None
    assert (past.said, past.came) == (Decimal(3100), Decimal(900 + 22 * 200))
    assert (past.last_month, past.run_rate) == (Decimal(2800), Decimal(3100))
    assert past.off(past.said) == (Decimal(3100) - 5300) / 5300
    assert past.held is False


def test_days_that_never_came_are_on_neither_side():
    missing = date(2025, 3, 20)
    gap = daily(lambda day: None if day == missing else "100", "2024-12-01", "2025-03-31")
    past = past_of([gap], date(2025, 3, 1), date(2025, 3, 10))
    assert past is not None and (past.said, past.came, past.held) == (Decimal(3000), Decimal(3000), True)


def test_errors_are_means_over_the_same_days():
    told = record([daily(flat, "2024-06-01", "2025-03-31")])
    assert len(told.pasts) == 18 and len({past.month for past in told.pasts}) == 6
    assert told.error("said") == 0 and told.error("run_rate") == 0
    assert told.error("last_month") and told.held == told.with_band


# Properties

amounts = st.decimals(Decimal("-50"), Decimal("5000"), places=2)
bills = st.lists(amounts | st.none(), min_size=70, max_size=120)


def made(bill: list[Decimal | None], provider: str = "AWS", times: int = 1) -> Daily:
    days = {MONDAY + n * ONE_DAY: usd * times for n, usd in enumerate(bill) if usd is not None}
    return Daily(provider, days, MONDAY + (len(bill) - 1) * ONE_DAY)


@settings(max_examples=examples(25))
@given(bill=bills, ahead=st.integers(1, 92))
def test_parts_add_up_to_the_cent_and_the_band_holds_the_total(bill, ahead):
    one, other = made(bill), made(bill[::-1], "GCP")
    span = Span(one.through - 20 * ONE_DAY, one.through + ahead * ONE_DAY)
    found = outlook([one, other], span)
    assert found.total == sum((part.total for part in found.parts), Decimal(0))
    assert found.expected == sum(found.days.values(), Decimal(0))
    assert all(usd == usd.quantize(Decimal("0.01")) for usd in found.days.values())
    assert found.low is None or found.low <= found.total <= found.high


@settings(max_examples=examples(25))
@given(bill=bills, length=st.integers(1, 40))
def test_a_span_that_is_closed_is_what_is_booked(bill, length):
    one = made(bill)
    span = Span(one.through - (length - 1) * ONE_DAY, one.through + ONE_DAY)
    found = outlook([one], span)
    assert found.reason or found.is_closed
    assert found.reason or found.low == found.total == found.high == one.booked(span, one.through)


@settings(max_examples=examples(15))
@given(bill=bills, times=st.integers(2, 9))
def test_a_bill_of_some_times_as_much_is_foreseen_as_as_much(bill, times):
    span = Span(made(bill).through - 3 * ONE_DAY, made(bill).through + 28 * ONE_DAY)
    once, often = outlook([made(bill)], span), outlook([made(bill, times=times)], span)
    assert abs(once.total * times - often.total) <= Decimal("0.01") * times * 31


# The page


@pytest.fixture
def fionas(client, finance, company):
    client.force_login(finance)
    return client


def test_the_page_foresees_march(fionas):
    """29 days are closed: AWS 29 × 720, GCP 28 × 174 − 1,000, Azure 29 × 72, Lambda 29 × 95."""
    page = fionas.get("/forecast/")
    month = page.context["month"]
    assert (month.span.start, month.span.last) == (date(2025, 3, 1), date(2025, 3, 31))
    assert month.booked == 29 * 720 + 28 * 174 - 1000 + 29 * 72 + 29 * 95
    assert month.expected == 2 * (720 + 174 + 72 + 95)
    text = page.content.decode()
    assert "Forecast to month end" in text and "Forecast to quarter end" in text
    assert "What it said before" in text


def test_the_file_adds_up_to_the_page(fionas):
    page = fionas.get("/forecast/")
    answer = fionas.get("/forecast/?_export=csv")
    rows = list(csv.DictReader(b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()))
    assert sum(Decimal(row["cost_usd"]) for row in rows) == page.context["quarter"].total
    assert {row["state"] for row in rows} == {"booked", "expected"}
    assert [row["date"] for row in rows] == sorted(row["date"] for row in rows)


def test_the_page_expects_nothing_of_a_provider_that_bills_no_more(fionas):
    before = fionas.get("/forecast/").context
    for day in range(1, 29):
        make_cost(f"2025-01-{day:02}", "50.00", provider="StopCo")
    page = fionas.get("/forecast/")
    assert page.context["month"].expected == before["month"].expected
    assert page.context["quarter"].booked == before["quarter"].booked + 28 * 50, "its last day, too"
    assert "none: no bill lately" in page.content.decode()


def test_a_filter_narrows_what_is_foreseen(fionas):
    page = fionas.get("/forecast/?provider=AWS&gpu_type=L4")
    month = page.context["month"]
    assert [part.provider for part in month.parts] == ["AWS"]
    assert month.total == 31 * 20


def test_the_page_costs_few_queries(fionas, django_assert_max_num_queries):
    with django_assert_max_num_queries(22):
        fionas.get("/forecast/")


@pytest.mark.parametrize("stored", [False, True])
def test_without_enough_days_the_page_says_what_to_do(client, finance, as_of, stored):
    as_of("2025-03-10 12:00")
    if stored:
        make_cost("2025-03-08", "10.00")
    client.force_login(finance)
    page = client.get("/forecast/")
    assert page.status_code == 200
    text = page.content.decode()
    assert (
        ("Too little is known" in text)
        if stored
        else ("Nothing is stored" in text or "import" in text.lower())
    )
    assert client.get("/forecast/?_export=csv").status_code == 200


def test_the_overview_tells_the_forecast_whatever_its_range(fionas):
    page = fionas.get("/?preset=last7&provider=AWS")
    [tile] = [one for one in page.context["figures"] if one["label"] == "Forecast to month end"]
    assert tile["value"] == "$22,320.00"
    assert tile["link"] == "/forecast/?provider=AWS"
