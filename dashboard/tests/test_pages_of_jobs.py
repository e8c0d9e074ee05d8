"""The list of jobs, one job and teams: hours, order, filters and searches."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from dashboard.models import Job, Team
from dashboard.reports import job_time

from .conftest import make_job
from .downloads import rows_of


def test_job_hours_on_the_page_and_in_the_file_are_clipped_to_the_range(client, finance, week):
    client.force_login(finance)
    where = {"start": "2025-03-02", "end": "2025-03-03"}
    assert client.get("/jobs/", where).context["hours"] == Decimal(22)
    rows = rows_of(client.get("/jobs/", where | {"_export": "csv"}))
    assert sum(Decimal(r["job_gpu_hours"]) for r in rows) == 22
    assert {r["duration_seconds"] for r in rows} == {"28800", "21600"}


def test_filters_combine(client, finance, week):
    client.force_login(finance)
    team = Team.objects.get(name="speech")
    response = client.get("/jobs/", {"team": team.pk, "status": "failed", "q": "RES"})
    assert [row.record.model_name for row in response.context["table"].rows] == ["resnet"]
    assert [chip["text"] for chip in response.context["filters"]] == [
        "Team: speech",
        "Status: failed",
        "Search: RES",
    ]


def test_jobs_without_hours_come_last_by_hours_in_a_range_too(client, finance, as_of):
    as_of("2025-03-08 12:00")
    hour = make_job("2025-03-02 00:00", "2025-03-02 01:00")
    day = make_job("2025-02-28 00:00", "2025-03-03 00:00")
    no_end = make_job("2025-03-02 00:00", None)
    client.force_login(finance)
    for sort, expected in (("-gpu_hours", [day, hour, no_end]), ("gpu_hours", [hour, day, no_end])):
        table = client.get(f"/jobs/?start=2025-03-01&end=2025-03-05&sort={sort}").context["table"]
        assert [row.record.pk for row in table.rows] == [job.pk for job in expected]


@pytest.mark.parametrize(
    "sort", ["status", "-status", "gpu_hours", "-duration", "end", "-end", "team", "-start", "gpus"]
)
@pytest.mark.parametrize("per_page", [3, 7])
def test_the_pages_of_a_sorted_list_hold_every_job_once(client, finance, as_of, sort, per_page):
    as_of("2025-03-08 12:00")
    for n in range(20):
        make_job(
            f"2025-03-0{n % 5 + 1} 00:00" if n % 6 else None,
            f"2025-03-06 0{n % 4}:00" if n % 3 else None,
            team=f"team {n % 3}",
            status=["completed", "failed", "running"][n % 3],
            gpu_count=n % 2 + 1,
        )
    client.force_login(finance)
    seen, address = [], f"/jobs/?sort={sort}&per_page={per_page}"
    forward = []
    while address:
        response = client.get(address)
        ids = [row.record.pk for row in response.context["table"].rows]
        seen += ids
        forward.append(ids)
        older = response.context["pages"]["older_url"]
        last, address = address, older and "/jobs/" + older
    assert len(seen) == 20
    assert set(seen) == set(Job.objects.values_list("pk", flat=True))
    backward, address = [], last
    while address:
        response = client.get(address)
        backward.insert(0, [row.record.pk for row in response.context["table"].rows])
        newer = response.context["pages"]["newer_url"]
        address = newer and "/jobs/" + newer
    assert [one for page in backward for one in page] == seen


@pytest.mark.parametrize(
    ("text", "found"), [("ÉCOLE", 1), ("école-7b", 1), ("4711", 1), ("471", 0), ("mara", 1), ("resnet", 0)]
)
def test_search_finds_model_names_in_any_case_ids_and_users(client, finance, as_of, text, found):
    as_of("2025-03-08")
    make_job(model_name="École-7B", external_id="4711", submitted_by="mara")
    client.force_login(finance)
    assert client.get("/jobs/", {"q": text}).context["number"] == found


@pytest.mark.parametrize(("number", "words"), [(1, "1 job,"), (2, "2 jobs,"), (3000, "3,000 jobs,")])
def test_the_number_of_jobs_reads_as_a_sentence(client, finance, week, monkeypatch, number, words):
    monkeypatch.setattr(job_time, "count", lambda scope, names: number)
    client.force_login(finance)
    assert f"<p>{words} " in client.get("/jobs/").content.decode()


def test_a_page_of_one_job_shows_its_days(client, finance, week):
    client.force_login(finance)
    job = Job.objects.get(gpu_count=4)
    response = client.get(job.get_absolute_url())
    assert [(d.day, d.gpu_hours) for d in response.context["days"]] == [
        (date(2025, 3, 1), 16),
        (date(2025, 3, 2), 16),
    ]


def test_a_job_that_ends_before_it_starts_says_so(client, finance):
    job = make_job("2025-03-02 00:00", "2025-03-01 00:00")
    client.force_login(finance)
    assert "ends before it starts" in client.get(job.get_absolute_url()).content.decode()


def test_a_team_page_and_the_teams_file(client, finance, week):
    client.force_login(finance)
    rows = rows_of(client.get("/teams/", {"preset": "all", "_export": "csv"}))
    assert [(r["date"], r["team"], r["job_gpu_hours"], r["jobs"]) for r in rows] == [
        ("2025-03-01", "vision", "16.000000", "1"),
        ("2025-03-02", "vision", "16.000000", "1"),
        ("2025-03-03", "speech", "6.000000", "1"),
        ("2025-03-08", "speech", "2.000000", "1"),
    ]
    team = Team.objects.get(name="speech")
    figures = {
        f["label"]: f["value"]
        for f in client.get(team.get_absolute_url(), {"preset": "all"}).context["figures"]
    }
    assert figures["Job GPU-hours"] == "8.0 h"
    assert figures["Success rate"] == "0.0 %"
    assert figures["Running now"] == "1"


def test_a_job_counts_once_in_each_month_of_the_teams_file(client, finance, as_of):
    as_of("2025-06-01")
    make_job("2025-02-27 00:00", "2025-03-03 00:00")
    client.force_login(finance)
    rows = rows_of(client.get("/teams/", {"preset": "all", "bucket": "month", "_export": "csv"}))
    assert [(r["date"], r["job_gpu_hours"], r["jobs"]) for r in rows] == [
        ("2025-02-01", "48.000000", "1"),
        ("2025-03-01", "48.000000", "1"),
    ]
