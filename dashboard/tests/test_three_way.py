"""Cost, metered hours and job hours of a cell: each there or not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from dashboard.models import NameAlias
from dashboard.naming import Names
from dashboard.reports import spend
from dashboard.reports.three_way import BY_PRESENCE, STATES, Match, at_stake, excess, match, state_of
from dashboard.scope import Scope, Span

from .conftest import make_cost, make_job, make_usage

pytestmark = pytest.mark.django_db
MARCH = Span(date(2025, 3, 1), date(2025, 4, 1))
DAY = "2025-03-03"


def found(**narrowed) -> Match:
    return match(Scope(MARCH, **narrowed), Names.load())


def there(cost: bool, metered: bool, jobs: bool, provider: str = "AWS") -> None:
    if cost:
        make_cost(DAY, "10.00", provider=provider)
    if metered:
        make_usage(DAY, "5.00", provider=provider)
    if jobs:
        make_job(f"{DAY} 00:00", f"{DAY} 02:00", provider=provider)


def test_there_are_seven_states_and_each_is_one_way_of_being_there():
    assert len(STATES) == len(BY_PRESENCE) == len({state.key for state in STATES}) == 7
    assert (False, False, False) not in BY_PRESENCE


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.key)
def test_a_cell_has_the_state_of_what_is_there(state):
    there(*state.has)
    [cell] = found().cells
    assert state_of(cell) == state
    assert [s.key for s in STATES if found().by_state[s.key]] == [state.key]


def test_a_stored_nought_is_there_and_a_job_without_hours_is_not():
    make_cost(DAY, "0.00")
    make_usage(DAY, "0.00")
    make_job(f"{DAY} 00:00", f"{DAY} 00:00")
    [cell] = found().cells
    assert state_of(cell).key == "nobody-ran"


def test_money_and_hours_at_stake_add_up_over_the_states():
    for n, state in enumerate(STATES):
        there(*state.has, provider=f"cloud {n}")
    report = found()
    sums = report.sums()
    assert sums["nobody-ran"].usd == Decimal("10.00")
    assert sums["jobs-only"].usd is None
    assert (sums["not-billed"].metered, sums["not-billed"].job_hours) == (Decimal("5.00"), Decimal(2))
    assert sum(one.usd or 0 for one in sums.values()) == report.total.usd == Decimal("40.00")
    assert sum(one.usd for one in spend.costs(Scope(MARCH), Names.load())) == report.total.usd
    assert sum(one.metered or 0 for one in sums.values()) == report.total.metered == Decimal("20.00")
    assert sum(one.job_microseconds for one in sums.values()) == report.total.job_microseconds


def test_what_is_most_at_stake_comes_first():
    make_cost(DAY, "20.00", provider="a")
    make_cost(DAY, "-25.00", provider="b")
    make_usage(DAY, "5.00", provider="c")
    make_usage(DAY, "7.00", provider="d")
    assert [cell.provider for cell in found().cells] == ["b", "a", "d", "c"]
    assert at_stake(found().cells[0]) == (Decimal("25.00"), 0)


def test_an_alias_brings_bill_and_jobs_into_one_cell():
    there(True, True, False, provider="Amazon Web Services")
    there(False, False, True, provider="AWS")
    assert [state_of(cell).key for cell in found().cells] == ["nobody-ran", "jobs-only"]
    NameAlias.objects.create(kind="provider", alias="Amazon Web Services", name="AWS")
    assert [state_of(cell).key for cell in found().cells] == ["matched"]


@pytest.mark.parametrize(
    ("metered", "minutes", "over"),
    [("2.00", 120, None), ("1.99", 120, None), ("1.98", 120, "0.02"), ("0.00", 90, "1.50"), (None, 90, None)],
)
def test_a_cell_is_over_reported_beyond_a_hundredth_of_an_hour(metered, minutes, over):
    if metered is not None:
        make_usage(DAY, metered)
    make_job(f"{DAY} 00:00", f"{DAY} {minutes // 60:02}:{minutes % 60:02}")
    report = found()
    [cell] = report.cells
    assert excess(cell) == (Decimal(over) if over else None)
    assert report.over_reported == ([cell] if over else [])


def test_overlapping_jobs_are_over_reported_the_worst_first():
    make_usage(DAY, "10.00")
    make_usage("2025-03-04", "10.00")
    make_job(f"{DAY} 00:00", f"{DAY} 06:00", gpu_count=2)
    make_job("2025-03-04 00:00", "2025-03-04 06:00", gpu_count=2)
    make_job("2025-03-04 03:00", "2025-03-04 09:00")
    report = found()
    assert [(cell.day.day, excess(cell)) for cell in report.over_reported] == [
        (4, Decimal(8)),
        (3, Decimal(2)),
    ]
    assert report.of("over-reported") == report.over_reported
    assert report.of("nonsense") == report.cells


def test_a_provider_and_a_gpu_type_narrow_the_match():
    there(True, True, True)
    there(True, False, False, provider="GCP")
    assert [cell.provider for cell in found(providers=("GCP",)).cells] == ["GCP"]
    assert found(gpu_types=("H100",)).cells == []
