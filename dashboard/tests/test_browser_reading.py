"""Pages as people read them: on a phone, in the dark, on paper, by the keyboard, without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from dashboard.models import CostSnapshot, DayNote, Job, Team, UsageSnapshot

from .browser import watch

PAGES = {
    "overview": "/",
    "costs": "/costs/",
    "allocation": "/allocation/?then_by=provider",
    "statement": "/teams/{team}/statement/",
    "usage": "/usage/",
    "unit prices": "/unit-prices/",
    "bridge": "/bridge/",
    "contracts": "/contracts/",
    "reconciliation": "/reconcile/",
    "match": "/reconcile/?view=match",
    "gaps": "/reconcile/?view=gaps",
    "jobs": "/jobs/",
    "job": "/jobs/{job}/",
    "running": "/jobs/running/",
    "waste": "/waste/",
    "anomalies": "/anomalies/",
    "forecast": "/forecast/",
    "budgets": "/budgets/",
    "closing": "/closing/2025/2/",
    "teams": "/teams/",
    "team": "/teams/{team}/",
    "help": "/help/",
    "mappings": "/mappings/",
    "imports": "/imports/",
    "password change": "/accounts/password_change/",
    "admin": "/admin/",
    "admin list": "/admin/dashboard/job/",
    "admin form": "/admin/dashboard/job/{job}/change/",
    "admin deletion": "/admin/dashboard/team/{team}/delete/",
}
WITH_CHARTS = [
    "/",
    "/costs/",
    "/allocation/",
    "/usage/",
    "/unit-prices/",
    "/bridge/",
    "/waste/",
    "/forecast/",
    "/teams/",
]
PHONE = {"width": 390, "height": 844}
TOO_WIDE = """() => {
    const width = document.documentElement.clientWidth;
    return document.documentElement.scrollWidth > width
        ? [...document.querySelectorAll("body *")]
            .filter((one) => one.getBoundingClientRect().right > width + 1)
            .map((one) => one.outerHTML.slice(0, 120))
            .slice(0, 5)
        : [];
}"""


@pytest.fixture
def no_scripts(browser: Browser, browser_context_args: dict, live_server: Any, complaints: list) -> Iterator:
    """A page of a browser that runs no script."""
    context = browser.new_context(**browser_context_args, java_script_enabled=False)
    page = context.new_page()
    watch(page, complaints)
    yield page
    context.close()
    assert not complaints


def sign_in_by_hand(page: Page, name: str) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()


def test_no_page_is_wider_than_a_phone(page, sign_in, company, admin):
    sign_in(admin)
    page.set_viewport_size(PHONE)
    keys = {"job": Job.objects.newest_first().first().pk, "team": Team.objects.first().pk}
    wide = {}
    for name, path in PAGES.items():
        page.goto(path.format(**keys))
        if parts := page.evaluate(TOO_WIDE):
            wide[name] = parts
    assert wide == {}


def test_the_chosen_theme_stays(browser_page, company, viewer):
    page = browser_page(viewer, "/costs/?preset=last7")
    page.locator(".account summary").click()
    page.get_by_role("button", name="Dark").click()
    expect(page).to_have_url(re.compile(r"/costs/\?preset=last7"))
    root = page.locator("html")
    expect(root).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-bs-theme", "dark")
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(16, 21, 27)"
    page.emulate_media(media="print")
    assert page.evaluate(background) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("path", WITH_CHARTS)
def test_paper_has_the_numbers_and_no_controls(browser_page, company, manager, path):
    page = browser_page(manager, path)
    page.emulate_media(media="print")
    for control in (".topbar nav", ".filters", ".account", ".exports", ".pages .actions"):
        for one in page.locator(control).all():
            expect(one).to_be_hidden()
    numbers = page.locator("figure .numbers table")
    assert numbers.count() >= 1
    for table in numbers.all():
        expect(table).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/waste/", "This table as a file"),
        ("/allocation/", "Statement"),
        ("/", "All running jobs"),
        ("/reconcile/?view=match", "Show"),
        ("/closing/2025/2/", "All months"),
    ],
)
def test_paper_has_no_words_that_only_lead_elsewhere(browser_page, company, manager, path, words):
    there = browser_page(manager, path).locator("main").get_by_text(words).filter(visible=True)
    assert there.count()
    there.page.emulate_media(media="print")
    expect(there).to_have_count(0)


def test_a_chart_on_wide_paper_is_as_wide_as_its_box_and_has_its_size_again_afterwards(
    browser_page, company, manager
):
    page = browser_page(manager, "/costs/")
    chart = page.locator(".chart-box canvas").first
    sizes = "(one) => [one.clientWidth, one.clientHeight, one.parentElement.clientWidth]"
    before = chart.evaluate(sizes)
    page.emulate_media(media="print")
    width, height, room = chart.evaluate(sizes)
    assert width == room
    assert height < width
    page.emulate_media(media="screen")
    of_before = "([one, height]) => one.clientHeight === height"
    page.wait_for_function(of_before, arg=[chart.element_handle(), before[1]])
    assert chart.evaluate(sizes) == before


@pytest.mark.parametrize("path", ["/costs/", "/usage/?bucket=month", "/allocation/", "/"])
def test_a_long_note_does_not_run_the_numbers_off_the_paper(browser_page, company, manager, path):
    for day in (12, 13, 14):
        DayNote.objects.create(day=f"2025-03-{day}", text="The vendor credited the difference. " * 6)
    page = browser_page(manager, "/help/")
    page.set_viewport_size({"width": 703, "height": 1400})
    page.emulate_media(media="print")

    def widths() -> list[int]:
        page.goto(path)
        return [table.evaluate("(one) => one.offsetWidth") for table in page.locator(".numbers table").all()]

    noted = widths()
    DayNote.objects.all().delete()
    assert all(wide - plain < 100 for wide, plain in zip(noted, widths(), strict=True)), noted


def test_a_phone_has_a_menu_and_folds_its_filters(browser_page, company, viewer):
    page = browser_page(viewer, "/costs/")
    page.set_viewport_size(PHONE)
    page.reload()
    expect(page.get_by_label("Grouped by")).to_be_hidden()
    page.get_by_role("button", name="All filters").click()
    expect(page.get_by_label("Grouped by")).to_be_visible()
    page.locator("summary", has_text="Menu").click()
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Jobs", exact=True).click()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()


@pytest.mark.parametrize("width", [1120, 1200, 1343, 1344])
def test_the_menu_stands_on_one_line_beside_the_account(browser_page, company, admin, width):
    User.objects.filter(pk=admin.pk).update(username="a.longer.name@example.com")
    page = browser_page(User.objects.get(pk=admin.pk), "/help/")
    page.set_viewport_size({"width": width, "height": 600})
    words = page.locator(".nav-wide > .nav-links > li > :is(a, details)")
    boxes = [word.bounding_box() for word in words.all()]
    assert len(boxes) >= 10 and len({box["y"] for box in boxes}) == 1
    heights = words.evaluate_all(
        "(words) => words.map((word) => {const text = document.createRange();"
        " text.selectNodeContents(word.querySelector('summary') ?? word);"
        " return text.getBoundingClientRect().height})"
    )
    assert max(heights) < 30, heights
    last, account = boxes[-1], page.locator(".account").bounding_box()
    assert last["x"] + last["width"] <= account["x"]
    assert account["x"] + account["width"] <= width


def test_the_keyboard_skips_to_the_content_and_sets_a_filter(browser_page, company, viewer):
    page = browser_page(viewer, "/costs/?preset=mtd")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    summary = page.locator(".field-provider summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Azure", exact=True)).to_be_visible()
    page.get_by_label("Azure", exact=True).focus()
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("preset=mtd.*provider=Azure"))
    expect(page.get_by_label("Active filters")).to_contain_text("Provider: Azure")


def test_without_scripts_filters_apply_by_their_button(no_scripts, company, viewer):
    page = no_scripts
    sign_in_by_hand(page, "vera")
    page.goto("/costs/")
    page.get_by_label("Range", exact=True).select_option("mtd")
    page.locator(".field-provider summary").click()
    page.get_by_label("AWS", exact=True).check()
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("preset=mtd.*provider=AWS"))
    expect(page.get_by_label("Active filters")).to_contain_text("Provider: AWS")
    page.get_by_label("From").fill("2025-03-05")
    page.get_by_label("To", exact=True).fill("2025-03-06")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".tile", has_text="Net")).to_contain_text("$1,440.00")


@pytest.mark.parametrize("path", WITH_CHARTS)
def test_without_scripts_the_numbers_of_charts_are_read(no_scripts, company, viewer, path):
    page = no_scripts
    sign_in_by_hand(page, "vera")
    page.goto(path)
    expect(page.locator("noscript p").first).to_be_visible()
    expect(page.locator("canvas").first).to_be_hidden()
    numbers = page.locator("figure .numbers").first
    if numbers.get_attribute("open") is None:
        numbers.locator("summary").click()
    expect(numbers.get_by_role("table")).to_be_visible()


def test_without_scripts_a_phone_has_its_menu_and_the_way_out(no_scripts, company, viewer):
    page = no_scripts
    page.set_viewport_size(PHONE)
    sign_in_by_hand(page, "vera")
    page.locator("summary", has_text="Menu").click()
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Teams").click()
    expect(page.get_by_role("heading", name="Teams", exact=True)).to_be_visible()
    page.locator(".account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/costs/")
    expect(page).to_have_url(re.compile("/accounts/login/"))


WIDEST_NAME = 21 * 16
LONG_NAMES = """(widest) => [...document.querySelectorAll(".scroll")]
    .filter((box) => box.scrollWidth > box.clientWidth)
    .flatMap((box) => [...box.querySelectorAll("tr > :not([colspan], :has(form))")])
    .filter((cell) => cell.textContent.trim().length > 60 && cell.getBoundingClientRect().width > widest)
    .map((cell) => cell.outerHTML.slice(0, 120))"""


@pytest.fixture
def long_names(company) -> None:
    """Of 255 and 100 characters, as long as names can be."""
    Team.objects.filter(name="vision").update(name="vision" * 42 + "xyz")
    Job.objects.filter(model_name="resnet").update(model_name="resnet" * 42 + "xyz")
    for rows in (Job, CostSnapshot, UsageSnapshot):
        rows.objects.filter(provider="AWS").update(provider="Amazon_Web" * 10)
        rows.objects.filter(gpu_type="L4").update(gpu_type="Lovelace " * 11)


@pytest.mark.parametrize("width", [390, 1600])
def test_long_names_wrap_and_leave_the_figures_in_sight(browser_page, long_names, admin, width):
    page = browser_page(admin, "/help/")
    page.set_viewport_size({"width": width, "height": 900})
    keys = {"job": Job.objects.newest_first().first().pk, "team": Team.objects.get(name__contains="xyz").pk}
    wide = {}
    for name, path in PAGES.items():
        page.goto(path.format(**keys))
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        if not path.startswith("/admin") and (cells := page.evaluate(LONG_NAMES, WIDEST_NAME)):
            wide[name] = cells
    assert wide == {}


def test_long_names_leave_all_figures_of_allocation_in_sight_on_a_desk(browser_page, long_names, viewer):
    page = browser_page(viewer, "/allocation/")
    page.set_viewport_size({"width": 1600, "height": 900})
    table = page.get_by_role("region", name="Cost by team")
    expect(table).to_contain_text("xyz")
    assert table.evaluate("(box) => box.scrollWidth - box.clientWidth") == 0
