"""A database in trouble while people read and write: who waits for whom, and for how long."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError
from django.http import HttpResponse
from psycopg_pool import PoolTimeout

from ..people import sessions
from ..trouble import outages

pytestmark = pytest.mark.django_db


# Who is signed in


@pytest.fixture
def reader(client: Any, viewer: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Signed in, and here for the first time since their session was written."""
    client.force_login(viewer)
    client.raise_request_exception = False
    monkeypatch.setattr(sessions, "NOTED_EVERY", 0)
    return client


def fail_to_save(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **how: Any) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr("django.contrib.sessions.models.Session.save", full)


def test_who_reads_needs_no_room_on_the_disk(reader, monkeypatch):
    assert "sessionid" in reader.get("/help/").cookies, "the visit is noted"
    fail_to_save(monkeypatch)
    response = reader.get("/help/")
    assert response.status_code == 200
    assert "sessionid" not in response.cookies


def test_a_session_that_cannot_be_saved_is_no_bad_request(reader, monkeypatch):
    fail_to_save(monkeypatch)
    monkeypatch.setattr("dashboard.views.glossary.render", lambda request, *args: change(request))
    response = reader.get("/help/")
    assert response.status_code == 503
    assert "disk of the database is full" in response.content.decode()


def change(request: Any) -> HttpResponse:
    request.session["second_factor_candidate"] = "key"
    return HttpResponse()


def test_a_session_that_was_deleted_meanwhile_still_is_one(reader, monkeypatch):
    monkeypatch.setattr("dashboard.views.glossary.render", lambda request, *args: end(request))
    assert reader.get("/help/").status_code == 400


def end(request: Any) -> HttpResponse:
    SessionStore().delete(request.session.session_key)
    return change(request)


# A database that is gone


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> outages.Gone:
    monkeypatch.setattr(outages, "gone", outages.Gone())
    monkeypatch.setattr(outages, "pool_is_full", lambda: False)
    return outages.gone


def fail_to_connect(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The list grows with each request that tries."""
    tried: list[str] = []

    def wait_in_vain(*args: Any) -> None:
        tried.append("")
        raise OperationalError("timeout") from PoolTimeout("couldn't get a connection after 2 sec")

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore._get_session_from_db", wait_in_vain)
    return tried


def test_one_at_a_time_tries_a_database_that_is_gone(reader, gone, monkeypatch):
    tried = fail_to_connect(monkeypatch)
    for _ in range(5):
        response = reader.get("/help/")
        assert (response.status_code, response["Retry-After"]) == (503, "10")
    assert len(tried) == 1
    gone.again_at = time.monotonic()
    assert not gone.is_known(), "a moment later one request tries"
    assert gone.is_known(), "and the others do not wait for it"


def test_pages_are_there_again_with_the_database(reader, gone, monkeypatch):
    with monkeypatch.context() as broken:
        fail_to_connect(broken)
        assert reader.get("/help/").status_code == 503
    assert reader.get("/help/").status_code == 503
    gone.again_at = time.monotonic()
    assert [reader.get("/help/").status_code for _ in range(3)] == [200] * 3


def test_that_all_connections_are_in_use_is_another_matter(reader, gone, monkeypatch):
    monkeypatch.setattr(outages, "pool_is_full", lambda: True)
    tried = fail_to_connect(monkeypatch)
    assert [reader.get("/help/").status_code for _ in range(3)] == [503] * 3
    assert len(tried) == 3
