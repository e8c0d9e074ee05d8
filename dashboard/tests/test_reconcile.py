"""The page of the reconciliation: who types in invoices, what it says, and its files."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client

from dashboard.models import Invoice, NameAlias
from dashboard.reports.invoices import PARTS
from dashboard.views import typed_in

from .conftest import make_cost
from .downloads import rows_of
from .loading import bill, load_rows
from .test_invoices import make_invoice, other, whole_month

URL = "/reconcile/"
MARCH = {"start": "2025-03-01", "end": "2025-03-31"}
PAGE = f"{URL}?start=2025-03-01&end=2025-03-31"


@pytest.fixture
def client_of(client: Client) -> Any:
    def sign_in(user: Any) -> Client:
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def fiona(client_of: Any, finance: Any, as_of: Any) -> Client:
    as_of("2025-04-10 12:00")
    return client_of(finance)


def type_in(client: Client, total: str, **facts: str) -> Any:
    sent = {"provider": "AWS", "account": "main", "period_start": "2025-03-01", "total_usd": total}
    return client.post(PAGE, sent | {"number": "", "note": "", "was": ""} | facts)


def text(response: Any) -> str:
    return " ".join(unescape(response.content.decode()).split())


def words(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def history() -> list[str]:
    return list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))


def total() -> Decimal:
    return Invoice.objects.get().total_usd


# Typing in


def test_finance_types_in_a_total_and_sees_the_match(fiona):
    load_rows(*whole_month())
    response = type_in(fiona, "310.00", number=" INV-7 ")
    assert response.status_code == 302
    assert response.url.startswith(f"{PAGE}#bill-")
    assert words(response) == ["AWS, main, period from 1 Mar 2025: $310.00 is kept."]
    page = fiona.get(PAGE)
    assert "1 of 1 invoice matches" in text(page)
    assert [row["bill"].state for row in page.context["rows"]] == ["matches"]
    assert history() == ["invoice total in USD: none → 310; number: none → INV-7"]


def test_the_boxes_are_folded_where_nothing_is_to_be_done(fiona, as_of):
    load_rows(*whole_month(), other("12", "tax"), bill(1, "20", account="lab"))
    folded = "Change the invoice", "Type in the invoice"

    def counts() -> list[int]:
        return [text(fiona.get(PAGE)).count(words) for words in folded]

    assert counts() == [0, 0]
    type_in(fiona, "310.00")
    assert counts() == [0, 0]  # it differs
    type_in(fiona, "322.00", was="310.00")
    assert counts() == [1, 0]
    as_of("2025-03-31 12:00")
    assert counts() == [1, 1]  # the period of the other is not over


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("1,234.56", "1234.56"),
        ("1234.56", "1234.56"),
        (" $1,234.5 ", "1234.50"),
        ("1234.56 USD", "1234.56"),
        ("1,234,567", "1234567"),
        ("−25", "-25.00"),
        ("-$25.10", "-25.10"),
        ("$ 0", "0.00"),
        ("999999999999.99", "999999999999.99"),
    ],
)
def test_a_total_may_be_written_with_commas_a_sign_and_a_currency(fiona, typed, kept):
    load_rows(bill(1))
    assert type_in(fiona, typed).status_code == 302
    assert total() == Decimal(kept)


@pytest.mark.parametrize(
    ("typed", "objection"),
    [
        ("1.234,56", "like 1,234.56"),
        ("12,34", "like 1,234.56"),
        ("1 234.56", "like 1,234.56"),
        ("one thousand", "like 1,234.56"),
        ("1e5", "like 1,234.56"),
        ("NaN", "like 1,234.56"),
        ("(25.00)", "like 1,234.56"),
        ("EUR 5", "like 1,234.56"),
        ("١٢٣", "like 1,234.56"),
        ("12.345", "at most two digits after the point"),
        ("1234567890123", "at most 12 digits before the point"),
        ("", "Type in the total of the invoice."),
    ],
)
def test_an_odd_total_is_refused_in_words_and_nothing_typed_is_lost(fiona, typed, objection):
    load_rows(bill(1))
    response = type_in(fiona, typed, number="INV-7", note="second page")
    assert response.status_code == 200
    [row] = response.context["rows"]
    assert objection in row["form"].errors["total_usd"][0]
    assert (row["form"]["number"].value(), row["form"]["note"].value()) == ("INV-7", "second page")
    assert row["form"]["total_usd"].value() == typed
    assert not Invoice.objects.exists()
    assert f'id="{row["anchor"]}-total_usd_error"' in response.content.decode()


def test_a_changed_total_is_told_old_and_new(fiona):
    load_rows(*whole_month())
    make_invoice("300")
    response = type_in(fiona, "310", was="300.00", note="corrected")
    assert words(response) == ["AWS, main, period from 1 Mar 2025: $300.00 became $310.00."]
    assert history() == ["invoice total in USD: 300 → 310; note: none → corrected"]


def test_the_same_again_changes_nothing(fiona):
    make_invoice("300")
    assert words(type_in(fiona, "300", was="300.00")) == [
        "AWS, main, period from 1 Mar 2025: nothing was changed."
    ]
    assert history() == []


def test_an_emptied_total_takes_the_invoice_away_and_says_what_it_was(fiona):
    Invoice.objects.filter(pk=make_invoice("300").pk).update(number="INV-7", note="draft")
    assert words(type_in(fiona, " ", was="300.00", number="INV-7", note="draft")) == [
        "AWS, main, period from 1 Mar 2025: $300.00, number INV-7, note “draft” was removed. "
        "To have it back, type it in again."
    ]
    assert not Invoice.objects.exists()
    assert history() == [
        "provider: AWS → none; account: main → none; billing period: 2025-03-01 → none; "
        "total in USD: 300 → none; number: INV-7 → none; note: draft → none"
    ]


def test_nobody_overwrites_what_another_typed_in_meanwhile(fiona):
    load_rows(bill(1))
    make_invoice("300")
    response = type_in(fiona, "310", was="299.00")
    [row] = response.context["rows"]
    assert row["form"].errors["total_usd"] == [
        "Somebody typed in $300.00 meanwhile. Save again to put your total in its place."
    ]
    assert total() == 300
    assert type_in(fiona, "310", was=row["form"]["was"].value()).status_code == 302
    assert total() == 310


def test_two_who_type_in_the_same_invoice_at_once_get_words_and_one_row(fiona, monkeypatch):
    load_rows(bill(1))

    def find_none_yet(which: Any, names: Any) -> Invoice:
        monkeypatch.undo()
        return Invoice(**which.cleaned_data)

    make_invoice("300")
    monkeypatch.setattr(typed_in, "instance_of", find_none_yet)
    response = type_in(fiona, "310")
    assert "The total of this invoice is typed in already." in text(response)
    assert total() == 300


def test_a_total_meets_the_invoice_under_any_spelling(fiona):
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    make_invoice("300", provider="amazon", account="MAIN")
    assert type_in(fiona, "310", was="300.00").status_code == 302
    assert Invoice.objects.values_list("provider", "account", "total_usd").get() == (
        "amazon",
        "MAIN",
        Decimal("310.00"),
    )


def test_an_invoice_without_a_bill_is_typed_in_below_and_gets_a_row(fiona):
    make_cost("2025-03-01", "1.00")
    assert type_in(fiona, "99", provider=" Azure ", account="", period_start="2025-03").status_code == 302
    rows = fiona.get(PAGE).context["rows"]
    assert [(row["bill"].provider, row["bill"].state) for row in rows] == [
        ("AWS", "no_invoice"),
        ("Azure", "no_bill"),
    ]


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("period_start", "soon"),
        ("period_start", "0001-01-01"),
        ("period_start", "2525-01-01"),
        ("provider", ""),
        ("provider", "x" * 101),
        ("account", "y" * 256),
        ("account", "left\u202eright"),
    ],
)
def test_an_odd_name_or_period_is_told_in_the_form_below(fiona, field, sent):
    response = type_in(fiona, "99", **{field: sent})
    assert response.status_code == 200
    assert field in response.context["new"]["which"].errors
    assert response.context["new"]["open"]
    assert response.context["new"]["typed"]["total_usd"].value() == "99"
    assert not Invoice.objects.exists()


# Who may


def test_viewers_and_managers_see_figures_and_no_form(client_of, viewer, manager):
    load_rows(*whole_month())
    make_invoice("300")
    for user in (viewer, manager):
        page = client_of(user).get(PAGE)
        assert "$300.00" in text(page)
        assert 'method="post" class="typed' not in page.content.decode()
        assert type_in(client_of(user), "310", was="300.00").status_code == 403
    assert total() == 300


def test_an_admin_types_in_too_and_somebody_without_a_role_sees_nothing(
    client_of, admin, db, django_user_model
):
    assert type_in(client_of(admin), "310").status_code == 302
    nobody = django_user_model.objects.create_user("nobody")
    assert client_of(nobody).get(URL).status_code == 403
    assert type_in(client_of(nobody), "5").status_code == 403


def test_who_may_change_but_not_delete_keeps_the_invoice(client_of, viewer):
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["add_invoice", "change_invoice"]))
    make_invoice("300")
    assert type_in(client_of(viewer), "", was="300.00").status_code == 403
    assert type_in(client_of(viewer), "301", was="300.00").status_code == 302
    assert total() == 301


def test_a_total_needs_the_token_of_its_form(finance):
    client = Client(enforce_csrf_checks=True)
    client.force_login(finance)
    assert type_in(client, "310").status_code == 403


# What the page says


def test_the_verdict_names_matches_and_what_is_unexplained(fiona):
    load_rows(*whole_month(), other("12", "tax"), bill(1, "20", account="lab"), bill(1, "5", account="x"))
    make_invoice("310")
    make_invoice("20.00", account="lab")
    page = text(fiona.get(PAGE))
    assert (
        "1 of 2 invoices match</b>; the other is $12.00 off in all, <b>$0.00</b> of it unexplained." in page
    )
    assert "1 bill still waits for an invoice." in page
    assert 'The invoice seems not to include tax: <b class="nowrap">$12.00</b>' in page


def test_lines_of_days_outside_the_period_are_shown_as_such(fiona):
    load_rows(*whole_month(), other("-8", "credit", day_date=date(2025, 4, 2)))
    assert 'Of it on days outside the period, 2 Apr 2025: <b class="nowrap">−$8.00</b>' in text(
        fiona.get(PAGE)
    )


def test_invoices_are_billed_whatever_basis_the_pages_show(fiona):
    load_rows(bill(1, "10", effective="7"))
    page = fiona.get(PAGE)
    assert page.context["basis"] == "billed"
    assert page.context["rows"][0]["bill"].total == 10
    [row] = rows_of(fiona.get(URL, MARCH | {"_export": "csv"}))
    assert row["bill_usd"] == "10.00"


def test_the_gpu_part_leads_to_costs_that_add_up_to_it(fiona):
    load_rows(bill(1, "10.004", effective="7"), bill(2, "20.004", effective="7"), other("5"))
    [row] = fiona.get(PAGE).context["rows"]
    gpu = row["parts"][0]
    assert gpu["usd"] == fiona.get(gpu["url"]).context["total"] == Decimal("30.01")


def test_the_file_of_invoices_adds_up_to_the_page(fiona):
    load_rows(*whole_month(), other("12", "tax"), bill(1, "20", account="lab"))
    make_invoice("310")
    make_invoice("5", account="=old")
    page = fiona.get(PAGE).context["total"]
    rows = rows_of(fiona.get(URL, MARCH | {"_export": "csv"}))
    assert sum(Decimal(row["bill_usd"]) for row in rows) == page.billed == Decimal("342.00")
    assert sum(Decimal(row["invoice_usd"] or 0) for row in rows) == page.invoiced == Decimal("315.00")
    assert sum(Decimal(row["difference_usd"] or 0) for row in rows) == page.difference == Decimal("-7.00")
    for row in rows:
        assert sum(Decimal(row[f"{part}_usd"] or 0) for part in PARTS) == Decimal(row["bill_usd"])
    found = {row["account"]: row for row in rows}
    assert found["main"]["could_explain_it"] == "The invoice seems not to include tax: $12.00"
    assert found["'=old"]["state"] == "no bill"
    lab = found["lab"]
    assert (lab["tax_usd"], lab["invoice_usd"], lab["difference_usd"]) == ("", "", "")


def test_many_bills_are_paged_and_all_in_the_file(fiona):
    load_rows(*(bill(1, account=f"a{n:02}") for n in range(7)))
    seen, address = [], f"{PAGE}&per_page=3"
    while address:
        page = fiona.get(address)
        seen += [row["bill"].account for row in page.context["rows"]]
        older = (page.context["pages"] or {}).get("older_url")
        address = older and URL + older
    assert seen == [f"a{n:02}" for n in range(7)]
    assert len(rows_of(fiona.get(URL, MARCH | {"_export": "csv", "per_page": "3"}))) == 7


# The admin


def test_the_admin_refuses_a_second_total_under_an_alias(client_of, admin):
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    make_invoice("300")
    sent = {"provider": "Amazon", "account": "main", "period_start": "2025-03-01", "total_usd": "1,234.56"}
    add = "/admin/dashboard/invoice/add/"
    response = client_of(admin).post(add, sent | {"number": "", "note": ""})
    assert "typed in already" in text(response)
    assert client_of(admin).post(add, sent | {"provider": "GCP", "number": "", "note": ""}).status_code == 302
    assert Invoice.objects.get(provider="GCP").total_usd == Decimal("1234.56")


def test_the_admin_keeps_the_history_of_an_invoice(client_of, admin):
    invoice = make_invoice("300")
    sent = {"provider": "AWS", "account": "main", "period_start": "2025-03-01", "total_usd": "$310.00"}
    url = f"/admin/dashboard/invoice/{invoice.pk}/change/"
    assert "300.00" in text(client_of(admin).get(url))
    assert client_of(admin).post(url, sent | {"number": "", "note": ""}).status_code == 302
    assert history() == ["total in USD: 300 → 310"]
    assert client_of(admin).get("/admin/dashboard/invoice/").status_code == 200
