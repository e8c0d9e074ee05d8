"""What those who watch over the service ask, and what is answered where no page can be."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from django.conf import settings as site
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import InterfaceError, InternalError, OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.http import Http404
from django.test import Client
from psycopg import errors

from ..rollups import triggers
from ..trouble import outages
from ..views import health

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the test's own connection, whose transaction no other thread can look into."""
    monkeypatch.setattr(health, "asked_aside", lambda ask: ask())


def test_the_process_is_alive_without_the_database(client, viewer, django_assert_num_queries):
    client.force_login(viewer)  # whoever asks
    with django_assert_num_queries(0):
        response = client.get("/healthz", headers={"Host": "10.0.0.7"})
    assert (response.status_code, response.content) == (200, b"ok")
    assert "no-store" in response["Cache-Control"]


def test_it_is_ready_when_the_database_is_migrated(client, asked_here):
    assert client.get("/readyz").content == b"ok"
    MigrationRecorder(connection).record_unapplied("dashboard", "0006_roles")
    response = client.get("/readyz")
    assert (response.status_code, response.content) == (503, b"1 migration is not applied")


def test_it_is_not_ready_without_the_triggers_of_the_roll_ups(client, asked_here):
    triggers.drop(connection)
    response = client.get("/readyz")
    assert (response.status_code, response.content) == (
        503,
        b"the triggers that keep the roll-ups are missing",
    )


def test_it_is_not_ready_without_a_database(client, asked_here, monkeypatch):
    def fail(self):
        raise OperationalError("connection refused")

    monkeypatch.setattr(MigrationRecorder, "applied_migrations", fail)
    response = client.get("/readyz")
    assert (response.status_code, response.content) == (503, b"the database does not answer")


def test_it_is_not_ready_while_the_database_is_frozen(client, monkeypatch):
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    monkeypatch.setattr(health, "asked_aside", health.Aside())
    thawed = threading.Event()
    monkeypatch.setattr(health, "found", lambda: thawed.wait(20) and iter([]))
    assert client.get("/readyz").content == b"the database does not answer"
    assert client.get("/readyz").status_code == 503  # at once: nobody asks a second time meanwhile
    monkeypatch.setattr(health, "PATIENCE", 20)
    thawed.set()
    assert client.get("/readyz").content == b"ok"


# Instead of pages


def answer(monkeypatch: Any, error: Exception, client: Client, path: str = "/costs/") -> Any:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr("dashboard.views.costs.Asked.of", fail)
    client.raise_request_exception = False
    return client.get(path)


def caused(kind: type[Exception], cause: Exception) -> Exception:
    error = kind(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OperationalError("connection to server at 10.1.2.3 failed"), "its database does not answer"),
        (InterfaceError("connection already closed"), "its database does not answer"),
        (caused(InternalError, errors.ReadOnlySqlTransaction("x")), "can be read but not written to"),
        (caused(InternalError, errors.IdleInTransactionSessionTimeout("x")), "does not answer"),
        (caused(OperationalError, errors.QueryCanceled("x")), "ask for fewer days"),
        (caused(OperationalError, errors.LockNotAvailable("x")), "somebody else is changing"),
        (caused(OperationalError, errors.DiskFull("x")), "disk of the database is full"),
        (OperationalError("database is locked"), "somebody else is changing"),
        (OperationalError("attempt to write a readonly database"), "not written to"),
        (OperationalError("database or disk is full"), "disk of the database is full"),
    ],
)
def test_a_database_in_trouble_is_no_mistake_of_ours(monkeypatch, client, viewer, error, words):
    client.force_login(viewer)
    response = answer(monkeypatch, error, client)
    assert (response.status_code, response["Retry-After"]) == (503, "10")
    page = response.content.decode()
    assert words in page
    assert response["X-Request-ID"] in page
    leaks(response)


def test_a_database_that_is_gone_before_the_page_begins_is_told_alike(monkeypatch, client, viewer):
    client.force_login(viewer)
    client.raise_request_exception = False

    def fail(*args: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore._get_session_from_db", fail)
    for path in ("/costs/", "/admin/", "/accounts/password_change/"):
        response = client.get(path)
        assert (response.status_code, response["Retry-After"]) == (503, "10"), path


VIEWS = {
    "/accounts/login/": "dashboard.views.sign_in.SignIn.get_context_data",
    "/costs/": "dashboard.views.costs.Asked.of",
    "/admin/dashboard/team/": "dashboard.admin.teams.TeamAdmin.get_changelist_instance",
}
OPEN_TO = {"nobody": 1, "viewer": 2, "admin": 3}  # of these, in their order


@pytest.mark.parametrize("who", OPEN_TO)
@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadRequest), (404, Http404), (500, RuntimeError), (503, OperationalError)]
)
def test_no_page_of_an_error_leaks_anything(monkeypatch, client, request, settings, who, status, kind):
    if who != "nobody":
        client.force_login(request.getfixturevalue(who))

    def fail(*args: Any, **kwargs: Any) -> None:
        raise kind(f"hunter2 at 10.1.2.3 {settings.SECRET_KEY} /etc/passwd")

    client.raise_request_exception = False
    for path, view in list(VIEWS.items())[: OPEN_TO[who]]:
        monkeypatch.setattr(view, fail)
        page = client.get(path)
        assert page.status_code == status, path
        leaks(page)


@pytest.mark.parametrize("who", OPEN_TO)
def test_no_page_that_is_given_before_any_view_leaks_anything(monkeypatch, request, who):
    client = Client(enforce_csrf_checks=True)
    if who != "nobody":
        client.force_login(request.getfixturevalue(who))
    for status, asked in {
        400: {"path": "/accounts/login/?next=%00", "method": "GET"},
        403: {"path": "/accounts/login/", "method": "POST"},
        413: {"path": "/accounts/login/", "method": "POST", "CONTENT_LENGTH": "99999999999"},
    }.items():
        page = client.generic(**asked)
        assert page.status_code == status
        leaks(page)
    monkeypatch.setattr(outages.gone, "is_known", lambda: True)
    for path in VIEWS:
        page = client.get(path)
        assert page.status_code == 503, path
        leaks(page)


def leaks(response: Any) -> None:
    page = response.content.decode()
    for word in (
        "hunter2",
        "10.1.2.3",
        "/etc/passwd",
        site.SECRET_KEY,
        "Traceback",
        "RuntimeError",
        "/site-packages",
        "settings",
        "dashboard.",
        "Django",
    ):
        assert word not in page, word
    assert re.search(r"<code>[0-9a-f]{32}</code>", page)
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("path", ["/nowhere/", "/admin/nowhere/", "/admin/dashboard/nothing/", "/jobs/%2e/"])
def test_a_page_that_is_not_there_says_no_more(client, admin, path):
    client.force_login(admin)
    response = client.get(path)
    assert response.status_code == 404
    leaks(response)


def test_a_refusal_says_why_and_no_more(client, viewer, monkeypatch):
    client.force_login(viewer)
    page = answer(monkeypatch, PermissionDenied("Your role may not."), client)
    assert page.status_code == 403 and "Your role may not." in page.content.decode()
    leaks(page)


def test_where_not_even_the_page_of_an_error_can_be_made_there_are_words(monkeypatch, client, viewer):
    client.force_login(viewer)
    monkeypatch.setattr("dashboard.views.errors.said", lambda *args, **how: int("no manifest"))
    response = answer(monkeypatch, RuntimeError("hunter2"), client)
    assert response.status_code == 500
    assert response.content.decode() == f"Something went wrong. Request {response['X-Request-ID']}."


def test_an_outage_is_found_where_it_is_hidden():
    hidden = ValueError("while that was handled")
    hidden.__context__ = OperationalError("gone")
    assert outages.is_outage(hidden)
    assert outages.is_outage(errors.AdminShutdown("asked past Django"))
    assert not outages.is_outage(ValueError("ours"))
    assert not outages.is_outage(None)
