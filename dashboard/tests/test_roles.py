"""What each role may take away and change; who gets what at which address is in test_access_matrix.py."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

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
FOR_ADMINS = {"dashboard.view_auditevent", "dashboard.view_teamlimit", "dashboard.view_sentdigest"}
THAT_GRANT = (
    "0008_who_may_see_and_type_in_contracts",
    "0013_audit_events",
    "0015_limits_to_teams",
    "0016_budgets",
    "0017_remarks_on_days",
    "0018_closed_months",
    "0019_sent_digests",
)
FILES = ("costs", "usage", "jobs", "teams", "mappings", "contracts")


@pytest.fixture
def rows(db) -> None:
    make_job()
    make_cost("2025-03-01", "1.00")
    make_usage("2025-03-01", "1.00")


@pytest.fixture
def clients(viewer, finance, manager, admin) -> dict[str, Client]:
    users = {user.username: user for user in (viewer, finance, manager, admin)}
    users[NO_ROLE] = User.objects.create_user(NO_ROLE)
    signed_in = {}
    for name, user in users.items():
        signed_in[name] = Client()
        signed_in[name].force_login(user)
    return signed_in


@pytest.mark.parametrize("who", [NO_ROLE, VIEWER, FINANCE, MANAGER, ADMIN])
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_viewer_looks_but_takes_no_file(clients, rows, who, kind):
    for page in FILES:
        response = clients[who].get(f"/{page}/?preset=all&_export={kind}")
        assert response.status_code == (403 if who in (NO_ROLE, VIEWER) else 200), page


def test_no_link_to_a_file_is_shown_to_who_may_not_have_it(clients, rows):
    for page in ("/costs/", "/jobs/", "/teams/"):
        assert "_export=" not in clients[VIEWER].get(f"{page}?preset=all").content.decode()
        assert "_export=" in clients[FINANCE].get(f"{page}?preset=all").content.decode()


@pytest.mark.parametrize("who", [NO_ROLE, VIEWER, FINANCE, MANAGER])
def test_only_admins_change_anything(clients, rows, who):
    job = Job.objects.get()
    before = job.updated_at
    for url in (f"/admin/dashboard/job/{job.pk}/change/", f"/admin/dashboard/team/{job.team_id}/delete/"):
        assert clients[who].post(url, {"confirm": "yes", "status": "failed"}).status_code == 302
    assert clients[who].post("/mappings/", {"what": "alias", "kind": "provider"}).status_code == 403
    job.refresh_from_db()
    assert job.updated_at == before and Team.objects.exists()


def test_an_admin_opens_every_list_and_form(clients, rows):
    models = [Team, Job, ClusterMapping, AccountMapping, SpendMapping, Provider, NameAlias]
    for model in models:
        name = model._meta.model_name
        assert clients[ADMIN].get(f"/admin/dashboard/{name}/").status_code == 200
        assert clients[ADMIN].get(f"/admin/dashboard/{name}/add/").status_code == 200
    for model in (BillLine, *models):
        assert clients[ADMIN].get(f"/admin/dashboard/{model._meta.model_name}/").status_code == 200
    for name in ("importrun", "billline"):
        assert clients[ADMIN].get(f"/admin/dashboard/{name}/add/").status_code == 403


def test_a_user_who_is_inactive_is_out(clients, rows):
    User.objects.filter(username=ADMIN).update(is_active=False)
    assert clients[ADMIN].get("/costs/").status_code == 302


# The groups themselves


def permissions(role: str) -> set[str]:
    rows = Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def edits(*models: str) -> set[str]:
    return {f"dashboard.{what}_{model}" for what in ("add", "change", "delete") for model in models}


def test_what_each_role_may_do(db):
    kept = [m for m in apps.get_app_config("dashboard").get_models() if m._meta.default_permissions]
    models = [model._meta.model_name for model in kept]
    every = {f"dashboard.{verb}_{m._meta.model_name}" for m in kept for verb in m._meta.default_permissions}
    view = {f"dashboard.view_{name}" for name in models} - FOR_ADMINS
    files = {"dashboard.export_files", "dashboard.import_files"}
    assert permissions("Viewer") == view
    remarks = edits("daynote", "dismissedanomaly")
    assert permissions("Manager") == view | {"dashboard.export_files"} | remarks
    assert permissions("Finance") == permissions("Manager") | edits("invoice") | {"dashboard.see_all_teams"}
    assert permissions("Admin") == every | files | {
        "dashboard.see_all_teams",
        "dashboard.close_months",
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
    later = [import_module(f"dashboard.migrations.{name}") for name in THAT_GRANT]
    own = Group.objects.create(name="Auditors")
    before = {role: permissions(role) for role in roles.ROLES}
    editor = SimpleNamespace(connection=connection)

    def back_and_forth() -> None:
        roles.add_roles(apps, editor)
        for step in later:
            step.grant(apps, editor)

    for step in reversed(later[1:]):
        step.take_away(apps, editor)
    back_and_forth()
    assert {role: permissions(role) for role in roles.ROLES} == before
    for step in reversed(later[1:]):
        step.take_away(apps, editor)
    roles.remove_roles(apps, editor)
    assert list(Group.objects.all()) == [own]
    back_and_forth()
    assert {role: permissions(role) for role in roles.ROLES} == before
