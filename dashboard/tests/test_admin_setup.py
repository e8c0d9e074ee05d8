"""Mappings, clocks and users in the admin, and odd questions: never a 500."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User

from dashboard.models import BillDay, ClusterMapping, Job, Provider

from .administration import COSTS, JOBS, TEAMS, errors_of, job_form, said
from .conftest import make_cost, make_job, make_team, make_usage, make_user

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
    response = admin_client.get("/admin/dashboard/team/?q=" + "a+" * 30)
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
        answer = admin_client.get(url)
        assert answer.status_code == 200, url
        page = answer.content.decode()
        assert "<style" not in page and 'style="' not in page and "onclick" not in page
        assert all("src=" in tag for tag in page.split("<script")[1:])
