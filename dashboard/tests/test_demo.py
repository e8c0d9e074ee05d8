from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from dashboard import demo
from dashboard.models import Team

from .conftest import make_team

LOGIN = "/accounts/login/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def demonstration(settings: Any) -> None:
    settings.HELIOX_DEMO = True
    settings.AUTHENTICATION_BACKENDS = [
        "dashboard.people.backend.Backend",
        "dashboard.demo.DemoBackend",
    ]


@pytest.fixture
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "dashboard.management.commands.demo.call_command", lambda name: Team.objects.create(name=name)
    )


def test_an_empty_database_gets_data_and_one_sign_in_for_each_role(demonstration: None, seeded: None) -> None:
    call_command("demo")
    assert Team.objects.get().name == "seed_demo"
    assert [line.split() for line in demo.sign_ins()] == [
        ["user", "password", "role"],
        ["viewer", "demo-viewer", "Viewer"],
        ["finance", "demo-finance", "Finance"],
        ["manager", "demo-manager", "Manager"],
        ["admin", "demo-admin", "Admin"],
    ]
    assert [user.username for user in User.objects.filter(is_staff=True)] == ["admin"]


def test_a_filled_database_is_left_alone(demonstration: None, seeded: None) -> None:
    make_team("ours")
    call_command("demo")
    assert [team.name for team in Team.objects.all()] == ["ours"]
    assert not User.objects.exists()
    assert demo.sign_ins() == []


def test_the_sign_ins_work_in_the_demonstration_only(
    demonstration: None, seeded: None, client: Any, settings: Any
) -> None:
    call_command("demo")
    finance = {"username": "finance", "password": "demo-finance"}
    assert client.post(LOGIN, finance | {"password": "demo-admin"}).status_code == 200
    assert client.post(LOGIN, finance).status_code == 302
    assert get_user(client).username == "finance"

    settings.AUTHENTICATION_BACKENDS = ["dashboard.people.backend.Backend"]
    settings.HELIOX_DEMO = False
    assert get_user(client).is_anonymous, "the session ends with the demonstration"
    assert client.post(LOGIN, finance).status_code == 200


def test_a_name_of_ones_own_is_not_a_demo_sign_in(demonstration: None, client: Any) -> None:
    User.objects.create_user("finance", password="something else")
    assert demo.sign_ins() == []
    assert client.post(LOGIN, {"username": "finance", "password": "demo-finance"}).status_code == 200


def test_production_makes_no_demo_users(settings: Any) -> None:
    settings.HELIOX_DEMO = False
    with pytest.raises(CommandError, match="local demonstration"):
        call_command("demo")
