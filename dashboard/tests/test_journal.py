from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from dashboard.models import AccountMapping, ClosedLine, CostCentre, CostSnapshot, Job, NameAlias, Team
from dashboard.naming import Names
from dashboard.reports.allocation import allocate
from dashboard.reports.closed_statement import ClosedStatement, close_in_force, closed_statement
from dashboard.reports.closing import Expected, month_of
from dashboard.reports.journal import Journal, journal
from dashboard.scope import Scope

from .conftest import make_cost, make_job, make_team, make_usage
from .test_closing import APRIL, MARCH, closed, march  # noqa: F401


@pytest.fixture(autouse=True)
def in_may(as_of):
    as_of("2025-05-10 12:00")


@pytest.fixture
def two_months(march, admin):  # noqa: F811
    """March: 100 billed and 900 accrued. April: the invoice of 1,000, a refund of 10, and 40 of its own."""
    CostCentre.objects.create(team=make_team("vision"), code="4711")
    first = closed(MARCH, admin, [Expected("AWS", "A100-80GB", 90_000, "as last month")])
    make_cost("2025-03-31", "1000.00")
    CostSnapshot.objects.filter(date="2025-03-01").update(cost_usd=Decimal("90.00"))
    make_cost("2025-04-02", "40.00")
    make_job("2025-04-02 08:00", "2025-04-02 09:00", team="speech")
    return first, closed(APRIL, admin)


def amounts(found: Journal) -> dict[tuple[str, str, str], Decimal]:
    return {(one.team, one.of_month, one.kind): one.amount_usd for one in found.entries}


def test_a_journal_has_each_team_s_part_by_kind(two_months):
    first, second = map(journal, two_months)
    assert amounts(first) == {
        ("vision", "2025-03", "current"): 60,
        ("speech", "2025-03", "current"): 20,
        ("(idle)", "2025-03", "current"): 20,
        ("vision", "2025-03", "accrual"): 675,
        ("speech", "2025-03", "accrual"): 225,
    }
    assert amounts(second) == {
        ("speech", "2025-04", "current"): 40,
        ("vision", "2025-03", "prior period"): 69,
        ("speech", "2025-03", "prior period"): 23,
        ("(idle)", "2025-03", "prior period"): -2,
    }


def test_a_journal_is_posted_on_the_last_day_and_names_who_has_no_cost_centre(two_months):
    found = journal(two_months[1])
    assert {entry.posting_date for entry in found.entries} == {date(2025, 4, 30)}
    assert {entry.team: entry.cost_centre for entry in found.entries}["vision"] == "4711"
    assert found.without_cost_centre == ["(idle)", "speech"]


def test_journal_statements_and_allocation_are_one_sum(two_months):
    for close in two_months:
        teams = set(close.lines.values_list("team", flat=True)) | {None}
        found = journal(close)
        assert found.total == sum(closed_statement(close, team).total for team in teams)
        assert found.total == close.bill_usd + close.accrued_usd + close.prior_usd and not found.difference
    april = allocate(Scope(month_of(APRIL)), Names.load())
    assert journal(two_months[1]).total == april.total + two_months[1].prior_usd == 130


def test_a_closed_statement_tells_kinds_apart(two_months):
    vision = Team.objects.get(name="vision").pk
    found = closed_statement(two_months[0], vision)
    assert [(row.kind, row.usd) for row in found.rows] == [("current", 60), ("accrual", 675)]
    assert (found.name, found.cost_centre, found.total) == ("vision", "4711", 735)
    assert found.models[0] == ("(accrual)", 0, 67_500) and found.models[1][::2] == ("resnet", 6_000)


def shown(found: ClosedStatement) -> str:
    return repr((found.name, found.cost_centre, found.rows, found.models, found.total))


def test_nothing_that_comes_later_moves_a_closed_statement_or_its_journal(two_months):
    team = Team.objects.get(name="vision").pk
    before = [(shown(closed_statement(one, team)), journal(one).entries) for one in two_months]
    CostCentre.objects.all().delete()
    CostSnapshot.objects.update(cost_usd=Decimal("1.23"))
    make_usage("2025-03-02", "99.00")
    NameAlias.objects.create(kind="provider", alias="AWS", name="Amazon")
    AccountMapping.objects.create(cluster="fox", account="nn1", team_id=team)
    Job.objects.update(model_name="another")
    Team.objects.filter(pk=team).update(name="seeing")
    Team.objects.get(pk=team).delete()
    after = [(shown(closed_statement(one, team)), journal(one).entries) for one in two_months]
    assert after == before


def test_two_queries_read_a_closed_statement(two_months, django_assert_num_queries):
    team = two_months[0].lines.exclude(team=None).first().team
    with django_assert_num_queries(2):
        assert closed_statement(close_in_force(MARCH), team).rows
    assert close_in_force(date(2025, 2, 1)) is None


def test_lines_of_no_team_are_one_statement(two_months):
    found = closed_statement(two_months[0], None)
    assert found.total == 20 and ClosedLine.objects.filter(team=None).exists()
