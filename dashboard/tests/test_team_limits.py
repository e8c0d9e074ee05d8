"""Who is limited to teams gets the pages that say so, and no row, id or filter of another team."""

from __future__ import annotations

import re
from html import unescape
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from dashboard.exports import FORMATS
from dashboard.models import Job, Team, TeamLimit

from .conftest import make_user
from .limited import (
    FURTHER_FILES,
    MARCH,
    PAGES,
    client_of,
    limited,
    team,
    text_of,
    without_tokens,
)

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


pytestmark = pytest.mark.usefixtures("two_teams")


def test_without_a_choice_it_is_their_teams_and_not_all(own):
    chosen = own.get(reverse("allocation") + f"?{MARCH}&team={team('vision')}&_export=csv")
    assert text_of(own.get(reverse("allocation") + f"?{MARCH}&_export=csv")) == text_of(chosen)
    assert "2 jobs" in text_of(own.get(reverse("jobs") + "?preset=all"))


def test_pages_of_all_teams_together_are_closed(own):
    for name in CLOSED:
        answer = own.get(reverse(name))
        assert answer.status_code in (403, 302), name
        assert answer.status_code == 403 or "login" in answer.headers["Location"], name
        for kind, file in product(FORMATS, ("", *FURTHER_FILES)):
            refused = own.get(reverse(name), {"_export": kind, "file": file})
            assert refused.status_code in (403, 302), (name, kind, file)
            assert not refused.has_header("Content-Disposition")
    assert own.get("/").headers["Location"] == reverse("teams")
    menu = text_of(own.get(reverse("teams")))
    assert not [name for name in CLOSED if f'href="{reverse(name)}"' in menu]


def test_the_ids_of_others_are_unknown_wherever_they_stand(own):
    covert, job = team("covert"), Job.objects.filter(team__name="covert")[0].pk
    oddly = f"{{{covert.hex[:3]}-{covert.hex[3:]}}}"
    for other in (covert, job, covert.hex, str(covert).upper(), covert.urn, oddly):
        for name in (*PAGES, *CLOSED, "overview"):
            assert own.get(reverse(name), {"team": other}).status_code == 404, name
            assert own.get(reverse(name), {"anything": f"x{other}"}).status_code == 404, name
            assert own.post(reverse(name), {"team": other}).status_code == 404, name
    for path in paths_of(covert, job):
        assert own.get(path).status_code == 404, path
        assert own.post(path).status_code == 404, path


def test_who_guesses_an_id_learns_not_whether_somebody_has_it(own):
    """Imports make them of a team's name, or of a cluster and a job's number, as anybody can."""
    covert, job, nobody = team("covert"), Job.objects.filter(team__name="covert")[0].pk, UUID(int=7)
    for send in (own.get, own.post):
        for name in (*PAGES, *CLOSED, "overview"):
            told = {told_of(send, reverse(name), guess) for guess in (covert, job, nobody)}
            assert len(told) == 1, name
        for theirs, unknown in zip(paths_of(covert, job), paths_of(nobody, nobody), strict=True):
            assert told_of(send, theirs, None) == told_of(send, unknown, None), theirs


def paths_of(team: UUID, job: UUID) -> list[str]:
    admin = "admin:dashboard_team_change"
    return [
        reverse("team", args=[team]),
        reverse("statement", args=[team]),
        reverse("job", args=[job]),
        reverse(admin, args=[team]),
        reverse(admin, args=[team.hex]),
        f"{reverse('teams')}?team={Team.objects.get(name='vision').pk}&team={team}",
    ]


def told_of(send: Any, path: str, guess: UUID | None) -> tuple[int, str]:
    """All that the answer says but for the number of the request."""
    answer = send(path, {"team": guess} if guess else {})
    return answer.status_code, re.sub(r"<code>[0-9a-f]{32}</code>", "", without_tokens(answer))


def test_their_own_ids_and_names_that_look_like_one_are_known(own):
    mine = Job.objects.filter(team__name="vision")[0]
    mine.model_name = UUID(int=7).hex
    mine.save()
    assert own.get(reverse("job", args=[mine.pk])).status_code == 200
    assert own.get(reverse("jobs"), {"team": team("vision"), "anything": mine.pk}).status_code == 200
    for name in ("q", "model"):
        assert mine.model_name in text_of(own.get(reverse("jobs"), {name: mine.model_name})), name


def test_a_password_and_the_way_back_may_look_like_an_id(own):
    new = UUID(int=7).hex + "9f86d081"
    old = {"old_password": UUID(int=8).hex, "new_password1": new, "new_password2": new}
    assert own.post(reverse("password_change"), old).status_code == 200, "the old password is wrong"
    back = f"{reverse('jobs')}?model=train-{UUID(int=7).hex}"
    assert own.post(reverse("theme"), {"theme": "dark", "next": back}).headers["Location"] == back


def test_tens_of_thousands_of_ids_are_not_looked_up(own, django_assert_max_num_queries):
    """It would take seconds."""
    for number in (1_001, 50_000):
        many = " ".join(str(UUID(int=n)) for n in range(number))
        with django_assert_max_num_queries(10) as asked:
            assert own.post(reverse("teams"), {"anything": many}).status_code == 404
        assert not [one for one in asked.captured_queries if "jobs" in one["sql"]]


def test_filters_offer_their_own_teams_and_models(own):
    form = own.get(reverse("jobs")).context["form"]
    assert [str(one) for one in form.fields["team"].queryset] == ["vision"]
    assert [value for value, _ in form.fields["model"].widget.choices] == ["resnet"]


def test_who_is_limited_to_hundreds_of_teams_can_follow_each_link():
    """Their ids would make an address longer than any that is read."""
    client = client_of(limited("mona", "vision", *(f"team {number}" for number in range(200))))
    page = text_of(client.get(f"{reverse('teams')}?{MARCH}"))
    links = {unescape(link) for link in re.findall(r'href="(/[^"#]+\?[^"#]+)"', page)}
    assert {link.partition("?")[0] for link in links} >= {reverse("jobs"), reverse("allocation")}
    assert {client.get(link).status_code for link in links if "_export" not in link} == {200}


def test_who_is_limited_to_no_team_sees_nothing():
    client = client_of(limited("nora"))
    for name in PAGES:
        answer = client.get(reverse(name))
        assert answer.status_code == 403
        assert "limited to teams and has none" in text_of(answer)


@pytest.mark.parametrize("role", ["Manager", None])
def test_who_sees_nothing_is_told_whom_to_ask_and_can_leave(role):
    user = limited("nora") if role else User.objects.create_user("nora")
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    page = client.get("/help/").content.decode()
    assert "Ask an administrator of Heliox" in page
    assert 'href="/"' not in page, "that page is closed to them as well"
    [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert client.post(reverse("logout"), {"csrfmiddlewaretoken": token}).status_code == 302
    assert "_auth_user_id" not in client.session


def test_who_may_see_other_pages_is_led_back_to_them(own):
    page = own.get(reverse("costs")).content.decode()
    assert 'href="/"' in page and "Sign out" not in page


def test_a_limit_outlives_its_teams(own):
    Team.objects.get(name="vision").delete()
    assert TeamLimit.objects.get().teams.count() == 0
    assert own.get(reverse("teams")).status_code == 403


@pytest.mark.parametrize("role", ["Finance", "Admin"])
def test_finance_and_admins_see_all_whatever_limit_is_set(role):
    client = client_of(limited("fred", "vision", role=role))
    assert "covert" in text_of(client.get(reverse("teams") + f"?{MARCH}&_export=csv"))
    assert client.get(reverse("costs")).status_code == 200


def test_who_is_in_the_administration_and_limited_is_let_in_no_more():
    user = limited("stan", "vision")
    user.is_staff = True
    user.save()
    client = client_of(user)
    answer = client.get(reverse("admin:dashboard_job_changelist"))
    assert answer.status_code == 302 and "login" in answer.headers["Location"]


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
