"""Lists of the admin: many rows changed or deleted at once, found, sorted and given as files."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from dashboard.admin import jobs as admin_jobs
from dashboard.models import AccountMapping, Job, Provider, Team

from .administration import COSTS, JOBS, TEAMS, said
from .conftest import at, make_cost, make_job, make_team, make_user

# Deleting a team


def test_deleting_a_team_shows_what_goes_with_it_as_numbers(admin_client):
    team = make_team("vision")
    make_job("2025-03-01 00:00", "2025-03-01 03:00", gpu_count=2)
    make_job("2025-03-01 00:00", "2025-03-01 00:30", model_name="secret-model")
    AccountMapping.objects.create(cluster="fox", account="v1", team=team)
    page = admin_client.get(f"{TEAMS}{team.pk}/delete/").content.decode()
    assert "<b>2</b> jobs, <b>6.5 h</b> job GPU-hours and <b>1</b> mapping go with it" in page
    assert "secret-model" not in page


@pytest.mark.parametrize("typed", ["", "Vision", "visio"])
def test_a_team_is_not_deleted_without_its_name(admin_client, typed):
    job = make_job()
    url = f"{TEAMS}{job.team_id}/delete/"
    response = admin_client.post(url, {"post": "yes", "confirm": "yes", f"name-{job.team_id}": typed})
    assert "Nothing was deleted" in response.content.decode()
    admin_client.post(url, {"post": "yes"})
    assert Job.objects.exists()


def test_a_team_goes_with_its_jobs_when_its_name_is_typed(admin_client):
    job, other = make_job(), make_job(team="language")
    response = admin_client.post(
        f"{TEAMS}{job.team_id}/delete/", {"confirm": "yes", f"name-{job.team_id}": "vision"}, follow=True
    )
    assert said(response) == ["The team “vision” was deleted with 1 job of 1.0 h and 0 mappings."]
    assert list(Job.objects.all()) == [other]
    assert "1 job of 1.0 h" in LogEntry.objects.get().change_message


def test_each_of_many_teams_wants_its_name(admin_client):
    teams = [make_job(team=name).team for name in ("vision", "language")]
    form = {
        "action": "delete_selected",
        "_selected_action": [str(team.pk) for team in teams],
        "confirm": "yes",
        f"name-{teams[0].pk}": "vision",
    }
    assert "Nothing was deleted" in admin_client.post(TEAMS, form).content.decode()
    assert Team.objects.count() == 2
    admin_client.post(TEAMS, form | {f"name-{teams[1].pk}": "language"})
    assert not Team.objects.exists() and not Job.objects.exists()


def test_deleting_a_team_of_many_jobs_takes_few_queries(admin_client, django_assert_max_num_queries):
    team = make_team("vision")
    Job.objects.bulk_create(Job(team=team, model_name="m", provider="AWS", gpu_type="T4") for _ in range(500))
    with django_assert_max_num_queries(31):
        admin_client.post(f"{TEAMS}{team.pk}/delete/", {"confirm": "yes", f"name-{team.pk}": "vision"})
    assert not Job.objects.exists()


# The status of many


def change_status(client: Client, jobs: list[Job], **form: str):
    chosen = {"action": "change_status", "_selected_action": [str(job.pk) for job in jobs]}
    return client.post(JOBS, chosen | form, follow=True)


def test_the_status_of_many_is_asked_for_on_a_page(admin_client):
    jobs = [make_job(end=None, status="running"), make_job(status="failed")]
    page = change_status(admin_client, jobs, index="0").content.decode()
    assert "2 jobs selected" in page and "1 failed" in page and "1 running" in page
    assert "1 of these jobs has started and has no end" in page


def test_jobs_without_an_end_get_the_one_given(admin_client):
    running, failed, waiting = (
        make_job(end=None, status="running"),
        make_job(status="failed"),
        make_job(start="", end=None, status="pending"),
    )
    end = {"status": "cancelled", "end_time_0": "2025-03-01", "end_time_1": "05:00:00", "confirm": "yes"}
    response = change_status(admin_client, [running, failed, waiting], **end)
    assert said(response) == [
        "3 jobs are cancelled now.",
        "1 of them had no end and got the one given.",
    ]
    ends = {job.pk: job.end_time for job in Job.objects.filter(status="cancelled")}
    assert ends == {
        running.pk: at("2025-03-01 05:00"),
        failed.pk: at("2025-03-01 01:00"),
        waiting.pk: None,
    }
    messages = {entry.object_id: entry.change_message for entry in LogEntry.objects.all()}
    assert messages[str(failed.pk)] == "status: failed → cancelled"
    assert messages[str(running.pk)] == ("status: running → cancelled; end time: none → 2025-03-01 05:00:00")


def test_without_an_end_jobs_that_need_one_stay(admin_client):
    running, failed = make_job(end=None, status="running"), make_job(status="failed")
    response = change_status(admin_client, [running, failed], status="completed", confirm="yes")
    assert "1 job has no end and was left alone." in said(response)
    assert set(Job.objects.values_list("pk", "status")) == {
        (running.pk, "running"),
        (failed.pk, "completed"),
    }


def test_an_ended_job_does_not_run_again(admin_client):
    job = make_job()
    response = change_status(admin_client, [job], status="running", confirm="yes")
    assert "1 job has ended and was left alone." in said(response)
    assert Job.objects.get().status == "completed"


@pytest.mark.parametrize(
    ("day", "words"),
    [("2025-02-01", "1 of these jobs start after that."), ("2097-01-01", "That is in the future.")],
)
def test_the_end_of_many_is_checked_against_their_starts(admin_client, day, words):
    job = make_job(end=None, status="running")
    end = {"end_time_0": day, "end_time_1": "00:00:00"}
    response = change_status(admin_client, [job], status="failed", confirm="yes", **end)
    assert words in response.content.decode()
    assert Job.objects.get().status == "running"


def test_a_change_of_many_shows_in_updated_at(admin_client):
    job = make_job(status="failed")
    change_status(admin_client, [job], status="completed", confirm="yes")
    assert Job.objects.get().updated_at > job.updated_at


# Lists


@pytest.mark.parametrize("url", [JOBS, TEAMS, COSTS, "/admin/auth/user/", "/admin/dashboard/accountmapping/"])
def test_a_list_asks_no_more_for_more_rows(admin_client, django_assert_max_num_queries, url):
    for number in range(12):
        job = make_job(team=f"team {number}")
        make_cost(f"2025-03-{number + 1:02}", "1.00")
        AccountMapping.objects.create(cluster="fox", account=f"a{number}", team=job.team)
        make_user(f"user {number}", "Viewer")
    with django_assert_max_num_queries(20):
        assert admin_client.get(url).status_code == 200


def test_the_list_of_jobs_filters_by_what_names_mean(admin_client):
    make_job(model_name="one", provider="aws ")
    make_job(model_name="two", provider="GCP")
    Provider.objects.create(name="AWS")
    page = admin_client.get(f"{JOBS}?provider=AWS").content.decode()
    assert "one" in page and "two" not in page


def test_a_whole_id_finds_its_job(admin_client):
    job, _ = make_job(model_name="one"), make_job(model_name="two")
    page = admin_client.get(f"{JOBS}?q={job.pk}").content.decode()
    assert "one" in page and "two" not in page


@pytest.fixture
def sixty(db):
    """Two hours apart, the last ten without a start."""
    teams = [make_team("vision"), make_team("speech")]
    Job.objects.bulk_create(
        Job(
            team=teams[n % 2],
            model_name=("alpha", "beta", "gamma")[n % 3],
            provider="AWS",
            gpu_type="T4",
            status="completed" if n < 50 else "pending",
            start_time=at("2025-03-01 00:00") + timedelta(hours=2 * n) if n < 50 else None,
            external_id=str(n),
        )
        for n in range(60)
    )


def ids_on(response) -> list[str]:
    return [job.external_id for job in response.context["cl"].result_list]


def test_the_list_of_jobs_begins_with_the_newest_and_ends_with_those_without_a_start(admin_client, sixty):
    first, second = admin_client.get(JOBS), admin_client.get(f"{JOBS}?p=2")
    assert ids_on(first) == [str(n) for n in range(49, -1, -1)]
    assert set(ids_on(second)) == {str(n) for n in range(50, 60)}
    assert set(ids_on(admin_client.get(f"{JOBS}?all="))) == {str(n) for n in range(60)}


def test_the_list_of_jobs_counts_to_a_cap_and_has_no_page_beyond(admin_client, sixty, monkeypatch):
    monkeypatch.setattr(admin_jobs, "MOST_LISTED", 55)
    page = admin_client.get(JOBS)
    assert "55+ jobs" in " ".join(page.content.decode().split())
    assert admin_client.get(f"{JOBS}?p=3").url == f"{JOBS}?e=1"
    assert "10 jobs" in " ".join(admin_client.get(f"{JOBS}?status=pending").content.decode().split())


def test_too_many_jobs_are_not_sorted_by_a_column(admin_client, sixty, monkeypatch):
    by_model = f"{JOBS}?o=1"
    assert admin_client.get(by_model).context["cl"].result_list[0].model_name == "alpha"
    monkeypatch.setattr(admin_jobs, "SORTED", 59)
    page = admin_client.get(by_model)
    assert "More than 59 jobs are too many to sort by a column" in page.content.decode()
    assert ids_on(page)[0] == "49"


@pytest.mark.parametrize(
    ("words", "found"),
    [("alpha", 20), ("ALPHA visi", 10), ("speech", 30), ("17", 1), ("alpha 17", 0), ('"alpha"', 20)],
)
def test_a_search_finds_jobs_by_model_team_and_id(admin_client, sixty, words, found):
    assert admin_client.get(JOBS, {"q": words}).context["cl"].result_count == found


def test_no_search_for_jobs_combines_more_words_than_the_list_can_read_quickly(admin_client, sixty):
    """Each may be of a model or of a team, so twenty words are a million stretches of the index."""
    page = admin_client.get(JOBS, {"q": "a l p h i"})
    assert "Search for at most 4 words." in page.content.decode()
    assert page.context["cl"].result_count == 0
    assert admin_client.get(JOBS, {"q": "a l p h"}).context["cl"].result_count == 20
    assert admin_client.get(JOBS, {"q": " ".join(["alpha", "visi"] * 10)}).context["cl"].result_count == 10


def test_the_days_above_the_list_reach_from_the_first_job_to_the_last(admin_client, sixty):
    page = admin_client.get(f"{JOBS}?start_time__year=2025&start_time__month=3").content.decode()
    days = [day for day in range(1, 32) if f"start_time__day={day}&" in page.replace("&amp;", "&")]
    assert days == [1, 2, 3, 4, 5]


def test_lists_lead_to_the_file_with_their_filters(admin_client):
    make_job()
    make_cost("2025-03-01", "1.00")
    page = admin_client.get(f"{JOBS}?status=running&provider=AWS").content.decode()
    assert f"{reverse('jobs')}?status=running&amp;provider=AWS&amp;preset=all&amp;_export=csv" in page
    page = admin_client.get(f"{COSTS}?date__year=2025&date__month=2&provider=AWS").content.decode()
    assert "provider=AWS&amp;start=2025-02-01&amp;end=2025-02-28&amp;_export=csv" in page


@pytest.mark.parametrize(
    "url", [f"{JOBS}?end=none", f"{JOBS}?status=unknown", f"{COSTS}?by=hand", f"{COSTS}?q=x"]
)
def test_no_file_is_offered_that_would_hold_other_rows(admin_client, url):
    assert "_export=csv" not in admin_client.get(url).content.decode()


def test_many_jobs_are_deleted_by_their_number(admin_client):
    team = make_team("vision")
    Job.objects.bulk_create(
        Job(team=team, model_name="m", provider="AWS", gpu_type="T4") for _ in range(1100)
    )
    chosen = {
        "action": "delete_selected",
        "_selected_action": str(Job.objects.first().pk),
        "select_across": "1",
    }
    page = admin_client.post(JOBS, chosen | {"index": "0"}).content.decode()
    assert "Jobs: 1100" in page and "… and 1,050 more" in page
    assert page.count('name="_selected_action"') == 1
    admin_client.post(JOBS, chosen | {"post": "yes"})
    assert not Job.objects.exists()
