"""The second factor in a real browser, from its picture to a recovery code."""

from __future__ import annotations

import base64

from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone

from dashboard.models import SignInTry

from .test_browser_barriers import RULES, RUN
from .test_second_factor import OWN, RIGHT, code_of


def test_it_is_set_up_and_used_in_a_browser(browser_page, page, viewer):
    """Without a complaint of the browser about the picture, and without a barrier."""

    def examined():
        page.evaluate(Axe().axe_script)
        assert page.evaluate(RUN, RULES) == []

    browser_page(viewer, OWN)
    examined()
    page.get_by_role("button", name="Set up").click()
    picture = page.get_by_role("img", name="QR code")
    picture.wait_for()
    assert picture.evaluate("(picture) => picture.naturalWidth") > 100
    examined()
    key = page.locator(".key").inner_text()
    secret = base64.b32decode(key.replace(" ", "")).hex()
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_role("button", name="Confirm").click()
    page.locator(".recovery-codes li").first.wait_for()
    recovery = page.locator(".recovery-codes li").first.inner_text()
    examined()
    page.context.clear_cookies()
    page.goto("/")
    page.get_by_label("Username").fill("vera")
    page.get_by_label("Password").fill(RIGHT)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code").fill(recovery)
    examined()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Overview").wait_for()


def test_whoever_is_throttled_is_told_so_without_a_barrier(page, live_server, complaints):
    SignInTry.objects.bulk_create(
        SignInTry(at=timezone.now(), account=f"{n}", address="127.0.0.1") for n in range(20)
    )
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("vera")
    page.get_by_label("Password").fill(RIGHT)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Too many tries").wait_for()
    page.evaluate(Axe().axe_script)
    assert page.evaluate(RUN, RULES) == []
    complaints.clear()  # Chromium's own, on 429
