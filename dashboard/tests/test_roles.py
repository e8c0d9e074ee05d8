"""Who may ask for which address: every URL that resolves, for every role."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from dashboard.models import (
    AccountMapping,
    BillLine,
    ClusterMapping,
    Job,
    NameAlias,
    Provider,
    SpendMapping,
    Team,
)

from .conftest import make_cost, make_job, make_usage

pytestmark = pytest.mark.django_db

NO_ROLE, VIEWER, FINANCE, MANAGER, ADMIN = "nobody", "vera", "fiona", "max", "ada"
OPEN = {"healthz", "readyz", "login"}
OWN = {"password_change", "password_change_done", "theme", "logout"}
FILES = ("costs", "usage", "jobs", "teams", "mappings", "contracts")


def patterns(resolver: URLResolver, prefix: str = "", space: str = "") -> Iterator[tuple[str, URLPattern]]:
    """(name with its namespace, pattern with its whole route)."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern, route, pattern.namespace or space)
        else:
            name = f"{space}:{pattern.name}" if space else pattern.name or route
            yield name, route


URLS = sorted({name: route for name, route in patterns(get_resolver())}.items())


def address(route: str, keys: dict[str, str]) -> str:
    """The route with a key for each part that varies."""
    path = "/" + route
    for part, key in keys.items():
        path = path.replace(part, key)
    return path.replace("^", "").replace("(?P<app_label>auth|dashboard)", "dashboard").rstrip("$")


@pytest.fixture
def keys(db) -> dict[str, str]:
    job = make_job()
    make_cost("2025-03-01", "1.00")
    make_usage("2025-03-01", "1.00")
    user = User.objects.create_user("someone")
    return {
        "<path:object_id>": "none",
        "<path:url>": "",
        "<id>": str(user.pk),
        "<int:pk>": "1",
        "<uuid:pk>": str(job.pk),
        "(?P<url>.*)$": "",
    }


@pytest.fixture
def clients(viewer, finance, manager, admin) -> dict[str, Client]:
    users = {user.username: user for user in (viewer, finance, manager, admin)}
    users[NO_ROLE] = User.objects.create_user(NO_ROLE)
    signed_in = {}
    for name, user in users.items():
        signed_in[name] = Client()
        signed_in[name].force_login(user)
    return signed_in


def test_signed_out_only_the_sign_in_and_the_health_checks_answer(client, keys):
    for name, route in URLS:
        response = client.get(address(route, keys), follow=True)
        assert response.status_code == 200, f"{name} answers {response.status_code}"
        if name not in OPEN:
            assert response.redirect_chain[-1][0].startswith("/accounts/login/?next="), name


def expected(name: str, who: str) -> set[int]:
    """The statuses that a GET of this address may answer for this user."""
    if name in OPEN | OWN:
        return {200, 302, 405}
    if name == "admin:login":  # where the admin sends those who have no part in it
        return {302} if who == ADMIN else {403}
    if name.startswith("admin:"):
        return {200, 302, 403, 404, 405} if who == ADMIN else {302}
    if name.startswith(("import", "undo", "upload")):
        return {200, 302, 404, 405} if who == ADMIN else {403}
    return {403} if who == NO_ROLE else {200, 404}


@pytest.mark.parametrize("who", [NO_ROLE, VIEWER, FINANCE, MANAGER, ADMIN])
def test_each_role_gets_its_pages_and_no_others(clients, keys, who):
    for name, route in URLS:
        if name == "admin:logout":
            continue
        response = clients[who].get(address(route, keys))
        assert response.status_code in expected(name, who), f"{name} answers {who} {response.status_code}"


def test_every_page_answers_every_role(clients, keys):
    pages = [(name, route) for name, route in URLS if not name.startswith("admin:") and "<" not in route]
    pages = [(name, route) for name, route in pages if 200 in expected(name, VIEWER) - {302}]
    assert {"overview", "costs", "usage", "jobs", "teams", "mappings", "help"} <= {name for name, _ in pages}
    for who in (VIEWER, FINANCE, MANAGER, ADMIN):
        for name, route in pages:
            if name not in OWN:
                assert clients[who].get(address(route, keys)).status_code == 200, (who, name)


@pytest.mark.parametrize("who", [NO_ROLE, VIEWER, FINANCE, MANAGER, ADMIN])
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_viewer_looks_but_takes_no_file(clients, keys, who, kind):
    routes = dict(URLS)
    for page in FILES:
        response = clients[who].get(f"/{routes[page]}?preset=all&_export={kind}")
        assert response.status_code == (403 if who in (NO_ROLE, VIEWER) else 200), page


def test_no_link_to_a_file_is_shown_to_who_may_not_have_it(clients, keys):
    for page in ("/costs/", "/jobs/", "/teams/"):
        assert "_export=" not in clients[VIEWER].get(f"{page}?preset=all").content.decode()
        assert "_export=" in clients[FINANCE].get(f"{page}?preset=all").content.decode()


@pytest.mark.parametrize("who", [NO_ROLE, VIEWER, FINANCE, MANAGER])
def test_only_admins_change_anything(clients, keys, who):
    job = Job.objects.get()
    before = job.updated_at
    for url in (f"/admin/dashboard/job/{job.pk}/change/", f"/admin/dashboard/team/{job.team_id}/delete/"):
        assert clients[who].post(url, {"confirm": "yes", "status": "failed"}).status_code == 302
    assert clients[who].post("/mappings/", {"what": "alias", "kind": "provider"}).status_code == 403
    job.refresh_from_db()
    assert job.updated_at == before and Team.objects.exists()


def test_an_admin_opens_every_list_and_form(clients, keys):
    models = [Team, Job, ClusterMapping, AccountMapping, SpendMapping, Provider, NameAlias]
    for model in models:
        name = model._meta.model_name
        assert clients[ADMIN].get(f"/admin/dashboard/{name}/").status_code == 200
        assert clients[ADMIN].get(f"/admin/dashboard/{name}/add/").status_code == 200
    for model in (BillLine, *models):
        assert clients[ADMIN].get(f"/admin/dashboard/{model._meta.model_name}/").status_code == 200
    for name in ("importrun", "billline"):
        assert clients[ADMIN].get(f"/admin/dashboard/{name}/add/").status_code == 403


def test_a_user_who_is_inactive_is_out(clients, keys):
    User.objects.filter(username=ADMIN).update(is_active=False)
    assert clients[ADMIN].get("/costs/").status_code == 302


# The groups themselves


def permissions(role: str) -> set[str]:
    rows = Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def test_what_each_role_may_do(db):
    kept = [m for m in apps.get_app_config("dashboard").get_models() if m._meta.default_permissions]
    models = [model._meta.model_name for model in kept]
    every = {f"dashboard.{verb}_{m._meta.model_name}" for m in kept for verb in m._meta.default_permissions}
    view = {f"dashboard.view_{name}" for name in models} - {"dashboard.view_auditevent"}
    files = {"dashboard.export_files", "dashboard.import_files"}
    assert permissions("Viewer") == view
    assert permissions("Manager") == view | {"dashboard.export_files"}
    invoices = {f"dashboard.{what}_invoice" for what in ("add", "change", "delete")}
    assert permissions("Finance") == permissions("Manager") | invoices
    assert permissions("Admin") == every | files | {
        "auth.view_user",
        "auth.add_user",
        "auth.change_user",
        "auth.delete_user",
        "auth.view_group",
        "auth.add_group",
        "auth.change_group",
    }


def test_the_migration_of_roles_goes_back_and_forth_and_keeps_what_was_added(db):
    roles = import_module("dashboard.migrations.0006_roles")
    contracts = import_module("dashboard.migrations.0008_who_may_see_and_type_in_contracts")
    audit = import_module("dashboard.migrations.0012_audit_events")
    own = Group.objects.create(name="Auditors")
    before = {role: permissions(role) for role in roles.ROLES}
    editor = SimpleNamespace(connection=connection)
    audit.take_away(apps, editor)
    roles.add_roles(apps, editor)
    contracts.grant(apps, editor)
    audit.grant(apps, editor)
    assert {role: permissions(role) for role in roles.ROLES} == before
    audit.take_away(apps, editor)
    roles.remove_roles(apps, editor)
    assert list(Group.objects.all()) == [own]
    roles.add_roles(apps, editor)
    contracts.grant(apps, editor)
    audit.grant(apps, editor)
    assert {role: permissions(role) for role in roles.ROLES} == before
