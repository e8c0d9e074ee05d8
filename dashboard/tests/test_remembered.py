"""What months come to is worked out once and remembered; whatever changes under them is worked out anew."""

from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal

import pytest

from dashboard import remembered, rollups
from dashboard.models import (
    BillLine,
    CostSnapshot,
    Delivery,
    Job,
    NameAlias,
    Provider,
    SettledMonth,
    SpendMapping,
    UsageSnapshot,
)
from dashboard.models.names import name_key
from dashboard.naming import Names
from dashboard.reports import allocation
from dashboard.reports.allocation import allocate, allocate_in_sum
from dashboard.reports.daily_waste import daily_waste
from dashboard.rollups.unsettled import if_any
from dashboard.scope import Scope, Span, bucket_end

from .conftest import at, make_cost, make_job, make_team, make_usage
from .contracts import make_entry, per_hour
from .quarter import (
    ALL_OF_IT,
    CUT,
    FEBRUARY,
    KEYS,
    QUARTER,
    WITHIN_FEBRUARY,
    afresh,
    by_day,
    by_team,
    hours,
    make_quarter,
    prices_and_waste,
    read_anew,
)
from .test_allocation import a_log_speaks_of, make_lines

pytestmark = pytest.mark.usefixtures("in_april")


@pytest.fixture(autouse=True)
def months_alone(monkeypatch):
    """What is remembered until something is written has tests of its own."""
    monkeypatch.setattr(remembered, "state", lambda connection: None)


@pytest.fixture
def quarter():
    make_quarter()


@pytest.fixture
def shared(monkeypatch) -> list[Span]:
    """The spans that had to be shared."""
    spans: list[Span] = []
    share = allocation.sums_by_month

    def noted(names, scope, billed):
        spans.append(scope.span)
        return share(names, scope, billed)

    monkeypatch.setattr(allocation, "sums_by_month", noted)
    return spans


def month(first: date) -> Span:
    return Span(first, bucket_end(first, "month"))


def test_a_quarter_is_shared_once_and_then_remembered(quarter, shared):
    told = {("vision", "use"): 180, ("speech", "use"): 60, ("", "idle"): 60}
    assert by_team() == told
    assert shared == [QUARTER]
    assert by_team() == told
    assert shared == [QUARTER]


def test_a_part_of_a_month_is_remembered_apart_from_the_month(quarter, shared):
    by_team()
    shared.clear()
    scope = Scope(Span.inclusive(date(2025, 1, 10), date(2025, 3, 10)))
    assert by_team(scope)["vision", "use"] == 180
    ends = [
        Span.inclusive(date(2025, 1, 10), date(2025, 1, 31)),
        Span.inclusive(date(2025, 3, 1), date(2025, 3, 10)),
    ]
    assert shared == ends
    assert by_team(scope)["vision", "use"] == 180
    assert shared == ends


def test_a_month_that_a_process_has_no_room_for_leaves_the_others(quarter, monkeypatch):
    by_team()
    monkeypatch.setattr(remembered.KEPT, "most", 4)
    assert allocate(ALL_OF_IT, Names.load()).bill == 300_00
    assert len(remembered.KEPT.months) == 3


def test_a_few_days_ask_for_nothing_that_they_are_known_by(quarter, django_assert_num_queries):
    names = Names.load()
    names.answers.clear()
    if_any(names)
    with django_assert_num_queries(7):
        allocate_in_sum(Scope(Span.inclusive(date(2025, 1, 5), date(2025, 1, 10))), names)


def test_running_jobs_move_only_the_days_that_are_not_over(quarter, shared, as_of):
    make_cost("2025-04-02", "10.00")
    make_job("2025-04-02 06:00", None, status="running")
    closed, all_of_it = (Scope(Span.inclusive(date(2025, 4, 1), date(2025, 4, last))) for last in (9, 10))
    assert by_team(closed) == by_team(all_of_it) == {("vision", "use"): 10}
    shared.clear()
    as_of("2025-04-10 13:00")
    by_team(closed)
    assert shared == []
    by_team(all_of_it)
    by_team(all_of_it)
    assert shared == [all_of_it.span, all_of_it.span]


def test_of_different_questions_each_has_its_own_answer(quarter):
    assert by_team()["vision", "use"] == 180
    assert by_team(Scope(QUARTER, idle="by_use"))["vision", "idle"] == 45
    assert by_team(Scope(QUARTER, idle="evenly"))["vision", "idle"] == 30
    assert by_team(Scope(QUARTER, providers=("GCP",))) == {}
    assert by_team(Scope(QUARTER, teams=(make_team("speech").pk,))) == {("speech", "use"): 60}
    assert by_team()["vision", "use"] == 180


# Whatever changes


def a_job_more():
    make_job("2025-02-10 01:00", "2025-02-10 02:00", team="speech")


def a_job_more_and_settled():
    a_job_more()
    rollups.settle()


def a_job_on_another_day():
    job = Job.objects.get(team__name="speech", start_time__month=2)
    make_cost("2025-02-11", "50.00")
    rollups.settle()
    by_team()
    job.start_time, job.end_time = at("2025-02-11 01:00"), at("2025-02-11 03:00")
    job.save()
    rollups.settle()


def a_job_gone():
    Job.objects.filter(start_time__month=2, team__name="speech").delete()
    rollups.settle()


def another_team_s_job():
    Job.objects.filter(start_time__month=2, team__name="speech").update(team=make_team("vision"))
    rollups.settle()


def a_job_still_running():
    make_job("2025-02-27 00:00", None, status="running", team="research")


def another_clock():
    """At eight in the evening of the ninth in Los Angeles it is the tenth in London."""
    Provider.objects.create(name="AWS", key=name_key("AWS"), bill_clock="America/Los_Angeles")


def a_clock_that_leaves_a_month_without_jobs():
    """An hour before midnight in London it is March in Kolkata."""
    make_cost("2025-02-28", "10.00", provider="GCP")
    make_job("2025-02-28 23:00", "2025-03-01 00:00", provider="GCP")
    rollups.settle()
    by_team()
    Provider.objects.create(name="GCP", key=name_key("GCP"), bill_clock="Asia/Kolkata")
    rollups.settle()


def another_cost():
    CostSnapshot.objects.filter(date=date(2025, 2, 10)).update(cost_usd=Decimal("100.01"))


def a_dollar_less():
    """-1 and -2 have the same hash in Python."""
    CostSnapshot.objects.filter(date=date(2025, 2, 10)).update(cost_usd=Decimal("-1"))
    by_team()
    CostSnapshot.objects.filter(date=date(2025, 2, 10)).update(cost_usd=Decimal("-2"))


def other_hours():
    UsageSnapshot.objects.filter(date=date(2025, 2, 10)).update(gpu_hours=Decimal("20.00"))


LINES = ("on_demand", "a", "30", "3"), ("unused_commitment", "", "20", "2")


def a_bill(*lines):
    for snapshots in (CostSnapshot, UsageSnapshot):
        snapshots.objects.filter(date=date(2025, 2, 10)).delete()
    make_lines("2025-02-10", *(lines or LINES))


def a_bill_and_who_pays_it():
    a_bill()
    by_team()
    SpendMapping.objects.create(provider="AWS", sub_account="a", team=make_team("serving"))


def a_bill_no_longer_current():
    a_bill()
    by_team()
    Delivery.objects.update(current=False)


def an_alias():
    make_cost("2025-02-10", "10.00", provider="Amazon")
    by_team()
    NameAlias.objects.create(kind="provider", alias="Amazon", alias_key="amazon", name="AWS")


def an_entry():
    make_entry("2025-02-01", "2025-02-28", "280.00", "56")


def a_rate():
    make_job("2025-02-10 00:00", "2025-02-10 05:00", provider="fox", team="speech")
    rollups.settle()
    by_team()
    per_hour("1.50", "2025-01-01")


def another_log():
    make_cost("2025-02-10", "10.00", provider="GCP")
    make_usage("2025-02-10", "10.00", provider="GCP")
    by_team()
    a_log_speaks_of("2025-01-01 00:00", "2025-03-31 00:00", "GCP")


def a_job_that_failed_after_all():
    Job.objects.filter(team__name="speech", start_time__month=2).update(status="failed")
    rollups.settle()


CHANGES = [
    a_job_more,
    a_job_more_and_settled,
    a_job_on_another_day,
    a_job_gone,
    another_team_s_job,
    a_job_still_running,
    another_clock,
    a_clock_that_leaves_a_month_without_jobs,
    another_cost,
    a_dollar_less,
    other_hours,
    a_bill,
    a_bill_and_who_pays_it,
    a_bill_no_longer_current,
    an_alias,
    an_entry,
    a_rate,
    another_log,
]


@pytest.mark.parametrize("span", [QUARTER, CUT, WITHIN_FEBRUARY], ids=["quarter", "cut", "part"])
@pytest.mark.parametrize("idle", ["apart", "by_use"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_is_remembered_follows_what_changes(quarter, change, idle, span):
    scope = Scope(span, idle=idle)
    before, shares = by_team(scope), by_day(scope)
    change()
    after, changed = by_team(scope), by_day(scope)
    assert (after, changed) == (afresh(scope), by_day(scope, anew=True)) != (before, shares)
    assert after != before or span != QUARTER


OF_NO_MATTER = (another_team_s_job, a_clock_that_leaves_a_month_without_jobs)


@pytest.mark.parametrize(
    "change", [*CHANGES, a_job_that_failed_after_all], ids=lambda change: change.__name__
)
def test_prices_and_waste_that_are_remembered_follow_too(quarter, change):
    before = prices_and_waste()
    change()
    after = prices_and_waste()
    assert after == prices_and_waste(forget=True)
    assert (after == before) == (change in OF_NO_MATTER), "what is idle and what it costs is nobody's"


def test_waste_of_some_teams_is_not_that_of_all(quarter):
    vision = ALL_OF_IT.but(teams=(make_team("vision").pk,))
    all_of_it = daily_waste(ALL_OF_IT, Names.load(), QUARTER)
    assert sum(parts["idle"] for parts in all_of_it.values()) == 60_00
    assert not any(parts["idle"] for parts in daily_waste(vision, Names.load(), QUARTER).values())
    assert daily_waste(ALL_OF_IT, Names.load(), QUARTER) == all_of_it


def test_a_setting_has_its_own_answers(quarter, settings):
    """Until the figures are rebuilt, the largest part takes what the credit takes off."""
    a_bill(("on_demand", "a", "20", "3"), ("unused_commitment", "", "30", "2"))
    facts = {"provider": "AWS", "account": "1", "effective": Decimal(-10), "billed": Decimal(-10), "rows": 1}
    delivery = Delivery.objects.get()
    BillLine.objects.create(delivery=delivery, day=date(2025, 2, 10), kind="credit", gpu_type="", **facts)
    assert by_team()["", "unused"] == 30
    settings.HELIOX_SPREAD_CREDITS = True
    assert by_team()["", "unused"] == 40
    assert by_team() == afresh(ALL_OF_IT)


def test_a_change_in_february_leaves_january_and_march_remembered(quarter, shared):
    by_team()
    shared.clear()
    a_job_more_and_settled()
    by_team()
    assert shared == [month(FEBRUARY)]
    by_team()
    assert shared == [month(FEBRUARY)]


def test_hours_of_whole_months_are_read_once(quarter, django_assert_num_queries):
    """Then only by what they are known: stamps and running jobs, and both again where a month was read."""
    told = hours()
    assert told == read_anew()
    names = Names.load()
    if_any(names)
    with django_assert_num_queries(2):
        assert sorted(rollups.by(KEYS, rollups.Picked(), names, QUARTER)) == told
    a_job_more_and_settled()
    names = Names.load()
    if_any(names)
    with django_assert_num_queries(5):
        rollups.by(KEYS, rollups.Picked(), names, QUARTER)
    assert hours() == read_anew() != told


def test_hours_of_one_question_are_not_those_of_another(quarter):
    vision = rollups.Picked(teams=[make_team("vision").pk])
    assert len(hours()) == 6
    assert len(rollups.by(KEYS, vision, Names.load(), QUARTER)) == 3
    assert len(rollups.by(["day"], vision, Names.load(), QUARTER)[0]) == 4
    some = Span.inclusive(date(2025, 1, 10), date(2025, 3, 9))
    assert hours(some) == read_anew(some)


def test_a_month_with_something_unsettled_is_shared_each_time(quarter, shared):
    by_team()
    shared.clear()
    a_job_more()
    by_team()
    by_team()
    assert shared == [month(FEBRUARY), month(FEBRUARY)]


def test_a_month_without_jobs_is_remembered_too(quarter, shared):
    make_cost("2025-04-02", "10.00")
    year = Scope(Span.inclusive(date(2024, 1, 1), date(2025, 4, 9)))
    by_team(year)
    shared.clear()
    by_team(year)
    assert shared == []


def test_two_months_alike_are_not_taken_for_each_other():
    """A cent that two teams used alike goes to one of them on 10 January, to the other on 10 March."""
    for day in ("2025-01-10", "2025-03-10"):
        make_cost(day, "0.01")
        for team in ("vision", "speech"):
            make_job(f"{day} 01:00", f"{day} 02:00", team=team)
    rollups.settle()
    by_team()
    assert by_team() == {("vision", "use"): Decimal("0.01"), ("speech", "use"): Decimal("0.01")}


def test_a_rebuild_stamps_every_month_anew(quarter, shared):
    by_team()
    rollups.rebuild()
    shared.clear()
    by_team()
    assert shared == [QUARTER]


def test_waiting_jobs_change_no_stamp(quarter):
    before = set(SettledMonth.objects.values_list())
    make_job(None, None, status="pending")
    rollups.settle()
    assert set(SettledMonth.objects.values_list()) == before


def test_what_changed_while_it_was_shared_is_not_kept(quarter, monkeypatch, shared):
    share = allocation.sums_by_month

    def interrupted(*of):
        sums = share(*of)
        a_job_more_and_settled()
        return sums

    monkeypatch.setattr(allocation, "sums_by_month", interrupted)
    by_team()
    assert len(remembered.KEPT.months) == 2
    monkeypatch.setattr(allocation, "sums_by_month", share)
    shared.clear()
    assert by_team() == afresh(ALL_OF_IT)
    assert shared == [month(FEBRUARY)], "January and March did not change meanwhile"


def test_no_more_months_are_kept_than_there_is_room_for(quarter, monkeypatch):
    """Each is one and its three rows: vision's, speech's, and what was idle."""
    monkeypatch.setattr(remembered.KEPT, "most", 12)
    by_team()
    first = set(remembered.KEPT.months)
    assert len(first) == 3 and remembered.KEPT.rows == 12
    by_team(ALL_OF_IT.over(CUT))
    assert len(set(remembered.KEPT.months) - first) == 2 and remembered.KEPT.rows == 12
    assert by_team() == afresh(ALL_OF_IT)


def test_nobody_waits_for_ever_for_somebody_who_shares(quarter, monkeypatch):
    monkeypatch.setattr(remembered, "PATIENCE", 0.01)
    held, done = threading.Event(), threading.Event()

    def hold():
        with remembered.WORKING:
            held.set()
            done.wait(60)

    other = threading.Thread(target=hold)
    other.start()
    held.wait(60)
    assert by_team()["vision", "use"] == 180
    done.set()
    other.join()
