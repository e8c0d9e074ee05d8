"""Finance ticks off a month's invoices in a real browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .loading import bill, load_rows
from .test_invoices import other, whole_month

PAGE = "/reconcile/?start=2025-03-01&end=2025-03-31"


@pytest.fixture
def march(as_of: Any, transactional_db: None) -> None:
    as_of("2025-04-10 12:00")
    load_rows(*whole_month(), other("12", "tax"), bill(1, "20", account="lab"))


def row(page: Page, account: str) -> Any:
    return page.locator("tbody", has=page.get_by_role("rowheader", name=account))


def type_in(page: Page, account: str, total: str) -> None:
    row(page, account).get_by_label("Invoice total in USD").fill(total)
    row(page, account).get_by_role("button", name="Save").click()


def walk(page: Page) -> None:
    expect(page.locator(".verdict")).to_contain_text("No invoice is typed in yet")
    type_in(page, "main", "31O.00")
    expect(row(page, "main").locator(".field-error")).to_contain_text("like 1,234.56")
    expect(row(page, "main").get_by_label("Invoice total in USD")).to_have_value("31O.00")

    type_in(page, "main", "310.00")
    expect(page.get_by_role("status")).to_contain_text("$310.00 is kept")
    expect(row(page, "main")).to_contain_text("The invoice seems not to include tax: $12.00")
    type_in(page, "main", "322")
    expect(page.get_by_role("status")).to_contain_text("$310.00 became $322.00")
    expect(page.locator(".verdict")).to_contain_text("1 of 1 invoice matches")

    page.goto(PAGE)
    expect(row(page, "main").locator(".status")).to_have_text("matches")
    row(page, "main").get_by_text("Change the invoice").click()
    expect(row(page, "main").get_by_label("Invoice total in USD")).to_have_value("322.00")
    expect(row(page, "lab").locator(".status")).to_have_text("no invoice")


def test_finance_types_in_a_total_and_sees_it_match_after_a_reload_too(march, browser_page, finance):
    walk(browser_page(finance, PAGE))


def test_totals_are_typed_in_without_javascript(march, browser, context, live_server, sign_in, finance):
    sign_in(finance)
    plain = browser.new_context(java_script_enabled=False, base_url=live_server.url)
    plain.add_cookies(context.cookies())
    page = plain.new_page()
    page.goto(PAGE)
    walk(page)
    plain.close()


def test_from_a_state_to_its_cells_and_from_a_day_to_its_hours(browser_page, finance, company):
    page = browser_page(finance, "/reconcile/?view=match&preset=mtd")
    page.locator("#states").get_by_role("link", name="Paid for and nobody ran").click()
    expect(page.locator("#rows h2")).to_have_text("Cells: Paid for and nobody ran")
    page.get_by_role("navigation", name="Reconciliation").get_by_role("link", name="Gaps").click()
    expect(page.locator("#gaps")).to_contain_text("12 Mar 2025: no cost row of GCP")
    page.get_by_role("link", name="12 Mar 2025: Neither cost nor metered hours").click()
    expect(page).to_have_url(re.compile(r"/usage/\?.*provider=GCP.*start=2025-03-12"))
    expect(page.locator("#rows tbody tr")).to_have_count(2)  # jobs ran that nobody metered or billed
