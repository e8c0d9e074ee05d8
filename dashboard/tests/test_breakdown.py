"""Shares in rows, columns and cells: whatever is gathered first, no cent and no microsecond is lost."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.reports.allocation import DIRECT, IDLE, NO_MODEL, UNALLOCATED, UNBILLED, USE, Share
from dashboard.reports.breakdown import broken_down, cells
from dashboard.reports.idle import EITHER_WAY, RELEASABLE, UNKNOWN, by_purchase
from dashboard.scope import bucket_start

from .conftest import examples

TEAMS = {UUID(int=1): "vision", UUID(int=2): "speech"}
FIRST = date(2025, 3, 1)
cents, spent = st.integers(-10_000, 10_000), st.integers(1, 10**12)
days = st.integers(0, 40).map(lambda n: FIRST + timedelta(days=n))
hardware = st.sampled_from([("AWS", "A100-80GB"), ("AWS", "L4"), ("GCP", "L4")])
of_teams = st.tuples(st.sampled_from(list(TEAMS)), st.sampled_from(["resnet", "whisper"]))


@st.composite
def any_share(draw) -> Share:
    line = draw(st.sampled_from([USE, DIRECT, IDLE, UNALLOCATED, UNBILLED]))
    team, model = draw(of_teams)
    if line == UNALLOCATED:
        team, model = None, NO_MODEL[UNALLOCATED]
    elif line == DIRECT:
        model = NO_MODEL[DIRECT]
    return Share(
        draw(days),
        *draw(hardware),
        team,
        line,
        draw(spent) if line in (USE, UNBILLED) else 0,
        None if line == UNBILLED else draw(cents),
        model,
    )


def sums(shares) -> tuple[int, int]:
    found = list(shares)
    return sum(one.cents or 0 for one in found), sum(one.microseconds for one in found)


@settings(max_examples=examples(100))
@given(st.lists(any_share(), max_size=40), st.sampled_from(["team", "model", "provider", "gpu_type"]))
def test_rows_columns_and_cells_add_up_to_the_shares(found, by):
    rows = broken_down(found, by, "provider", TEAMS)
    assert sums(row.sum for row in rows.rows) == sums([rows.total.sum]) == sums(found)
    assert sums(one for row in rows.rows for one in row.columns.values()) == sums(found)
    assert sums(cells(found, TEAMS, lambda day: bucket_start(day, "week"))) == sums(found)
    unbilled = sum(one.microseconds for one in found if one.line == UNBILLED)
    assert rows.total.sum.unbilled == unbilled
    by_line = {line: sum(one.cents or 0 for one in found if one.line == line) for line in (USE, DIRECT, IDLE)}
    told = rows.total.sum
    assert {USE: told.shared, DIRECT: told.direct, IDLE: told.idle} == by_line


def test_a_row_that_no_bill_speaks_of_is_no_nought():
    vision, speech = TEAMS
    found = [
        Share(FIRST, "AWS", "L4", vision, UNBILLED, 5, None, "resnet"),
        Share(FIRST, "AWS", "L4", speech, USE, 5, 0, "resnet"),
        Share(FIRST + timedelta(days=1), "AWS", "L4", speech, UNBILLED, 5, None, "resnet"),
    ]
    billed = {row.name: row.sum.is_billed for row in broken_down(found, "team", "", TEAMS).rows}
    assert billed == {"vision": False, "speech": True}
    month = cells(found, TEAMS, lambda day: FIRST)
    assert [(cell.team, cell.usd, cell.microseconds) for cell in month] == [
        ("speech", Decimal("0.00"), 10),
        ("vision", None, 5),
    ]


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ({"on_demand": 50, "committed": 50}, {RELEASABLE: 1, EITHER_WAY: 0}),  # the odd cent
        ({"on_demand": 50, "committed": -5}, {RELEASABLE: 1}),
        ({"credit": -5}, {UNKNOWN: 1}),
        ({}, {UNKNOWN: 1}),
    ],
)
def test_idle_cost_is_as_what_was_paid(kinds, told):
    assert by_purchase(1, kinds) == told
