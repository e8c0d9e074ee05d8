"""The second factor: set up, asked for after the password, lost, and required."""

from __future__ import annotations

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import sleep
from typing import Any
from xml.etree import ElementTree

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client, RequestFactory
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from dashboard.people import second_factor, signals

pytestmark = pytest.mark.django_db
LOGIN, CODE, OWN = "/accounts/login/", "/accounts/login/code/", "/accounts/second-factor/"
RIGHT = "correct horse"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel("2025-03-01 12:00:00+00:00", tick=False) as clock:
        yield clock


@pytest.fixture
def heard():
    """What those who keep records hear: (signal, what it told)."""
    told: list[tuple[str, dict]] = []
    names = ("second_factor_set_up", "second_factor_removed", "second_factor_failed", "recovery_code_used")
    receivers = {name: (lambda name=name, **facts: told.append((name, facts))) for name in names}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver, weak=False)
    yield told
    for name, receiver in receivers.items():
        getattr(signals, name).disconnect(receiver)


def give_one(user: User) -> TOTPDevice:
    return TOTPDevice.objects.create(user=user, name="app", confirmed=True)


def code_of(key: TOTPDevice | str, later: int = 0) -> str:
    raw = bytes.fromhex(key if isinstance(key, str) else key.key)
    return f"{totp(raw, drift=later):06d}"


def with_password(username: str = "vera", path: str = "/") -> tuple[Client, Any]:
    client = Client()
    return client, client.post(LOGIN, {"username": username, "password": RIGHT, "next": path})


def is_in(client: Client) -> bool:
    return client.get("/help/").status_code == 200


def post(client: Client, what: str, code: str = "") -> Any:
    return client.post(OWN, {"what": what, "code": code})


def set_up(client: Client) -> tuple[str, list[str]]:
    """The key and the recovery codes, as a person reads them off the pages."""
    assert post(client, "begin").status_code == 302
    page = client.get(OWN).content.decode()
    key = re.search(r'class="key">([A-Z2-7 ]+)<', page)[1]
    secret = base64.b32decode(key.replace(" ", "")).hex()
    codes = re.findall(r"<li><code>(.*?)</code>", post(client, "confirm", code_of(secret)).content.decode())
    return secret, codes


# Signing in


def test_the_password_alone_opens_nothing(viewer):
    give_one(viewer)
    client, answer = with_password(path="/teams/")
    assert (answer.status_code, answer["Location"]) == (302, CODE)
    assert not is_in(client) and not get_user(client).is_authenticated
    assert User.objects.get().last_login is None


def test_password_and_code_sign_in_and_lead_on(viewer):
    device = give_one(viewer)
    client, _ = with_password(path="/teams/")
    before = client.cookies["sessionid"].value
    answer = client.post(CODE, {"code": code_of(device)})
    assert (answer.status_code, answer["Location"]) == (302, "/teams/")
    assert is_in(client) and client.cookies["sessionid"].value != before


def test_a_code_is_good_for_once(viewer):
    device = give_one(viewer)
    code = code_of(device)
    first, second = with_password()[0], with_password()[0]
    assert first.post(CODE, {"code": code}).status_code == 302
    assert "used before" in second.post(CODE, {"code": code}).content.decode()
    assert not is_in(second)


@pytest.mark.django_db(transaction=True)
def test_a_code_is_good_for_once_even_at_the_same_moment(viewer, monkeypatch):
    code, save = code_of(give_one(viewer)), TOTPDevice.save

    def save_slowly(device, **how):
        sleep(0.05)
        save(device, **how)

    monkeypatch.setattr(TOTPDevice, "save", save_slowly)

    def one(_: int) -> bool:
        try:
            return second_factor.accepts(RequestFactory().post(CODE), viewer, code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(one, range(12))) == 1


def test_a_code_of_a_minute_ago_and_of_another_key_is_refused(viewer, clock):
    device = give_one(viewer)
    old = code_of(device)
    clock.shift(timedelta(seconds=61))
    client, _ = with_password()
    for wrong in (old, code_of("00" * 20), "", "12345", "abcdef", "１２３４５６", "\0", "9" * 39):
        assert client.post(CODE, {"code": wrong}).status_code == 200
    assert not is_in(client)
    assert client.post(CODE, {"code": code_of(device)}).status_code == 302


def test_codes_are_throttled_and_the_right_person_is_back_within_fifteen_minutes(viewer, clock, heard):
    device = give_one(viewer)
    client, _ = with_password()
    answers = [client.post(CODE, {"code": f"{n:06d}"}).status_code for n in range(10)]
    assert answers == [200] * 10
    refused = client.post(CODE, {"code": code_of(device)})
    assert refused.status_code == 429 and int(refused["Retry-After"]) <= 900
    assert [name for name, _ in heard] == ["second_factor_failed"] * 10
    clock.shift(timedelta(minutes=15))
    client, _ = with_password()
    assert client.post(CODE, {"code": code_of(device)}).status_code == 302


def test_giving_the_password_again_gives_no_more_tries(viewer):
    device = give_one(viewer)
    for n in range(10):
        client, _ = with_password()
        client.post(CODE, {"code": f"{n:06d}"})
    assert client.post(CODE, {"code": code_of(device)}).status_code == 429


def test_the_code_is_asked_for_five_minutes_long(viewer, clock):
    device = give_one(viewer)
    client, _ = with_password()
    clock.shift(timedelta(minutes=5))
    assert client.post(CODE, {"code": code_of(device)})["Location"] == LOGIN
    assert not is_in(client)


def test_a_password_that_was_right_while_the_clock_was_ahead_has_to_be_given_again(viewer, clock):
    device = give_one(viewer)
    client, _ = with_password()
    clock.shift(-timedelta(hours=1))
    assert client.post(CODE, {"code": code_of(device)})["Location"] == LOGIN


def test_a_code_that_was_used_while_the_clock_was_ahead_makes_no_later_one_old(viewer, clock):
    device = give_one(viewer)
    assert with_password()[0].post(CODE, {"code": code_of(device)}).status_code == 302
    clock.shift(-timedelta(days=1))
    for answer in (302, 200):
        assert with_password()[0].post(CODE, {"code": code_of(device)}).status_code == answer


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "!"}])
def test_what_changed_meanwhile_ends_the_sign_in(viewer, change):
    device = give_one(viewer)
    client, _ = with_password()
    User.objects.update(**change)
    assert client.post(CODE, {"code": code_of(device)})["Location"] == LOGIN


def test_without_a_password_there_is_no_second_step(client, viewer):
    device = give_one(viewer)
    assert client.get(CODE)["Location"] == LOGIN
    assert client.post(CODE, {"code": code_of(device)})["Location"] == LOGIN


# Setting it up


def test_somebody_sets_it_up_and_signs_in_with_it(client, viewer, clock, heard):
    client.force_login(viewer)
    key, codes = set_up(client)
    assert len(set(codes)) == 10
    assert [name for name, _ in heard] == ["second_factor_set_up"]
    clock.shift(timedelta(seconds=60))
    other, _ = with_password()
    assert other.post(CODE, {"code": code_of(key)}).status_code == 302
    assert is_in(other)


def test_the_code_that_set_it_up_does_not_sign_in(client, viewer):
    client.force_login(viewer)
    key, _ = set_up(client)
    assert with_password()[0].post(CODE, {"code": code_of(key)}).status_code == 200


def test_a_wrong_code_sets_nothing_up(client, viewer):
    client.force_login(viewer)
    post(client, "begin")
    assert "not right" in post(client, "confirm", "000000").content.decode()
    assert not TOTPDevice.objects.exists()
    assert with_password()[1]["Location"] == "/"


def test_the_picture_is_plain_svg(viewer):
    svg = second_factor.picture("00" * 20, viewer)
    root = ElementTree.fromstring(base64.b64decode(svg.partition(",")[2]))
    assert root.tag.endswith("svg")
    assert not [one for one in root.iter() if "style" in one.attrib or one.tag.endswith(("style", "script"))]


def test_setting_it_up_signs_out_everywhere_else(client, viewer):
    other, _ = with_password()
    client.force_login(viewer)
    set_up(client)
    assert is_in(client) and not is_in(other)


def test_who_has_one_cannot_put_another_in_its_place(client, viewer):
    client.force_login(viewer)
    key, _ = set_up(client)
    post(client, "begin")
    post(client, "confirm", code_of(client.session["second_factor_candidate"]))
    assert [device.key for device in TOTPDevice.objects.all()] == [key]


# Recovery


def test_a_recovery_code_signs_in_once(client, viewer, heard):
    client.force_login(viewer)
    _, codes = set_up(client)
    first, again = with_password()[0], with_password()[0]
    assert first.post(CODE, {"code": codes[3].upper().replace("-", " ")}).status_code == 302
    assert is_in(first)
    assert again.post(CODE, {"code": codes[3]}).status_code == 200
    assert [facts["left"] for name, facts in heard if name == "recovery_code_used"] == [9]


def test_recovery_codes_are_shown_once_and_not_kept(client, viewer):
    client.force_login(viewer)
    _, codes = set_up(client)
    page = client.get(OWN).content.decode()
    stored = str(list(StaticToken.objects.values())) + str(list(Session.objects.values()))
    for code in codes:
        assert code not in page
        assert code.replace("-", "") not in stored.lower()
    assert "10 recovery codes left" in page


def test_new_recovery_codes_replace_the_old_ones(client, viewer, clock):
    client.force_login(viewer)
    key, old = set_up(client)
    assert "not right" in post(client, "codes", "000000").content.decode()
    clock.shift(timedelta(seconds=60))
    new = re.findall(r"<li><code>(.*?)</code>", post(client, "codes", code_of(key)).content.decode())
    assert len(new) == 10 and not set(new) & set(old)
    assert with_password()[0].post(CODE, {"code": old[0]}).status_code == 200
    assert with_password()[0].post(CODE, {"code": new[0]}).status_code == 302


def test_it_is_removed_with_a_code_only(client, viewer, heard):
    client.force_login(viewer)
    _, codes = set_up(client)
    assert post(client, "remove").status_code == 200
    assert post(client, "remove", "000000").status_code == 200
    assert TOTPDevice.objects.exists()
    assert post(client, "remove", codes[0]).status_code == 302
    assert not TOTPDevice.objects.exists() and not StaticToken.objects.exists()
    assert heard[-1][0] == "second_factor_removed" and heard[-1][1]["by"] == viewer
    assert is_in(client) and with_password()[1]["Location"] == "/"


def test_guessing_codes_on_ones_own_page_is_throttled_too(client, viewer):
    give_one(viewer)
    client.force_login(viewer)
    answers = [post(client, "remove", f"{n:06d}").status_code for n in range(11)]
    assert answers == [200] * 10 + [429]


@pytest.mark.parametrize("what", ["", "nonsense", "confirm", "codes", "remove"])
def test_the_page_answers_whatever_it_is_sent(client, viewer, what):
    client.force_login(viewer)
    for code in ("", "000000", "x" * 500):
        assert post(client, what, code).status_code in {200, 302}


def test_an_operator_who_is_locked_out_resets_it(viewer, capsys, heard):
    give_one(viewer)
    client = Client()
    client.force_login(viewer)
    call_command("reset_second_factor", "vera")
    assert "vera has no second factor any more" in capsys.readouterr().out
    assert not is_in(client)
    assert with_password()[1]["Location"] == "/"
    assert [name for name, _ in heard] == ["second_factor_removed"]
    call_command("reset_second_factor", "vera")
    assert "vera had no second factor" in capsys.readouterr().out
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        call_command("reset_second_factor", "nobody")


def action(client: Client, *users: User) -> Any:
    form = {"action": "remove_second_factor", "_selected_action": [user.pk for user in users]}
    return client.post("/admin/auth/user/", form, follow=True)


def test_an_admin_removes_somebodys_second_factor(client, viewer, admin):
    give_one(viewer)
    client.force_login(admin)
    assert 'alt="True"' in client.get("/admin/auth/user/?q=vera").content.decode()
    assert "Removed the second factor of vera." in action(client, viewer).content.decode()
    assert not TOTPDevice.objects.exists()
    assert LogEntry.objects.get().change_message == "Removed the second factor."


def test_an_admin_does_not_remove_a_superusers(client, admin):
    root = User.objects.create_superuser("root", password=RIGHT)
    give_one(root)
    client.force_login(admin)
    assert "Removed the second factor of nobody." in action(client, root).content.decode()
    assert TOTPDevice.objects.exists()


def test_the_admin_shows_no_keys(client):
    client.force_login(User.objects.create_superuser("root"))
    for model in ("otp_totp/totpdevice", "otp_static/staticdevice"):
        assert client.get(f"/admin/{model}/").status_code == 404


# Required


@pytest.mark.parametrize(
    ("whom", "held_up"), [("", set()), ("staff", {"ada", "root"}), ("all", {"vera", "ada", "root"})]
)
def test_who_must_have_one_sets_it_up_before_anything_else(viewer, admin, settings, whom, held_up):
    settings.HELIOX_REQUIRE_SECOND_FACTOR = whom
    for user in (viewer, admin, User.objects.create_superuser("root")):
        client = Client()
        client.force_login(user)
        for path in ("/", "/costs/?_export=csv", "/admin/", "/imports/", "/accounts/password_change/"):
            answer = client.get(path)
            assert (answer.headers.get("Location") == OWN) is (user.username in held_up), path
            assert (client.post(path).headers.get("Location") == OWN) is (user.username in held_up), path
        assert client.get(OWN).status_code == 200


def test_who_has_set_it_up_goes_on(client, viewer, settings):
    settings.HELIOX_REQUIRE_SECOND_FACTOR = "all"
    client.force_login(viewer)
    assert not is_in(client)
    set_up(client)
    assert is_in(client)


def test_who_removes_one_that_is_required_sets_up_another(client, viewer, settings):
    settings.HELIOX_REQUIRE_SECOND_FACTOR = "all"
    client.force_login(viewer)
    _, codes = set_up(client)
    post(client, "remove", codes[0])
    assert not is_in(client)
    assert client.post("/accounts/logout/")["Location"] == LOGIN
