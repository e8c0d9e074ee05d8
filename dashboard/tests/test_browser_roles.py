"""Each role walks its day in a real browser, from the login form to a figure, a file or a refusal."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dashboard.models import Job, Team
from dashboard.templatetags import ui

from .conftest import make_job

pytestmark = pytest.mark.usefixtures("company")


@pytest.fixture
def signed_in(page: Page) -> Any:
    """`signed_in(user, "/costs/")` walks through the login form, as people do."""

    def walk(user: Any, path: str = "/") -> Page:
        page.goto(path)
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.get_by_label("Username").fill(user.username)
        page.get_by_label("Password").fill("correct horse")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("button", name="Sign in")).to_have_count(0)
        return page

    return walk


def bar(page: Page, chart: str, series: str, label: str) -> dict[str, Any]:
    """Where on its canvas a bar is drawn, and its amount, by Chart.js' own account."""
    return page.evaluate(
        """([id, series, label]) => {
            const chart = Chart.getChart(id);
            const set = chart.data.datasets.findIndex((one) => one.label === series);
            const place = chart.data.labels.indexOf(label);
            const { x, y } = chart.getDatasetMeta(set).data[place].getCenterPoint();
            return { position: { x, y }, amount: chart.data.datasets[set].data[place] };
        }""",
        [chart, series, label],
    )


def legend(page: Page, chart: str) -> Any:
    return page.locator(f"[data-legend={chart}] button")


def tile(page: Page, label: str) -> Any:
    return page.locator(".tile", has=page.get_by_text(label, exact=True)).locator(".tile-value")


def choose(page: Page, field: str, *values: str) -> None:
    """Opens a filter, ticks values, and closes it, which applies them."""
    box = page.get_by_role("group", name=field, exact=True).first
    box.locator("summary").click()
    for value in values:
        box.get_by_label(value, exact=True).check()
    page.keyboard.press("Escape")


def downloaded(page: Page, link: str) -> tuple[str, list[dict[str, str]]]:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=link).click()
    with open(waiting.value.path(), encoding="utf-8-sig", newline="") as file:
        return waiting.value.suggested_filename, list(csv.DictReader(file))


def test_finance_changes_range_and_grouping_and_follows_a_bar_to_its_rows(signed_in, finance):
    page = signed_in(finance, "/costs/")
    expect(legend(page, "spend")).to_have_text(["AWS", "GCP", "Lambda", "Azure"])

    page.get_by_label("Range", exact=True).select_option("mtd")
    expect(page).to_have_url(re.compile("preset=mtd"))
    expect(page.locator(".chips-span")).to_contain_text("1–31 Mar 2025")

    page.wait_for_load_state()
    page.get_by_label("Grouped by").select_option("gpu_type")
    expect(page).to_have_url(re.compile("group_by=gpu_type"))
    expect(legend(page, "spend").first).to_have_text("H100-80GB")
    expect(legend(page, "spend").last).to_have_text("Other (4)")
    expect(page).to_have_url(re.compile("preset=mtd"))

    other = bar(page, "spend", "Other (4)", "2025-03-11")
    assert other["amount"] == 25  # A10, T4, RTX A6000 and the credits of another day
    page.locator("#spend").click(position=other["position"])
    expect(tile(page, "Net")).to_have_text("$25.00")
    expect(page.locator("#rows tbody tr")).to_have_count(3)
    page.go_back()

    a100 = bar(page, "spend", "A100-40GB", "2025-03-11")
    assert a100["amount"] == 150
    page.locator("#spend").click(position=a100["position"])
    expect(page).to_have_url(re.compile("start=2025-03-11"))
    expect(tile(page, "Net")).to_have_text("$150.00")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    expect(page.get_by_role("row", name="2025-03-11 GCP A100-40GB $150.00")).to_be_visible()
    expect(page.get_by_label("Active filters")).to_contain_text("GPU type: A100-40GB")


def test_after_the_way_back_the_filters_say_what_the_figures_are_of(browser_page, finance):
    page = browser_page(finance, "/costs/")
    asked = page.get_by_label("Range", exact=True)
    before = asked.input_value()
    asked.select_option("mtd")
    expect(page).to_have_url(re.compile("preset=mtd"))
    page.wait_for_load_state()
    choose(page, "Provider", "AWS")
    expect(page).to_have_url(re.compile("provider=AWS"))
    page.go_back()
    expect(page).not_to_have_url(re.compile("provider=AWS"))
    expect(page.get_by_label("AWS", exact=True).first).not_to_be_checked()
    page.go_back()
    expect(page).not_to_have_url(re.compile("preset=mtd"))
    expect(asked).to_have_value(before)


def test_a_range_is_chosen_with_the_keys(browser_page, finance):
    page = browser_page(finance, "/costs/?preset=last7")
    asked = page.get_by_label("Range", exact=True)
    asked.focus()
    asked.press("ArrowDown")
    asked.press("ArrowDown")
    chosen = asked.input_value()
    assert chosen not in ("", "last7")
    page.evaluate("window.stayed = true")
    page.wait_for_timeout(300)
    assert page.evaluate("window.stayed"), "no step has sent the form"
    asked.press("Enter")
    expect(page).to_have_url(re.compile(f"preset={chosen}"))
    page.wait_for_load_state()
    asked.focus()
    asked.press("ArrowUp")
    before = asked.input_value()
    asked.press("Tab")
    expect(page).to_have_url(re.compile(f"preset={before}"))


def test_the_bar_of_a_provider_leads_to_rows_that_add_up_to_it(browser_page, finance):
    page = browser_page(finance, "/?preset=mtd")
    aws = bar(page, "spend", "AWS", "2025-03-11")
    assert aws["amount"] == 720
    page.locator("#spend").click(position=aws["position"])
    expect(page).to_have_url(re.compile(r"/costs/.*start=2025-03-11"))
    expect(page.locator("#rows > .note")).to_contain_text("Their sum is $720.00")
    amounts = page.locator("#rows tbody td.num").all_inner_texts()
    assert sum(Decimal(text.lstrip("$")) for text in amounts) == 720


def test_a_series_is_taken_out_of_the_chart_by_its_name_in_the_legend(browser_page, finance):
    page = browser_page(finance, "/costs/")
    aws = page.get_by_role("button", name="AWS")
    expect(aws).to_have_attribute("aria-pressed", "true")
    aws.click()
    expect(aws).to_have_attribute("aria-pressed", "false")
    assert not page.evaluate("Chart.getChart('spend').isDatasetVisible(0)")


def test_a_manager_downloads_costs_that_add_up_to_the_page(signed_in, manager):
    page = signed_in(manager, "/costs/?preset=mtd")
    choose(page, "Provider", "AWS")
    expect(page).to_have_url(re.compile("provider=AWS"))
    expect(tile(page, "Net")).to_have_text("$21,600.00")
    name, rows = downloaded(page, "Download CSV")
    assert name == "heliox_costs_2025-03-01_2025-03-31_Provider-AWS_effective_UTC.csv"
    assert sum(Decimal(row["cost_usd"]) for row in rows) == 21600
    assert len(rows) == 90


def test_free_dates_are_chosen_and_kept(browser_page, manager):
    page = browser_page(manager, "/costs/")
    expect(page.get_by_label("From")).to_be_hidden()
    page.get_by_label("Range", exact=True).select_option(label="Free dates")
    page.get_by_label("From").fill("2025-03-01")
    page.get_by_label("To", exact=True).fill("2025-03-20")
    page.get_by_role("button", name="Apply").click()
    choose(page, "Provider", "AWS")
    expect(page).to_have_url(re.compile("start=2025-03-01&end=2025-03-20&provider=AWS"))
    expect(page.get_by_label("Range", exact=True)).to_have_value("")
    page.get_by_label("Range", exact=True).select_option("last7")
    expect(page).to_have_url(re.compile(r"preset=last7&provider=AWS"))


def test_a_manager_downloads_jobs_whose_hours_add_up_to_the_page(signed_in, manager):
    page = signed_in(manager, "/jobs/?start=2025-03-01&end=2025-03-20")
    choose(page, "Provider", "AWS")
    expect(page).to_have_url(re.compile("provider=AWS"))
    name, rows = downloaded(page, "Download CSV")
    assert name.startswith("heliox_jobs_2025-03-01_2025-03-20_Provider-AWS")
    assert {row["provider"] for row in rows} == {"AWS"}
    hours = sum(Decimal(row["job_gpu_hours"]) for row in rows)
    expect(page.locator("main")).to_contain_text(f"{len(rows)} jobs, {ui.hours(hours)} job GPU-hours")


def test_a_viewer_sees_figures_and_gets_no_file(signed_in, viewer, complaints):
    page = signed_in(viewer)
    for path in ("/", "/costs/", "/usage/", "/jobs/", "/teams/"):
        page.goto(path)
        expect(page.locator("table.grid").first).to_be_attached()
        expect(page.get_by_role("link", name=re.compile("Download"))).to_have_count(0)
    expect(page.get_by_role("link", name="Admin", exact=True)).to_have_count(0)
    page.goto("/costs/?_export=csv")
    expect(page.get_by_role("heading", name="Not for this account")).to_be_visible()
    page.get_by_role("link", name="To the overview").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert len(complaints) == 1  # of Chromium itself, on the refusal
    assert "403" in complaints.pop()


def test_an_engineer_finds_a_job_and_comes_back_to_the_list_as_it_was(signed_in, viewer):
    job = make_job("2025-03-05 08:00", "2025-03-05 20:30", model_name="Llama-Searcher", gpu_count=4)
    page = signed_in(viewer, "/jobs/?status=completed")
    search = page.get_by_label("Search", exact=True)
    search.fill("llama")
    search.press("Enter")
    expect(page).to_have_url(re.compile("status=completed.*q=llama"))
    found = page.url
    page.get_by_role("link", name="Llama-Searcher").click()
    expect(page).to_have_url(re.compile(str(job.pk)))
    expect(page.get_by_role("heading", level=1)).to_have_text("Llama-Searcher")
    expect(tile(page, "Job GPU-hours")).to_have_text("50.0 h")
    page.go_back()
    expect(page).to_have_url(found)
    expect(search).to_have_value("llama")
    expect(page.get_by_label("Active filters")).to_contain_text("Status: completed")


def test_an_engineer_sorts_the_list_and_turns_its_pages(browser_page, viewer):
    page = browser_page(viewer, "/jobs/?per_page=25")
    page.get_by_role("link", name="GPU-hours", exact=True).click()
    expect(page).to_have_url(re.compile("sort=-?gpu_hours"))
    column = page.get_by_role("columnheader", name="GPU-hours")
    expect(column).to_have_attribute("aria-sort", re.compile("ascending|descending"))

    def first_model() -> str:
        return page.locator("#rows tbody tr").first.locator("a").first.get_attribute("href") or ""

    first = first_model()
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(re.compile(r"sort=.*after="))
    assert first_model() != first
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#rows tbody tr")).to_have_count(10)
    expect(page.get_by_role("link", name="Next")).to_have_count(0)
    page.get_by_role("link", name="Previous").click()
    page.get_by_role("link", name="Previous").click()
    expect(page.locator("#rows tbody tr")).to_have_count(25)
    assert first_model() == first
    expect(page).to_have_url(re.compile("sort="))


def set_time(page: Page, field: str, day: str, time: str) -> None:
    page.get_by_label(f"{field}: date").fill(day)
    page.get_by_label(f"{field}: time").fill(time)


def test_an_admin_adds_a_team_and_a_job(signed_in, admin):
    page = signed_in(admin)
    page.get_by_role("link", name="Admin", exact=True).first.click()
    page.get_by_role("main").get_by_role("link", name="Teams", exact=True).click()
    page.get_by_role("link", name="Add team").click()
    page.get_by_label("Name").fill("robotics")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("robotics")

    page.goto("/admin/dashboard/job/add/")
    page.get_by_role("combobox", name="Team").click()
    page.locator(".select2-search__field").fill("robo")
    page.get_by_role("option", name="robotics").click()
    page.get_by_label("Model name").fill("walker")
    page.get_by_label("Status").fill("completed")
    page.get_by_label("Provider").fill("AWS")
    page.get_by_label("Gpu type").fill("L4")
    set_time(page, "Start time", "2025-03-30", "12:00:00")
    set_time(page, "End time", "2025-03-30", "11:00:00")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist")).to_have_text("The job cannot end before it starts.")
    assert not Job.objects.filter(model_name="walker").exists()

    set_time(page, "End time", "2025-03-30", "13:30:00")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("walker")
    page.goto("/jobs/?q=walker")
    row = page.locator("#rows tbody tr")
    expect(row).to_contain_text("robotics")
    expect(row).to_contain_text("1:30:00")


JOBS = """job_id,team,model_name,gpu_type,provider,start_time,end_time,status
a1,robotics,walker,L4,AWS,2025-03-30T08:00:00Z,2025-03-30T10:00:00Z,completed
a2,robotics,walker,L4,AWS,2025-03-30T12:00:00Z,{end},completed
"""


def send(page: Page, text: str) -> None:
    page.get_by_label("Files").set_input_files(
        {"name": "march.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    page.get_by_role("button", name="Look at what they would change").click()


def test_an_admin_imports_a_file_with_one_bad_line_mends_it_and_undoes_it(signed_in, admin):
    page = signed_in(admin)
    page.get_by_role("link", name="Imports").first.click()
    send(page, JOBS.format(end="2025-03-30T11:00:00Z"))
    expect(page.get_by_role("alert")).to_contain_text("nothing was written")
    refused = page.get_by_role("region", name="Refused rows").locator("tbody tr")
    expect(refused).to_have_count(1)
    expect(refused.locator("td")).to_have_text(["3", "end_time", "2025-03-30T11:00:00Z", re.compile("start")])
    expect(page.get_by_role("button", name="Import", exact=True)).to_have_count(0)
    assert not Job.objects.filter(model_name="walker").exists()

    page.get_by_role("button", name="Cancel").click()
    send(page, JOBS.format(end="2025-03-30T14:00:00Z"))
    expect(page.get_by_text("This is a dry run: 3 changes would be written")).to_be_visible()
    assert not Job.objects.filter(model_name="walker").exists()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Imported: march.csv.")).to_be_visible()

    page.goto("/jobs/?q=walker")
    expect(page.locator("main")).to_contain_text("2 jobs, 4.0 h job GPU-hours")
    page.goto("/imports/")
    history = page.get_by_role("region", name="History of imports").locator("tbody tr")
    expect(history).to_have_count(1)
    expect(history).to_contain_text("march.csv")
    history.get_by_role("link").click()
    page.get_by_role("link", name="Undo…").click()
    page.get_by_role("button", name="Undo the import").click()
    expect(page.get_by_text("every table is as it was before")).to_be_visible()
    assert not Job.objects.filter(model_name="walker").exists()
    assert not Team.objects.filter(name="robotics").exists()
