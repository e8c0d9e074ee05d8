"""A search that thousands of names of models match: all jobs of them, the same in list, sums and file."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from dashboard import rollups
from dashboard.joblist import stretches
from dashboard.joblist.paging import Place
from dashboard.models import Job, TeamLimit

from .conftest import at, make_job, make_team, make_user
from .test_job_list import NOW, days, page, plans, walk

AS_MANY = [1_001, 2_500]
START = at("2025-03-01 00:00")


@pytest.fixture(autouse=True)
def as_of_march(db, as_of):
    as_of("2025-03-31 12:00")


def jobs_of_names(count, team="covert", settled=True):
    """One of each name, an hour on two GPUs; every tenth has not begun."""
    facts = {"team": make_team(team), "provider": "AWS", "gpu_type": "L4", "gpu_count": Decimal(2)}
    Job.objects.bulk_create(
        Job(
            model_name=f"Run-{n:05}-LLaMA",
            start_time=START + timedelta(minutes=n) if n % 10 else None,
            end_time=START + timedelta(minutes=n, hours=1) if n % 10 else None,
            status="completed" if n % 10 else "pending",
            **facts,
        )
        for n in range(count)
    )
    if settled:
        rollups.settle()


@pytest.mark.parametrize("settled", [True, False], ids=["settled", "noted"])
@pytest.mark.parametrize("count", AS_MANY)
def test_a_search_finds_the_jobs_of_all_names_that_match(client, finance, count, settled):
    make_job(model_name="resnet")
    jobs_of_names(count, settled=settled)
    client.force_login(finance)
    shown = client.get("/jobs/", {"q": "llama"})
    assert shown.context["number"] == count
    assert shown.context["hours"] == 2 * (count - -(-count // 10))
    file = b"".join(client.get("/jobs/", {"q": "llama", "_export": "csv"}).streaming_content)
    assert file.count(b"LLaMA") == count


@pytest.mark.parametrize("few", [0, stretches.FEW], ids=["many jobs", "few jobs"])
@pytest.mark.parametrize("span", [None, days("2025-03-01", "2025-03-01")])
def test_their_jobs_are_listed_in_order_in_both_directions(monkeypatch, few, span):
    monkeypatch.setattr(stretches, "FEW", few)
    make_job(model_name="resnet")
    jobs_of_names(600)
    found = Job.objects.found_by("llama").within(span)
    expected = list(Job.objects.filter(model_name__endswith="LLaMA").within(span).newest_first())
    there, back = walk("-start", jobs=found, size=100, span=span)
    assert there == [job.pk for job in expected]
    assert back[-100:] == there[-100:] and set(back) == set(there)
    assert stretches.count(found, 1_000) == len(expected)


def test_names_of_teams_that_are_closed_to_a_reader_take_no_place(client):
    make_job(model_name="z-llama")
    jobs_of_names(1_001)
    lena = make_user("lena", "Viewer")
    TeamLimit.objects.create(user=lena).teams.set([make_team("vision")])
    client.force_login(lena)
    shown = client.get("/jobs/", {"q": "llama"})
    assert [job.model_name for job in shown.context["table"].data] == ["z-llama"]
    assert shown.context["number"] == shown.context["hours"] == 1


def test_an_id_is_found_beside_many_names(client, finance):
    jobs_of_names(1_001)
    one = make_job(model_name="resnet", external_id="llama")
    client.force_login(finance)
    shown = client.get("/jobs/", {"q": "llama", "sort": "-start"})
    assert shown.context["number"] == 1_002
    assert one.pk in set(Job.objects.found_by("llama").values_list("pk", flat=True))


def test_many_names_are_narrowed_by_model_and_team(client, finance):
    jobs_of_names(1_001)
    jobs_of_names(3, team="vision")
    client.force_login(finance)
    of_team = client.get("/jobs/", {"q": "llama", "team": make_team("vision").pk})
    of_model = client.get("/jobs/", {"q": "llama", "model": ["Run-00001-LLaMA", "Run-00700-LLaMA"]})
    assert (of_team.context["number"], len(of_team.context["table"].data)) == (3, 3)
    assert (of_model.context["number"], len(of_model.context["table"].data)) == (3, 3)


def test_the_administration_finds_them_too(client):
    jobs_of_names(1_001)
    client.force_login(make_user("root", "Admin", is_staff=True, is_superuser=True))
    listed = client.get("/admin/dashboard/job/", {"q": "run llama"}).context["cl"]
    assert str(listed.result_count) == "1,000+" and len(listed.result_list) == 50


@pytest.mark.parametrize("few", [0, stretches.FEW], ids=["many jobs", "few jobs"])
def test_no_page_of_many_names_reads_all_jobs(monkeypatch, few):
    monkeypatch.setattr(stretches, "FEW", few)
    jobs_of_names(600)
    with plans() as found:
        page("-start", Place(NOW), jobs=Job.objects.found_by("llama"))
    assert "jobs_by_model_idx" in "\n".join(found)
    for plan in found:
        assert "Seq Scan on jobs" not in plan, plan
        assert not re.search(r"SCAN jobs(?! USING)", plan), plan
    if connection.vendor == "sqlite":
        assert ("jobs_by_start_idx" in "\n".join(found)) == (few == 0)
