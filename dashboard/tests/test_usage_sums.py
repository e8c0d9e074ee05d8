"""Cells that are summed by hardware and bucket come to the same as the cells themselves."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .. import gpu_time
from ..reports.usage import Hours, Sum, parts, total
from .conftest import examples

FIRST = date(2025, 1, 30)
HARDWARE = [("AWS", "H100"), ("AWS", "A100"), ("GCP", "H100")]
amounts = st.none() | st.decimals("-90", "9000", places=2)


@st.composite
def days_of_cells(draw: st.DrawFn) -> list[Hours]:
    cells = draw(st.sets(st.tuples(st.integers(0, 70), st.sampled_from(HARDWARE)), max_size=30))
    jobs = st.integers(0, 10**13)
    return [
        Hours(FIRST + timedelta(days), *hardware, draw(amounts), draw(jobs), draw(amounts))
        for days, hardware in sorted(cells)
    ]


@settings(max_examples=examples(100))
@given(days_of_cells())
def test_sums_of_months_are_those_of_their_cells(cells):
    found = Sum.of(parts(cells, lambda day: day.replace(day=1)))
    assert found == total(cells)
    metered = [cell.metered for cell in cells if cell.metered is not None]
    billed = [cell.usd for cell in cells if cell.usd is not None]
    assert found.metered == (sum(metered) if metered else None)
    assert found.usd == (sum(billed) if billed else None)
    assert found.job_microseconds == sum(cell.job_microseconds for cell in cells)
    assert found.unmetered_microseconds == sum(c.job_microseconds for c in cells if c.metered is None)
    idle = (c.metered * gpu_time.HOUR - c.job_microseconds for c in cells if c.metered is not None)
    assert found.idle_microseconds == sum(max(one, Decimal(0)) for one in idle)
    priced = {c[1:3] for c in cells if c.metered is not None} & {c[1:3] for c in cells if c.usd is not None}
    assert found.priced_usd == sum(c.usd for c in cells if c[1:3] in priced and c.usd is not None)
    assert found.priced_hours == sum(c.metered for c in cells if c[1:3] in priced and c.metered is not None)


def test_cost_of_one_month_is_priced_by_hours_of_another():
    """Unused commitment is billed on days without hours."""
    cells = [
        Hours(date(2025, 1, 31), "AWS", "H100", Decimal(10), 4 * gpu_time.HOUR, None),
        Hours(date(2025, 2, 1), "AWS", "H100", None, gpu_time.HOUR, Decimal(30)),
        Hours(date(2025, 2, 1), "GCP", "H100", Decimal(1), 9 * gpu_time.HOUR, None),
    ]
    by_month = parts(cells, lambda day: day.replace(day=1))
    assert [part.day.month for part in by_month] == [1, 2, 2]
    found = Sum.of(by_month)
    assert (found.priced_usd, found.priced_hours, found.unit_price) == (30, 10, 3)
    assert (found.idle_hours, found.unmetered_hours) == (6, 1)
    assert found.utilisation == pytest.approx(Decimal(13) / 11)
