"""What keepers of the data meet in the admin: words when they err, history, and never a 500."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from dashboard.admin import jobs as admin_jobs
from dashboard.admin.teams import TeamAdmin
from dashboard.models import (
    AccountMapping,
    AuditEvent,
    BillDay,
    BillLine,
    ClusterMapping,
    CostSnapshot,
    Delivery,
    ImportRun,
    Job,
    NameAlias,
    Provider,
    Team,
    UsageSnapshot,
)

from .conftest import at, make_cost, make_job, make_team, make_usage, make_user

JOBS = "/admin/dashboard/job/"
TEAMS = "/admin/dashboard/team/"
COSTS = "/admin/dashboard/costsnapshot/"


@pytest.fixture
def admin_client(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def said(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def job_form(job: Job | None = None, **changes) -> dict[str, str]:
    """What the form of a job sends, but for what is named."""

    def split(name: str, moment: datetime | None) -> dict[str, str]:
        day, time = (f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}") if moment else ("", "")
        return {f"{name}_0": day, f"{name}_1": time}

    job = job or Job(
        team=make_team("vision"),
        model_name="resnet",
        provider="AWS",
        gpu_type="A100-80GB",
        status="completed",
        start_time=at("2025-03-01 00:00"),
        end_time=at("2025-03-01 01:00"),
    )
    facts = {
        "team": str(job.team_id),
        "model_name": job.model_name,
        "status": job.status,
        "provider": job.provider,
        "gpu_type": job.gpu_type,
        "gpu_count": str(job.gpu_count),
        **split("submit_time", job.submit_time),
        **split("start_time", job.start_time),
        **split("end_time", job.end_time),
    }
    return facts | changes


def errors_of(response, field: str) -> list[str]:
    assert response.status_code == 200
    return list(response.context["adminform"].form.errors.get(field, []))


# Adding and changing


def test_an_admin_adds_a_team_and_a_job(admin_client):
    admin_client.post(f"{TEAMS}add/", {"name": "  vision   lab "})
    team = Team.objects.get()
    assert team.name == "vision lab"
    admin_client.post(f"{JOBS}add/", job_form(team=str(team.pk), gpu_count="0.125"))
    job = Job.objects.get()
    assert (job.team, job.gpu_count, job.imported_by) == (team, Decimal("0.125"), None)


@pytest.mark.parametrize("name", ["speech", " SPEECH ", "Speech"])
def test_a_team_does_not_take_the_name_that_files_mean_another_by(admin_client, name):
    make_team("Speech")
    vision = make_team("Vision")
    for url in (f"{TEAMS}add/", f"{TEAMS}{vision.pk}/change/"):
        errors = errors_of(admin_client.post(url, {"name": name}), "name")
        assert errors == ["The team Speech has this name: files tell no capitals from small letters."]
    assert admin_client.post(f"{TEAMS}{vision.pk}/change/", {"name": "vision"}).status_code == 302
    assert sorted(Team.objects.values_list("name", flat=True)) == ["Speech", "vision"]


@pytest.mark.parametrize("is_new", [True, False])
def test_who_saves_the_same_at_the_same_moment_gets_the_form_back(admin_client, monkeypatch, is_new):
    """The form looks before the other has saved, and saves after."""
    check, looked = Team.full_clean, []

    def too_early(team, *args, **kwargs):
        looked.append(team.name)
        if len(looked) > 1:
            check(team, *args, **kwargs)

    monkeypatch.setattr(Team, "full_clean", too_early)
    monkeypatch.setattr(Team, "validate_unique", lambda *args, **kwargs: None)
    make_team("vision")
    url = f"{TEAMS}add/" if is_new else f"{TEAMS}{make_team('speech').pk}/change/"
    answer = admin_client.post(url, {"name": "vision"})
    [error] = errors_of(answer, "name")
    assert error.startswith("The team vision has this name")
    assert "Somebody saved the same meanwhile." in answer.content.decode()
    assert 'value="vision"' in answer.content.decode()
    assert Team.objects.filter(name="vision").count() == 1
    assert not AuditEvent.objects.filter(action__in=["added", "changed"]).exists()


def test_who_saves_what_nobody_has_any_more_has_saved_it(admin_client, monkeypatch):
    """The other took it back before the form looked again."""
    save, tries = TeamAdmin.save_model, []

    def taken_at_first(self, *args):
        tries.append(args)
        if len(tries) == 1:
            make_team("vision")
        save(self, *args)

    monkeypatch.setattr(TeamAdmin, "save_model", taken_at_first)
    answer = admin_client.post(f"{TEAMS}add/", {"name": "vision"}, follow=True)
    assert "was added successfully" in answer.content.decode()
    assert "meanwhile" not in answer.content.decode()


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"end_time_0": "2025-02-28"}, "end_time", "cannot end before it starts"),
        ({"gpu_count": "0"}, "gpu_count", "more than 0 GPUs"),
        ({"gpu_count": "-1"}, "gpu_count", "more than 0 GPUs"),
        ({"end_time_0": "", "end_time_1": ""}, "end_time", "needs the time of its end"),
        ({"status": "running"}, "end_time", "has not ended"),
        ({"start_time_0": "0001-01-01"}, "start_time", "from 2000 to 2099"),
        ({"provider": "AWS\u202e"}, "provider", "text direction"),
        ({"gpu_type": ""}, "gpu_type", "required"),
    ],
)
def test_a_job_that_cannot_be_is_refused_in_words(admin_client, changes, field, words):
    response = admin_client.post(f"{JOBS}add/", job_form(**changes))
    assert any(words in error for error in errors_of(response, field))
    assert not Job.objects.exists()


def test_known_statuses_are_suggested_and_others_kept_with_a_word(admin_client):
    assert '<option value="cancelled">' in admin_client.get(f"{JOBS}add/").content.decode()
    response = admin_client.post(f"{JOBS}add/", job_form(status="preempted"), follow=True)
    assert Job.objects.get().status == "preempted"
    assert any("“preempted” is kept as it is" in words for words in said(response))
    admin_client.post(f"{JOBS}add/", job_form(status="Failed "))
    assert Job.objects.filter(status="failed").exists()


def test_a_fraction_of_a_second_survives_an_edit_of_something_else(admin_client):
    job = make_job(end_time=datetime(2025, 3, 1, 1, 0, 0, 250_000, UTC))
    admin_client.post(f"{JOBS}{job.pk}/change/", job_form(job, model_name="bert"))
    job.refresh_from_db()
    assert (job.model_name, job.end_time.microsecond) == ("bert", 250_000)


def test_a_team_chosen_by_hand_is_marked_so(admin_client):
    job, other = make_job(), make_team("language")
    admin_client.post(f"{JOBS}{job.pk}/change/", job_form(job, model_name="bert"))
    job.refresh_from_db()
    assert not job.team_set_by_hand
    admin_client.post(f"{JOBS}{job.pk}/change/", job_form(job, team=str(other.pk)))
    job.refresh_from_db()
    assert (job.team, job.team_set_by_hand) == (other, True)


def test_what_a_mapping_made_is_not_edited_on_the_job(admin_client):
    job = make_job(cluster="fox", raw_gpu_type="a100", external_id="17", provider="AWS")
    page = admin_client.get(f"{JOBS}{job.pk}/change/").content.decode()
    assert 'name="provider"' not in page and 'name="gpu_count"' not in page
    assert f'href="{reverse("mappings")}"' in page
    admin_client.post(f"{JOBS}{job.pk}/change/", job_form(job, provider="GCP", model_name="bert"))
    job.refresh_from_db()
    assert (job.provider, job.model_name) == ("AWS", "bert")


# History


def test_the_history_says_what_was_and_what_became_of_it(admin_client):
    job = make_job(end=None, status="running")
    other = make_team("language")
    changes = {
        "status": "completed",
        "end_time_0": "2025-03-01",
        "end_time_1": "02:00",
        "team": str(other.pk),
        "gpu_count": "2",
    }
    admin_client.post(f"{JOBS}{job.pk}/change/", job_form(job, **changes))
    page = admin_client.get(f"{JOBS}{job.pk}/history/").content.decode()
    assert "status: running → completed" in page
    assert "end time: none → 2025-03-01 02:00:00" in page
    assert "team: vision → language" in page
    assert "; GPUs: 1 → 2" in page
    assert "ada" in page


@pytest.mark.parametrize("gpus", ["2", "10", "0.125", "0.000001"])
def test_what_nobody_changed_is_not_in_the_history(admin_client, gpus):
    job = make_job(gpu_count=Decimal(gpus))
    url = f"{JOBS}{job.pk}/change/"
    shown = admin_client.get(url).context["adminform"].form["gpu_count"].value()
    assert str(shown) == gpus
    admin_client.post(url, job_form(job, gpu_count=gpus))
    admin_client.post(url, job_form(job, gpu_count=gpus, model_name="bert"))
    job.refresh_from_db()
    assert (job.gpu_count, job.model_name) == (Decimal(gpus), "bert")
    said = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert said == ["No fields changed.", "model name: resnet → bert"]


def test_the_history_of_a_user_names_groups(admin_client, viewer):
    groups = [str(Group.objects.get(name="Finance").pk)]
    form = {"username": "vera", "groups": groups, "is_active": "on"}
    admin_client.post(f"/admin/auth/user/{viewer.pk}/change/", form)
    assert LogEntry.objects.get().change_message == "groups: Viewer → Finance"


# Snapshots


def test_an_edited_snapshot_belongs_to_who_edited_it(admin_client, admin):
    run = ImportRun.objects.create(format="costs", files=[], user=admin, written_at=at("2025-03-02 00:00"))
    cost = make_cost("2025-03-01", "10.00")
    CostSnapshot.objects.update(imported_by=run)
    form = {"date": "2025-03-01", "provider": "AWS", "gpu_type": "A100-80GB", "cost_usd": "-25.00"}
    admin_client.post(f"{COSTS}{cost.pk}/change/", form)
    cost.refresh_from_db()
    assert (cost.cost_usd, cost.imported_by) == (Decimal("-25.00"), None)
    assert "10 → -25" in LogEntry.objects.get().change_message


def test_the_sum_of_bill_lines_is_shown_and_not_changed(admin_client):
    cost = make_cost("2025-03-01", "10.00")
    CostSnapshot.objects.update(from_lines=True)
    page = admin_client.get(f"{COSTS}{cost.pk}/change/")
    assert "the sum of" in page.content.decode() and 'name="cost_usd"' not in page.content.decode()
    assert admin_client.post(f"{COSTS}{cost.pk}/change/", {"cost_usd": "1"}).status_code == 403
    assert admin_client.post(f"{COSTS}{cost.pk}/delete/", {"post": "yes"}).status_code == 403
    bulk = {"action": "delete_selected", "_selected_action": str(cost.pk), "post": "yes"}
    response = admin_client.post(COSTS, bulk, follow=True)
    assert any("Nothing was deleted" in words for words in said(response))
    assert CostSnapshot.objects.get().cost_usd == Decimal("10.00")


def test_a_sum_leads_to_its_lines(admin_client, admin):
    run = ImportRun.objects.create(
        format="focus", files=[{"name": "bill.csv"}], written_at=at("2025-04-01 00:00")
    )
    facts = {"provider": "AWS", "account": "1"}
    days = {"period_start": date(2025, 3, 1), "period_end": date(2025, 4, 1)}
    new = Delivery.objects.create(run=run, **facts, **days)
    old = Delivery.objects.create(run=run, current=False, **facts, **days)
    for delivery, day, tag in ((new, 1, "meant"), (new, 2, "next-day"), (old, 1, "taken-back")):
        line = {"day": date(2025, 3, day), "gpu_type": "A100-80GB", "kind": "spot", "tag": tag}
        BillLine.objects.create(
            delivery=delivery, billed=1, effective=1, gpu_hours=1, rows=1, **line, **facts
        )
    cost = make_cost("2025-03-01", "1.00")
    CostSnapshot.objects.update(from_lines=True, imported_by=run)
    page = admin_client.get(f"{COSTS}{cost.pk}/change/").content.decode()
    assert f'href="{reverse("import", args=[run.pk])}"' in page
    url = page.split('the sum of <a href="')[1].split('"')[0].replace("&amp;", "&")
    lines = admin_client.get(url).content.decode()
    assert "meant" in lines and "next-day" not in lines and "taken-back" not in lines
    assert "bill.csv" in admin_client.get(f"/admin/dashboard/importrun/{run.pk}/change/").content.decode()


def test_metered_hours_are_never_negative(admin_client):
    form = {"date": "2025-03-01", "provider": "AWS", "gpu_type": "A100-80GB", "gpu_hours": "-1"}
    response = admin_client.post("/admin/dashboard/usagesnapshot/add/", form)
    assert errors_of(response, "gpu_hours") == ["Metered hours are never negative."]
    assert not UsageSnapshot.objects.exists()


def test_one_snapshot_for_each_cell(admin_client):
    make_cost("2025-03-01", "10.00")
    form = {"date": "2025-03-01", "provider": "AWS", "gpu_type": "A100-80GB", "cost_usd": "5"}
    response = admin_client.post(f"{COSTS}add/", form)
    assert "already exists" in response.content.decode()


@pytest.mark.parametrize("other", [("aws", "a100-80gb"), ("Amazon Web Services", "A100-80GB")])
def test_the_same_cell_under_another_spelling_is_refused_since_both_would_count(admin_client, other):
    NameAlias.objects.create(kind="provider", alias="Amazon Web Services", name="AWS")
    cost = make_cost("2025-03-01", "10.00")
    form = {"date": "2025-03-01", "provider": other[0], "gpu_type": other[1], "cost_usd": "5"}
    response = admin_client.post(f"{COSTS}add/", form)
    assert "AWS A100-80GB is of the same day, provider and GPU type: 10.00" in response.content.decode()
    response = admin_client.post(f"{COSTS}add/", form | {"date": "2025-03-02"})
    assert response.status_code == 302
    response = admin_client.post(f"{COSTS}{cost.pk}/change/", form)
    assert response.status_code == 302, "its own spelling may be changed"
    twin = CostSnapshot.objects.create(
        date=date(2025, 3, 1), provider=" AWS", gpu_type="A100-80GB", cost_usd=7
    )
    response = admin_client.post(f"{COSTS}{cost.pk}/change/", form | {"cost_usd": "6"})
    assert response.status_code == 302, "an amount is corrected, whatever stands beside it"
    CostSnapshot.objects.filter(pk=twin.pk).update(from_lines=True)
    cost.delete()
    response = admin_client.post(f"{COSTS}add/", form | {"provider": "AWS"})
    assert "It is a sum of bill lines." in response.content.decode()


@pytest.mark.parametrize(
    ("typed", "kept"), [("1,234.56", "1234.56"), ("$1,234.5", "1234.50"), ("−25", "-25.00")]
)
def test_a_cost_is_typed_in_as_an_invoice_is(admin_client, typed, kept):
    form = {"date": "2025-03-01", "provider": "AWS", "gpu_type": "A100-80GB", "cost_usd": typed}
    admin_client.post(f"{COSTS}add/", form)
    assert CostSnapshot.objects.get().cost_usd == Decimal(kept)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("1,234.565", "Give whole cents: at most two digits after the point."),
        ("12,34", "Write the amount in dollars, like 1,234.56."),
        ("12345678901", "That is too much: at most 10 digits before the point."),
    ],
)
def test_a_cost_that_cannot_be_read_is_refused_in_words(admin_client, typed, words):
    form = {"date": "2025-03-01", "provider": "AWS", "gpu_type": "A100-80GB", "cost_usd": typed}
    assert errors_of(admin_client.post(f"{COSTS}add/", form), "cost_usd") == [words]


@pytest.mark.parametrize("day", ["1999-12-31", "2126-10-01"])
def test_a_cost_is_of_a_day_that_pages_can_show(admin_client, day):
    form = {"date": day, "provider": "AWS", "gpu_type": "A100-80GB", "cost_usd": "5"}
    response = admin_client.post(f"{COSTS}add/", form)
    assert errors_of(response, "date") == ["Give a day between 2000-01-01 and 2099-12-31."]
    assert not CostSnapshot.objects.exists()


def test_what_a_cost_centre_lacks_is_told_in_words(admin_client):
    url = "/admin/dashboard/costcentre/add/"
    team = make_team("vision")
    for form in ({"code": "1"}, {"code": "1", "line": "idle", "team": str(team.pk)}):
        response = admin_client.post(url, form)
        assert errors_of(response, "line")[0].endswith("choose one of the two.")
    assert admin_client.post(url, {"code": "4711", "line": "idle"}).status_code == 302
    response = admin_client.post(url, {"code": "4712", "line": "idle"})
    assert errors_of(response, "line") == ["There is one for this line already: 4711."]
    assert "violated" not in response.content.decode()


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


# Mappings


def make_logged(raw: str = "a100", **facts) -> Job:
    logged = {"cluster": "fox", "account": "physics", "raw_gpu_type": raw, "raw_gpu_count": 4}
    return make_job(team="physics", provider="fox", gpu_type=raw, gpu_count=4, **logged, **facts)


CLUSTERS = "/admin/dashboard/clustermapping/"


def test_a_mapping_moves_what_is_stored_and_says_how_much(admin_client):
    make_logged()
    make_logged("t4")
    form = {
        "cluster": "fox",
        "raw_gpu_type": "a100",
        "provider": "AWS",
        "gpu_type": "A100-80GB",
        "factor": "0.5",
    }
    response = admin_client.post(f"{CLUSTERS}add/", form, follow=True)
    assert "1 stored job follows it." in said(response)
    job = Job.objects.get(raw_gpu_type="a100")
    assert (job.provider, job.gpu_type, job.gpu_count) == ("AWS", "A100-80GB", 2)


@pytest.mark.parametrize("bulk", [False, True])
def test_without_its_mapping_a_job_is_the_clusters_again(admin_client, bulk):
    make_logged()
    form = {"cluster": "fox", "provider": "AWS", "gpu_type": "A100-80GB", "factor": "1"}
    admin_client.post(f"{CLUSTERS}add/", form)
    mapping = ClusterMapping.objects.get()
    if bulk:
        chosen = {"action": "delete_selected", "_selected_action": str(mapping.pk), "post": "yes"}
        admin_client.post(CLUSTERS, chosen)
    else:
        admin_client.post(f"{CLUSTERS}{mapping.pk}/delete/", {"post": "yes"})
    job = Job.objects.get()
    assert (job.provider, job.gpu_type, job.gpu_count) == ("fox", "a100", 4)


def test_an_account_is_given_to_a_team_but_for_jobs_of_a_hand(admin_client):
    mapped, chosen = make_logged(), make_logged(team_set_by_hand=True)
    form = {"cluster": "fox", "account": "physics", "team": str(make_team("vision").pk)}
    admin_client.post("/admin/dashboard/accountmapping/add/", form)
    teams = dict(Job.objects.values_list("pk", "team__name"))
    assert teams == {mapped.pk: "vision", chosen.pk: "physics"}
    admin_client.post(f"{JOBS}{chosen.pk}/change/", job_form(chosen))
    assert Job.objects.get(pk=chosen.pk).team.name == "vision"


def test_mappings_of_the_same_names_do_not_share_days(admin_client):
    form = {"cluster": "fox", "provider": "AWS", "gpu_type": "A100-80GB", "factor": "1"}
    admin_client.post(f"{CLUSTERS}add/", form | {"valid_to": "2025-03-01"})
    response = admin_client.post(f"{CLUSTERS}add/", form | {"cluster": "Fox ", "valid_from": "2025-03-01"})
    assert "covers some of these days" in response.content.decode()
    admin_client.post(f"{CLUSTERS}add/", form | {"valid_from": "2025-03-02"})
    assert ClusterMapping.objects.count() == 2


# Providers and their clocks


def test_a_new_bill_clock_gets_its_days(admin_client):
    form = {"name": "CoreWeave", "bill_clock": "America/New_York", "lag_days": "1"}
    admin_client.post("/admin/dashboard/provider/add/", form)
    assert Provider.objects.get().bill_clock == "America/New_York"
    assert BillDay.objects.filter(clock="America/New_York", day="2025-03-09").exists()


def test_a_clock_that_is_no_zone_is_refused_in_words(admin_client):
    form = {"name": "CoreWeave", "bill_clock": "Mars/Olympus", "lag_days": "1"}
    response = admin_client.post("/admin/dashboard/provider/add/", form)
    assert "not an IANA time zone" in errors_of(response, "bill_clock")[0]


# Users


def test_a_user_in_group_admin_may_use_the_admin_and_is_told_so(admin_client, viewer):
    form = {
        "username": "vera",
        "groups": [str(Group.objects.get(name="Admin").pk)],
        "is_active": "on",
    }
    response = admin_client.post(f"/admin/auth/user/{viewer.pk}/change/", form, follow=True)
    assert any("is in group Admin" in words for words in said(response))
    viewer.refresh_from_db()
    assert viewer.is_staff
    form["groups"] = [str(Group.objects.get(name="Viewer").pk)]
    admin_client.post(f"/admin/auth/user/{viewer.pk}/change/", form | {"is_staff": "on"})
    viewer.refresh_from_db()
    assert not viewer.is_staff


def test_a_new_user_gets_a_role_at_once(admin_client):
    form = {
        "username": "nora",
        "usable_password": "true",
        "password1": "correct horse battery",
        "password2": "correct horse battery",
        "groups": [str(Group.objects.get(name="Admin").pk)],
    }
    admin_client.post("/admin/auth/user/add/", form)
    nora = User.objects.get(username="nora")
    assert nora.is_staff and nora.has_perm("dashboard.change_job")


def test_an_admin_makes_no_superuser_and_changes_none(admin_client, viewer):
    root = User.objects.create_superuser("root")
    form = {"username": "vera", "is_active": "on", "is_superuser": "on"}
    admin_client.post(f"/admin/auth/user/{viewer.pk}/change/", form)
    viewer.refresh_from_db()
    assert not viewer.is_superuser
    for page in ("change/", "password/", "delete/"):
        url = f"/admin/auth/user/{root.pk}/{page}"
        assert admin_client.post(url, {"post": "yes", "username": "root"}).status_code in (200, 403)
    assert User.objects.get(username="root").is_superuser


def test_who_is_part_of_the_history_stays_in_it(admin_client, admin, viewer):
    worked, idle = make_user("walt", "Admin", is_staff=True), viewer
    LogEntry.objects.log_actions(worked.pk, [viewer], 2, "email: none → x")
    page = admin_client.get(f"/admin/auth/user/{worked.pk}/delete/").content.decode()
    assert "make the account inactive" in page
    for user in (worked, admin, idle):
        admin_client.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"})
    assert set(User.objects.values_list("username", flat=True)) == {"walt", "ada"}


# Odd questions


ODD = [
    f"{JOBS}?provider=%00",
    f"{JOBS}?team=abc",
    f"{JOBS}?team__id__exact=abc",
    f"{JOBS}?start_time__year=2147483648",
    f"{JOBS}?start_time__year=9999",
    f"{JOBS}?start_time__year=0&start_time__month=1",
    f"{JOBS}?start_time__gte=0001-01-01T00:00:00%2B14:00",
    f"{JOBS}?end_time__lt=99999-01-01",
    f"{JOBS}?gpu_count__gt=1e999999999",
    f"{JOBS}?id__exact=1",
    f"{JOBS}?model_name__range=abc",
    f"{JOBS}?model_name__regex=[a",
    f"{JOBS}abc/change/?_to_field=",
    f"{TEAMS}add/?jobs=1",
    f"{JOBS}?p=99999999999999999999",
    f"{JOBS}?o=99999999999999999999.-1",
    f"{JOBS}?q=" + "a+" * 900,
    f"{JOBS}?q=" + "word+" * 2000,
    f"{JOBS}?nosuch=1",
    f"{JOBS}?_to_field=nosuch",
    f"{COSTS}?date__year=2147483648",
    f"{COSTS}?date__year=2025&date__month=13",
    f"{COSTS}?date__year=x",
    f"{COSTS}?cost_usd__gt=NaN",
    "/admin/dashboard/billline/?day__year=2147483648",
    "/admin/dashboard/billline/?kind__exact=%00",
    "/admin/dashboard/importrun/99999999999999999999/change/",
    "/admin/dashboard/importrun/?written_at__year=2147483648",
    f"{JOBS}add/?start_time=x",
    f"{JOBS}add/?start_time=0001-01-01T00:00:00%2B14:00",
    f"{JOBS}add/?start_time=2025-03-01T12:00:00Z",
    f"{JOBS}add/?team=abc",
    f"{JOBS}add/?team=00000000-0000-0000-0000-000000000000",
    f"{JOBS}add/?gpu_count=1e400",
    f"{JOBS}add/?status=%00",
    f"{JOBS}abc/change/",
    f"{JOBS}%00/change/",
    f"{TEAMS}abc/delete/",
    "/admin/auth/user/add/?groups=abc",
    "/admin/auth/user/99999999999999999999/change/",
    "/admin/r/1/1/",
    "/admin/r/abc/abc/",
    "/admin/autocomplete/?term=x",
    "/admin/autocomplete/?app_label=dashboard&model_name=job&field_name=team&term=" + "a+" * 900,
    "/admin/nosuch/",
]


@pytest.mark.parametrize("url", ODD, ids=lambda url: url[:70])
def test_an_odd_question_never_breaks_the_admin(admin_client, url):
    make_job()
    make_cost("2025-03-01", "1.00")
    make_usage("2025-03-01", "1.00")
    response = admin_client.get(url, follow=True)
    assert response.status_code < 500


def test_filters_that_cannot_be_read_are_left_out_with_a_word(admin_client):
    make_cost("2025-03-01", "1.00")
    response = admin_client.get(f"{COSTS}?date__year=2147483648", follow=True)
    assert said(response) == ["A filter could not be read: all rows are shown."]


def test_a_search_of_many_words_is_refused_in_words(admin_client):
    response = admin_client.get(f"{JOBS}?q=" + "a+" * 30)
    assert said(response) == ["Search for at most 20 words."]


def test_what_can_be_read_is_filled_in(admin_client):
    team = make_team("vision")
    page = admin_client.get(f"{JOBS}add/?team={team.pk}&start_time=2025-03-01T12:00:00Z&model_name=bert")
    content = page.content.decode()
    assert "bert" in content and "2025-03-01" in content and ">vision<" in content


@pytest.mark.parametrize("key", ["abc", "\0", "1"])
def test_a_selection_that_cannot_be_read_changes_nothing(admin_client, key):
    job = make_job()
    chosen = {"action": "delete_selected", "_selected_action": [key], "post": "yes"}
    assert admin_client.post(JOBS, chosen, follow=True).status_code == 200
    assert list(Job.objects.all()) == [job]


def test_no_page_of_the_admin_has_a_script_or_a_style_inline(admin_client):
    job = make_job()
    for url in (
        "/admin/",
        JOBS,
        f"{JOBS}add/",
        f"{JOBS}{job.pk}/change/",
        f"{TEAMS}{job.team_id}/delete/",
        COSTS,
        "/admin/auth/user/",
        "/admin/auth/group/add/",
    ):
        page = admin_client.get(url).content.decode()
        assert "<style" not in page and 'style="' not in page and "onclick" not in page
        assert all("src=" in tag for tag in page.split("<script")[1:])
