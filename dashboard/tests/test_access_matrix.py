"""Who gets what at every address, as access_matrix.txt says it; the addresses come from the resolver."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin as admin_site
from django.contrib.auth.models import User
from django.db import models, transaction
from django.template.backends.django import Template
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from dashboard import access
from dashboard.closing import close_month
from dashboard.exports import FORMATS
from dashboard.models import (
    AccountMapping,
    Budget,
    ClusterMapping,
    CostCentre,
    CostSnapshot,
    ImportRun,
    Invoice,
    Job,
    NameAlias,
    Provider,
    SpendMapping,
    Team,
    TeamLimit,
    UsageSnapshot,
)

from .conftest import make_cost, make_job, make_team, make_usage, make_user
from .contracts import make_commitment, make_entry, per_hour
from .loading import bill, load_rows

pytestmark = pytest.mark.django_db
MATRIX = Path(__file__).with_name("access_matrix.txt")
NOBODY = "signed out"
LIMITED = "of one team"  # a manager who is limited to it
WHO = (NOBODY, "no role", LIMITED, "Viewer", "Manager", "Finance", "Admin", "superuser")
SIGN_IN = "/accounts/login/"
# All that answers who is not signed in. It grows to six at most.
OPEN = {"/accounts/login/", "/accounts/login/code/", "/healthz", "/metrics", "/readyz"}
OTHER_METHODS = ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
MAY_CHANGE_BY_LOOKING = {"sessions.Session", "dashboard.AuditEvent"}  # who looked, and what they took


FURTHER_FILES = {
    "/contracts/": ("entries",),
    "/waste/": ("runs", "idle", "stuck"),
    "/closing/<int:year>/<int:month>/": ("restated",),
}

# Addresses


def routes(resolver: URLResolver | None = None, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + plain(str(pattern.pattern))
        if isinstance(pattern, URLPattern):
            yield route, pattern.callback
        else:
            yield from routes(pattern, route)


def queries(route: str) -> tuple[str, ...]:
    if route.startswith("/admin/"):
        return ("",)
    files = ("", *(f"file={name}&" for name in FURTHER_FILES.get(route, ())))
    return ("", *(f"?{file}_export={kind}" for file in files for kind in FORMATS))


def plain(route: str) -> str:
    return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route.removeprefix("^").removesuffix("$"))


ROUTES = sorted({route for route, _ in routes()})


@pytest.fixture
def address(db: None) -> Any:
    """`address("/jobs/<uuid:pk>/")` is that of a row that is there."""
    keys = {model._meta.model_name: key for model, key in one_of_each().items()}
    keys |= {"import": keys["importrun"], "upload": keys["team"]}

    def address(route: str) -> str:
        parts = route.split("/")
        subject = parts[3] if parts[1] == "admin" and len(parts) > 4 else parts[1].removesuffix("s")
        given = {"app_label": "dashboard", "url": "nowhere", "year": "2025", "month": "2"}
        if "<uuid:" in route and subject == "import":
            subject = "upload"
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda part: given.get(part[1]) or str(keys[subject]), route)

    return address


def one_of_each() -> dict[type[models.Model], Any]:
    """The key of a row of each table that the admin shows."""
    run = load_rows(bill(1)).run
    team = make_team("vision")
    make_job()
    TeamLimit.objects.create(user=make_user("limited", "Manager")).teams.add(team)
    cost, usage = make_cost("2025-03-02", "1.00"), make_usage("2025-03-02", "1.00")
    make_entry("2025-03-03", "2025-03-04", "10.00")
    per_hour("1.50", "2025-01-01")
    make_commitment("8", "2025-01-01", "2025-12-31")
    Invoice.objects.create(provider="AWS", period_start="2025-03-01", total_usd="10.00")
    CostCentre.objects.create(team=team, code="4711")
    Budget.objects.create(provider="AWS", first_month="2025-01-01", monthly_usd="100.00")
    ClusterMapping.objects.create(cluster="fox", provider="AWS")
    AccountMapping.objects.create(cluster="fox", account="nn1", team=team)
    SpendMapping.objects.create(provider="AWS", tag="vision", team=team)
    Provider.objects.get_or_create(name="AWS")
    NameAlias.objects.create(kind="provider", alias="amazon", name="AWS")
    close_month(date(2025, 2, 1), User.objects.create_user("someone"), "effective", "apart")
    tables = [*admin_site.site._registry, ImportRun]
    keys = {model: model._base_manager.order_by("pk").values_list("pk", flat=True)[0] for model in tables}
    someone = User.objects.get(username="someone")
    return keys | {ImportRun: run, User: someone.pk, CostSnapshot: cost.pk, UsageSnapshot: usage.pk}


@pytest.fixture
def clients(address: Any) -> dict[str, Client]:
    users = {
        "no role": User.objects.create_user("nobody"),
        "superuser": User.objects.create_superuser("root"),
        **{who: make_user(who.lower(), who, is_staff=who == "Admin") for who in WHO[3:7]},
        LIMITED: TeamLimit.objects.get().user,
    }
    clients = {NOBODY: Client(), **{who: Client() for who in users}}
    for who, user in users.items():
        clients[who].force_login(user)
    return clients


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """A refusal is a line in the log, and there are thousands."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def unrendered(monkeypatch: Any) -> None:
    """Who gets what is decided before a page is drawn, and 1,900 pages take long."""
    monkeypatch.setattr(Template, "render", lambda *args, **kwargs: "")


@pytest.fixture
def rights_asked_once(monkeypatch: Any) -> None:
    """Whatever is asked for here is taken back, and rights take half of the time."""
    known: dict[int, access.Rights] = {}
    stored = access.stored_rights
    monkeypatch.setattr(
        access, "stored_rights", lambda user: known.get(user.pk) or known.setdefault(user.pk, stored(user))
    )


def ask(client: Client, method: str, path: str) -> Any:
    """What is answered; what a form did is taken back, its signing out too. Looking changes nothing.

    After an import SQLite reads its schema anew whenever something is taken back: half of the time of a page.
    """
    if method != "POST":
        return client.generic(method, path)
    cookies = client.cookies.copy()
    with transaction.atomic():
        answer = client.generic(method, path)
        transaction.set_rollback(True)
    client.cookies = cookies
    return answer


def told(answer: Any) -> str:
    return "sign-in" if leads_to_the_sign_in(answer) else str(answer.status_code)


def leads_to_the_sign_in(answer: Any) -> bool:
    """At once, or by the admin's own, which refuses those who are signed in and have no part there."""
    where = answer.headers.get("Location", "")
    return answer.status_code == 302 and where.startswith((f"{SIGN_IN}?next=", "/admin/login/?next="))


# The matrix


def test_everybody_gets_what_the_matrix_says(clients, address, unrendered, rights_asked_once):
    """A line for each address; for each role what GET and POST give: a status, or the way to the sign-in."""
    is_written(found=[line(clients, route, address(route)) for route in ROUTES], of_files=False)


def test_everybody_gets_the_files_that_the_matrix_says(clients, address, unrendered, rights_asked_once):
    """The same for each page that gives a file, and for each of its files; in all formats alike."""
    found = []
    for route in ROUTES:
        if route.startswith("/admin/") or route in OPEN:
            continue
        for query in ("", *(f"file={name}&" for name in FURTHER_FILES.get(route, ()))):
            asked = f"{address(route)}?{query}_export="
            if ask(clients["superuser"], "GET", f"{asked}csv").has_header("Content-Disposition"):
                cells = "".join(f" {file_told(clients[who], asked):<15}" for who in WHO)
                found.append(f"{f'{route}?{query}_export=csv':<58}{cells}".rstrip())
    is_written(found, of_files=True)


def is_written(found: list[str], of_files: bool) -> None:
    texts = [text for text in MATRIX.read_text().splitlines() if text and not text.startswith("#")]
    written = [text for text in texts if ("_export=" in text) == of_files]
    missing = [f"+ {text}" for text in found if text not in written]
    too_much = [f"- {text}" for text in written if text not in found]
    assert not missing + too_much, "Where this is meant, access_matrix.txt has to say:\n" + "\n".join(
        sorted(missing + too_much, key=lambda text: text[2:])
    )


def file_told(client: Client, asked: str) -> str:
    answers = [ask(client, "GET", asked + kind) for kind in FORMATS] + [ask(client, "HEAD", f"{asked}csv")]
    [one] = {told(answer) for answer in answers}
    assert {answer.has_header("Content-Disposition") for answer in answers} == {one == "200"}, asked
    return one


def line(clients: dict[str, Client], route: str, path: str) -> str:
    cells = ["/".join(told(ask(clients[who], method, path)) for method in ("GET", "POST")) for who in WHO]
    return f"{route:<58}" + "".join(f" {cell:<15}" for cell in cells).rstrip()


def test_the_first_line_of_the_matrix_names_its_columns():
    head = [text for text in MATRIX.read_text().splitlines() if text.startswith("# address")]
    assert head == [f"{'# address':<58}" + "".join(f" {who:<15}" for who in WHO).rstrip()]


@pytest.mark.parametrize("who", WHO)
def test_head_is_like_get_and_other_methods_are_refused(clients, address, unrendered, rights_asked_once, who):
    """What GET gives is what the matrix says: that is asked above."""
    lines = [text.split() for text in MATRIX.read_text().splitlines() if not text.startswith("#")]
    given = {words[0]: words[1 + WHO.index(who)].partition("/")[0] for words in lines}
    for route in ROUTES:
        path = address(route)
        assert told(ask(clients[who], "HEAD", path)) == given[route], route
        refused = "405" if who != NOBODY or route in OPEN else "sign-in"
        assert {told(clients[who].generic(method, path)) for method in OTHER_METHODS} == {refused}, route


# Nothing without signing in


def test_what_is_open_to_all_is_written_down():
    found = {route for route, view in routes() if not getattr(view, "login_required", True)}
    assert found == OPEN
    assert len(OPEN) <= 6


def test_who_is_not_signed_in_gets_nothing(client, address):
    for route in ROUTES:
        if route in OPEN:
            continue
        for method in ("GET", "HEAD", "POST", *OTHER_METHODS):
            for query in queries(route) if method == "GET" else ("",):
                answer = client.generic(method, address(route) + query)
                assert leads_to_the_sign_in(answer), (method, route)
                assert answer.content == b""


def test_an_address_that_is_none_says_so_to_everybody(clients):
    for who, client in clients.items():
        assert client.get("/nowhere/").status_code == 404, who


# Forms and looking


def test_every_form_needs_its_token(clients, address):
    for who in (NOBODY, "superuser"):
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = clients[who].cookies
        for route in ROUTES:
            answer = strict.post(address(route), {"csrfmiddlewaretoken": "x" * 64})
            assert answer.status_code == 403, (who, route)
            assert "The form was too old" in answer.content.decode(), (who, route)


def contents() -> dict[str, str]:
    """Each table by what it holds."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.label not in MAY_CHANGE_BY_LOOKING and not model._meta.proxy:
            rows = model._base_manager.order_by("pk").values_list()
            found[model._meta.label] = sha256(repr(list(rows)).encode()).hexdigest()
    return found


def test_looking_changes_nothing(clients, address):
    """Not at any page, form or file, by whoever may do most."""
    root, before = clients["superuser"], contents()
    assert {"dashboard.Job", "auth.User", "admin.LogEntry", "dashboard.SignInTry"} <= set(before)
    for route in ROUTES:
        for query in queries(route):
            answer = root.get(address(route) + query)
            if answer.streaming:
                b"".join(answer.streaming_content)
    assert contents() == before


def test_a_change_by_looking_would_be_seen(address):
    before = contents()
    Job.objects.update(model_name="other")
    Team.objects.update(name="other")
    assert {label for label, held in contents().items() if held != before[label]} >= {
        "dashboard.Job",
        "dashboard.Team",
    }
