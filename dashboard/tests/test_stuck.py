"""Jobs that are likely stuck, and why; a percentile worked out by hand."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from dashboard.models import Job
from dashboard.naming import Names
from dashboard.reports.stuck import (
    FEWEST,
    HAS_END,
    HAS_START,
    NEWEST,
    NO_END,
    TOO_LONG,
    StuckJobs,
    stuck_jobs,
    usual_lengths,
)
from dashboard.scope import Scope
from dashboard.writes import going_by

from .conftest import at, make_cost, make_job, make_team, make_usage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def noon(as_of):
    as_of("2025-03-20 12:00")


def finished(number: int, start: str = "2025-03-01 00:00", **facts) -> None:
    """That many runs of 1, 2, 3 … minutes, the longest first."""
    facts = {"team": make_team("vision"), "model_name": "resnet", "status": "completed"} | facts
    begun = at(start)
    Job.objects.bulk_create(
        Job(
            start_time=begun + timedelta(seconds=place),
            end_time=begun + timedelta(seconds=place, minutes=number - place),
            provider="AWS",
            gpu_type="A100-80GB",
            **facts,
        )
        for place in range(number)
    )


def stuck(**scope) -> StuckJobs:
    return stuck_jobs(Scope(**scope), Names.load())


def why(found: StuckJobs) -> list[tuple[str, str]]:
    return [(one.job.model_name, one.why) for one in found.jobs]


def test_a_job_that_runs_longer_than_99_of_100_is_likely_stuck():
    """Of 200 runs of 1 to 200 minutes the 198th is the 99th percentile."""
    finished(200)
    make_job("2025-03-20 08:41", None, status="running")  # 199 minutes
    make_job("2025-03-20 08:42", None, status="running")  # 198: not longer
    found = stuck()
    [one] = found.jobs
    assert (one.why, one.since, one.usual.runs) == (TOO_LONG, at("2025-03-20 08:41"), 200)
    assert one.usual.length == timedelta(minutes=198)
    assert (found.running, found.unjudged) == (2, 0)


def test_too_few_runs_allow_no_claim():
    finished(FEWEST - 1)
    make_job("2025-03-01 00:00", None, status="running")
    found = stuck()
    assert (found.jobs, found.running, found.unjudged) == ([], 1, 1)
    finished(1, "2025-03-02 00:00", status="failed")
    assert why(stuck()) == [("resnet", TOO_LONG)]


def test_only_the_newest_runs_of_the_same_model_and_team_are_looked_at():
    finished(10, "2025-01-01 00:00")
    Job.objects.update(end_time=at("2025-02-28 00:00"))  # two months long, and old
    finished(NEWEST, "2025-03-10 00:00")
    finished(150, team=make_team("speech"))
    finished(150, model_name="bert")
    vision = make_team("vision").pk
    found = usual_lengths([(vision, "resnet"), (make_team("speech").pk, "resnet"), (vision, "none")])
    assert found[vision, "resnet"].runs == NEWEST
    assert found[vision, "resnet"].length == timedelta(minutes=297)
    assert found[make_team("speech").pk, "resnet"].length == timedelta(minutes=149)
    assert (vision, "none") not in found


def test_a_stuck_job_tells_what_it_cost_and_costs():
    """2 GPUs since 18 March, 22:00; $24 for 24 h of one GPU a day. On 19 March it holds all 48 h."""
    finished(100)
    for day in (17, 18, 19):
        make_cost(f"2025-03-{day}", "48.00")
        make_usage(f"2025-03-{day}", "48.00")
    make_job("2025-03-18 22:00", None, status="running", gpu_count=2)
    found = stuck()
    [one] = found.jobs
    assert (one.gpu_hours, one.usd_per_hour, one.usd) == (76, 2, 76)
    assert (found.usd, found.usd_per_hour) == (76, 2)


def test_a_status_that_the_times_belie():
    make_job("2025-03-03 00:00", "2025-03-03 01:00", status="running", model_name="a")
    make_job("2025-03-02 00:00", None, model_name="b")
    make_job("2025-03-01 00:00", None, status="pending", model_name="c")
    make_job("2025-03-01 00:00", None, status="running", model_name="fine")
    make_job(None, None, status="pending", model_name="waits")
    assert why(stuck()) == [("c", HAS_START), ("b", NO_END), ("a", HAS_END)]
    assert all(one.usd is None for one in stuck().jobs)


def test_filters_narrow_stuck_jobs():
    make_job("2025-03-02 00:00", None, model_name="b")
    make_job("2025-03-02 00:00", None, model_name="c", team="speech")
    assert why(stuck(models=("b",))) == [("b", NO_END)]
    assert why(stuck(teams=(make_team("speech").pk,))) == [("c", NO_END)]


def test_many_kinds_are_asked_for_at_once(django_assert_max_num_queries):
    for n in range(30):
        make_job("2025-03-02 00:00", None, status="running", model_name=f"m{n}", gpu_count=Decimal(1))
    with going_by({}), django_assert_max_num_queries(27):
        stuck()
