"""An admin walks a month: import, anomaly, note, close, late refund, restatement, statement, journal."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from dashboard.models import ClosedLine, CostSnapshot, UsageSnapshot

from .conftest import make_job
from .test_browser_roles import send

MARCH = "/closing/2025/3/"
SPIKE = date(2025, 3, 12)
LAST_DAYS = (
    "date,provider,gpu_type,cost_usd\n2025-04-01,AWS,A100-80GB,100.00\n2025-04-02,AWS,A100-80GB,100.00\n"
)
REFUND = "date,provider,gpu_type,cost_usd\n2025-03-20,AWS,L4,-50.00\n"


@pytest.fixture
def weeks(db: None, as_of: Any) -> None:
    """$100 a day for 10 metered hours, 6 January to 31 March, $300 on 12 March; a job of 5 hours each day."""
    as_of("2025-04-04 12:00")
    for n in range(85):
        day = date(2025, 1, 6) + timedelta(n)
        usd = Decimal(300 if day == SPIKE else 100)
        CostSnapshot.objects.create(date=day, provider="AWS", gpu_type="A100-80GB", cost_usd=usd)
        UsageSnapshot.objects.create(date=day, provider="AWS", gpu_type="A100-80GB", gpu_hours=Decimal(10))
        make_job(f"{day} 00:00", f"{day} 05:00")


def test_a_month_is_walked_from_its_import_to_its_journal(weeks: None, admin: Any, browser_page: Any) -> None:
    """31 days are $3,300: half of it is vision's, and the other half stood idle."""
    page = browser_page(admin, "/imports/")
    send(page, LAST_DAYS)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Imported: march.csv.")).to_be_visible()

    page.goto("/anomalies/")
    expect(page.locator("#rows")).to_contain_text("12 Mar 2025")
    page.get_by_text("Leave a note", exact=True).click()
    form = page.get_by_role("form", name="Leave a note")
    form.get_by_label("Day").fill("2025-03-12")
    form.get_by_label("Note").fill("A load test")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Your note on 12 Mar 2025 is kept.")

    page.goto(MARCH)
    page.get_by_role("button", name="Close March 2025").click()
    expect(page.get_by_role("heading", name="March 2025 is closed")).to_be_visible()
    expect(page.get_by_role("region", name="By team")).to_contain_text("$1,650.00")

    page.goto("/imports/")
    send(page, REFUND)
    page.get_by_role("button", name="Import", exact=True).click()
    page.goto(MARCH)
    expect(page.get_by_role("alert").or_(page.locator(".alert")).first).to_contain_text("−$50.00")
    expect(page.locator("#restated")).to_contain_text("(unallocated)")
    expect(page.locator("#restated")).to_contain_text("imported")

    team = ClosedLine.objects.filter(team_name="vision").values_list("team", flat=True)[0]
    page.goto(f"/teams/{team}/statement/?month=2025-03")
    expect(page.locator("#closed")).to_contain_text("$1,650.00")
    page.get_by_role("link", name="As it is now").click()
    expect(page.locator(".alert").first).to_contain_text("March 2025 is closed")
    page.get_by_role("link", name="closed statement").click()
    page.emulate_media(media="print")
    expect(page.locator("#closed")).to_be_visible()
    expect(page.get_by_role("button", name="Show")).to_be_hidden()
    page.emulate_media(media="screen")

    page.goto(MARCH)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV of the journal").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text("utf-8-sig").splitlines()))
    amounts = {row["team"]: Decimal(row["amount_usd"]) for row in rows}
    assert amounts == {"vision": Decimal("1650.00"), "(idle)": Decimal("1650.00")}
