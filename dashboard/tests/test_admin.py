"""What keepers of the data meet in forms of the admin: words when they err, and history."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.urls import reverse

from dashboard.admin.teams import TeamAdmin
from dashboard.models import (
    AuditEvent,
    BillLine,
    CostSnapshot,
    Delivery,
    ImportRun,
    Job,
    NameAlias,
    Team,
    UsageSnapshot,
)

from .administration import COSTS, JOBS, TEAMS, errors_of, job_form, said
from .conftest import at, make_cost, make_job, make_team

# Adding and changing


def test_an_admin_adds_a_team_and_a_job(admin_client):
    admin_client.post(f"{TEAMS}add/", {"name": "  vision   lab "})
    team = Team.objects.get()
    assert team.name == "vision lab"
    admin_client.post(f"{JOBS}add/", job_form(team=str(team.pk), gpu_count="0.125"))
    job = Job.objects.get()
    assert (job.team, job.gpu_count, job.imported_by) == (team, Decimal("0.125"), None)


def test_a_new_team_is_asked_for_its_name_alone(admin_client):
    asked = admin_client.get(f"{TEAMS}add/")
    assert not asked.context["adminform"].readonly_fields
    assert b"DatabaseDefault" not in asked.content
    known = admin_client.get(f"{TEAMS}{make_team('Speech').pk}/change/")
    assert "created_at" in known.context["adminform"].readonly_fields


def test_a_field_left_empty_is_told_once(admin_client):
    required = ["This field is required."]
    assert errors_of(admin_client.post(f"{TEAMS}add/", {"name": " "}), "name") == required
    alias = admin_client.post("/admin/dashboard/namealias/add/", {"kind": "provider"})
    assert errors_of(alias, "alias") == required


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
