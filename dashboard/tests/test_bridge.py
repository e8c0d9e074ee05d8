"""The bridge between two periods, by hand and for any bills: its parts add up to the difference."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.models import CostSnapshot
from dashboard.reports.bridge import Parts, Side, bridged, reasons

from .conftest import examples, make_cost, make_usage
from .downloads import chart, rows_of
from .loading import bill, load_rows

quick = settings(max_examples=examples(100))
H100, L4 = ("AWS", "H100-80GB", "on_demand"), ("GCP", "L4", "on_demand")


def side(usd: str, hours: str | None = None) -> Side:
    return Side(int(Decimal(usd) * 100), None if hours is None else Decimal(hours))


BEFORE = {
    H100: side("1000", "100"),
    L4: side("100", "100"),
    ("Azure", "T4", "spot"): side("8", "20"),
    ("AWS", "H100-80GB", "unused_commitment"): side("40"),
}
NOW = {
    H100: side("1200", "150"),
    L4: side("84", "70"),
    ("Lambda", "A100-80GB", "entered"): side("15", "10"),
    ("AWS", "H100-80GB", "unused_commitment"): side("25"),
    ("OCI", "A10", "credit"): side("-5"),
}


def test_a_bridge_worked_by_hand():
    """200 hours became 220: a tenth more of everything, the rest of the shift is mix."""
    found = bridged(BEFORE, NOW)
    parts = {(s.provider, s.gpu_type, s.kind): s.parts for s in found.steps}
    # 100 h at $10 became 150 h at $8: 10 h of 50 are volume, 40 h mix, $2 less for 150 h rate.
    assert parts[H100] == Parts(volume=100_00, mix=400_00, rate=-300_00)
    # 100 h at $1 became 70 h at $1.20.
    assert parts[L4] == Parts(volume=10_00, mix=-40_00, rate=14_00)
    assert parts["Azure", "T4", "spot"] == Parts(gone=-8_00)
    assert parts["Lambda", "A100-80GB", "entered"] == Parts(new=15_00)
    assert parts["AWS", "H100-80GB", "unused_commitment"] == Parts(no_rate=-15_00)
    assert parts["OCI", "A10", "credit"] == Parts(no_rate=-5_00)
    assert found.parts == Parts(110_00, 360_00, -286_00, 15_00, -8_00, -20_00)
    assert (found.before, found.now, found.change) == (1148_00, 1319_00, 171_00)


def test_spot_and_on_demand_of_one_cell_are_told_apart():
    """100 h at $4 and 100 h at $1; then all 200 h stay, but 50 of them moved to spot: mix, no rate."""
    on_demand, spot = ("AWS", "A100-80GB", "on_demand"), ("AWS", "A100-80GB", "spot")
    found = bridged(
        {on_demand: side("400", "100"), spot: side("100", "100")},
        {on_demand: side("200", "50"), spot: side("150", "150")},
    )
    assert found.parts == Parts(mix=-150_00)


def test_a_lower_price_is_rate_and_nothing_else():
    found = bridged({H100: side("1229", "100")}, {H100: side("688", "100")})
    assert found.parts == Parts(rate=-541_00)


def test_a_new_provider_is_no_growth_of_the_others():
    found = bridged({H100: side("1000", "100")}, {H100: side("1000", "100"), L4: side("50", "50")})
    assert found.parts == Parts(new=50_00)


def test_cost_that_is_not_above_zero_has_no_rate():
    """A month whose refund outweighs its cost cannot be a price of its hours."""
    found = bridged({H100: side("-3", "10")}, {H100: side("20", "10")})
    assert found.parts == Parts(no_rate=23_00)


def test_parts_of_a_cent_are_settled_within_the_cell():
    """$1 for 3 h became $1 for 7 h: volume is 4/3 $, rate takes the other third."""
    found = bridged({H100: side("1", "3")}, {H100: side("1", "7")})
    assert found.parts == Parts(volume=1_33, rate=-1_33)


def test_what_moved_the_total_most_and_what_against_it():
    with_it, against = reasons(bridged(BEFORE, NOW))
    assert (with_it.step.provider, with_it.part, with_it.cents) == ("AWS", "hours", 500_00)
    assert (against.step.provider, against.part, against.cents) == ("AWS", "rate", -300_00)


cents = st.integers(-100_000_00, 100_000_00)
hours = st.none() | st.decimals(-10, 10_000, places=2)
cells = st.tuples(
    st.sampled_from(["AWS", "GCP"]), st.sampled_from(["L4", "T4"]), st.sampled_from(["spot", "on_demand"])
)
sides = st.dictionaries(cells, st.builds(Side, cents, hours))


@quick
@given(sides, sides)
def test_the_parts_add_up_to_the_difference_for_any_bills(before, now):
    found = bridged(before, now)
    difference = sum(s.cents for s in now.values()) - sum(s.cents for s in before.values())
    assert found.parts.total == found.change == difference
    for step in found.steps:
        assert step.parts.total == step.change
    assert {(s.provider, s.gpu_type, s.kind) for s in found.steps} == before.keys() | now.keys()
    for key in ("provider", "gpu_type", "kind"):
        groups = found.by(lambda step, key=key: getattr(step, key))
        assert sum((group.parts for group in groups.values()), Parts()) == found.parts


@quick
@given(sides, sides)
def test_each_part_of_a_cell_is_within_a_cent_of_its_formula(before, now):
    for step in bridged(before, now).steps:
        if step.before and step.now and step.before.is_priced and step.now.is_priced:
            more_hours = (step.now.gpu_hours - step.before.gpu_hours) * step.before.rate * 100
            other_rate = (step.now.rate - step.before.rate) * step.now.gpu_hours * 100
            assert abs(step.parts.volume + step.parts.mix - more_hours) < 2
            assert abs(step.parts.rate - other_rate) < 1 + Decimal("0.001")


@pytest.mark.parametrize("none", [{}, {H100: side("0")}])
def test_nothing_against_nothing_is_no_difference(none):
    assert bridged(none, none).parts == Parts()
    assert reasons(bridged(none, none)) == (None, None)


# The page and its file


@pytest.fixture
def two_weeks(db, as_of):
    """AWS A100s: 10 h a day at $4 in the first week of March, 12 h at $3 in the second; 15 March is open.

    Spot comes in the second week, A10s go with the first, and a refund has no hours.
    """
    as_of("2025-03-16 12:00")
    load_rows(
        *(bill(day, "40", "10") for day in range(1, 8)),
        *(bill(day, "36", "12") for day in range(8, 16)),
        bill(9, "5", "5", kind="spot"),
    )
    for day in range(1, 8):
        make_cost(f"2025-03-0{day}", "7.00", gpu_type="A10")
        make_usage(f"2025-03-0{day}", "7.00", gpu_type="A10")
    make_cost("2025-03-10", "-2.50", gpu_type="L4")


SECOND_WEEK = {"start": "2025-03-08", "end": "2025-03-14"}


def page_of(client, user, **where):
    client.force_login(user)
    return client.get("/bridge/", SECOND_WEEK | where)


def values(figures):
    return {figure["label"]: figure["value"] for figure in figures}


def test_the_page_takes_the_difference_apart(client, finance, two_weeks):
    """70 h at $4 became 84 h at $3: 14 × 4 = 56 of volume, −1 × 84 of rate."""
    response = page_of(client, finance)
    assert values(response.context["figures"]) == {
        "Before": "$329.00",
        "Now": "$254.50",
        "Difference": "−$74.50",
    }
    assert values(response.context["parts"]) == {
        "Volume": "+$56.00",
        "Mix": "$0.00",
        "Rate": "−$84.00",
        "New": "+$5.00",
        "Gone": "−$49.00",
        "No rate": "−$2.50",
    }
    assert response.context["spans"] == "8–14 Mar 2025 against 1–7 Mar 2025"
    volume = response.context["parts"][0]["how"]
    assert volume.formula == "$280.00 × (84.0 h ÷ 70.0 h − 1) = +$56.00, to the cents of the cells"


def test_a_sentence_tells_the_main_reason_and_what_worked_against_it(client, finance, two_weeks):
    response = page_of(client, finance, gpu_type="A100-80GB")
    assert response.context["summary"] == "Spend fell by $23.00 (8.2 %)."
    assert response.context["causes"] == [
        ("The main reason: on demand A100-80GB hours at AWS cost $3.00/h instead of $4.00/h,", "−$84.00"),
        ("Against it: 14 more on demand A100-80GB hours at AWS,", "+$56.00"),
    ]


def test_the_waterfall_leads_from_one_total_to_the_other(client, finance, two_weeks):
    [spend] = chart(page_of(client, finance), "bridge")["series"]
    assert spend["values"] == [329.0, 385.0, 385.0, 301.0, 306.0, 257.0, 254.5, 254.5]
    assert spend["steps"] == [None, 56.0, 0.0, -84.0, 5.0, -49.0, -2.5, None]


def test_the_file_is_the_table_and_adds_up_to_the_page(client, finance, two_weeks):
    response = page_of(client, finance)
    rows = rows_of(page_of(client, finance, _export="csv"))
    assert [(r["gpu_type"], r["kind"], r["change_usd"]) for r in rows] == [
        ("A10", "entered", "-49.00"),
        ("A100-80GB", "on_demand", "-28.00"),
        ("A100-80GB", "spot", "5.00"),
        ("L4", "entered", "-2.50"),
    ]
    assert sum(Decimal(row["change_usd"]) for row in rows) == Decimal("-74.50")
    for row in rows:
        parts = ("volume", "mix", "rate", "new", "gone", "no_rate")
        assert sum(Decimal(row[f"{part}_usd"]) for part in parts) == Decimal(row["change_usd"])
    assert [str(row.record["change"]) for row in response.context["table"].rows] == [
        row["change_usd"] for row in rows
    ]
    assert (rows[1]["hours_before"], rows[1]["hours_now"], rows[1]["before_usd"]) == (
        "70.00",
        "84.00",
        "280.00",
    )


def test_a_row_leads_to_the_costs_of_either_period(client, finance, two_weeks):
    row = page_of(client, finance).context["table"].rows[1].record
    assert client.get(row["before_url"]).context["total"] == 280
    assert client.get(row["now_url"]).context["total"] == 257  # of all kinds: the rows of /costs/ blend them


def test_there_is_no_percentage_where_days_are_missing_or_nothing_was_before(client, finance, two_weeks):
    [*_, difference] = page_of(client, finance, start="2025-03-01", end="2025-03-07").context["figures"]
    assert (difference["value"], difference["sub"]) == ("+$329.00", "no percentage: no cost before")
    refund = page_of(client, finance, gpu_type="L4")
    assert refund.context["figures"][-1]["sub"] == "no percentage: less than 1 cent before"
    CostSnapshot.objects.filter(date="2025-03-03").delete()
    response = page_of(client, finance)
    reason = "no percentage: no cost on 1 of 7 days before"
    assert response.context["figures"][-1]["sub"] == reason
    assert "counts as nothing here" in response.content.decode()


def test_cost_on_days_without_metered_hours_is_told_apart_from_a_dearer_hour(client, finance, as_of):
    """$40 a day for 10 h; in the second week the hours of four days lack: −40 h at $4, and 30 h for $280."""
    as_of("2025-03-16 12:00")
    for day in range(1, 16):
        make_cost(f"2025-03-{day:02}", "40.00")
        if day not in (9, 10, 11, 12):
            make_usage(f"2025-03-{day:02}", "10.00")
    response = page_of(client, finance)
    parts = values(response.context["parts"])
    assert (parts["Volume"], parts["Rate"]) == ("−$160.00", "+$160.00")
    said = "Cost on days without metered hours, $0.00 before and $160.00 now, shows as rate."
    assert said in response.content.decode()
    make_usage("2025-03-09", "10.00", gpu_type="L4")
    assert said in page_of(client, finance).content.decode()
    assert "shows as rate" not in page_of(client, finance, end="2025-03-08").content.decode()


def test_open_days_are_left_out_of_both_sides(client, finance, two_weeks):
    response = page_of(client, finance, start="2025-03-09", end="2025-03-15")
    assert response.context["spans"] == "9–14 Mar 2025 against 3–8 Mar 2025"


def test_a_range_without_a_period_before_it_says_so(client, finance, two_weeks):
    client.force_login(finance)
    response = client.get("/bridge/", {"preset": "all"})
    assert "Here all days are shown." in response.content.decode()
    assert rows_of(client.get("/bridge/", {"preset": "all", "_export": "csv"})) == []


def test_the_billed_bridge_knows_no_covered_hours(client, finance, as_of):
    """Effective, 10 covered hours at $2 became 5; billed, they are nothing on either side."""
    as_of("2025-03-16 12:00")
    load_rows(
        *(
            bill(day, "0", hours, kind="committed", effective=usd)
            for day, hours, usd in ((1, "10", "20"), (2, "5", "10"), (3, "1", "2"))
        )
    )
    where = {"start": "2025-03-02", "end": "2025-03-02"}
    assert page_of(client, finance, **where).context["figures"][-1]["value"] == "−$10.00"
    billed = page_of(client, finance, basis="billed", **where)
    assert billed.context["figures"][-1]["value"] == "$0.00"
    assert billed.context["summary"] == "Spend stayed the same, to the cent."
