"""Typing in what no bill tells: the words beside each field, the history, and who may."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry

from dashboard.models import Commitment, ImportRun, PeriodEntry, Rate

from .administration import errors_of
from .conftest import at, make_cost
from .contracts import FOX, make_commitment, make_entry, per_hour, per_month
from .downloads import rows_of

pytestmark = pytest.mark.django_db
ENTRIES, RATES, COMMITMENTS = (f"/admin/dashboard/{name}/" for name in ("periodentry", "rate", "commitment"))


def entry_form(**changes: str) -> dict[str, str]:
    return {
        "provider": "AWS",
        "gpu_type": "A100-80GB",
        "first_day": "2025-03-01",
        "last_day": "2025-03-31",
        "cost_usd": "$3,100.00",
        "gpu_hours": "",
        "note": "",
    } | changes


def rate_form(**changes: str) -> dict[str, str]:
    return {
        "provider": "fox",
        "gpu_type": "A100-80GB",
        "first_day": "2025-03-01",
        "last_day": "",
        "per": "gpu_month",
        "usd": "1000",
        "gpus": "128",
        "note": "",
    } | changes


def test_who_types_in_a_total_of_billed_days_is_told(admin_client):
    for day in ("2025-02-28", "2025-03-01", "2025-03-31", "2025-04-01"):
        make_cost(day, "100.00")
    make_cost("2025-03-05", "100.00", provider="GCP")
    said = admin_client.post(f"{ENTRIES}add/", entry_form(provider=" aws"), follow=True).content.decode()
    assert "2 of its days have a bill of the same GPUs, and both count." in said
    said = admin_client.post(f"{ENTRIES}add/", entry_form(gpu_type="H100"), follow=True).content.decode()
    assert "have a bill" not in said and PeriodEntry.objects.count() == 2


def test_a_total_of_a_period_is_typed_in_and_changed(admin_client):
    admin_client.post(f"{ENTRIES}add/", entry_form(provider="  AWS ", gpu_type="A100-80GB "))
    entry = PeriodEntry.objects.get()
    assert (entry.provider, entry.gpu_type, entry.cost_usd) == ("AWS", "A100-80GB", Decimal("3100.00"))
    assert (entry.last_day, entry.gpu_hours, entry.imported_by) == (date(2025, 3, 31), None, None)
    admin_client.post(f"{ENTRIES}{entry.pk}/change/", entry_form(cost_usd="3200", gpu_hours="744"))
    said = LogEntry.objects.latest("pk").get_change_message()
    assert said == "cost in USD: 3100 → 3200; metered GPU-hours: none → 744"


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"last_day": "2025-02-28"}, "last_day", "lies before the first"),
        ({"first_day": "0001-01-01"}, "first_day", "from 2000 to 2099"),
        ({"last_day": "2100-01-01"}, "last_day", "from 2000 to 2099"),
        ({"cost_usd": "1.234"}, "cost_usd", "whole cents"),
        ({"cost_usd": ""}, "cost_usd", "required"),
        ({"gpu_hours": "-1"}, "gpu_hours", "never negative"),
        ({"provider": "A\u202eWS"}, "provider", "text direction"),
        ({"provider": "aws", "gpu_type": "a100-80gb"}, "first_day", "typed in already"),
    ],
)
def test_a_total_that_cannot_be_is_refused_beside_its_field(admin_client, changes, field, words):
    make_entry("2025-03-01", "2025-03-31", "1")
    form = entry_form(gpu_type="H100-80GB") | changes
    response = admin_client.post(f"{ENTRIES}add/", form)
    assert any(words in error for error in errors_of(response, field))
    assert PeriodEntry.objects.count() == 1


def test_an_imported_total_that_a_person_changes_is_that_persons(admin_client):
    run = ImportRun.objects.create(format="periods", files=[], written_at=at("2025-04-01 00:00"))
    entry = make_entry("2025-03-01", "2025-03-31", "1", imported_by=run)
    assert f"import {run.pk}" in admin_client.get(ENTRIES).content.decode()
    admin_client.post(f"{ENTRIES}{entry.pk}/change/", entry_form(cost_usd="2"))
    entry.refresh_from_db()
    assert (entry.cost_usd, entry.imported_by) == (2, None)


def test_prices_are_typed_in(admin_client):
    admin_client.post(f"{RATES}add/", rate_form(usd="$1,000"))
    admin_client.post(f"{RATES}add/", rate_form(per="gpu_hour", usd="1.5", gpus=""))
    text = admin_client.get(RATES).content.decode()
    assert Rate.objects.count() == 2
    assert "$1,000.00 per GPU and month" in text and "$1.50 per GPU-hour" in text
    rate = Rate.objects.get(per="gpu_month")
    page = admin_client.get(f"{RATES}{rate.pk}/change/")
    assert str(page.context["adminform"].form["usd"].value()) == "1000"
    admin_client.post(f"{RATES}{rate.pk}/change/", rate_form(note="new"))
    assert LogEntry.objects.latest("pk").get_change_message() == "note: none → new"


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"gpus": ""}, "gpus", "how many GPUs"),
        ({"per": "gpu_hour"}, "gpus", "Leave this empty"),
        ({"gpus": "0"}, "gpus", "more than 0 GPUs"),
        ({"usd": "-1"}, "usd", "not negative"),
        ({"usd": "0.1234567"}, "usd", "at most 6 digits after the point"),
        ({"usd": "10,00"}, "usd", "like 1,234.56"),
        ({"per": ""}, "per", "required"),
        ({"last_day": "2025-02-28"}, "last_day", "lies before the first"),
        (
            {"provider": "Fox", "first_day": "2024-01-01"},
            "first_day",
            "Another rate covers some of these days",
        ),
    ],
)
def test_a_price_that_cannot_be_is_refused_beside_its_field(admin_client, changes, field, words):
    per_month("900", "128", "2024-12-01", "2025-02-28")
    response = admin_client.post(f"{RATES}add/", rate_form(**changes))
    assert any(words in error for error in errors_of(response, field))
    assert Rate.objects.count() == 1


def test_a_monthly_and_an_hourly_price_may_stand_side_by_side(admin_client):
    per_month("900", "128", "2025-03-01")
    admin_client.post(f"{RATES}add/", rate_form(per="gpu_hour", usd="1.5", gpus=""))
    assert Rate.objects.count() == 2


def test_contracts_are_typed_in(admin_client):
    form = rate_form(gpus="64", last_day="2025-12-31")
    admin_client.post(f"{COMMITMENTS}add/", form)
    assert str(Commitment.objects.get()) == "64 × fox A100-80GB to 2025-12-31"
    wrong = admin_client.post(f"{COMMITMENTS}add/", form | {"last_day": "2024-12-31"})
    assert errors_of(wrong, "last_day") == ["The last day lies before the first."]


@pytest.mark.parametrize("url", [ENTRIES, RATES, COMMITMENTS])
def test_names_of_bills_are_suggested_and_lists_can_be_narrowed(admin_client, url):
    make_cost("2025-03-01", "1", provider="Lambda", gpu_type="GH200")
    make_entry("2025-03-01", "2025-03-31", "1", **FOX)
    per_hour("1.5", "2025-01-01")
    make_commitment("8", "2025-01-01", "2025-12-31", **FOX)
    form = admin_client.get(f"{url}add/").content.decode()
    assert '<option value="Lambda">' in form and '<option value="GH200">' in form
    assert "fox" in admin_client.get(url, {"provider": "fox", "q": "fox"}).content.decode()
    assert admin_client.get(url, {"provider": "Lambda"}).context["cl"].result_count == 0


def test_the_file_of_period_entries_is_that_of_their_list(admin_client):
    make_entry("2025-03-01", "2025-03-31", "310", "744", note="=SUM(A1)")
    make_entry("2025-03-01", "2025-03-31", "31", **FOX)
    tools = admin_client.get(ENTRIES, {"provider": "fox"}).context["tools"]
    links = {tool["label"]: tool["url"] for tool in tools}
    assert set(links) == {"Show on its page", "Download CSV", "Import files"}
    [row] = rows_of(admin_client.get(links["Download CSV"]))
    assert (row["provider"], row["cost_usd"]) == ("fox", "31.00")
    assert [tool["label"] for tool in admin_client.get(RATES).context["tools"]] == ["Show on its page"]


@pytest.mark.parametrize("url", [ENTRIES, RATES, COMMITMENTS])
def test_finance_looks_at_contracts_on_their_page_and_not_in_the_admin(client, finance, url):
    client.force_login(finance)
    assert client.get(url).status_code == 302
    assert client.post(f"{url}add/", rate_form()).status_code == 302
    assert not Rate.objects.exists()
    assert finance.has_perm("dashboard.view_rate") and not finance.has_perm("dashboard.change_rate")
