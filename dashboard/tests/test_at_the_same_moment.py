"""Two people, or a person and an import, at the same rows: what one did is seen by the other, or told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from dashboard import closing
from dashboard.admin.base import HelioxAdmin
from dashboard.closing import Refused, close_month, withdraw
from dashboard.ingest.load import Reading, load_readings
from dashboard.models import (
    AccountMapping,
    ClosedLine,
    ClusterMapping,
    CostSnapshot,
    Job,
    MonthClose,
    Rate,
    Team,
)
from dashboard.views import mappings

from .conftest import at, make_cost, make_job, make_team, make_usage, make_user
from .loading import job, load_rows
from .others import held_at, others
from .test_closing import usd_by_owner, usd_now

pytestmark = pytest.mark.django_db(transaction=True)

FEBRUARY, MARCH, APRIL = date(2025, 2, 1), date(2025, 3, 1), date(2025, 4, 1)
RATE = {
    "provider": "own",
    "gpu_type": "H100",
    "first_day": "2025-03-01",
    "per": "gpu_month",
    "usd": "3100",
    "gpus": "1",
}


@pytest.fixture
def admin() -> User:
    return make_user("ada", "Admin", is_staff=True)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


# Closing


@pytest.fixture
def february_grew(admin: User, as_of: Any) -> None:
    """Three months of $100 each; February is closed, and then costs $50 more."""
    as_of("2025-06-10 12:00")
    for month in ("02", "03", "04"):
        make_cost(f"2025-{month}-03", "100.00")
        make_usage(f"2025-{month}-03", "10.00")
        make_job(f"2025-{month}-03 00:00", f"2025-{month}-03 10:00")
    close_month(FEBRUARY, admin, "effective", "apart")
    CostSnapshot.objects.filter(date="2025-02-03").update(cost_usd=Decimal("150.00"))


def test_two_months_that_are_closed_at_once_tell_a_change_of_an_earlier_one_once(
    february_grew, admin, monkeypatch
):
    came, may_go = held_at(monkeypatch, closing, "freeze")
    with others() as start:
        first = start(close_month, MARCH, admin, "effective", "apart")
        assert came.wait(20)
        second = start(close_month, APRIL, admin, "effective", "apart")
        second.until_it_waits()
        may_go.set()
        assert [one.result().prior_usd for one in (first, second)] == [50, 0]
    assert usd_by_owner(of_month=FEBRUARY) == usd_now(FEBRUARY) == {"vision": 150}


def test_a_month_that_is_closed_beside_a_withdrawal_tells_what_nobody_says_any_more(
    february_grew, admin, monkeypatch
):
    march = close_month(MARCH, admin, "effective", "apart")
    came, may_go = held_at(monkeypatch, closing, "check_may_be_withdrawn")
    with others() as start:
        withdrawn = start(withdraw, march, admin, "A mistake")
        assert came.wait(20)
        april = start(close_month, APRIL, admin, "effective", "apart")
        april.until_it_waits()
        may_go.set()
        withdrawn.result()
        assert april.result().prior_usd == 50
    assert usd_by_owner(of_month=FEBRUARY) == usd_now(FEBRUARY)


def test_the_newest_close_is_the_one_that_was_made_last_whatever_the_clocks_said(
    february_grew, admin, as_of, monkeypatch
):
    march = close_month(MARCH, admin, "effective", "apart")
    MonthClose.objects.filter(pk=march.pk).update(closed_at=at("2025-05-01 00:00"))
    february = MonthClose.objects.get(month=FEBRUARY)
    with pytest.raises(Refused, match="Withdraw the close of March 2025 first"):
        withdraw(february, admin, "A mistake")
    withdraw(march, admin, "A mistake")
    assert ClosedLine.objects.filter(close__withdrawn_at=None).count()


# Forms


def test_a_double_click_stores_one_rate(admin, monkeypatch):
    clients = signed_in(admin), signed_in(admin)
    came, may_go = held_at(monkeypatch, HelioxAdmin, "save_model")
    with others() as start:
        first = start(clients[0].post, "/admin/dashboard/rate/add/", RATE)
        assert came.wait(20)
        second = start(clients[1].post, "/admin/dashboard/rate/add/", RATE)
        second.until_it_waits()
        may_go.set()
        assert [one.result().status_code for one in (first, second)] == [302, 200]
    assert Rate.objects.count() == 1


def test_two_who_map_the_same_account_at_once_map_it_to_one_team(admin, monkeypatch):
    load_rows(job("1", account="a1"))
    teams = [make_team("vision"), make_team("speech")]
    asked = [{"what": "account", "cluster": "fox", "account": "a1", "team": str(team.pk)} for team in teams]
    clients = signed_in(admin), signed_in(admin)
    came, may_go = held_at(monkeypatch, mappings, "save")
    with others() as start:
        first = start(clients[0].post, "/mappings/", asked[0])
        assert came.wait(20)
        second = start(clients[1].post, "/mappings/", asked[1])
        second.until_it_waits()
        may_go.set()
        assert [one.result().status_code for one in (first, second)] == [302, 302]
    assert [mapping.team.name for mapping in AccountMapping.objects.all()] == ["vision"]


def typed(client: Client, url: str, **changed: str) -> dict[str, str]:
    """The form as a browser would send it."""
    page = client.get(url)
    said = {}
    for field in page.context["adminform"].form:
        value, name = field.value(), field.html_name
        if name in ("submit_time", "start_time", "end_time"):
            said[f"{name}_0"], said[f"{name}_1"] = (
                (f"{value:%Y-%m-%d}", f"{value:%H:%M:%S}") if value else ("", "")
            )
        elif value not in (None, False):
            said[name] = str(value)
    [mark] = page.text.split('name="as_seen" value="')[1:]
    return said | {"as_seen": mark.split('"')[0]} | changed


def test_a_form_that_was_open_while_the_log_ended_its_job_says_so_and_is_saved_once_more(admin):
    running = make_job("2025-02-03 00:00", None, status="running")
    client, url = signed_in(admin), f"/admin/dashboard/job/{running.pk}/change/"
    form = typed(client, url, model_name="renamed")
    Job.objects.filter(pk=running.pk).update(status="completed", end_time=at("2025-02-03 10:00"))
    answer = client.post(url, form)
    running.refresh_from_db()
    assert (answer.status_code, running.status, running.model_name) == (200, "completed", "resnet")
    assert "Somebody else or an import has changed this row" in answer.text
    told = answer.context["adminform"].form.non_field_errors()[0]
    assert "It says now: model name: resnet; status: completed; " in told
    assert "end time: 2025-02-03 10:00:00. Save once more" in told
    again = typed(client, url, model_name="renamed")
    assert client.post(url, again).status_code == 302
    running.refresh_from_db()
    assert (running.status, running.end_time, running.model_name) == (
        "completed",
        at("2025-02-03 10:00"),
        "renamed",
    )


def test_who_has_read_that_the_row_changed_may_write_over_it(admin):
    running = make_job("2025-02-03 00:00", None, status="running")
    client, url = signed_in(admin), f"/admin/dashboard/job/{running.pk}/change/"
    form = typed(client, url, model_name="renamed")
    Job.objects.filter(pk=running.pk).update(model_name="other")
    told = client.post(url, form)
    [mark] = told.text.split('name="as_seen" value="')[1:]
    assert client.post(url, form | {"as_seen": mark.split('"')[0]}).status_code == 302
    assert Job.objects.get().model_name == "renamed"


def test_a_form_that_nobody_else_touched_is_saved_at_once_whatever_its_kind(admin):
    team = make_team("vision")
    rows = {
        "team": (team, {"name": "seeing"}),
        "rate": (Rate.objects.create(**RATE), {"usd": "3200"}),
        "costsnapshot": (make_cost("2025-03-01", "10.00"), {"cost_usd": "11.00"}),
        "job": (make_job("2025-02-03 00:00", "2025-02-03 01:00", gpu_count="0.5"), {"model_name": "bert"}),
    }
    client = signed_in(admin)
    for model, (row, changed) in rows.items():
        url = f"/admin/dashboard/{model}/{row.pk}/change/"
        assert client.post(url, typed(client, url, **changed)).status_code == 302, model


def test_a_job_that_is_deleted_while_its_form_is_saved_stays_deleted(admin):
    doomed = make_job("2025-02-03 00:00", "2025-02-03 10:00")
    client, url = signed_in(admin), f"/admin/dashboard/job/{doomed.pk}/change/"
    form = typed(client, url, model_name="edited")
    with others() as start:
        with transaction.atomic():
            Job.objects.filter(pk=doomed.pk).delete()
            sent = start(client.post, url, form)
            sent.until_it_waits()
        answer = sent.result()
    assert (answer.status_code, Job.objects.count()) == (302, 0)


# Imports


def test_what_is_mapped_while_a_log_is_read_holds_for_its_jobs_too(admin):
    make_team("vision")
    speech = make_team("speech")
    load_rows(job("1"))
    hardware = {"partition": "accel", "raw_gpu_type": "a100", "provider": "AWS", "gpu_type": "A100-80GB"}

    def map_both() -> None:
        client = signed_in(admin)
        client.post("/mappings/", {"what": "hardware", "cluster": "fox"} | hardware)
        client.post(
            "/mappings/", {"what": "account", "cluster": "fox", "account": "vision", "team": str(speech.pk)}
        )

    def rows() -> Iterator[Any]:
        yield job("2")
        with others() as start:
            start(map_both).result()
        yield job("3")

    assert load_readings([Reading("log", rows())]).committed
    assert ClusterMapping.objects.count() == AccountMapping.objects.count() == 1
    said = Job.objects.values_list("external_id", "provider", "gpu_type", "team__name")
    assert sorted(said) == [(n, "AWS", "A100-80GB", "speech") for n in "123"]
    assert Team.objects.count() == 2
