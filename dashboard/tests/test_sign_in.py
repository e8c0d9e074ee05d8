"""Who signs in, and how often they may try."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from statistics import median
from time import process_time
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client, RequestFactory

from dashboard.models import SignInTry
from dashboard.people import signals, throttle
from dashboard.people.addresses import client_address, network
from dashboard.people.backend import Backend
from dashboard.people.browsers import account_key
from dashboard.people.passwords import Argon2PasswordHasher

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"
RIGHT = "correct horse"
OFFICE, ELSEWHERE = "192.0.2.10", "203.0.113.7"


def try_out(
    username: str = "vera",
    password: str = "wrong",
    address: str = ELSEWHERE,
    client: Client | None = None,
    **headers: str,
) -> Any:
    form = {"username": username, "password": password}
    return (client or Client()).post(LOGIN, form, REMOTE_ADDR=address, **headers)


def statuses(answers: Any) -> list[int]:
    return [answer.status_code for answer in answers]


@pytest.fixture
def argon2(settings: Any) -> None:
    settings.PASSWORD_HASHERS = [
        "dashboard.people.passwords.Argon2PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]


# Passwords


def test_passwords_are_kept_by_argon2(argon2):
    user = User.objects.create_user("paul", password=RIGHT)
    assert user.password.startswith("argon2$argon2id$")
    assert "m=47104,t=2,p=1" in user.password


def test_an_old_hash_is_replaced_at_sign_in(argon2, monkeypatch):
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1000)
    User.objects.create(username="paul", password=make_password(RIGHT, hasher="pbkdf2_sha256"))
    assert try_out("paul", RIGHT).status_code == 302
    assert User.objects.get().password.startswith("argon2$")
    assert try_out("paul", RIGHT).status_code == 302


def test_a_new_password_has_twelve_characters(client, viewer):
    client.force_login(viewer)
    new = {"old_password": RIGHT, "new_password1": "x7!fqpL2zzk", "new_password2": "x7!fqpL2zzk"}
    assert "at least 12" in client.post("/accounts/password_change/", new).content.decode()
    new = {"old_password": RIGHT, "new_password1": "x7!fqpL2zzkw", "new_password2": "x7!fqpL2zzkw"}
    assert client.post("/accounts/password_change/", new).status_code == 302


# Unknown and known users


@pytest.fixture
def hashed(argon2, monkeypatch) -> list[str]:
    """Each time that a password is hashed."""
    monkeypatch.setattr(Argon2PasswordHasher, "memory_cost", 64)
    done: list[str] = []
    for name in ("encode", "verify"):
        original = getattr(Argon2PasswordHasher, name)

        def counted(self, *args, original=original, name=name):
            done.append(name)
            return original(self, *args)

        monkeypatch.setattr(Argon2PasswordHasher, name, counted)
    return done


def kinds_of_users() -> list[str]:
    User.objects.create_user("known", password=RIGHT)
    User.objects.create_user("gone", password=RIGHT, is_active=False)
    User.objects.create_user("without-password")
    return ["known", "gone", "without-password", "unknown"]


def plain(answer: Any) -> tuple[int, str, set[str]]:
    """Without what differs between any two answers: the token of the form, and the name as typed."""
    text = re.sub(r'(csrfmiddlewaretoken" value|name="username" value)="[^"]*"', "", answer.content.decode())
    return answer.status_code, text, set(answer.headers) | set(answer.cookies)


def test_an_unknown_user_is_answered_like_a_known_one(hashed):
    for name in kinds_of_users():
        hashed.clear()
        answer = plain(try_out(name, address=f"192.0.2.{len(name)}"))
        assert len(hashed) == 1, name
        assert "Please enter a correct username and password" in answer[1]
        assert answer == plain(try_out("nobody")), name


def test_an_unknown_user_takes_as_long_as_a_known_one(argon2):
    """In CPU time of this process, by turns: the machine's other work slows all of them alike.

    A hash is nine tenths of an answer, so that one more or less would be a factor of two at least.
    """
    spent: dict[str, list[float]] = {name: [] for name in kinds_of_users()}
    for turn in range(5):
        for name, times in spent.items():
            begun = process_time()
            assert try_out(name, address=f"192.0.2.{turn}").status_code == 200
            times.append(process_time() - begun)
    typical = {name: median(times) for name, times in spent.items()}
    assert max(typical.values()) < 1.5 * min(typical.values()), typical


def test_an_inactive_user_is_not_told_that_the_password_was_right(hashed):
    kinds_of_users()
    assert plain(try_out("gone", RIGHT)) == plain(try_out("unknown", RIGHT))


def test_an_unknown_user_is_throttled_like_a_known_one(hashed):
    with time_machine.travel("2025-03-01 12:00:00+00:00", tick=False):
        answers = set()
        for place, name in enumerate(kinds_of_users()):
            tries = [try_out(name, address=f"192.0.2.{place}") for _ in range(11)]
            assert statuses(tries) == [200] * 10 + [429]
            hashed.clear()
            answers.add(str(plain(try_out(name, RIGHT, address=f"192.0.2.{place}"))))
            assert hashed == []
    assert len(answers) == 1


# Throttling


def test_guessing_one_password_is_stopped_by_ten_tries(viewer):
    assert statuses(try_out() for _ in range(11)) == [200] * 10 + [429]
    refused = try_out(password=RIGHT)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 15 * 60
    assert "Wait 15 minutes" in refused.content.decode()


def test_guessing_from_many_addresses_is_stopped_by_twenty_tries(viewer):
    assert statuses(try_out(address=f"192.0.2.{n}") for n in range(21)) == [200] * 20 + [429]
    assert try_out(password=RIGHT, address="192.0.2.99").status_code == 429


def test_one_password_for_many_accounts_is_stopped_by_twenty_tries(viewer):
    assert statuses(try_out(f"user{n}") for n in range(21)) == [200] * 20 + [429]
    assert try_out(password=RIGHT).status_code == 429
    assert try_out(password=RIGHT, address=OFFICE).status_code == 302


def test_all_addresses_of_a_network_of_ipv6_count_as_one(viewer):
    answers = [try_out(f"user{n}", address=f"2001:db8::{n:x}") for n in range(21)]
    assert statuses(answers) == [200] * 20 + [429]


def test_a_forged_header_does_not_help(viewer):
    answers = [
        try_out(HTTP_X_FORWARDED_FOR=f"192.0.2.{n}", HTTP_X_REAL_IP=f"192.0.2.{n}", HTTP_FORWARDED=f"for={n}")
        for n in range(11)
    ]
    assert statuses(answers) == [200] * 10 + [429]


def test_a_forged_header_does_not_help_behind_a_proxy(viewer, settings):
    settings.HELIOX_BEHIND_PROXY = True
    answers = [
        try_out(address="127.0.0.1", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}, {ELSEWHERE}") for n in range(11)
    ]
    assert statuses(answers) == [200] * 10 + [429]
    owner = try_out(password=RIGHT, address="127.0.0.1", HTTP_X_FORWARDED_FOR=f"{ELSEWHERE}, {OFFICE}")
    assert owner.status_code == 302


def test_spellings_of_a_name_are_one_account(viewer):
    for name in ("vera", "VERA", "ｖｅｒａ", "Vera", "vEra") * 2:
        try_out(name)
    assert try_out(password=RIGHT).status_code == 429


PADDED = ("vera", " vera", "\t\tvera", "vera \n", "\u00a0vera", "\u2003\uff56era\u3000", "  Vera")


def test_blanks_around_a_name_make_no_other_account(viewer):
    """The form leaves them out, so each of these is a try at vera's password."""
    assert try_out("\u3000\uff56era\t", RIGHT, address=OFFICE).status_code == 302
    tries = [try_out(PADDED[n % len(PADDED)], address=f"192.0.2.{n}") for n in range(21)]
    assert statuses(tries) == [200] * 20 + [429]
    assert try_out(" " * 60 + "vera", RIGHT).status_code == 429


def test_blanks_around_a_name_help_nobody_from_one_address(viewer):
    assert statuses(try_out("\t" * n + "vera") for n in range(11)) == [200] * 10 + [429]


@pytest.mark.parametrize("username", ["¨vera", "ve ra", "vera" + "\u0301\u0327" * 200, "\ufdfa" * 150])
def test_the_throttle_counts_at_the_name_that_is_looked_up(username, monkeypatch):
    asked = []
    monkeypatch.setattr(Backend, "authenticate", lambda *args, username, password: asked.append(username))
    try_out(f" {username}\u2003")
    assert [account_key(name) for name in asked] == [SignInTry.objects.get().account]


def test_the_right_person_is_back_within_fifteen_minutes(viewer):
    with time_machine.travel("2025-03-01 12:00:00+00:00", tick=False) as clock:
        for _ in range(10):
            try_out()
        clock.shift(timedelta(minutes=14))
        assert try_out(password=RIGHT)["Retry-After"] == "60"
        clock.shift(timedelta(minutes=1))
        assert try_out(password=RIGHT).status_code == 302


def test_the_right_person_is_back_within_fifteen_minutes_of_an_attack_from_many_addresses(viewer):
    """From a browser that nobody knows. Tries that were refused prolong nothing."""
    with time_machine.travel("2025-03-01 12:00:00+00:00", tick=False) as clock:
        assert statuses(try_out(address=f"192.0.2.{n}") for n in range(20)) == [200] * 20
        for minute in range(14):
            assert {try_out(address=f"198.51.{minute}.{n}").status_code for n in range(5)} == {429}
            assert try_out(password=RIGHT, address=OFFICE)["Retry-After"] == str((15 - minute) * 60)
            clock.shift(timedelta(minutes=1))
        clock.shift(timedelta(minutes=1))
        assert try_out(password=RIGHT, address=OFFICE).status_code == 302


def test_a_known_browser_is_let_in_at_once_however_long_the_attack_goes_on(viewer):
    browser = Client()
    with time_machine.travel("2025-03-01 12:00:00+00:00", tick=False) as clock:
        assert try_out(password=RIGHT, address=OFFICE, client=browser).status_code == 302
        for hour in range(3):
            browser.post("/accounts/logout/")
            for n in range(25):
                try_out(address=f"198.51.{hour}.{n}")
            assert try_out(password=RIGHT, address=OFFICE).status_code == 429
            assert try_out(password=RIGHT, address="192.0.2.200", client=browser).status_code == 302
            clock.shift(timedelta(hours=1))


def test_a_stranger_who_never_stops_keeps_nobody_out_elsewhere(viewer):
    for _ in range(30):
        try_out()
    assert try_out(password=RIGHT, address=OFFICE).status_code == 302


def test_not_even_from_a_thousand_addresses_where_the_owner_was_before(viewer):
    """The browser is known by a cookie, which holds for this account only."""
    browser = Client()
    assert try_out(password=RIGHT, address=OFFICE, client=browser).status_code == 302
    browser.post("/accounts/logout/")
    for n in range(25):
        try_out(address=f"198.51.100.{n}")
        try_out(f"user{n}", address=OFFICE)
    assert try_out(password=RIGHT, address=OFFICE).status_code == 429
    assert try_out(password="mistyped", address=OFFICE, client=browser).status_code == 200
    assert try_out(password=RIGHT, address=OFFICE, client=browser).status_code == 302
    assert try_out("fiona", address=OFFICE, client=browser).status_code == 429


def test_a_known_browser_that_is_stolen_guesses_no_more_than_others(viewer):
    browser = Client()
    try_out(password=RIGHT, client=browser)
    browser.post("/accounts/logout/")
    answers = [try_out(address=f"192.0.2.{n}", client=browser) for n in range(11)]
    assert statuses(answers) == [200] * 10 + [429]


def test_a_forged_known_browser_is_a_stranger(viewer, finance):
    """Neither one that nobody signed, nor one that was signed for somebody else."""
    browser = Client()
    try_out("fiona", RIGHT, client=browser)
    for _ in range(10):
        try_out()
    assert try_out(client=browser).status_code == 429
    browser.cookies["known"] = "x:y:z"
    assert try_out(client=browser).status_code == 429


def test_signing_in_forgives_ones_own_mistakes_only(viewer, finance):
    for n in range(15):
        try_out(f"user{n}")
    for _ in range(3):
        try_out("fiona", "mistyped")
    assert try_out("fiona", RIGHT).status_code == 302
    assert SignInTry.objects.count() == 15
    assert statuses(try_out() for _ in range(6)) == [200] * 5 + [429]


def test_tries_are_not_kept_beyond_their_time(viewer):
    with time_machine.travel("2025-03-01 12:00:00+00:00", tick=False) as clock:
        for n in range(12):
            try_out(f"user{n}")
        clock.shift(timedelta(minutes=16))
        try_out()
        assert SignInTry.objects.count() == 1


def test_tries_of_a_clock_that_was_ahead_keep_nobody_out(viewer):
    """Neither when it is set right again nor when the day comes that it told."""
    with time_machine.travel("2025-03-02 12:00:00+00:00", tick=False) as clock:
        assert statuses(try_out() for _ in range(11)) == [200] * 10 + [429]
        clock.shift(-timedelta(days=1))
        assert try_out(password=RIGHT).status_code == 302
        clock.shift(timedelta(days=1))
        assert statuses(try_out() for _ in range(11)) == [200] * 10 + [429]


def test_tries_told_by_a_host_whose_clock_is_a_little_ahead_count(viewer):
    with time_machine.travel("2025-03-01 12:00:00+00:00", tick=False) as clock:
        for _ in range(10):
            try_out()
        clock.shift(-timedelta(seconds=59))
        assert try_out(password=RIGHT).status_code == 429
        clock.shift(-timedelta(seconds=2))
        assert try_out(password=RIGHT).status_code == 302


def test_what_was_typed_as_a_name_is_not_kept():
    try_out("my secret password")
    assert "my secret password" not in str(SignInTry.objects.values())


def test_the_old_password_is_not_to_be_guessed_either(client, viewer):
    client.force_login(viewer)
    guess = {"old_password": "wrong", "new_password1": "x7!fqpL2zzkw", "new_password2": "x7!fqpL2zzkw"}
    answers = [client.post("/accounts/password_change/", guess) for _ in range(11)]
    assert statuses(answers) == [200] * 10 + [429]


def test_a_refusal_is_told_to_who_keeps_records(viewer):
    heard: list[dict] = []

    def hear(**told):
        heard.append(told)

    signals.sign_in_throttled.connect(hear)
    for _ in range(11):
        try_out()
    signals.sign_in_throttled.disconnect(hear)
    assert [(told["username"], told["request"].method) for told in heard] == [("vera", "POST")]


@pytest.mark.parametrize(("username", "password"), [("", ""), ("vera", ""), ("", "wrong"), (" \t", "wrong")])
def test_an_empty_form_is_no_try(username, password):
    assert try_out(username, password).status_code == 200
    assert not SignInTry.objects.exists()


@pytest.mark.parametrize("username", ["a\0b", "x" * 100_000, "é" * 400, "'; --"])
def test_any_name_gets_an_answer(username):
    assert try_out(username).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_forty_tries_at_the_same_moment_are_still_ten(monkeypatch):
    """Though none sees another at first: each is stored before it counts again."""
    counted = throttle.seconds_to_wait

    def at_first_none(trier, moment, stored=0):
        return counted(trier, moment, stored) if stored else 0

    monkeypatch.setattr(throttle, "seconds_to_wait", at_first_none)

    def one(_: int) -> int:
        try:
            trier = throttle.Trier.of(RequestFactory().post(LOGIN, REMOTE_ADDR=ELSEWHERE), "vera")
            throttle.begin(trier)
            return 1
        except throttle.Throttled:
            return 0
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(one, range(40))) <= 10


# Addresses


@pytest.mark.parametrize(
    ("peer", "forwarded", "behind_proxy", "address"),
    [
        (OFFICE, "203.0.113.1", False, OFFICE),
        ("127.0.0.1", f"203.0.113.1, {OFFICE}", True, OFFICE),
        ("127.0.0.1", f"{OFFICE}:4711", True, OFFICE),
        ("127.0.0.1", "[2001:db8::1]:4711", True, "2001:db8::1"),
        ("127.0.0.1", "2001:DB8:0::1", True, "2001:db8::1"),
        ("127.0.0.1", "", True, "127.0.0.1"),
        ("127.0.0.1", f"{OFFICE}, nonsense", True, "127.0.0.1"),
        ("::ffff:192.0.2.10", "", False, OFFICE),
        ("", "", False, "unknown"),
    ],
)
def test_the_address_of_a_client(settings, peer, forwarded, behind_proxy, address):
    settings.HELIOX_BEHIND_PROXY = behind_proxy
    request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == address


def test_a_network_is_what_one_person_holds():
    assert network(OFFICE) == OFFICE
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2::") == "2001:db8:1:2::/64"
    assert network("fe80::1%eth0") == "fe80::/64"
    assert network("unknown") == "unknown"
