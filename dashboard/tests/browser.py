"""A real Chromium for the tests: a page fails its test when it complains on the console.

def test_finance_follows_a_bar(browser_page, finance):
    page = browser_page(finance, "/costs/")
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.db import connections
from django.db.backends.base.introspection import BaseDatabaseIntrospection
from django.test import Client
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Playwright, Response, expect

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Playwright keeps an event loop in the thread of the test, where Django would refuse its ORM.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

expect.set_options(timeout=15_000)  # two busy cores are slow at times

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# 36,525 days, the roles and what they may do: to write them again would take longer than the test.
FILLED_BY_MIGRATIONS = {
    "bill_days",
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
}
NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]


def find_chromium() -> str | None:
    """HELIOX_CHROMIUM, or the first of the usual names on PATH."""
    chosen = os.environ.get("HELIOX_CHROMIUM")
    found = (shutil.which(name) for name in ([chosen] if chosen else NAMES))
    return next((path for path in found if path), None)


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def pytest_report_header() -> str:
    return f"database: {settings.DATABASES['default']['ENGINE'].rpartition('.')[2]}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    return none_skipped_in_ci((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    return none_skipped_in_ci((yield))


def none_skipped_in_ci(report: Any) -> Any:
    if in_ci() and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"With CI=true nothing may be skipped. {reason}"
    return report


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """What a live server's test wrote is emptied away after it; what migrations wrote stays for the next."""
    table_names = BaseDatabaseIntrospection.django_table_names

    def emptied(*args: Any, **options: Any) -> list[str]:
        return [name for name in table_names(*args, **options) if name not in FILLED_BY_MIGRATIONS]

    # Of the class: beside Playwright's event loop, Django opens another connection.
    BaseDatabaseIntrospection.django_table_names = emptied


@pytest.fixture(scope="session")
def playwright(django_db_setup: None, playwright: Playwright) -> Iterator[Playwright]:
    yield playwright
    # The one that Django has beside its event loop: once that is gone nobody reaches it, and while it is open
    # the tests' database cannot be dropped.
    connections.close_all()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("There is no Chromium. Install the Debian package chromium or set HELIOX_CHROMIUM.")
    return {**browser_type_launch_args, "executable_path": chromium, "args": FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict, live_server: Any) -> dict:
    return {
        **browser_context_args,
        "base_url": live_server.url,
        "locale": "en-US",
        "timezone_id": "UTC",
        "reduced_motion": "reduce",
        "viewport": {"width": 1280, "height": 900},
    }


@pytest.fixture
def complaints() -> list[str]:
    """What the page said against itself; a test that provokes an error clears the list."""
    return []


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Iterator[Page]:
    """A page on the live server (`page.goto("/costs/")`), which must stay silent on the console."""
    page = context.new_page()
    watch(page, complaints)
    yield page
    page.close()
    assert not complaints, "The browser complained:\n" + "\n".join(complaints)


def watch(page: Page, complaints: list[str]) -> None:
    """Chromium reports what the Content-Security-Policy blocked as an error on the console, too."""

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def threw(error: Error) -> None:
        complaints.append(f"script error: {error.message}")

    def answered(response: Response) -> None:
        if response.status >= 500:
            complaints.append(f"{response.status}: {response.url}")

    page.on("console", said)
    page.on("pageerror", threw)
    page.on("response", answered)


@pytest.fixture
def sign_in(context: BrowserContext, live_server: Any) -> Callable[[User], None]:
    """Gives the browser a session of that user, without a walk through the login page."""

    def sign_in(user: User) -> None:
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])

    return sign_in


@pytest.fixture
def browser_page(page: Page, sign_in: Callable[[User], None]) -> Callable[..., Page]:
    """`browser_page(finance, "/costs/")` is the page as that user sees it."""

    def open_as(user: User, path: str = "/") -> Page:
        sign_in(user)
        page.goto(path)
        return page

    return open_as
