"""Who is limited to teams sees their hours, shares and rates, and nothing that tells of the others."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from dashboard import rollups
from dashboard.models import Job, Team, TeamLimit

from .conftest import make_cost, make_job, make_team, make_usage, make_user
from .test_allocation import a_log_speaks_of

SECRET = re.compile(
    r"hidden|whisper|770[.,]06|7\.70|333\.33|1,?103[.,]40|1103|110\.01|220\.02", re.IGNORECASE
)
PAGES = ("teams", "allocation", "jobs", "running", "help")
CLOSED = (
    "costs",
    "usage",
    "bridge",
    "unit_prices",
    "waste",
    "anomalies",
    "forecast",
    "budgets",
    "closing",
    "contracts",
    "reconcile",
    "quality",
    "mappings",
    "imports",
    "admin:index",
)
MARCH = "start=2025-03-01&end=2025-03-09"


@pytest.fixture(autouse=True)
def two_teams(db, as_of):
    """On 3 March $1,103.40 for 100 metered hours: 30 of vision for $331.02, 69.79 of hidden for $770.06."""
    as_of("2025-03-10 12:00")
    make_cost("2025-03-03", "1103.40")
    make_usage("2025-03-03", "100.00")
    make_job("2025-03-03 00:00", "2025-03-03 10:00", gpu_count=Decimal(3))
    hidden = {"team": "hidden", "model_name": "whisper"}
    make_job("2025-03-03 00:00", "2025-03-03 10:00", gpu_count=Decimal("6.979"), **hidden)
    make_job("2025-03-10 06:00", None, status="running", gpu_count=Decimal(2))
    make_job("2025-03-10 06:00", None, status="running", gpu_count=Decimal(5), **hidden)
    make_cost("2025-03-04", "333.33", gpu_type="L4")
    make_cost("2025-03-09", "333.33", gpu_type="L4")
    a_log_speaks_of("2025-03-01 00:00", "2025-03-09 23:00", "AWS")
    rollups.settle()


def limited(name: str, *teams: str, role: str = "Manager") -> User:
    user = make_user(name, role, is_staff=role == "Admin")
    TeamLimit.objects.create(user=user).teams.set([make_team(team) for team in teams])
    return user


@pytest.fixture
def own() -> Client:
    """Of a manager who is limited to vision."""
    client = Client()
    client.force_login(limited("lena", "vision"))
    return client


def team(name: str) -> UUID:
    return Team.objects.get(name=name).pk


def text_of(answer: Any) -> str:
    parts = answer.streaming_content if answer.streaming else [answer.content]
    return b"".join(parts).decode()


def every_page() -> list[str]:
    vision, job = team("vision"), Job.objects.get(team__name="vision", status="completed")
    return [
        *(f"{reverse(name)}?{MARCH}" for name in PAGES),
        *(f"{reverse(name)}?preset=all&compare=last_month" for name in PAGES),
        reverse("allocation") + f"?{MARCH}&by=model&then_by=provider&idle=evenly",
        reverse("allocation") + f"?{MARCH}&by=gpu_type&basis=billed",
        reverse("teams") + f"?{MARCH}&model=whisper",
        reverse("jobs") + "?q=whisper",
        reverse("jobs") + "?q=hidden&status=running",
        reverse("team", args=[vision]) + f"?{MARCH}",
        reverse("statement", args=[vision]) + "?month=2025-03&idle=evenly",
        reverse("job", args=[job.pk]),
    ]


def test_no_page_and_no_file_tells_of_another_team(own):
    for url in every_page():
        answer = own.get(url)
        assert answer.status_code == 200, url
        asked_for = r"\?[^\"]*|value=\"(whisper|hidden)\"|Model: whisper|Search: (whisper|hidden)"
        told = re.sub(asked_for, "", text_of(answer))
        told = re.sub(r"whisper|hidden(?=\W)", "", told) if "whisper" in url or "q=hidden" in url else told
        told = re.sub(r"visually-hidden|type=\"hidden\"|hidden data|aria-hidden|\bhidden>", "", told)
        assert not SECRET.search(told), (url, SECRET.search(told))
        if "job/" not in url and "/help/" not in url and not re.search(r"/jobs/[0-9a-f]{8}", url):
            file = own.get(url + ("&" if "?" in url else "?") + "_export=csv")
            assert file.status_code == 200, url
            assert not re.search(r"hidden|whisper|770\.06|333\.33", text_of(file)), url


def test_what_they_see_of_their_own_is_what_everybody_sees(own, finance):
    unlimited = Client()
    unlimited.force_login(finance)
    for url in (
        reverse("statement", args=[team("vision")]) + "?month=2025-03&_export=csv",
        reverse("team", args=[team("vision")]) + f"?{MARCH}&_export=csv",
        reverse("allocation") + f"?{MARCH}&team={team('vision')}&_export=csv",
        reverse("jobs") + f"?team={team('vision')}&_export=csv",
        reverse("running") + f"?team={team('vision')}&_export=csv",
    ):
        assert text_of(own.get(url)) == text_of(unlimited.get(url))
    assert "331.02" in text_of(own.get(reverse("allocation") + f"?{MARCH}"))


def test_without_a_choice_it_is_their_teams_and_not_all(own):
    chosen = own.get(reverse("allocation") + f"?{MARCH}&team={team('vision')}&_export=csv")
    assert text_of(own.get(reverse("allocation") + f"?{MARCH}&_export=csv")) == text_of(chosen)
    assert "2 jobs" in text_of(own.get(reverse("jobs") + "?preset=all"))


def test_the_rate_of_a_job_is_told_and_not_what_it_is_a_part_of(own, finance):
    job = reverse("job", args=[Job.objects.get(team__name="vision", status="completed").pk])
    assert "$11.0340/h × 30.000 h" in text_of(own.get(job))
    unlimited = Client()
    unlimited.force_login(finance)
    assert "$1,103.40 × 30.000 h ÷ 100.000 h" in text_of(unlimited.get(job))


def test_pages_of_all_teams_together_are_closed(own):
    for name in CLOSED:
        answer = own.get(reverse(name))
        assert answer.status_code in (403, 302), name
        assert answer.status_code == 403 or "login" in answer.headers["Location"], name
    assert own.get("/").headers["Location"] == reverse("teams")
    menu = text_of(own.get(reverse("teams")))
    assert not [name for name in CLOSED if f'href="{reverse(name)}"' in menu]


def test_the_ids_of_others_are_unknown_wherever_they_stand(own):
    hidden, job = team("hidden"), Job.objects.filter(team__name="hidden")[0].pk
    for other in (hidden, job, hidden.hex, str(hidden).upper()):
        for name in (*PAGES, *CLOSED, "overview"):
            assert own.get(reverse(name), {"team": other}).status_code == 404, name
            assert own.get(reverse(name), {"anything": f"x{other}"}).status_code == 404, name
            assert own.post(reverse(name), {"team": other}).status_code == 404, name
    for path in (
        reverse("team", args=[hidden]),
        reverse("statement", args=[hidden]),
        reverse("job", args=[job]),
        reverse("admin:dashboard_team_change", args=[hidden]),
        f"{reverse('teams')}?team={team('vision')}&team={hidden}",
    ):
        assert own.get(path).status_code == 404, path
    assert own.get(reverse("teams"), {"team": UUID(int=7)}).status_code == 200, "nobody's id is no secret"


def test_filters_offer_their_own_teams_and_models(own):
    form = own.get(reverse("jobs")).context["form"]
    assert [str(one) for one in form.fields["team"].queryset] == ["vision"]
    assert [value for value, _ in form.fields["model"].choices] == ["resnet"]


def test_who_is_limited_to_no_team_sees_nothing():
    client = Client()
    client.force_login(limited("nora"))
    for name in PAGES:
        answer = client.get(reverse(name))
        assert answer.status_code == 403
        assert "limited to teams and has none" in text_of(answer)


def test_a_limit_outlives_its_teams(own):
    Team.objects.get(name="vision").delete()
    assert TeamLimit.objects.get().teams.count() == 0
    assert own.get(reverse("teams")).status_code == 403


@pytest.mark.parametrize("role", ["Finance", "Admin"])
def test_finance_and_admins_see_all_whatever_limit_is_set(role):
    client = Client()
    client.force_login(limited("fred", "vision", role=role))
    assert "hidden" in text_of(client.get(reverse("teams") + f"?{MARCH}&_export=csv"))
    assert client.get(reverse("costs")).status_code == 200


def test_who_is_in_the_administration_and_limited_is_let_in_no_more():
    user = limited("stan", "vision")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    answer = client.get(reverse("admin:dashboard_job_changelist"))
    assert answer.status_code == 302 and "login" in answer.headers["Location"]


def test_what_others_do_on_other_days_moves_nothing_on_any_page(own):
    """Not one character, though the bill, the idle cost and the hours of all have changed."""
    before = {url: without_tokens(own.get(url)) for url in every_page()}
    make_cost("2025-03-05", "551.70")  # the same $11.034 an hour
    make_usage("2025-03-05", "50.00")
    make_job("2025-03-05 00:00", "2025-03-05 20:00", team="hidden", model_name="whisper", status="failed")
    make_job("2025-03-10 01:00", None, team="hidden", model_name="whisper", status="running")
    rollups.settle()
    for url, page in before.items():
        assert without_tokens(own.get(url)).splitlines() == page.splitlines(), url


def without_tokens(answer: Any) -> str:
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", text_of(answer))
    return re.sub(r"Request [0-9a-f-]+", "", text)


def test_an_admin_sets_the_limit(admin, client):
    client.force_login(admin)
    user = make_user("mia", "Manager")
    sent = {"user": user.pk, "teams": [str(team("vision"))]}
    assert client.post(reverse("admin:dashboard_teamlimit_add"), sent).status_code == 302
    assert [one.name for one in TeamLimit.objects.get().teams.all()] == ["vision"]
    page = text_of(client.get(reverse("admin:dashboard_teamlimit_changelist")))
    assert "mia" in page and "vision" in page
    limit = TeamLimit.objects.get()
    client.post(reverse("admin:dashboard_teamlimit_change", args=[limit.pk]), {"user": user.pk, "teams": []})
    history = text_of(client.get(reverse("admin:dashboard_teamlimit_history", args=[limit.pk])))
    assert "teams: vision → none" in history
