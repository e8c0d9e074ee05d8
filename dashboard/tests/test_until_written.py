"""What is remembered until anything at all is written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard import remembered, rollups
from dashboard.models import NameAlias, Provider, Team
from dashboard.models.names import name_key
from dashboard.naming import Names
from dashboard.reports.stuck import Usual, usual_lengths
from dashboard.rollups import asking
from dashboard.rollups.unsettled import NOTED
from dashboard.scope import Span

from .conftest import make_cost, make_job, make_team
from .quarter import CUT, QUARTER, hours, make_quarter, read_anew


@pytest.fixture(autouse=True)
def in_april(db, as_of):
    as_of("2025-04-10 12:00")


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


def test_what_is_noted_is_read_only_where_something_is(quarter, until_written):
    def looked_at() -> bool:
        """For hours that nobody asked for before."""
        remembered.KEPT.forget()
        with CaptureQueriesContext(connection) as asked:
            told = hours()
        assert told == read_anew()
        return any(f"FROM {NOTED} WHERE" in query["sql"] for query in asked)

    hours()
    assert not looked_at()
    before = sum(row[-3] for row in hours())
    make_job("2025-02-11 01:00", "2025-02-11 02:00")
    assert looked_at()
    assert sum(row[-3] for row in hours()) == before + 3_600_000_000
    rollups.settle()
    make_cost("2025-02-12", "1.00")
    hours()
    assert not looked_at()


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
