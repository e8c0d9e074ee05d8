"""What a month's text says of snapshots is what the ORM reads of them, and follows every change."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import remembered
from dashboard.models import CostSnapshot
from dashboard.reports import stored

from .conftest import examples, make_cost

pytestmark = pytest.mark.django_db
NAMES = ["AWS", "=1+1", 'quo"te', "back\\slash", "line\nbreak", "tab\there", "ü🦊", "'", "[1, 2]", "\x1f"]
AMOUNTS = st.decimals(Decimal("-9999999999.99"), Decimal("9999999999.99"), places=2)
CELLS = st.tuples(
    st.integers(0, 70).map(lambda n: date(2024, 12, 1) + timedelta(days=n)),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
)


def told() -> list[tuple]:
    return sorted(stored.rows_of(CostSnapshot.objects.all(), "cost_usd", lambda *row: row))


def by_the_orm() -> list[tuple]:
    return sorted(CostSnapshot.objects.values_list("date", "provider", "gpu_type", "cost_usd", "from_lines"))


@settings(max_examples=examples(25))
@given(cells=st.dictionaries(CELLS, st.tuples(AMOUNTS, st.booleans()), max_size=12), last=AMOUNTS)
def test_text_and_orm_say_the_same(cells, last):
    CostSnapshot.objects.all().delete()
    for (day, provider, gpu_type), (usd, of_lines) in cells.items():
        CostSnapshot.objects.create(
            date=day, provider=provider, gpu_type=gpu_type, cost_usd=usd, from_lines=of_lines
        )
    assert told() == by_the_orm() and len(told()) == len(cells)
    assert all(row[3].as_tuple().exponent == -2 for row in told())
    CostSnapshot.objects.update(cost_usd=last)
    assert told() == by_the_orm(), "what was remembered is of another text"


def test_a_text_is_read_once_for_as_long_as_it_stays(monkeypatch):
    read, loads = [], stored.json.loads
    monkeypatch.setattr(stored.json, "loads", lambda text, **how: (read.append(text), loads(text, **how))[1])
    make_cost("2025-03-01", "1.00")
    make_cost("2025-04-01", "2.00")
    assert told() == told() and len(read) == 2, "two months"
    CostSnapshot.objects.filter(date="2025-04-01").update(cost_usd="2.01")
    assert [row[3] for row in told()] == [Decimal("1.00"), Decimal("2.01")] and len(read) == 3
    remembered.forget()
    assert len(told()) == 2 and len(read) == 5


def test_the_same_text_of_another_column_is_another():
    assert remembered.once("gpu_hours", lambda text: [text], "same") == ["same"]
    assert remembered.once("cost_usd", lambda text: [text + "!"], "same") == ["same!"]
