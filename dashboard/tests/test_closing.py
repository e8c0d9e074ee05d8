from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import remembered, rollups
from dashboard.closing import Refused, close_month, withdraw
from dashboard.models import (
    Accrual,
    AuditEvent,
    ClosedLine,
    CostCentre,
    CostSnapshot,
    Job,
    MonthClose,
    NameAlias,
    Team,
    UsageSnapshot,
)
from dashboard.models.closing import Closed
from dashboard.naming import Names
from dashboard.reports.accruals import proposals
from dashboard.reports.allocation import NOBODY, allocate
from dashboard.reports.closing import Expected, month_of, open_before
from dashboard.reports.freshness import Freshness
from dashboard.scope import Scope

from .conftest import examples, make_cost, make_job, make_team, make_usage
from .contracts import make_rate

FEBRUARY, MARCH, APRIL = date(2025, 2, 1), date(2025, 3, 1), date(2025, 4, 1)
MOST_QUERIES = 52


@pytest.fixture(autouse=True)
def in_may(as_of):
    as_of("2025-05-10 12:00")


def closed(month: date, user, expected=(), idle: str = "apart") -> MonthClose:
    return close_month(month, user, "effective", idle, expected)


def usd_by_owner(close: MonthClose | None = None, **of) -> dict[str, Decimal]:
    """Closed lines in force, by team or nobody, in USD."""
    rows = ClosedLine.objects.filter(close__withdrawn_at=None, cents__isnull=False, **of)
    rows = rows.filter(close=close) if close else rows
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row.team_name or row.model] += Decimal(row.cents) / 100
    return {owner: amount for owner, amount in sums.items() if amount}


def usd_now(month: date) -> dict[str, Decimal]:
    teams = dict(Team.objects.values_list("pk", "name"))
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for one in allocate(Scope(month_of(month)), Names.load()).shares:
        owner = NOBODY[one.line] if one.team is None else teams[one.team]
        sums[owner] += Decimal(one.cents or 0) / 100
    return {owner: amount for owner, amount in sums.items() if amount}


@pytest.fixture
def march(db):
    """$100 for 10 metered hours on 1 March: vision used 6, speech 2; 3 and 1 on the 31st are unbilled."""
    make_cost("2025-03-01", "100.00")
    make_usage("2025-03-01", "10.00")
    make_job("2025-03-01 08:00", "2025-03-01 11:00", gpu_count=2)
    make_job("2025-03-01 09:00", "2025-03-01 11:00", team="speech", model_name="whisper")
    make_job("2025-03-31 08:00", "2025-03-31 11:00")
    make_job("2025-03-31 08:00", "2025-03-31 09:00", team="speech")


def test_a_month_is_closed_as_it_is_shared_with_names_and_cost_centres(march, admin):
    CostCentre.objects.create(team=make_team("vision"), code="4711")
    CostCentre.objects.create(line="idle", code="9000")
    close = closed(MARCH, admin)
    assert usd_by_owner(close) == {"vision": 60, "speech": 20, "(idle)": 20}
    assert (close.bill_usd, close.accrued_usd, close.prior_usd) == (100, 0, 0)
    codes = set(close.lines.values_list("team_name", "cost_centre"))
    assert codes == {("vision", "4711"), ("speech", ""), ("", "9000")}
    assert (
        sum(close.lines.filter(line="unbilled").values_list("microseconds", flat=True)) == 4 * 3_600_000_000
    )


def test_closing_is_audited(march, admin):
    closed(MARCH, admin)
    event = AuditEvent.objects.get(action="closed")
    assert (event.who, event.subject) == ("ada", "month 2025-03") and "$100.00 billed" in event.details


def test_an_accrual_falls_to_those_who_ran_unbilled_and_the_invoice_trues_it_up(march, admin):
    """900 expected, 1,000 invoiced: 100 more on the next statements, 675 + 75 and 225 + 25."""
    march_closed = closed(MARCH, admin, [Expected("AWS", "A100-80GB", 90_000, "as last month")])
    assert usd_by_owner(march_closed, line="accrual") == {"vision": 675, "speech": 225}
    assert march_closed.accrued_usd == 900
    make_cost("2025-03-31", "1000.00")
    april = closed(APRIL, admin)
    assert usd_by_owner(april) == {"vision": 75, "speech": 25}
    assert april.prior_usd == 100 and april.bill_usd == 0
    assert usd_by_owner(of_month=MARCH) == usd_now(MARCH)


def test_an_accrual_without_jobs_is_unallocated(march, admin):
    close = closed(MARCH, admin, [Expected("GCP", "T4", 1_234)])
    assert usd_by_owner(close, line="accrual") == {"(unallocated)": Decimal("12.34")}


def test_a_late_refund_comes_back_to_each_by_its_part(march, admin):
    closed(MARCH, admin)
    CostSnapshot.objects.update(cost_usd=Decimal("90.00"))
    april = closed(APRIL, admin)
    assert usd_by_owner(april, line="prior", of_month=MARCH) == {"vision": -6, "speech": -2, "(idle)": -2}


def test_what_a_deleted_team_owed_is_given_back_under_its_name(march, admin):
    closed(MARCH, admin)
    Team.objects.get(name="speech").delete()
    april = closed(APRIL, admin)
    assert usd_by_owner(april) == {"speech": -20, "(idle)": 20}
    assert usd_by_owner(of_month=MARCH) == usd_now(MARCH) == {"vision": 60, "(idle)": 40}


def test_a_proposal_is_the_unbilled_job_hours_at_the_last_price_paid(march):
    """4 job hours at $100 ÷ 10 h."""
    make_cost("2025-03-02", "5.00", gpu_type="L4")
    names = Names.load()
    scope = Scope(month_of(MARCH))
    [one] = proposals(MARCH, allocate(scope, names).shares, scope, names, Freshness.load(names))
    assert (one.provider, one.gpu_type, one.cents) == ("AWS", "A100-80GB", 4_000)
    assert one.reason == "4.00 job GPU-hours without cost × $10.0000, the price of 2025-03-01"


def test_metered_hours_are_priced_where_no_job_ran_and_without_a_price_nothing_is_proposed(march):
    Job.objects.filter(start_time__day=31).delete()
    make_usage("2025-03-31", "7.50")
    make_usage("2025-03-31", "1.00", gpu_type="H100-80GB")
    make_cost("2025-03-02", "5.00", gpu_type="L4")
    names = Names.load()
    scope = Scope(month_of(MARCH))
    found = proposals(MARCH, allocate(scope, names).shares, scope, names, Freshness.load(names))
    assert [(one.gpu_type, one.cents) for one in found] == [("A100-80GB", 7_500), ("H100-80GB", 0)]
    assert "no price is known" in found[1].reason


def test_a_complete_bill_gets_no_proposal(march):
    make_cost("2025-04-20", "1.00")
    names = Names.load()
    scope = Scope(month_of(MARCH))
    assert proposals(MARCH, allocate(scope, names).shares, scope, names, Freshness.load(names)) == []


def test_a_month_is_closed_once_and_only_when_it_is_over(march, admin):
    closed(MARCH, admin)
    with pytest.raises(Refused, match="March 2025 is closed already"):
        closed(MARCH, admin)
    with pytest.raises(Refused, match="May 2025 is not over yet. Close it from 1 June on"):
        closed(date(2025, 5, 1), admin)
    assert MonthClose.objects.count() == 1


def test_the_newest_close_can_be_withdrawn_with_a_reason_and_the_month_closed_anew(march, admin):
    first, second = closed(MARCH, admin), closed(APRIL, admin)
    with pytest.raises(Refused, match="Withdraw the close of April 2025 first"):
        withdraw(first, admin, "a wrong bill")
    with pytest.raises(Refused, match="Say why"):
        withdraw(second, admin, " ")
    withdraw(second, admin, "too early")
    withdraw(first, admin, "a wrong bill")
    with pytest.raises(Refused, match="withdrawn already"):
        withdraw(first, admin, "again")
    CostSnapshot.objects.update(cost_usd=Decimal("50.00"))
    anew = closed(MARCH, admin)
    assert usd_by_owner() == usd_by_owner(anew) == {"vision": 30, "speech": 10, "(idle)": 10}
    assert first.lines.count() > 0


def test_closed_lines_are_neither_changed_nor_deleted(march, admin):
    line = closed(MARCH, admin).lines.first()
    line.cents = 1
    for forbidden in (line.save, line.delete, ClosedLine.objects.all().delete):
        with pytest.raises(Closed):
            forbidden()


def test_a_close_keeps_what_it_was_closed_with(march, admin):
    make_rate("gpu_hour", "1.50", "2025-03-05", "2025-03-06", provider="fox", gpu_type="A100-80GB")
    make_rate("gpu_hour", "2.50", "2025-04-05", "2025-04-06", provider="fox", gpu_type="A100-80GB")
    close = MonthClose.objects.get(pk=closed(MARCH, admin).pk)
    assert [rate["first_day"] for rate in close.setup["rates"]] == ["2025-03-05"]
    assert close.setup["fiscal_month"] == 1


def test_earlier_months_that_are_open_are_named(march, admin):
    closed(FEBRUARY, admin)
    withdraw(closed(MARCH, admin), admin, "too early")
    assert open_before(APRIL, date(2025, 1, 15)) == [date(2025, 1, 1), MARCH]
    assert open_before(APRIL, None) == []


def test_earlier_closes_cost_no_query_each(march, admin, as_of):
    def asked(month: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            closed(date(2025, month, 1), admin)
        return len(queries)

    """Of months that are remembered, one stretch at the end is new each time."""
    as_of("2025-11-10 12:00")
    rollups.settle()
    for month in (3, 4, 5):
        closed(date(2025, month, 1), admin)
    assert asked(6) == asked(7) == asked(8) <= MOST_QUERIES


def test_two_spellings_of_a_provider_are_one_when_a_bill_is_expected(march):
    make_cost("2025-03-02", "5.00", gpu_type="L4")
    NameAlias.objects.create(kind="provider", alias="Amazon Web Services", name="AWS")
    CostSnapshot.objects.update(provider="Amazon Web Services")
    names = Names.load()
    scope = Scope(month_of(MARCH))
    [one] = proposals(MARCH, allocate(scope, names).shares, scope, names, Freshness.load(names))
    assert (one.provider, one.cents) == ("AWS", 4_000)


EVENT = st.one_of(
    st.tuples(st.just("cost"), st.integers(1, 4), st.integers(-50_000, 99_999)),
    st.tuples(st.just("job"), st.integers(1, 4), st.sampled_from(["vision", "speech", "research"])),
    st.tuples(st.just("usage"), st.integers(1, 4), st.integers(0, 4_000)),
    st.tuples(st.just("delete"), st.integers(1, 4), st.sampled_from(["vision", "speech", "research"])),
)


@settings(max_examples=examples(6))
@given(
    rounds=st.lists(st.lists(EVENT, max_size=5), min_size=3, max_size=3),
    accrued=st.lists(st.integers(0, 99_999), min_size=3, max_size=3),
    idle=st.sampled_from(["apart", "by_use", "evenly"]),
)
def test_closed_lines_never_change_and_add_up_to_the_allocation_of_the_last_close(
    rounds, accrued, idle, admin
):
    start_anew()
    before: dict[int, list] = {}
    for place, (month, events, cents) in enumerate(
        zip((FEBRUARY, MARCH, APRIL), rounds, accrued, strict=True), 2
    ):
        for event in events:
            happen(event, place)
        close = closed(month, admin, [Expected("AWS", "A100-80GB", cents)] if cents else [], idle)
        before[close.pk] = stored(close.pk)
        assert all(lines == stored(pk) for pk, lines in before.items())
        assert totals(close) == close.bill_usd + close.accrued_usd + close.prior_usd
    for month in (FEBRUARY, MARCH):
        rows = ClosedLine.objects.filter(of_month=month, close__withdrawn_at=None)
        assert sums_of(rows.values_list("team", "model", "provider", "gpu_type", "cents")) == sums_of(
            (one.team, NOBODY.get(one.line, ""), one.provider, one.gpu_type, one.cents)
            for one in allocate(Scope(month_of(month), idle=idle), Names.load()).shares
        )


def start_anew() -> None:
    remembered.forget()
    with_lines = ClosedLine.objects.all()
    with_lines._raw_delete(with_lines.db)
    Accrual.objects.all()._raw_delete(with_lines.db)
    MonthClose.objects.all().delete()
    CostSnapshot.objects.all().delete()
    Team.objects.all().delete()


def happen(event, month: int) -> None:
    """In any month up to the one that is about to be closed."""
    what, day, value = event
    of = f"2025-{2 + (day % (month - 1)):02d}-{day:02d}"
    if what == "cost":
        CostSnapshot.objects.update_or_create(
            date=date.fromisoformat(of),
            provider="AWS",
            gpu_type="A100-80GB",
            defaults={"cost_usd": Decimal(value) / 100},
        )
    elif what == "usage":
        UsageSnapshot.objects.update_or_create(
            date=date.fromisoformat(of),
            provider="AWS",
            gpu_type="A100-80GB",
            defaults={"gpu_hours": Decimal(value) / 100},
        )
    elif what == "job":
        make_job(f"{of} 01:00", f"{of} 0{1 + day}:00", team=value)
    else:
        Team.objects.filter(name=value).delete()


def stored(pk: int) -> list:
    return list(ClosedLine.objects.filter(close=pk).order_by("pk").values_list())


def totals(close: MonthClose) -> Decimal:
    return Decimal(sum(cents or 0 for cents in close.lines.values_list("cents", flat=True))) / 100


def sums_of(rows) -> dict:
    """Of teams whatever the model; of nobody by which nobody."""
    sums: defaultdict = defaultdict(int)
    for team, nobody, provider, gpu_type, cents in rows:
        sums[team, "" if team else nobody, provider, gpu_type] += cents or 0
    return {key: cents for key, cents in sums.items() if cents}
