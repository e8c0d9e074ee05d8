"""What is remembered until anything at all is written."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard import remembered, rollups, writes
from dashboard.filters import teams_offered
from dashboard.models import CostSnapshot, Job, NameAlias, Provider, Team
from dashboard.models.names import name_key
from dashboard.naming import Names
from dashboard.remembered.days_over import remembered_when_over
from dashboard.reports import spend, usage
from dashboard.reports.allocation import allocate_in_sum
from dashboard.reports.daily_waste import added_up, daily_waste
from dashboard.reports.freshness import jobs_through
from dashboard.reports.job_cost import running_jobs
from dashboard.reports.prices import priced_cells
from dashboard.reports.stuck import Usual, stuck_jobs, usual_lengths
from dashboard.reports.teams import hours_by_bucket, running_by_team
from dashboard.reports.waste import Waste
from dashboard.rollups import asking
from dashboard.rollups.unsettled import NOTED, if_any
from dashboard.scope import Scope, Span

from .conftest import at, make_cost, make_job, make_team, make_usage
from .contracts import make_entry, per_month
from .quarter import ALL_OF_IT, CUT, KEYS, QUARTER, make_quarter, read_anew
from .test_allocation import a_log_speaks_of

pytestmark = pytest.mark.usefixtures("in_april")


@pytest.fixture
def quarter():
    make_quarter()


@pytest.fixture
def until_written(monkeypatch):
    """Within a test's transaction SQLite cannot tell what was written: there its own changes are counted."""
    if connection.vendor == "sqlite":
        monkeypatch.setattr(remembered, "state", lambda asked: asked.connection.total_changes)


@pytest.fixture
def counted(monkeypatch) -> list[Span]:
    """The spans whose models had to be counted."""
    spans: list[Span] = []
    count = asking.count_models

    def noted(picked, names, span):
        spans.append(span)
        return count(picked, names, span)

    monkeypatch.setattr(asking, "count_models", noted)
    return spans


def models(span: Span = QUARTER) -> dict[str, int]:
    found = rollups.models_by_team(rollups.Picked(), Names.load(), span)
    return {Team.objects.get(pk=pk).name: number for pk, number in found.items()}


def test_a_day_that_ends_while_a_page_is_made_is_not_over_for_it(quarter, until_written, as_of):
    """What runs counts until the page's moment, not for the whole day."""
    make_job("2025-04-10 12:00", None, status="running")
    day = Scope(span=Span(date(2025, 4, 10), date(2025, 4, 11)))
    as_of("2025-04-10 23:59")
    names = Names.load()
    names.moment()
    as_of("2025-04-11 00:01")
    for asked_by, minutes in ((names, 719), (Names.load(), 720)):
        [(_, _, microseconds)] = hours_by_bucket(day, asked_by, "day")
        assert microseconds == minutes * 60_000_000


def test_the_models_of_days_that_are_over_are_counted_once(quarter, until_written, counted):
    assert models() == models() == {"vision": 1, "speech": 1}
    assert counted == [QUARTER]
    assert models(CUT) == {"vision": 1, "speech": 1}
    make_job("2025-02-10 01:00", "2025-02-10 02:00", team="speech", model_name="whisper")
    assert models() == models() == {"vision": 1, "speech": 2}
    assert counted == [QUARTER, CUT, QUARTER]


def test_the_models_of_days_that_go_on_are_counted_each_time(quarter, until_written, counted, as_of):
    """Until seven in the morning in London it is March in Los Angeles."""
    make_cost("2025-03-31", "1.00", provider="GCP")
    Provider.objects.create(name="GCP", key=name_key("GCP"), bill_clock="America/Los_Angeles")
    as_of("2025-04-01 06:59")
    models()
    models()
    assert counted == [QUARTER] * 2
    as_of("2025-04-01 07:00")
    models()
    models()
    assert counted == [QUARTER] * 3


@pytest.mark.parametrize("question", [rollups.by, rollups.count_by])
def test_hours_and_numbers_of_days_that_are_over_are_read_once(quarter, until_written, question):
    def told() -> list[tuple]:
        return sorted(question(["team"], rollups.Picked(), Names.load(), QUARTER))

    before = told()
    with CaptureQueriesContext(connection) as asked:
        assert told() == before
    assert not [one for one in asked if "gpu_" in one["sql"]]
    make_job("2025-02-10 01:00", "2025-02-10 02:00", team="speech")
    assert told() != before


def test_hours_of_days_that_go_on_are_read_each_time(quarter, until_written, as_of):
    make_job("2025-04-10 10:00", None, status="running", team="speech")
    april = Span(date(2025, 4, 1), date(2025, 4, 11))

    def hours() -> int:
        return sum(row[1] for row in rollups.by(["team"], rollups.Picked(), Names.load(), april))

    before = hours()
    as_of("2025-04-10 13:00")
    assert hours() - before == 3_600_000_000


def figures(forget: bool = False) -> dict[str, list[Any]]:
    """Of days that are over, and of what runs."""
    if forget:
        remembered.forget()
    names, picked = Names.load(), rollups.Picked()
    return {
        "costs": spend.costs(ALL_OF_IT, names),
        "cells": usage.cells(ALL_OF_IT, names),
        "prices": sorted(priced_cells(ALL_OF_IT, names)),
        "shares": sorted(map(str, allocate_in_sum(ALL_OF_IT, names))),
        "spread": sorted(map(str, allocate_in_sum(ALL_OF_IT.but(idle="by_use"), names))),
        "weeks": sorted(hours_by_bucket(ALL_OF_IT, names, "week")),
        "hours": sorted(rollups.by(["team"], picked, names, QUARTER)),
        "jobs": sorted(rollups.count_by(["team", "status"], picked, names, QUARTER)),
        "all jobs": sorted(rollups.count_by(["status"], picked, names)),
        "running": [(one, one.job.team.name) for one in running_jobs(Scope(), names)],
        "running by team": sorted(running_by_team(Scope(), names).items()),
        "waste": [of_days(Waste.of(ALL_OF_IT, names)), of_days(Waste.of(ALL_OF_IT.over(CUT), names))],
        "waste by day": [added_up(daily_waste(ALL_OF_IT, names, span), span) for span in (QUARTER, CUT)],
        "stuck": [(one, one.job.team.name) for one in stuck_jobs(Scope(), names).jobs],
    }


def of_days(waste: Waste) -> tuple:
    runs = sorted((one.team, one.model, one.completed, one.failed, one.usd) for one in waste.runs)
    lost = sorted((one.team, one.model, one.usd, len(one.days)) for one in waste.lost)
    return waste.bill_usd, waste.idle_usd, waste.usd, runs, lost


RUNNING = "2025-03-09 12:00", None
WRITES = {
    "a cost": (lambda: make_cost("2025-02-12", "7.00"), {"costs", "cells"}),
    "a dearer cost": (
        lambda: CostSnapshot.objects.filter(date="2025-03-10").update(cost_usd=200),
        {"costs", "cells", "prices", "shares", "spread", "waste"},
    ),
    "metered hours": (lambda: make_usage("2025-02-12", "7.00"), {"cells"}),
    "a job": (
        lambda: make_job("2025-02-10 01:00", "2025-02-10 02:00"),
        {"cells", "hours", "jobs", "all jobs", "waste", "waste by day"},
    ),
    "a job that failed": (
        lambda: Job.objects.filter(start_time__lt=at("2025-02-01 00:00")).update(status="failed"),
        {"jobs", "all jobs", "waste", "waste by day"},
    ),
    "a job that waits and has begun": (
        lambda: make_job("2025-02-10 01:00", None, status="pending"),
        {"stuck"},
    ),
    "a job that runs": (
        lambda: make_job(*RUNNING, status="running", team="speech"),
        {"cells", "prices", "shares", "weeks", "hours", "jobs", "all jobs", "running", "running by team"},
    ),
    "a job that ended": (
        lambda: Job.objects.filter(status="running").update(status="failed", end_time=at("2025-03-30 00:00")),
        {"cells", "hours", "jobs", "all jobs", "running", "running by team"},
    ),
    "a job that is gone": (
        lambda: Job.objects.filter(start_time__lt=at("2025-02-01 00:00")).delete(),
        {"cells", "hours", "jobs", "all jobs"},
    ),
    "another name": (
        lambda: NameAlias.objects.create(kind="provider", alias="AWS", name="Amazon"),
        {"costs", "cells", "prices"},
    ),
    "a team's name": (lambda: Team.objects.filter(name="vision").update(name="sight"), {"running", "stuck"}),
    "a total of days": (
        lambda: make_entry("2025-02-01", "2025-02-28", "2800.00"),
        {"costs", "cells", "prices"},
    ),
    "a price of own GPUs": (
        lambda: per_month("31.00", "1", "2025-03-01", "2025-03-31"),
        {"costs", "cells", "prices"},
    ),
}


@pytest.mark.parametrize("what", WRITES)
def test_what_is_remembered_until_something_is_written_is_right_after_it(quarter, until_written, what):
    make_job(*RUNNING, status="running")
    make_job(*RUNNING, status="pending")
    write, changed = WRITES[what]
    before = figures()
    assert figures() == before
    write()
    after = figures()
    assert after == figures(forget=True)
    told = {name for name in after if after[name] != before[name]}
    assert told >= changed


def test_what_runs_goes_on_and_days_come_to_an_end_without_a_write(quarter, until_written, as_of):
    job = make_job(*RUNNING, status="running")
    for moment, hours in (
        ("04-10 12:00", 768),
        ("04-10 13:30", 769.5),
        ("04-11 00:00", 780),
        ("04-12 06:00", 810),
    ):
        as_of(f"2025-{moment}")
        found = figures()
        [(running, _)] = found["running"]
        assert (running.job, running.gpu_hours) == (job, Decimal(hours))
        assert found == figures(forget=True)


def test_the_waste_of_other_days_is_not_that_of_these(quarter, until_written):
    """Each month has one day of $100, of which 2 of 10 hours are idle; January's failed job used 6."""
    Job.objects.filter(start_time=at("2025-01-10 01:00"), team__name="vision").update(status="failed")
    february = Span(date(2025, 2, 1), date(2025, 3, 1))
    for _ in range(2):
        whole, part = (Waste.of(ALL_OF_IT.over(span), Names.load()) for span in (QUARTER, february))
        assert (whole.bill_usd, whole.lost_usd, whole.idle_usd) == (300, 60, 60)
        assert (part.bill_usd, part.lost_usd, part.idle_usd) == (100, 0, 20)
        days = daily_waste(ALL_OF_IT, Names.load(), QUARTER), daily_waste(ALL_OF_IT, Names.load(), february)
        assert list(map(len, days)) == [3, 1]


def test_idle_cost_that_is_spread_over_a_month_that_goes_on_is_shared_anew(quarter, until_written, as_of):
    """The days are over, but of a day that nobody used it hangs on the hours of the whole month."""
    make_cost("2025-04-02", "100.00")
    make_usage("2025-04-02", "10.00")
    a_log_speaks_of("2025-04-01 00:00", "2025-04-06 00:00", "AWS")
    make_job("2025-04-03 01:00", "2025-04-03 02:00")
    make_job("2025-04-10 10:00", None, status="running", team="speech")
    scope = Scope(Span.inclusive(date(2025, 4, 1), date(2025, 4, 5)), idle="by_use")

    def shares() -> list[str]:
        return sorted(map(str, allocate_in_sum(scope, Names.load())))

    before = shares()
    as_of("2025-04-10 20:00")
    after = shares()
    remembered.forget()
    assert before != after == shares()


def test_a_setting_has_its_own_answers(quarter, until_written, settings):
    asked = []

    def read() -> list[str]:
        asked.append(settings.HELIOX_COST_BASIS)
        return asked[:]

    for settings.HELIOX_COST_BASIS in ("effective", "billed", "effective"):
        remembered_when_over("a question", QUARTER, Names.load(), read)
    assert asked == ["effective", "billed"]


def test_the_parts_of_a_page_of_days_that_are_over_are_read_once(quarter, until_written):
    make_job(*RUNNING, status="running")
    figures()
    with CaptureQueriesContext(connection) as asked:
        figures()
    tables = ("jobs", "snapshots", "bill_lines", "gpu_", "rates", "period_entries")
    assert not [one["sql"] for one in asked if any(f'FROM "{table}' in one["sql"] for table in tables)]


def test_a_job_that_ends_while_a_page_is_made_is_on_it(quarter, until_written):
    """The page has found nothing unsettled; no sum has the job, and it runs no more."""
    job = make_job("2025-03-20 00:00", None, status="running")
    rollups.settle()
    names, picked = Names.load(), rollups.Picked()

    def microseconds(days: Span) -> int:
        """Of days that nobody has asked these names for."""
        return sum(row[-3] for row in rollups.by(["team"], picked, names, days))

    before = microseconds(Span(date(2025, 3, 19), date(2025, 3, 23)))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs SET status = 'completed', end_time = %s WHERE id = %s",
            ["2025-03-20 03:00:00", job.pk.hex if connection.vendor == "sqlite" else job.pk],
        )
    after = microseconds(Span(date(2025, 3, 18), date(2025, 3, 23)))
    assert (before, after) == (3 * 24 * 3_600_000_000, 3 * 3_600_000_000)


if connection.vendor == "postgresql":

    def scans() -> int:
        """Of what is noted, by this transaction."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_xact_user_tables WHERE relname = %s",
                [NOTED],
            )
            return cursor.fetchone()[0]

    def looked_at() -> bool:
        """For hours that nobody asked for before, by names that know whether anything is noted."""
        remembered.KEPT.forget()
        names = Names.load()
        if_any(names)
        before = scans()
        told = sorted(rollups.by(KEYS, rollups.Picked(), names, QUARTER))
        looked = scans() > before
        assert told == read_anew()
        return looked

    def test_what_is_noted_is_read_only_where_something_is(quarter):
        assert not looked_at()
        make_job("2025-02-11 01:00", "2025-02-11 02:00")
        assert looked_at()
        rollups.settle()
        assert not looked_at()

    def test_settling_changes_by_what_is_known_that_nothing_is_noted(quarter):
        """Else who still sees one moment before it would take what others found after it."""
        make_job("2025-02-11 01:00", "2025-02-11 02:00")
        before = writes.state(connection)
        rollups.settle()
        assert writes.state(connection) != before


def test_names_are_read_once_until_one_is_written(until_written, django_assert_num_queries):
    make_cost("2025-03-02", "1.00", provider="AWS")
    Names.load()
    with django_assert_num_queries(1 if connection.vendor == "postgresql" else 0):
        names = Names.load()
    assert names.once("a question", lambda: 1) == 1
    assert Names.load().once("a question", lambda: 2) == 2, "each page has its own answers"
    NameAlias.objects.create(kind="provider", alias="AWS", name="Amazon")
    assert (names.provider("AWS"), Names.load().provider("AWS")) == ("AWS", "Amazon")


def test_how_long_runs_usually_take_is_asked_once(until_written, django_assert_num_queries):
    """Of 100 runs of an hour, and then 100 of two, the 99th percentile is an hour, and then two."""
    kind = (make_team("vision").pk, "resnet")
    for _ in range(100):
        make_job("2025-04-01 00:00", "2025-04-01 01:00")
    assert usual_lengths([kind])[kind].length == timedelta(hours=1)
    with django_assert_num_queries(
        1 if connection.vendor == "postgresql" else 0
    ):  # whether anything was written
        assert usual_lengths([kind])[kind].length == timedelta(hours=1)
    for _ in range(100):
        make_job("2025-04-01 00:00", "2025-04-01 02:00")
    assert usual_lengths([kind])[kind] == Usual(200, timedelta(hours=2))
    assert usual_lengths([(make_team("speech").pk, "resnet")]) == {}


def test_the_teams_offered_are_read_once_until_one_is_written(until_written, django_assert_num_queries):
    vision, speech = make_team("vision"), make_team("speech")
    assert teams_offered(None) == [(str(speech.pk), "speech"), (str(vision.pk), "vision")]
    assert teams_offered(frozenset({vision.pk})) == [(str(vision.pk), "vision")]
    assert teams_offered(frozenset()) == []
    with django_assert_num_queries(1 if connection.vendor == "postgresql" else 0):
        assert len(teams_offered(None)) == 2
    Team.objects.filter(name="vision").update(name="sight")
    assert teams_offered(None) == [(str(vision.pk), "sight"), (str(speech.pk), "speech")]
    assert teams_offered(frozenset({vision.pk})) == [(str(vision.pk), "sight")]


def test_jobs_are_known_up_to_the_last_log(until_written):
    a_log_speaks_of("2025-03-01", "2025-03-05")
    assert jobs_through() == jobs_through() == date(2025, 3, 4)
    a_log_speaks_of("2025-03-05", "2025-03-20")
    assert jobs_through() == date(2025, 3, 19)


def test_the_sql_of_jobs_that_go_on_is_told_the_moment_and_the_filters_each_time(as_of):
    make_job("2025-04-10 00:00", None, status="running", team="vision", provider="AWS")
    make_job("2025-04-10 06:00", None, status="running", team="speech", provider="GCP")
    make_job("2025-04-09 00:00", "2025-04-10 18:00", team="speech", provider="GCP")

    def hours(**picked) -> Decimal:
        [(spent, *_)] = rollups.by([], rollups.Picked(**picked), Names.load())
        return Decimal(spent) / 3_600_000_000

    speech = make_team("speech").pk
    for moment, of_all, of_aws, of_speech in (("12:00", 54, 12, 42), ("20:00", 76, 20, 56)):
        as_of(f"2025-04-10 {moment}")
        assert hours() == of_all
        assert hours(providers=["AWS"]) == of_aws
        assert hours(teams=[speech]) == of_speech
