from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.charts import MOST_NUMBERS, MOST_SERIES, Chart, Grid, Series

from .conftest import examples

cents = st.decimals(-1000, 1000, places=2)
amounts = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcdefghijkl"), cents), max_size=40)


@settings(max_examples=examples(100))
@given(amounts)
def test_the_series_of_a_grid_add_up_to_what_was_put_in(put):
    grid = Grid(range(4))
    for label, name, amount in put:
        grid.add(label, name, amount)
    series = grid.stacked("usd", lambda label, name: None)
    assert len(series) <= MOST_SERIES
    assert sum((s.total for s in series), Decimal(0)) == sum((a for _, _, a in put), Decimal(0))


def test_the_tail_is_called_other():
    grid = Grid([1])
    for n in range(10):
        grid.add(1, f"gpu {n}", Decimal(100 - n))
    series = grid.stacked("usd", lambda label, name: None)
    assert series[0].name == "gpu 0"
    assert (series[-1].name, series[-1].colour, series[-1].values) == ("Other (4)", "other", [Decimal(370)])


def test_a_gap_stays_a_gap_and_a_nought_a_nought():
    chart = Chart("c", "Cost", ["1 Mar", "2 Mar"], [Series("AWS", [None, Decimal(0)])])
    assert chart.as_json["series"][0]["values"] == [None, 0.0]
    assert [cell["text"] for cell in chart.as_table["rows"][0]] == ["1 Mar", "–"]
    assert [cell["text"] for cell in chart.as_table["rows"][1]] == ["2 Mar", "$0.00"]
    assert not chart.empty


def test_ratios_have_no_total():
    chart = Chart("c", "Use", ["1 Mar"], [Series("Utilisation", [Decimal("0.5")], "percent")])
    assert chart.as_table["totals"] == []
    assert chart.as_json["axes"] == {"left": "percent", "right": None}


def test_a_waterfall_tells_each_step_and_the_level_it_reaches():
    before, more, less, now = Decimal(100), Decimal(30), Decimal("-10.5"), Decimal("119.5")
    levels = Series(
        "Spend", [before, before + more, now, now], "usd", "waterfall", steps=[None, more, less, None]
    )
    chart = Chart("bridge", "Bridge", ["Before", "Volume", "Rate", "Now"], [levels], first_header="Step")
    table = chart.as_table
    assert table["headers"] == ["Step", "Change", "Spend"]
    assert [[cell["text"] for cell in row] for row in table["rows"]] == [
        ["Before", "–", "$100.00"],
        ["Volume", "+$30.00", "$130.00"],
        ["Rate", "−$10.50", "$119.50"],
        ["Now", "–", "$119.50"],
    ]
    assert table["totals"] == []
    assert chart.as_json["series"][0]["steps"] == [None, 30.0, -10.5, None]


def test_of_very_many_numbers_the_last_are_listed_and_all_add_up():
    days = [f"day {n}" for n in range(MOST_NUMBERS + 2)]
    chart = Chart("c", "Cost", days, [Series("AWS", [Decimal(1)] * len(days))], file="?_export=csv")
    table = chart.as_table
    assert (table["rows"][0][0]["text"], table["rows"][-1][0]["text"]) == ("day 2", "day 131")
    assert (table["left_out"], len(table["rows"])) == (2, MOST_NUMBERS)
    assert table["totals"] == ["Total", "$132.00"]
    assert len(chart.as_json["series"][0]["values"]) == 132


def test_numbers_that_are_in_no_file_are_all_listed():
    days = [f"day {n}" for n in range(MOST_NUMBERS + 2)]
    table = Chart("c", "Cost", days, [Series("AWS", [Decimal(1)] * len(days))]).as_table
    assert (table["left_out"], len(table["rows"])) == (0, MOST_NUMBERS + 2)
