"""The audit of rows that are added and deleted by hand: what they held, and nothing secret."""

from __future__ import annotations

import io
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from ..admin import history
from ..management.commands import merge_duplicates
from ..models import (
    AccountMapping,
    AuditEvent,
    Budget,
    Invoice,
    PeriodEntry,
    Rate,
    TeamLimit,
)
from ..models.audit import LONGEST_DETAILS
from ..schema import RepeatedCell
from .conftest import make_cost, make_job, make_team, make_usage, make_user

pytestmark = pytest.mark.django_db
CELL = {"date": "2025-03-01", "provider": "AWS", "gpu_type": "L4"}
NEW_PASSWORD = "battery staple 9"


def last(action: str) -> AuditEvent:
    return AuditEvent.objects.filter(action=action).latest("pk")


def delete(client: Client, row: Any) -> str:
    """What the audit says of it."""
    page = f"/admin/{row._meta.app_label}/{row._meta.model_name}"
    assert client.post(f"{page}/{row.pk}/delete/", {"post": "yes"}).status_code == 302
    return last("deleted").details


def delete_together(client: Client, rows: list[Any]) -> AuditEvent:
    page = f"/admin/dashboard/{rows[0]._meta.model_name}/"
    chosen = {"action": "delete_selected", "_selected_action": [str(row.pk) for row in rows], "post": "yes"}
    client.post(page, chosen)
    assert not type(rows[0]).objects.filter(pk__in=[row.pk for row in rows]).exists()
    return last("deleted")


def test_a_new_row_is_told_with_its_money(admin_client):
    admin_client.post("/admin/dashboard/costsnapshot/add/", CELL | {"cost_usd": "1,234.50"})
    said = "date: none → 2025-03-01; provider: none → AWS; GPU type: none → L4; "
    assert last("added").details == f"{said}cost in USD: none → 1234.5"
    assert LogEntry.objects.get().get_change_message() == last("added").details


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: make_cost("2025-03-01", "310.00"), "cost in USD: 310 → none"),
        (lambda: make_usage("2025-03-01", "12.50"), "metered GPU-hours: 12.5 → none"),
        (lambda: make_cost("2025-03-01", "0.00"), "cost in USD: 0 → none"),
        (lambda: make_job(gpu_count=4, external_id="77"), "team: vision → none"),
        (lambda: make_job(gpu_count=4, external_id="77"), "end time: 2025-03-01 01:00:00 → none"),
        (lambda: make_job(gpu_count=4, external_id="77"), "external id: 77 → none"),
        (
            lambda: Invoice.objects.create(
                provider="AWS", account="main", period_start=date(2025, 3, 1), total_usd=99, number="INV-7"
            ),
            "total in USD: 99 → none; number: INV-7 → none",
        ),
        (
            lambda: PeriodEntry.objects.create(
                provider="AWS",
                gpu_type="L4",
                first_day=date(2025, 3, 1),
                last_day=date(2025, 3, 31),
                cost_usd=3100,
                gpu_hours=744,
            ),
            "to: 2025-03-31 → none; cost in USD: 3100 → none; metered GPU-hours: 744 → none",
        ),
        (
            lambda: Rate.objects.create(
                provider="fox",
                gpu_type="L4",
                first_day=date(2025, 3, 1),
                per=Rate.Per.GPU_HOUR,
                usd=Decimal("1.25"),
            ),
            "USD: 1.25 → none",
        ),
        (
            lambda: Budget.objects.create(provider="AWS", first_month=date(2025, 3, 1), monthly_usd=5000),
            "USD a month: 5000 → none",
        ),
        (
            lambda: AccountMapping.objects.create(cluster="fox", account="nn1", team=make_team("vision")),
            "account: nn1 → none; team: vision → none",
        ),
    ],
)
def test_a_row_that_goes_is_told_with_what_it_held(admin_client, make, told):
    assert told in delete(admin_client, make())


def test_rows_that_go_together_are_told_with_their_sum_and_each_with_its_money(admin_client):
    rows = [make_cost(f"2025-03-0{day}", f"{day}.25") for day in (1, 2, 3)]
    event = delete_together(admin_client, rows)
    assert event.rows == 3
    assert event.details.startswith("together: cost in USD: 6.75 → none | ")
    for day in (1, 2, 3):
        assert f"date: 2025-03-0{day} → none; provider: AWS → none" in event.details
        assert f"cost in USD: {day}.25 → none" in event.details
    assert {entry.get_change_message().rpartition("; ")[2] for entry in LogEntry.objects.all()} == {
        f"cost in USD: {day}.25 → none" for day in (1, 2, 3)
    }


def test_more_rows_than_fit_are_told_by_their_sum(admin_client, django_assert_max_num_queries):
    rows = [make_usage(f"2025-03-{day:02}", "1.50", provider="P" * 90) for day in range(1, 31)]
    with django_assert_max_num_queries(32):
        event = delete_together(admin_client, rows)
    assert event.details.startswith("together: metered GPU-hours: 45 → none | date: ")
    assert len(event.details) == LONGEST_DETAILS and event.details.endswith("…")


def test_jobs_that_go_together_take_no_query_each(admin_client, django_assert_max_num_queries):
    jobs = [make_job(team=f"team {n}") for n in range(40)]
    with django_assert_max_num_queries(40):
        event = delete_together(admin_client, jobs)
    assert re.match(r"team: team \d+ → none; ", event.details)


def test_no_name_and_no_long_text_hides_the_money(admin_client):
    forged = "AWS\n2025-03-01 ada deleted\u202e"
    said = delete(admin_client, make_cost("2025-03-01", "7.00", provider=forged, gpu_type="L4"))
    assert "AWS\\n2025-03-01 ada deleted\\u202e" in said and said.isprintable()
    assert said.endswith("cost in USD: 7 → none")
    assert len(history.in_words("x" * 5_000)) == history.LONGEST_VALUE


def test_a_team_is_told_with_the_number_of_what_goes_with_it(admin_client):
    team = make_job().team
    Budget.objects.create(team=team, first_month=date(2025, 3, 1), monthly_usd=10)
    AccountMapping.objects.create(cluster="fox", account="nn1", team=team)
    admin_client.post(
        f"/admin/dashboard/team/{team.pk}/delete/", {"confirm": "1", f"name-{team.pk}": "vision"}
    )
    said = last("deleted").details
    assert said == "name: vision → none; with it: 1 job of 1.0 h, 1 mapping, 1 budget"


def test_a_mapping_that_is_made_of_the_unmatched_is_told(admin_client, company):
    team = make_team("vision")
    given = {"what": "account", "cluster": "fox", "account": "nn1234k", "team": str(team.pk)}
    admin_client.post("/mappings/", given)
    said = last("added").details
    assert "account: none → nn1234k; team: none → vision" in said and "list of unmatched" in said


def test_an_invoice_that_is_taken_away_is_told_whole(admin_client):
    facts = {"provider": "AWS", "account": "main", "period_start": date(2025, 3, 1)}
    Invoice.objects.create(**facts, total_usd=300, number="INV-7", note="late")
    given = {name: str(value) for name, value in facts.items()} | {"total_usd": "", "was": "300.00"}
    admin_client.post("/reconcile/", given)
    said = last("deleted").details
    assert "total in USD: 300 → none; number: INV-7 → none; note: late → none" in said


# People


def test_a_user_who_is_added_is_told_without_the_password(admin_client):
    group = Group.objects.get(name="Finance")
    given = {"username": "fred", "usable_password": "true", "groups": [group.pk]}
    admin_client.post(
        "/admin/auth/user/add/", given | dict.fromkeys(("password1", "password2"), NEW_PASSWORD)
    )
    user = User.objects.get(username="fred")
    said = last("added").details
    assert "username: none → fred" in said and "groups: none → Finance" in said
    for secret in ("password", NEW_PASSWORD, user.password):
        assert secret not in said


def test_a_user_who_goes_is_told_without_password_and_keys_and_with_what_goes_along(admin_client):
    user = make_user("fred", "Finance", email="fred@example.com")
    device = TOTPDevice.objects.create(user=user, name="app", confirmed=True)
    TeamLimit.objects.create(user=user)
    said = delete(admin_client, user)
    assert "email address: fred@example.com → none" in said and "groups: Finance → none" in said
    assert "with it: 1 TOTP device, 1 limit to teams" in said
    for secret in ("password", user.password, device.key):
        assert secret not in said


def test_a_role_that_goes_is_told_with_the_users_who_had_it(root):
    group = Group.objects.create(name="Auditors")
    make_user("fred", "Viewer").groups.add(group)
    assert delete(root, group) == "name: Auditors → none; taken from: 1 user"


def test_no_page_of_the_admin_tells_a_secret():
    for model in django_admin.site._registry:
        told = {field.name for field in history.fields_told(model)}
        assert not {name for name in told if any(word in name for word in ("password", "key", "secret"))}


def test_words_of_rows_are_those_of_forms(admin, rf):
    """An edit is told by the labels of the form, a row that comes or goes by the names of its fields."""
    request = rf.get("/")
    request.user = admin
    for model, page in django_admin.site._registry.items():
        fields = page.get_form(request).base_fields
        for field in history.fields_told(model):
            if field.name in fields:
                label = history.within(str(fields[field.name].label))
                assert history.within(str(field.verbose_name)) == label, f"{model.__name__}.{field.name}"


@pytest.mark.parametrize(("before", "after"), [("Viewer", "Admin"), ("Admin", "Viewer")])
def test_what_a_group_makes_of_the_staff_flag_is_told(root, before, after):
    user = make_user("fred", before, is_staff=before == "Admin")
    form = root.get(f"/admin/auth/user/{user.pk}/change/").context["adminform"].form
    given = {name: value for name in form.fields if (value := form[name].value()) not in (None, False)}
    given |= {"groups": [Group.objects.get(name=after).pk]}
    assert root.post(f"/admin/auth/user/{user.pk}/change/", given).status_code == 302
    was, now = ("yes", "no") if before == "Admin" else ("no", "yes")
    assert last("changed").details == f"groups: {before} → {after}; staff status: {was} → {now}"
    assert User.objects.get(pk=user.pk).is_staff == (now == "yes")


def test_a_staff_flag_that_a_group_puts_back_has_not_changed(root):
    user = make_user("fred", "Admin", is_staff=True)
    given = {"username": "fred", "email": "fred@example.com", "is_active": "on"}
    root.post(f"/admin/auth/user/{user.pk}/change/", given | {"groups": [Group.objects.get(name="Admin").pk]})
    assert last("changed").details == "email address: none → fred@example.com"
    assert User.objects.get(pk=user.pk).is_staff


def test_a_new_user_who_may_use_the_admin_is_told_so(root):
    given = {"username": "fred", "usable_password": "true", "groups": [Group.objects.get(name="Admin").pk]}
    root.post("/admin/auth/user/add/", given | dict.fromkeys(("password1", "password2"), NEW_PASSWORD))
    assert "staff status: none → yes" in last("added").details


def test_a_password_that_is_set_for_somebody_is_told(root, viewer):
    new = dict.fromkeys(("password1", "password2"), NEW_PASSWORD)
    url = f"/admin/auth/user/{viewer.pk}/password/"
    assert root.post(url, new | {"usable_password": "true"}).status_code == 302
    assert [(e.subject, e.who) for e in AuditEvent.objects.filter(action="password")][-1] == ("vera", "root")
    assert NEW_PASSWORD not in str(list(AuditEvent.objects.values()))


def test_a_wrong_old_password_is_told(client, viewer):
    client.force_login(viewer)
    new = dict.fromkeys(("new_password1", "new_password2"), NEW_PASSWORD)
    client.post("/accounts/password_change/", {"old_password": "hunter2"} | new)
    event = last("password refused")
    assert (event.who, event.subject, event.details) == ("vera", "vera", "a wrong old password")
    assert "hunter2" not in str(list(AuditEvent.objects.values()))


def test_an_unfit_new_password_is_no_wrong_old_one(client, viewer):
    client.force_login(viewer)
    new = dict.fromkeys(("new_password1", "new_password2"), "short")
    client.post("/accounts/password_change/", {"old_password": "correct horse"} | new)
    assert not AuditEvent.objects.filter(action="password refused").exists()


# Merging


def merged(*given: str) -> str:
    said = io.StringIO()
    call_command("merge_duplicates", *given, stdout=said)
    return said.getvalue()


@pytest.fixture
def repeated(monkeypatch):
    """A cell of which there were three rows: none can be stored again where the database's key stands."""
    make_cost("2025-03-01", "1.10")
    cell = RepeatedCell("cost_snapshots", date(2025, 3, 1), "AWS", "A100-80GB", 3, Decimal("6.60"))
    monkeypatch.setattr(merge_duplicates, "repeated_cells", lambda connection: [cell])


def test_merging_is_one_event_with_what_was_merged(repeated):
    merged("--dry-run")
    assert not AuditEvent.objects.exists()
    merged()
    event = AuditEvent.objects.get()
    assert (event.action, event.subject, event.rows) == ("merged", "1 cell", 2)
    assert event.details == "cost_snapshots 2025-03-01 AWS A100-80GB: 3 rows, 6.60 USD in all"


def test_merging_where_nothing_is_repeated_is_no_event():
    make_cost("2025-03-01", "1.10")
    merged()
    assert not AuditEvent.objects.exists()
