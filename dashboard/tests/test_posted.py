"""Costs that no cloud bills: totals of periods, prices of an own cluster, day by day and to the cent."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.models import (
    Commitment,
    CostSnapshot,
    Job,
    NameAlias,
    PeriodEntry,
    Provider,
    Rate,
    UsageSnapshot,
)
from dashboard.naming import Names
from dashboard.reports import spend, usage
from dashboard.rollups.unsettled import if_any
from dashboard.scope import Scope, Span

from .conftest import examples, make_cost, make_job, make_team, make_usage
from .contracts import FOX, make_commitment, make_entry, per_hour, per_month
from .downloads import rows_of

pytestmark = pytest.mark.django_db


def span(first: str, last: str) -> Span:
    return Span.inclusive(date.fromisoformat(first), date.fromisoformat(last))


def costs(first: str | None = None, last: str | None = None, **scope) -> list[spend.Cost]:
    days = span(first, last or first) if first else None
    return spend.costs(Scope(span=days, **scope), Names.load())


def usd(first: str | None = None, last: str | None = None, **scope) -> list[str]:
    return [str(cell.usd) for cell in costs(first, last, **scope)]


def cells(first: str | None = None, last: str | None = None) -> list[usage.Hours]:
    return usage.cells(Scope(span=span(first, last or first) if first else None), Names.load())


def metered(first: str | None = None, last: str | None = None) -> list[str | None]:
    return [None if cell.metered is None else str(cell.metered) for cell in cells(first, last)]


# Period entries


def test_a_months_total_typed_in_is_the_same_every_day():
    make_entry("2025-03-01", "2025-03-31", "3100.00", "7440")
    found = costs()
    assert [str(cell.usd) for cell in found] == ["100.00"] * 31
    assert (found[0].day, found[-1].day) == (date(2025, 3, 1), date(2025, 3, 31))
    assert {cell.sources for cell in found} == {frozenset({"period"})}
    assert metered() == ["240.00"] * 31


def test_a_cent_that_one_day_drops_the_next_one_gets():
    make_entry("2025-03-01", "2025-03-03", "100.00", "100.00")
    assert usd() == metered() == ["33.33", "33.34", "33.33"]


def test_a_credit_for_a_period_is_spread_like_a_cost():
    make_entry("2025-03-01", "2025-03-03", "-100.00")
    assert usd() == ["-33.33", "-33.34", "-33.33"]
    assert metered() == [None] * 3


def test_a_total_is_spread_by_contracted_capacity_where_there_is_a_contract():
    make_entry("2025-03-01", "2025-03-04", "90.00", "90")
    make_commitment("8", "2025-02-01", "2025-03-02", provider="aws")
    make_commitment("16", "2025-03-03", "2025-03-03")
    make_commitment("100", "2025-03-01", "2025-03-04", gpu_type="H100-80GB")
    make_usage("2025-03-04", "5000")
    # 8, 8, 16 and 0 GPUs of a day each: 90 ÷ 32 × 8 = 22.50.
    assert usd() == ["22.50", "22.50", "45.00", "0.00"]
    assert metered() == ["22.50", "22.50", "45.00", "5000.00"]


def test_without_a_contract_a_total_is_spread_by_metered_hours():
    make_entry("2025-03-01", "2025-03-03", "100.00", "12")
    make_usage("2025-03-01", "30.00")
    make_usage("2025-03-03", "10.00", provider="aws")
    # Nothing metered on the second: no cost falls on it, and its hours stay unknown.
    assert usd() == ["75.00", "0.00", "25.00"]
    assert metered() == ["30.00", None, "10.00"]


def test_hours_that_add_up_to_nought_weigh_nothing():
    make_entry("2025-03-01", "2025-03-02", "10.00")
    make_usage("2025-03-01", "0")
    assert usd() == ["5.00", "5.00"]


def test_over_a_clock_change_a_day_costs_as_much_as_it_has_hours():
    Provider.objects.create(name="AWS", bill_clock="America/Los_Angeles")
    # 8, 9 and 10 March 2025 have 24, 23 and 24 hours there; 1, 2 and 3 November 24, 25 and 24.
    make_entry("2025-03-08", "2025-03-10", "71.00")
    make_entry("2025-11-01", "2025-11-03", "73.00", "146")
    assert usd() == ["24.00", "23.00", "24.00", "24.00", "25.00", "24.00"]
    assert metered()[3:] == ["48.00", "50.00", "48.00"]


def test_the_display_zone_moves_no_cent(settings):
    make_entry("2025-03-08", "2025-03-10", "100.00")
    per_month("1000", "1", "2025-03-01", "2025-03-31")
    before = costs()
    settings.TIME_ZONE = "Pacific/Auckland"
    assert costs() == before


def test_an_entry_adds_to_what_stands_in_the_cell():
    make_entry("2025-03-01", "2025-03-02", "10.00", "48")
    make_cost("2025-03-01", "7.00", provider="aws")
    make_usage("2025-03-01", "24")
    make_entry("2025-03-02", "2025-03-02", "1.00", "24")
    # The first is spread by the metered hours, so all of it falls on the first day.
    assert usd() == ["17.00", "1.00"]
    assert metered() == ["24.00", "24.00"]


def test_an_alias_brings_an_entry_and_a_bill_together_and_leaves_no_trace():
    make_entry("2025-03-01", "2025-03-01", "10.00", provider="Amazon Web Services")
    make_cost("2025-03-01", "7.00")
    assert usd(providers=("AWS",)) == ["7.00"]
    alias = NameAlias.objects.create(kind="provider", alias="amazon  web services", name="AWS")
    assert usd(providers=("AWS",)) == ["17.00"]
    alias.delete()
    assert usd() == ["7.00", "10.00"]


def test_an_entry_costs_the_same_on_either_basis():
    make_entry("2025-03-01", "2025-03-01", "10.00")
    assert usd(basis="billed") == usd(basis="effective") == ["10.00"]


def test_a_scope_narrows_by_provider_and_gpu_type():
    make_entry("2025-03-01", "2025-03-01", "1.00")
    make_entry("2025-03-01", "2025-03-01", "2.00", gpu_type="H100-80GB")
    make_entry("2025-03-01", "2025-03-01", "4.00", provider="GCP", gpu_type="L4")
    assert usd(providers=("AWS",)) == ["1.00", "2.00"]
    assert usd(gpu_types=("H100-80GB", "L4")) == ["2.00", "4.00"]
    assert usd(providers=("AWS",), gpu_types=("L4",)) == []


# Rates per GPU and month


def test_128_own_gpus_at_a_monthly_rate():
    per_month("1000.00", "128", "2025-11-01", "2025-11-30")
    found = cells()
    assert sum(cell.usd for cell in found) == Decimal("128000.00")
    assert sum(cell.metered for cell in found) == Decimal("92160.00")
    assert [str(cell.usd) for cell in found[:3]] == ["4266.67", "4266.66", "4266.67"]
    assert {str(cell.metered) for cell in found} == {"3072.00"}
    assert {cell.sources for cell in costs()} == {frozenset({"rate"})}


def test_a_part_of_a_month_costs_its_share_of_the_elapsed_hours():
    per_month("310.00", "2", "2025-01-30", "2025-02-14")
    # 2 of 31 days and 14 of 28: 620 × 2 ÷ 31 = 40, 620 ÷ 2 = 310.
    assert sum(map(Decimal, usd("2025-01-01", "2025-01-31"))) == 40
    assert sum(map(Decimal, usd("2025-02-01", "2025-02-28"))) == 310
    assert metered() == ["48.00"] * 16


def test_in_a_month_with_a_clock_change_a_day_costs_as_much_as_it_has_hours():
    Provider.objects.create(name="fox", bill_clock="America/Los_Angeles")
    per_month("721.00", "1", "2025-11-01", "2025-11-30")  # November 2025 has 721 hours there
    assert usd("2025-11-01", "2025-11-03") == ["24.00", "25.00", "24.00"]
    assert metered("2025-11-02") == ["25.00"]
    assert sum(map(Decimal, usd())) == 721


def test_an_open_rate_posts_through_today(as_of):
    as_of("2025-03-05 09:00")
    per_month("310.00", "1", "2025-03-01")
    assert usd() == ["10.00"] * 5
    assert usd("2025-03-05", "2025-04-30") == ["10.00"]


def test_a_rate_posts_nothing_before_its_days_come(as_of):
    as_of("2025-03-05 09:00")
    per_month("310.00", "1", "2025-03-05", "2025-12-31")
    per_month("310.00", "1", "2025-06-01", gpu_type="H100-80GB")
    assert usd() == ["10.00"]


def test_the_next_rate_takes_over_within_a_month(as_of):
    as_of("2025-12-01")
    per_month("300.00", "1", "2025-11-01", "2025-11-15")
    per_month("600.00", "1", "2025-11-16")
    assert usd("2025-11-15", "2025-11-16") == ["10.00", "20.00"]


def test_a_part_of_a_gpu():
    per_month("300.00", "0.333333", "2025-11-01", "2025-11-30")
    assert sum(map(Decimal, usd())) == Decimal("100.00")  # 99.9999
    assert sum(map(Decimal, metered())) == Decimal("240.00")  # 239.99976


def test_a_monthly_rate_posts_nothing_where_a_cost_stands(as_of):
    as_of("2025-03-10")
    per_month("310.00", "1", "2025-03-01", "2025-03-04")
    make_cost("2025-03-01", "3.00", provider="Fox")
    make_cost("2025-03-02", "0.00", provider="fox")
    make_entry("2025-03-03", "2025-03-03", "4.00", **FOX)
    assert usd() == ["3.00", "0.00", "4.00", "10.00"]
    assert metered() == [None, None, None, "24.00"]


def test_hours_that_are_stored_stay_beside_a_rate():
    per_month("310.00", "1", "2025-03-01", "2025-03-02")
    make_usage("2025-03-01", "23.50", provider="fox")
    assert usd() == ["10.00", "10.00"]
    assert metered() == ["23.50", "24.00"]


# Rates per GPU-hour


def test_an_hourly_rate_prices_the_hours_of_jobs():
    per_hour("1.50", "2025-03-01")
    make_job("2025-03-01 20:00", "2025-03-02 04:00", gpu_count=4, **FOX)
    make_job("2025-03-02 00:00", "2025-03-02 01:00", **FOX)
    make_job("2025-02-28 00:00", "2025-02-28 01:00", **FOX)
    make_job("2025-03-02 00:00", "2025-03-02 01:00", provider="fox", gpu_type="H100-80GB")
    assert [(str(cell.day), str(cell.usd)) for cell in costs()] == [
        ("2025-03-01", "24.00"),
        ("2025-03-02", "25.50"),
    ]
    assert [cell.metered for cell in cells("2025-03-01", "2025-03-02")] == [None, None, None]


def test_a_job_is_charged_on_the_days_of_the_clusters_own_clock():
    Provider.objects.create(name="Fox", bill_clock="America/Los_Angeles")
    per_hour("1.00", "2025-03-01")
    make_job("2025-03-02 00:00", "2025-03-02 10:00", **FOX)  # midnight there is 08:00 UTC
    assert [(str(cell.day), str(cell.usd)) for cell in costs()] == [
        ("2025-03-01", "8.00"),
        ("2025-03-02", "2.00"),
    ]


def test_cents_of_an_hourly_rate_are_carried_through_the_month():
    per_hour("0.01", "2025-03-01")
    for day in range(1, 7):
        make_job(f"2025-03-0{day} 00:00", f"2025-03-0{day} 00:20", **FOX)
    # A third of a cent a day; 2 cents in six days, none of them lost.
    assert usd() == ["0.00", "0.01", "0.00", "0.00", "0.01", "0.00"]
    assert usd("2025-03-05") == ["0.01"]


def test_cents_are_carried_over_a_change_of_the_rate_whatever_day_is_asked_about():
    per_hour("0.01", "2025-03-01", "2025-03-02")
    per_hour("0.02", "2025-03-03")
    for day in range(1, 7):
        make_job(f"2025-03-0{day} 00:00", f"2025-03-0{day} 00:20", **FOX)
    whole = [str(cell.usd) for cell in costs()]
    assert whole == [usd(f"2025-03-0{day}")[0] for day in range(1, 7)]
    assert sum(map(Decimal, whole)) == Decimal("0.03")  # (2 × 1 + 4 × 2) ÷ 3 cents


def test_an_hourly_rate_stands_back_where_another_cost_is_known():
    per_hour("1.00", "2025-03-01")
    per_month("310.00", "1", "2025-03-02", "2025-03-02")
    for day in range(1, 5):
        make_job(f"2025-03-0{day} 00:00", f"2025-03-0{day} 05:00", **FOX)
    make_cost("2025-03-03", "7.00", provider="fox")
    make_entry("2025-03-04", "2025-03-04", "-2.00", **FOX)
    assert usd() == ["5.00", "10.00", "7.00", "-2.00"]


def names_of_a_page() -> Names:
    """Which knows already whether anything is unsettled."""
    names = Names.load()
    if_any(names)
    return names


def test_jobs_are_not_asked_for_where_no_hourly_rate_is(django_assert_num_queries):
    per_month("310.00", "1", "2025-03-01", "2025-03-02")
    names = names_of_a_page()
    with django_assert_num_queries(3):  # stored costs, period entries, rates
        spend.costs(Scope(), names)
    per_hour("1.00", "2025-03-03")
    names = names_of_a_page()
    with django_assert_num_queries(4):
        spend.costs(Scope(), names)


def test_commitments_and_metered_hours_are_asked_for_once_and_only_for_an_entry(django_assert_num_queries):
    names = names_of_a_page()
    with django_assert_num_queries(3):
        spend.costs(Scope(), names)
    for n in range(5):
        make_entry("2025-03-01", "2025-03-05", "1", gpu_type=f"GPU {n}")
    names = names_of_a_page()
    with django_assert_num_queries(5):
        spend.costs(Scope(), names)
    with django_assert_num_queries(2):  # stored hours and jobs
        usage.cells(Scope(), names)


# Any entries and rates

days = st.dates(date(2024, 12, 20), date(2025, 4, 10))
cents = st.decimals("-9999.99", "99999.99", places=2)
hardware = st.sampled_from(
    [FOX, {"provider": "Fox ", "gpu_type": "A100-80gb"}, {"provider": "AWS", "gpu_type": "L4"}]
)


@st.composite
def periods(draw, longest: int = 70):
    first = draw(days)
    return {"first_day": first, "last_day": first + timedelta(days=draw(st.integers(0, longest)))}


entries = st.builds(
    lambda where, when, usd, hours: PeriodEntry(**where, **when, cost_usd=usd, gpu_hours=hours),
    hardware,
    periods(),
    cents,
    st.none() | st.decimals("0", "99999.99", places=2),
)
commitments = st.builds(
    lambda where, when, gpus: Commitment(**where, **when, gpus=gpus),
    hardware,
    periods(),
    st.decimals("0.000001", "300", places=6),
)
hours = st.builds(
    lambda where, day, amount: UsageSnapshot(**where, date=day, gpu_hours=amount),
    hardware,
    days,
    st.decimals("0", "500", places=2),
)


def rates_per(per: st.SearchStrategy[str]) -> st.SearchStrategy[Rate]:
    return st.builds(
        lambda where, when, per, usd, gpus: Rate(**where, **when, per=per, usd=usd, gpus=gpus),
        hardware,
        periods(),
        per,
        st.decimals("0", "2000", places=6),
        st.decimals("0.000001", "300", places=6),
    )


rates = rates_per(st.sampled_from(Rate.Per.values))
costs_stored = st.builds(
    lambda where, day, usd: CostSnapshot(**where, date=day, cost_usd=usd), hardware, days, cents
)


def store(*rows_of_tables) -> None:
    Provider.objects.get_or_create(name="fox", bill_clock="America/Los_Angeles")
    for model in (PeriodEntry, Commitment, UsageSnapshot, Rate, CostSnapshot, Job):
        model.objects.all().delete()
    for rows in rows_of_tables:
        for row in rows:
            row.pk = None
            row._state.adding = True
            type(row).objects.bulk_create([row], ignore_conflicts=True)


@settings(max_examples=examples(20))
@given(
    made=st.lists(entries, min_size=1, max_size=4),
    promised=st.lists(commitments, max_size=2),
    metered_hours=st.lists(hours, max_size=6),
    cut=days,
)
def test_the_days_of_any_entries_add_up_to_their_totals(made, promised, metered_hours, cut):
    store(made, promised, metered_hours)
    names = Names.load()
    rows = spend.rows(Scope(), names)
    assert sum(row.usd for row in rows) == sum(entry.cost_usd for entry in PeriodEntry.objects.all())
    assert all(row.usd == round(row.usd, 2) for row in rows)
    totals = {entry.cost_usd > 0 for entry in PeriodEntry.objects.all()}
    if totals == {True}:
        assert all(row.usd >= 0 for row in rows)
    early, late = Span(date(2024, 1, 1), cut), Span(cut, date(2026, 1, 1))
    in_parts = [row for part in (early, late) for row in spend.rows(Scope(span=part), names)]
    assert Counter(in_parts) == Counter(rows)


@settings(max_examples=examples(20))
@given(
    made=st.lists(rates, min_size=1, max_size=4),
    others=st.lists(entries, max_size=1),
    stored=st.lists(costs_stored, max_size=3),
    starts=st.lists(st.tuples(days, st.integers(0, 23), st.integers(1, 4000)), max_size=4),
    cuts=st.lists(days, min_size=1, max_size=3),
)
def test_a_day_costs_the_same_whatever_range_it_is_asked_within(made, others, stored, starts, cuts):
    store(made, others, stored)
    team = make_team("vision")
    for day, hour, minutes in starts:
        begin = f"{day} {hour:02}:00"
        job = make_job(begin, begin, team=team, **FOX)
        Job.objects.filter(pk=job.pk).update(end_time=job.start_time + timedelta(minutes=minutes))
    names = Names.load()
    borders = [date(2024, 1, 1), *sorted(cuts), date(2026, 1, 1)]
    parts = [Scope(span=Span(*each)) for each in zip(borders, borders[1:], strict=False)]
    whole = usage.cells(Scope(), names)
    assert [cell for part in parts for cell in usage.cells(part, names)] == whole
    assert sum(cell.usd or 0 for cell in whole) == sum(row.usd for row in spend.rows(Scope(), names))


@settings(max_examples=examples(20))
@given(made=rates_per(st.just(Rate.Per.GPU_MONTH)))
def test_whole_months_of_a_rate_cost_its_price(made):
    made.last_day = date(2025, 5, 31)
    store([made])
    whole = spend.costs(Scope(span=span("2025-05-01", "2025-05-31")), Names.load())
    exact = made.usd * made.gpus
    assert abs(sum(cell.usd for cell in whole) - exact) <= Decimal("0.005")


# On the pages


def test_spread_days_are_marked_and_the_file_has_its_four_columns(client, finance, as_of):
    as_of("2025-04-10 12:00")
    make_entry("2025-03-01", "2025-03-31", "3100.00")
    make_cost("2025-03-01", "1.00", gpu_type="H100-80GB")
    per_month("310.00", "1", "2025-03-01", "2025-03-31")
    client.force_login(finance)
    where = {"start": "2025-03-01", "end": "2025-03-01"}
    page = client.get("/costs/", where)
    text = page.content.decode()
    assert page.context["total"] == Decimal("111.00")
    assert '<small class="soft">spread</small> $100.00' in text
    assert '<small class="soft">rate</small> $10.00' in text
    assert "a part of a total that was typed in" in text
    rows = rows_of(client.get("/costs/", where | {"_export": "csv"}))
    assert [list(row.values()) for row in rows] == [
        ["2025-03-01", "AWS", "A100-80GB", "100.00"],
        ["2025-03-01", "AWS", "H100-80GB", "1.00"],
        ["2025-03-01", "fox", "A100-80GB", "10.00"],
    ]
    assert "spread" not in client.get("/costs/", where | {"gpu_type": "H100-80GB"}).content.decode()


def test_days_with_most_hours_count_what_is_posted(client, finance, as_of):
    as_of("2025-04-10 12:00")
    make_usage("2025-03-02", "100")
    make_entry("2025-03-01", "2025-03-02", "2.00", "48", gpu_type="H100-80GB")
    per_month("310.00", "4", "2025-03-01", "2025-03-01")
    client.force_login(finance)
    peaks = client.get("/usage/", {"preset": "all"}).context["peaks"]
    assert [(peak["day"].day, peak["hours"]) for peak in peaks] == [(2, 124), (1, 120)]


def test_names_of_contracts_are_filters(client, finance, as_of):
    as_of("2025-04-10 12:00")
    per_month("310.00", "1", "2025-03-01")
    client.force_login(finance)
    assert client.get("/costs/", {"provider": "fox", "preset": "last7"}).context["total"] == Decimal("72.33")
