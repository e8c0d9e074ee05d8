"""“How is this computed?” opens within the window, is read by keyboard, closes and stays off the paper."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .test_browser_barriers import RULES, RUN


def open_words(page, place: int):
    words = page.locator(".tile-how").nth(place)
    words.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(words.locator(".drop-box")).to_be_visible()
    return words


@pytest.mark.parametrize("width", [390, 700, 1600])
def test_the_words_on_every_figure_open_within_the_window(company, browser_page, finance, width):
    page = browser_page(finance, "/?preset=last7")
    page.set_viewport_size({"width": width, "height": 900})
    count = page.locator(".tile-how").count()
    assert count >= 6
    for place in range(count):
        box = open_words(page, place).locator(".drop-box").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, f"figure {place}: {box}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_escape_closes_the_words_and_the_keyboard_stays(company, browser_page, finance):
    page = browser_page(finance, "/?preset=last7")
    words = open_words(page, 0)
    page.keyboard.press("Tab")
    expect(words.get_by_role("link", name="cost rows")).to_be_focused()
    page.keyboard.press("Escape")
    expect(words.locator(".drop-box")).to_be_hidden()
    expect(words.locator("summary")).to_be_focused()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_words_are_no_barrier(company, browser_page, finance, live_server, theme):
    page = browser_page(finance)
    page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
    page.goto("/?preset=last7")
    page.evaluate(Axe().axe_script)
    open_words(page, 0)
    assert page.evaluate(RUN, RULES) == []


def test_the_words_are_not_printed(company, browser_page, finance):
    page = browser_page(finance, "/?preset=last7")
    page.emulate_media(media="print")
    expect(page.locator(".tile-how").first).to_be_hidden()
    expect(page.locator(".how").first).to_be_hidden()


def test_the_rows_of_a_figure_are_as_many_as_it_says(company, browser_page, finance):
    page = browser_page(finance, "/?preset=last7")
    words = open_words(page, 0)
    link = words.get_by_role("link", name="cost rows")
    said = link.inner_text().split()[0]
    link.click()
    expect(page.get_by_text(f"{said} rows")).to_be_visible()
