"""How long somebody stays signed in, and which cookies are dead."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings as site
from django.contrib.auth import get_user
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from dashboard.people.sessions import BEGAN, SEEN, clear_some

from .test_sign_in import RIGHT, try_out

pytestmark = pytest.mark.django_db


def key_of(client: Client) -> str:
    return client.cookies[site.SESSION_COOKIE_NAME].value


def with_cookie(key: str) -> Client:
    old = Client()
    old.cookies[site.SESSION_COOKIE_NAME] = key
    return old


def is_in(client: Client) -> bool:
    return client.get("/help/").status_code == 200


@pytest.fixture
def signed_in(viewer) -> Client:
    client = Client()
    assert try_out(password=RIGHT, client=client).status_code == 302
    return client


def test_each_sign_in_begins_a_new_session(signed_in):
    first = key_of(signed_in)
    try_out(password=RIGHT, client=signed_in)
    assert key_of(signed_in) != first
    assert is_in(signed_in) and not is_in(with_cookie(first))


def test_a_session_that_somebody_planted_is_not_taken_over(viewer):
    planted = Client()
    session = planted.session
    session["from"] = "a stranger"
    session.save()
    victim = with_cookie(session.session_key)
    try_out(password=RIGHT, client=victim)
    assert key_of(victim) != session.session_key
    assert not is_in(with_cookie(session.session_key))


def test_an_old_cookie_is_dead_after_signing_out(signed_in):
    key = key_of(signed_in)
    signed_in.post("/accounts/logout/")
    assert not is_in(with_cookie(key))


def test_old_cookies_are_dead_after_a_new_password(signed_in, viewer):
    other = Client()
    try_out(password=RIGHT, client=other)
    here = key_of(signed_in)
    new = {"old_password": RIGHT, "new_password1": "battery staple 9", "new_password2": "battery staple 9"}
    assert signed_in.post("/accounts/password_change/", new).status_code == 302
    assert is_in(signed_in)
    assert not is_in(other) and not is_in(with_cookie(here))


def test_old_cookies_stay_dead_when_an_account_is_switched_off_and_on(signed_in, viewer, finance):
    other = Client()
    other.force_login(finance)
    for active in (False, True):
        viewer.is_active = active
        viewer.save()
        assert not is_in(signed_in)
    assert is_in(other)


def test_whoever_is_idle_is_signed_out(viewer):
    with time_machine.travel("2025-03-01 08:00:00+00:00", tick=False) as clock:
        client = Client()
        try_out(password=RIGHT, client=client)
        for _ in range(4):
            clock.shift(timedelta(hours=7))
            assert is_in(client)
        clock.shift(timedelta(hours=8))
        assert not is_in(client)
        clock.shift(-timedelta(hours=8))
        assert not is_in(client)


def test_nobody_stays_for_longer_than_a_week(viewer):
    with time_machine.travel("2025-03-01 08:00:00+00:00", tick=False) as clock:
        client = Client()
        try_out(password=RIGHT, client=client)
        for _ in range(7 * 4 - 1):
            clock.shift(timedelta(hours=6))
            assert is_in(client)
        clock.shift(timedelta(hours=6))
        assert not is_in(client)


def test_a_session_of_a_clock_that_was_ahead_is_over(viewer):
    with time_machine.travel("2025-06-01 12:00:00+00:00", tick=False) as clock:
        client = Client()
        try_out(password=RIGHT, client=client)
        clock.shift(-timedelta(days=92))
        assert not is_in(client)
        clock.shift(timedelta(days=92))
        assert not is_in(client)


def test_it_is_over_too_when_the_day_comes_that_it_began(viewer, finance):
    with time_machine.travel("2025-06-01 12:00:00+00:00", tick=False) as clock:
        client = Client()
        try_out(password=RIGHT, client=client)
        clock.shift(-timedelta(days=92))
        try_out("fiona", RIGHT)
        clock.shift(timedelta(days=92))
        assert not is_in(client)


@pytest.mark.parametrize("moment", [BEGAN, SEEN])
@pytest.mark.parametrize(("ahead", "goes_on"), [(300, True), (301, False)])
def test_a_host_whose_clock_is_a_little_behind_ends_no_session(viewer, moment, ahead, goes_on):
    with time_machine.travel("2025-03-01 08:00:00+00:00", tick=False):
        client = Client()
        try_out(password=RIGHT, client=client)
        session = client.session
        session[moment] += ahead
        session.save()
        assert is_in(client) is goes_on


def test_a_session_is_not_written_on_each_request(viewer):
    with time_machine.travel("2025-03-01 08:00:00+00:00", tick=False) as clock:
        client = Client()
        try_out(password=RIGHT, client=client)
        before = Session.objects.get().expire_date
        clock.shift(timedelta(minutes=4))
        assert is_in(client)
        assert Session.objects.get().expire_date == before
        clock.shift(timedelta(minutes=1))
        assert is_in(client)
        assert Session.objects.get().expire_date == before + timedelta(minutes=5)


def test_a_session_from_before_there_were_limits_has_ended(client, viewer):
    client.force_login(viewer)
    session = client.session
    del session["signed_in_at"]
    session.save()
    assert not is_in(client)


def test_sessions_that_are_over_are_cleared_at_sign_in(viewer):
    long_ago = timezone.now() - timedelta(days=1)
    Session.objects.bulk_create(
        Session(session_key=f"old{n}", session_data="", expire_date=long_ago) for n in range(600)
    )
    try_out(password=RIGHT)
    assert Session.objects.count() == 101
    clear_some()
    assert Session.objects.count() == 1


def test_signing_in_again_does_not_fill_the_table(signed_in):
    for _ in range(5):
        try_out(password=RIGHT, client=signed_in)
    assert Session.objects.count() == 1
    assert get_user(signed_in).is_authenticated
