"""A person leaves a note on a day, sees it on the chart, and dismisses an anomaly with a reason."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import expect

from dashboard.models import CostSnapshot, DayNote

SPIKE = date(2025, 3, 12)


@pytest.fixture
def weeks(db: None, as_of: Any) -> None:
    as_of("2025-04-01 12:00")
    for n in range(84):
        day = date(2025, 1, 6) + timedelta(n)
        usd = Decimal(300 if day == SPIKE else 100)
        CostSnapshot.objects.create(date=day, provider="AWS", gpu_type="A100-80GB", cost_usd=usd)


def test_a_note_is_left_and_an_anomaly_dismissed(weeks: None, finance: Any, browser_page: Any) -> None:
    page = browser_page(finance, "/anomalies/")
    page.get_by_text("Leave a note", exact=True).click()
    form = page.get_by_role("form", name="Leave a note")
    form.get_by_label("Day").fill("2025-03-12")
    form.get_by_label("Note").fill("A load test")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Your note on 12 Mar 2025 is kept.")
    page.locator("#rows summary").first.click()
    page.get_by_label("Reason").fill("A load test of ours")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text("Dismissed (1)")).to_be_visible()
    page.goto("/costs/?start=2025-03-01&end=2025-03-31")
    page.locator("details.numbers > summary").first.click()
    expect(page.get_by_role("rowheader", name="2025-03-12 A load test")).to_be_visible()


DRAWN = """() => {
    window.drawn = [];
    const draw = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
        window.drawn.push(text);
        return draw.call(this, text, ...place);
    };
}"""


def test_several_notes_on_one_day_have_their_numbers_in_one_box(
    weeks: None, finance: Any, browser_page: Any
) -> None:
    for day, text in ((3, "A release"), (12, "A load test"), (12, "And another"), (12, "And a third")):
        DayNote.objects.create(day=f"2025-03-{day:02}", text=text)
    page = browser_page(finance, "/costs/?start=2025-03-01&end=2025-03-31")
    expect(page.locator(".chart-marks li")).to_have_count(4)
    page.evaluate(DRAWN)
    page.locator(".chart-legend button").first.click()
    numbers = [text for text in page.evaluate("window.drawn") if text[0].isdigit() and " " not in text]
    assert numbers == ["1", "2\u20134"]
