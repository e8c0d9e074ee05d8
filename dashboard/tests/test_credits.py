from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dashboard.ingest.figures import rebuild
from dashboard.ingest.undo import undo
from dashboard.models import CostSnapshot, Delivery
from dashboard.naming import Names
from dashboard.reports import spend
from dashboard.reports.allocation import allocate
from dashboard.reports.charges import charges
from dashboard.scope import Scope

from .conftest import examples
from .loading import bill, load_rows

pytestmark = pytest.mark.django_db


def credit(usd: str, **facts):
    return bill(15, billed=usd, hours=None, gpu_type="", kind="credit", **facts)


def storage(usd: str):
    return bill(3, billed=usd, hours=None, gpu_type="", kind="non_gpu", service_category="Storage")


@pytest.fixture
def spreading(settings):
    settings.HELIOX_SPREAD_CREDITS = True


def stored() -> list[Decimal]:
    return list(CostSnapshot.objects.order_by("date", "gpu_type").values_list("cost_usd", flat=True))


def test_a_credit_without_a_gpu_type_stays_a_line_of_its_own(settings):
    load_rows(bill(1, billed="60"), bill(2, billed="20"), storage("20"), credit("-25"))
    assert stored() == [60, 20]


def test_by_the_setting_it_lowers_every_positive_cost_of_its_bill(spreading):
    """$25 off $100: a quarter off each, so $20 off the GPUs and $5 off the storage."""
    load_rows(bill(1, billed="60"), bill(2, billed="20"), storage("20"), credit("-25"))
    assert stored() == [45, 15]


def test_a_refund_takes_no_credit(spreading):
    load_rows(bill(1, billed="100"), bill(2, billed="-10", hours=None), credit("-50"))
    assert stored() == [50, -10]


def test_credits_of_another_account_or_period_stay_there(spreading):
    load_rows(bill(1, billed="60"), credit("-25", account="other"))
    assert stored() == [60]


def test_a_bill_without_positive_cost_keeps_its_credits_apart(spreading):
    load_rows(bill(1, billed="-10", hours=None), credit("-25"))
    assert stored() == [-10]


def test_the_setting_changes_what_is_stored_when_it_is_rebuilt(settings):
    load_rows(bill(1, billed="60"), bill(2, billed="20"), storage("20"), credit("-25"))
    settings.HELIOX_SPREAD_CREDITS = True
    rebuild(Names.load())
    assert stored() == [45, 15]
    settings.HELIOX_SPREAD_CREDITS = False
    rebuild(Names.load())
    assert stored() == [60, 20]


def test_the_same_bill_twice_changes_nothing_and_undoing_takes_the_credit_back(spreading):
    first = load_rows(bill(1, billed="60"), bill(2, billed="20"))
    again = load_rows(bill(1, billed="60"), bill(2, billed="20"), credit("-8"))
    assert stored() == [54, 18]
    assert load_rows(bill(1, billed="60"), bill(2, billed="20"), credit("-8")).changes == 0
    undo(again.run)
    assert stored() == [60, 20]
    undo(first.run)
    assert stored() == []


def test_a_spread_credit_is_a_part_of_the_cell_and_the_parts_add_up(spreading):
    load_rows(bill(1, billed="60"), bill(1, billed="20", kind="spot"), credit("-20"))
    names = Names.load()
    assert {c.kind: c.cents for c in charges(Scope(None), names)} == {
        "on_demand": 6000,
        "spot": 2000,
        "credit": -2000,
    }
    found = allocate(Scope(None), names)
    assert (found.bill, found.difference) == (6000, 0)


def test_the_other_basis_spreads_what_is_billed_there(spreading):
    load_rows(bill(1, billed="0", effective="60"), bill(2, billed="100", effective="20"), credit("-20"))
    names = Names.load()
    assert [c.usd for c in spend.costs(Scope(None), names)] == [45, 15]
    assert [c.usd for c in spend.costs(Scope(None, basis="billed"), names)] == [0, 80]


USD = st.decimals(-100, 100, places=6)


@hypothesis_settings(max_examples=examples(15))
@given(st.lists(USD, min_size=1, max_size=6), st.lists(USD, max_size=3))
def test_any_bill_adds_up_with_its_credits_spread(spreading, amounts, credits):
    Delivery.objects.all().delete()
    CostSnapshot.objects.all().delete()
    lines = [bill(1 + n % 3, billed=str(usd), hours=None) for n, usd in enumerate(amounts)]
    load_rows(*lines, *(credit(str(usd)) for usd in credits))
    found = allocate(Scope(None), Names.load())
    assert found.difference == 0
    assert found.total == CostSnapshot.objects.total()
