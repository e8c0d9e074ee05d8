"""Rates by kind of purchase, commitments and unusual days, with numbers worked by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.models import Commitment, NameAlias, Provider
from dashboard.models.names import name_key
from dashboard.reports.kinds import Part, hours_of
from dashboard.reports.outliers import outliers
from dashboard.reports.unit_prices import Priced, dearer, rates

from .conftest import examples, make_cost, make_usage
from .downloads import chart, rows_of
from .loading import bill, load_rows

MARCH = {"start": "2025-03-01", "end": "2025-03-31"}
D1 = date(2025, 3, 1)


def page_of(client: Any, user: Any, **where: str) -> Any:
    client.force_login(user)
    return client.get("/unit-prices/", MARCH | where)


def kinds(response: Any) -> dict[str, dict[str, Any]]:
    return {row.record["kind"]: row.record for row in response.context["kinds"].rows}


@pytest.fixture
def two_kinds(db: None, as_of: Any) -> None:
    """A day of AWS A100s: 10 h on demand for $40, 30 h spot for $30."""
    as_of("2025-04-10 12:00")
    load_rows(bill(1, "40", "10"), bill(1, "30", "30", kind="spot"))


@pytest.fixture
def sixty_per_cent(db: None, as_of: Any) -> None:
    """Ten hours at $1 are paid for, six are used; beside them 4 h on demand at $2."""
    as_of("2025-04-10 12:00")
    load_rows(
        bill(1, "0", "6", kind="committed", effective="6"),
        bill(1, "0", None, kind="unused_commitment", effective="4"),
        bill(1, "8", "4"),
        bill(1, "240", None, kind="purchase", effective="0", gpu_type=""),
    )


def test_spot_and_on_demand_of_one_cell_are_told_apart(client, finance, two_kinds):
    """Blended, the hour is $1.75; it is neither the $4 nor the $1 that were paid."""
    response = page_of(client, finance)
    found = kinds(response)
    assert (found["on_demand"]["billed_rate"], found["spot"]["billed_rate"]) == (4, 1)
    assert (found["on_demand"]["hours_share"], found["spot"]["hours_share"]) == (
        Decimal("0.25"),
        Decimal("0.75"),
    )
    assert round(found["spot"]["cost_share"], 4) == Decimal("0.4286")
    [blended] = response.context["prices"].rows
    assert blended.record["effective_rate"] == Decimal("1.75")


def test_a_commitment_used_60_per_cent_reads_60_per_cent(client, finance, sixty_per_cent):
    response = page_of(client, finance)
    [row] = response.context["commitments"].rows
    assert row["use"].utilisation == Decimal("0.6")
    assert (row["use"].covered.gpu_hours, row["use"].unused) == (6, 4)
    figure = next(f for f in response.context["figures"] if f["label"] == "Commitment utilisation")
    assert (figure["value"], figure["sub"]) == ("60.0 %", "$4.00 unused")
    assert figure["how"].formula == "$6.00 ÷ ($6.00 + $4.00) = 60.0 %"


def test_billed_and_effective_of_the_same_cells_and_their_gap(client, finance, sixty_per_cent):
    """10 h bill $8 and cost $18; covered hours bill nothing, so they have no billed rate."""
    response = page_of(client, finance)
    [row] = [row.record for row in response.context["prices"].rows]
    assert (row["gpu_hours"], row["billed"], row["effective"], row["gap"]) == (10, 8, 18, 10)
    assert (row["billed_rate"], row["effective_rate"], row["gap_rate"]) == (
        Decimal("0.8"),
        Decimal("1.8"),
        1,
    )
    found = kinds(response)
    assert (found["committed"]["billed_rate"], found["committed"]["effective_rate"]) == (None, 1)
    unused = found["unused_commitment"]
    assert (unused["gpu_hours"], unused["effective"], unused["effective_rate"]) == (None, 4, None)


def test_figures_without_lines_cost_the_same_on_both_bases(client, finance, as_of):
    as_of("2025-04-10 12:00")
    make_cost("2025-03-01", "50.00")
    make_usage("2025-03-01", "20.00")
    make_usage("2025-03-02", "4.00")
    found = kinds(page_of(client, finance))
    assert (found["entered"]["billed"], found["entered"]["effective"], found["entered"]["gpu_hours"]) == (
        50,
        50,
        20,
    )
    assert (found["no_cost"]["gpu_hours"], found["no_cost"]["effective_rate"]) == (4, None)


def test_a_rate_is_not_available_where_hours_or_cost_are_not_above_zero(client, finance, as_of):
    as_of("2025-04-10 12:00")
    make_cost("2025-03-01", "-25.00", provider="GCP")
    make_usage("2025-03-01", "10.00", provider="GCP")
    make_cost("2025-03-01", "25.00")
    response = page_of(client, finance)
    assert [row.record["effective_rate"] for row in response.context["prices"].rows] == [None, None]
    assert "n/a" in response.content.decode()


def test_rates_are_of_gpus_with_both_cost_and_metered_hours(client, finance, partly_metered):
    """All: ($450 − $60 of OCI) ÷ (200 h − 20 h of GCP), with the days on which Lambda stood unused."""
    response = page_of(client, finance)
    found = {row.record["provider"]: row.record for row in response.context["prices"].rows}
    assert {name: row["effective_rate"] for name, row in found.items()} == {
        "AWS": 2,
        "GCP": None,
        "Lambda": 3,
        "OCI": None,
    }
    assert (found["Lambda"]["effective"], found["Lambda"]["gpu_hours"]) == (90, 30)
    total = response.context["total"]
    assert (total.gpu_hours, total.effective, total.effective_rate) == (200, 450, Decimal(390) / 180)
    figures = {f["label"]: f for f in response.context["figures"]}
    assert figures["Effective"]["sub"] == (
        "$2.1667/h; $60.00 without metered hours left out; 20.0 h without cost left out"
    )
    assert figures["Effective"]["how"].formula == (
        "($450.00 − $60.00 without metered hours) ÷ (200.0 h − 20.0 h without cost) = $2.1667/h"
    )
    drawn = chart(response, "rates")
    assert {s["name"]: s["values"] for s in drawn["series"]} == {
        "AWS A100-80GB": [2],
        "Lambda H100-80GB": [3],
        "OCI A10G": [None],
        "GCP L4": [None],
    }
    rows = rows_of(page_of(client, finance, _export="csv"))
    assert {(row["provider"], row["effective_rate"], row["billed_rate"]) for row in rows} == {
        ("AWS", "2.000000", "2.000000"),
        ("GCP", "", ""),
        ("Lambda", "3.000000", "3.000000"),
        ("OCI", "", ""),
    }
    assert client.get("/usage/", MARCH).context["total"].unit_price == total.effective_rate


def test_the_file_has_the_rows_of_the_page_and_their_sum(client, finance, two_kinds, sixty_per_cent):
    load_rows(bill(2, "5", "1", provider="GCP", gpu_type="L4"))
    make_cost("2025-03-05", "7.25", provider="Lambda")
    make_usage("2025-03-05", "3.50", provider="Lambda")
    response = page_of(client, finance)
    rows = rows_of(page_of(client, finance, _export="csv"))
    assert list(rows[0]) == [
        "month",
        "provider",
        "gpu_type",
        "kind",
        "metered_gpu_hours",
        "billed_usd",
        "effective_usd",
        "billed_rate",
        "effective_rate",
    ]
    total = response.context["total"]
    sums = [
        sum(Decimal(row[name] or 0) for row in rows)
        for name in ("metered_gpu_hours", "billed_usd", "effective_usd")
    ]
    assert sums == [total.gpu_hours, total.billed, total.effective]
    shown = [row.record for row in response.context["kinds"].rows]
    assert [(r["provider"], r["kind"], r["billed_usd"]) for r in rows] == [
        (r["provider"], r["kind"], str(r["billed"])) for r in shown
    ]
    metered = client.get("/usage/", MARCH).context["total"]
    assert (metered.metered, metered.usd) == (total.gpu_hours, total.effective)


def test_rows_are_per_month_unless_asked_otherwise(client, finance, two_kinds):
    assert {row["month"] for row in rows_of(page_of(client, finance, _export="csv"))} == {"2025-03-01"}
    assert "day" in rows_of(page_of(client, finance, _export="csv", bucket="day"))[0]


def test_the_rate_chart_has_a_line_per_provider_and_gpu_type(client, finance, two_kinds):
    drawn = chart(page_of(client, finance), "rates")
    assert [(s["name"], s["values"]) for s in drawn["series"]] == [("AWS A100-80GB", [1.75])]
    assert drawn["axes"]["left"] == "usd_per_hour"


def test_the_two_tables_are_sorted_and_turned_on_their_own(client, finance, two_kinds):
    response = page_of(client, finance, **{"kinds-sort": "-gpu_hours", "kinds-page": "2", "per_page": "1"})
    [shown] = response.context["kinds"].paginated_rows
    assert shown.record["kind"] == "on_demand"
    assert response.context["prices"].page.number == 1
    for hostile in ("-1", "abc", "9" * 400):
        assert page_of(client, finance, **{"kinds-page": hostile, "kinds-sort": hostile}).status_code == 200


@pytest.mark.parametrize(
    ("asked_for", "unfolded"),
    [
        ({}, []),
        ({"sort": "gap"}, ["prices"]),
        ({"page": "2"}, ["prices"]),
        ({"kinds-sort": "kind"}, ["kinds"]),
    ],
)
def test_the_long_tables_are_folded_until_the_address_asks_for_one(
    client, finance, two_kinds, asked_for, unfolded
):
    response = page_of(client, finance, **asked_for)
    assert [name for name, is_open in response.context["open"].items() if is_open] == unfolded
    assert response.content.decode().count("data-print-open open>") == len(unfolded)


# Hours of a cell by kind


def part(cents: int, hours: str | None = None) -> Part:
    return Part(cents, None if hours is None else Decimal(hours))


def test_hours_of_lines_are_settled_to_the_metered_hours():
    hours = hours_of({"spot": part(1, "1.006"), "on_demand": part(1, "2.004")}, Decimal("3.01"))
    assert hours == {"on_demand": Decimal("2.00"), "spot": Decimal("1.01")}


def test_hours_that_no_line_tells_belong_to_what_no_line_brought():
    parts = {"on_demand": part(500, "5"), "entered": part(300), "unused_commitment": part(900)}
    assert hours_of(parts, Decimal(8)) == {"on_demand": 5, "entered": 3}
    assert hours_of(parts, None) == {"on_demand": 5}


def test_hours_of_a_cell_whose_lines_tell_none_are_those_of_the_dearest_kind():
    parts = {"on_demand": part(500), "spot": part(100), "credit": part(-700)}
    assert hours_of(parts, Decimal(8)) == {"on_demand": 8}


places = st.decimals(0, 1000, places=6)
some_parts = st.dictionaries(
    st.sampled_from(["on_demand", "spot", "committed", "unused_commitment", "entered"]),
    st.builds(Part, st.integers(-100, 100), st.none() | places),
    min_size=1,
)


@settings(max_examples=examples(100))
@given(some_parts, st.decimals(0, 4000, places=2))
def test_hours_by_kind_add_up_to_the_metered_hours(parts, metered):
    hours = hours_of(parts, metered)
    assert sum((h for h in hours.values() if h is not None), Decimal(0)) == metered


# Commitments


def commit(first: str, last: str, gpus: str = "2", **facts: Any) -> Commitment:
    facts = {"provider": "AWS", "gpu_type": "A100-80GB"} | facts
    days = {"first_day": date.fromisoformat(first), "last_day": date.fromisoformat(last)}
    return Commitment.objects.create(gpus=Decimal(gpus), **days, **facts)


def covered(day: int, hours: str = "24", month: int = 3) -> Any:
    first = date(2025, month, 1)
    period = (first, date(2025, month + 1, 1))
    return bill(
        billed="0",
        hours=hours,
        kind="committed",
        effective="24",
        day_date=first + timedelta(days=day - 1),
        period=period,
    )


def contracts(response: Any) -> list[str]:
    return [row["told"] for row in response.context["contracts"].rows]


def test_contracted_hours_are_gpus_times_elapsed_hours_of_days_on_the_bill(client, finance, as_of):
    """Two GPUs from 3 March; the bill reaches the 6th: 4 days × 24 h × 2 = 192 h, of which 96 are covered."""
    as_of("2025-03-07 12:00")
    commit("2025-03-03", "2025-12-31")
    load_rows(*(covered(day) for day in range(1, 7)))
    [row] = page_of(client, finance).context["commitments"].rows
    assert (row["use"].contracted, row["use"].covered.gpu_hours) == (192, 144)
    [row] = page_of(client, finance, start="2025-03-03").context["commitments"].rows
    assert row["use"].of_contract == Decimal("0.5")


def test_a_day_on_which_clocks_change_has_23_contracted_hours(client, finance, as_of):
    """Sunday 9 March 2025 in Los Angeles."""
    as_of("2025-03-20 12:00")
    Provider.objects.create(key=name_key("AWS"), name="AWS", bill_clock="America/Los_Angeles")
    commit("2025-03-09", "2025-03-09", gpus="1.5")
    load_rows(covered(9), covered(12))
    assert page_of(client, finance, end="2025-03-10").context["commitments"].rows[0][
        "use"
    ].contracted == Decimal("34.5")


@pytest.mark.parametrize(
    ("last", "told", "flag"),
    [
        ("2025-04-20", "10 days left: within 30 days", True),
        ("2025-04-10", "ends today: within 30 days", True),
        ("2025-06-09", "60 days left: within 90 days", True),
        ("2025-12-31", "265 days left", False),
        ("2025-03-31", "ended 10 days ago", False),
        ("2025-03-10", "ended 31 days ago, and the bill still shows covered hours", True),
    ],
)
def test_a_contract_says_when_it_ends(client, finance, as_of, last, told, flag):
    as_of("2025-04-10 12:00")
    commit("2025-01-01", last)
    load_rows(covered(20), bill(31, "1", "1"))
    [row] = page_of(client, finance).context["contracts"].rows
    assert (row["told"], row["flag"], row["covered_last"]) == (told, flag, date(2025, 3, 20))


def test_a_contract_that_is_followed_by_another_is_not_flagged(client, finance, as_of):
    as_of("2025-04-10 12:00")
    commit("2025-01-01", "2025-04-20")
    commit("2025-04-21", "2026-04-20")
    load_rows(covered(20))
    response = page_of(client, finance)
    assert contracts(response) == ["10 days left, another contract follows", "375 days left"]
    assert not any(row["flag"] for row in response.context["contracts"].rows)


def test_a_longer_contract_beside_it_does_not_follow_one(client, finance, as_of):
    as_of("2025-04-10 12:00")
    commit("2025-01-01", "2025-04-20")
    commit("2025-01-01", "2025-12-31")
    load_rows(covered(20))
    assert contracts(page_of(client, finance)) == ["10 days left: within 30 days", "265 days left"]


def test_a_contract_meets_the_bill_under_whatever_spelling(client, finance, as_of):
    as_of("2025-04-10 12:00")
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    commit("2025-03-20", "2025-12-31", provider="amazon", gpu_type="a100-80gb")
    load_rows(covered(20), covered(22))
    [row] = page_of(client, finance, provider="AWS").context["commitments"].rows
    assert (row["use"].covered.gpu_hours, row["use"].contracted) == (48, 144)
    assert page_of(client, finance, provider="GCP").context["contracts"].rows == []


def test_covered_hours_without_a_contract_are_named(client, finance, sixty_per_cent):
    response = page_of(client, finance)
    assert response.context["untold"] == [("AWS", "A100-80GB")]
    assert "no contract is typed in" in response.content.decode()


# Unusual rates


def days_at(*rates: str, hours: int = 100, kind: str = "on_demand") -> list[Priced]:
    """A day of AWS A100s for each rate."""
    return [
        Priced(D1 + timedelta(days=n), "AWS", "A100-80GB", kind, cents, cents, Decimal(hours))
        for n, cents in enumerate(int(Decimal(rate) * hours * 100) for rate in rates)
    ]


def test_a_day_at_another_rate_is_told_with_its_money():
    """Eight days at $2 and one at $3: 100 h cost $100 more than usual."""
    [found] = outliers(days_at(*["2"] * 5, "3", *["2"] * 3), "effective")
    assert (found.days.start, found.days.length) == (date(2025, 3, 6), 1)
    assert (found.rate, found.median, found.more) == (3, 2, 100)


def test_days_in_a_row_are_one_outlier_and_the_other_side_another():
    found = outliers(days_at(*["2"] * 8, "3", "3", "1", "2", "3"), "billed")
    assert [(o.days.start.day, o.days.length, o.more) for o in found] == [
        (9, 2, 200),
        (11, 1, -100),
        (13, 1, 100),
    ]


def test_what_usually_varies_is_no_outlier():
    assert outliers(days_at("2", "2.2", "1.8", "2.3", "1.7", "2.1", "1.9", "2.4"), "effective") == []


def test_six_days_are_too_few_to_tell():
    assert outliers(days_at(*["2"] * 5, "9"), "effective") == []


def test_cents_of_rounding_are_no_outlier():
    """Two hundredths of an hour at $2: a cent more is $2.50, and nothing to look at."""
    days = [Priced(D1 + timedelta(days=n), "GCP", "L4", "spot", 4, 4, Decimal("0.02")) for n in range(8)]
    days[3] = Priced(days[3].day, "GCP", "L4", "spot", 5, 5, Decimal("0.02"))
    assert outliers(days, "effective") == []


def test_kinds_are_judged_apart():
    """$1 is usual for spot though the same hardware costs $4 on demand."""
    assert outliers(days_at(*["4"] * 8) + days_at(*["1"] * 8, kind="spot"), "effective") == []


def test_what_was_spread_over_days_is_never_unusual():
    days = ["2"] * 8 + ["9"]
    assert outliers(days_at(*days, kind="period") + days_at(*days, kind="rate"), "effective") == []
    assert len(outliers(days_at(*days), "effective")) == 1


def test_open_days_are_never_unusual(client, finance, as_of):
    as_of("2025-03-09 12:00")
    load_rows(*(bill(day, "20" if day < 9 else "90", "10") for day in range(1, 10)))
    assert page_of(client, finance).context["outliers"] == []
    as_of("2025-03-20 12:00")
    load_rows(
        *(bill(day, "20" if day != 9 else "90", "10") for day in range(1, 12)),
        digest="the bill, two days later",
    )
    [row] = page_of(client, finance).context["outliers"]
    assert (row["days"], row["more"]) == ("9 Mar 2025", "+$70.00")
    assert client.get(row["url"]).context["total"] == 90


def test_a_gpu_type_beside_its_cheapest_provider():
    """100 h at $4 and 10 h at $2: the 100 h would cost $200 there; $2.40 is no quarter more."""
    cells = [
        Priced(D1, "AWS", "A100-80GB", "on_demand", 400_00, 400_00, Decimal(100)),
        Priced(D1, "GCP", "A100-80GB", "on_demand", 20_00, 20_00, Decimal(10)),
        Priced(D1, "OCI", "A100-80GB", "on_demand", 24_00, 24_00, Decimal(10)),
        Priced(D1, "AWS", "L4", "on_demand", 80_00, 80_00, Decimal(100)),
    ]
    [found] = dearer(cells, "effective")
    assert (found.provider, found.cheapest, found.rate, found.cheapest_rate) == ("AWS", "GCP", 4, 2)
    assert found.more == 200


def test_what_stood_unused_for_a_day_makes_a_provider_dearer():
    """AWS: 100 h at $4, and a commitment of $200 that nobody used on the day after."""
    cells = [
        Priced(D1, "AWS", "A100-80GB", "on_demand", 400_00, 400_00, Decimal(100)),
        Priced(D1 + timedelta(days=1), "AWS", "A100-80GB", "unused_commitment", 0, 200_00, None),
        Priced(D1, "GCP", "A100-80GB", "on_demand", 20_00, 20_00, Decimal(10)),
    ]
    [found] = dearer(cells, "effective")
    assert (found.rate, found.cheapest_rate, found.more) == (6, 2, 400)


def test_rates_of_nothing():
    nothing = rates([])
    assert (nothing.gpu_hours, nothing.billed, nothing.effective_rate, nothing.gap_rate) == (
        None,
        0,
        None,
        None,
    )


@pytest.mark.parametrize(("url", "most"), [("/unit-prices/", 27), ("/bridge/", 28)])
def test_the_number_of_queries_does_not_grow(
    client, finance, as_of, url, most, django_assert_max_num_queries
):
    as_of("2025-04-10 12:00")
    load_rows(
        *(
            bill(day, "8", "4", provider=f"cloud {n}", gpu_type=f"gpu {n}", kind=kind)
            for n in range(10)
            for day in (1, 9, 10)
            for kind in ("on_demand", "spot", "committed")
        )
    )
    for n in range(10):
        commit("2025-01-01", "2025-12-31", provider=f"cloud {n}", gpu_type=f"gpu {n}")
    client.force_login(finance)
    with django_assert_max_num_queries(most):
        client.get(url, {"start": "2025-03-09", "end": "2025-03-09"})


def test_a_stored_nought_of_hours_is_a_fact_on_both_pages(client, finance, as_of):
    as_of("2025-03-08 12:00")
    make_cost("2025-03-01", "100.00")
    make_usage("2025-03-01", "50.00")
    make_cost("2025-03-01", "30.00", provider="Lambda", gpu_type="H100-80GB")
    make_usage("2025-03-01", "0.00", provider="Lambda", gpu_type="H100-80GB")
    client.force_login(finance)
    asked = {"start": "2025-03-01", "end": "2025-03-01"}
    usage, prices = (client.get(url, asked).context["total"] for url in ("/usage/", "/unit-prices/"))
    assert usage.unit_price == prices.effective_rate == Decimal("2.6")
