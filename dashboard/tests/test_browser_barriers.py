"""axe finds nothing to object to: every page, light on a phone and dark on a desk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from dashboard.models import Job, Team

from .conftest import SAMPLES
from .contracts import FOX, make_commitment, make_entry, per_hour, per_month
from .loading import bill, job, load_rows

PAGES = {
    "overview": "/?preset=last7",
    "costs": "/costs/?group_by=gpu_type&preset=last7&per_page=5",
    "allocation": "/allocation/?then_by=provider&idle=by_use&preset=last7&per_page=5",
    "statement": "/teams/{team}/statement/?month=2025-02",
    "usage": "/usage/?preset=last7&per_page=5",
    "unit prices": "/unit-prices/?per_page=5",
    "bridge": "/bridge/?per_page=5",
    "contracts": "/contracts/?preset=all&per_page=5",
    "jobs": "/jobs/?status=completed&team=no-such&per_page=5",
    "job": "/jobs/{job}/",
    "running": "/jobs/running/",
    "waste": "/waste/?preset=all&per_page=5",
    "forecast": "/forecast/",
    "anomalies": "/anomalies/?preset=all",
    "budgets": "/budgets/",
    "closing": "/closing/2025/2/",
    "teams": "/teams/?preset=last7&per_page=5",
    "team": "/teams/{team}/?preset=last7",
    "reconciliation": "/reconcile/?preset=mtd",
    "match": "/reconcile/?view=match&preset=last7&per_page=5",
    "gaps": "/reconcile/?view=gaps&preset=mtd",
    "help": "/help/",
    "data quality": "/data-quality/?preset=all",
    "one check": "/data-quality/?quality=unmatched-accounts",
    "mappings": "/mappings/",
    "imports": "/imports/",
    "password change": "/accounts/password_change/",
    "admin": "/admin/",
    "admin list": "/admin/dashboard/job/?status=failed",
    "admin form": "/admin/dashboard/job/{job}/change/",
    "admin history": "/admin/dashboard/job/{job}/history/",
    "admin snapshot form": "/admin/dashboard/costsnapshot/add/",
    "admin deletion": "/admin/dashboard/team/{team}/delete/",
}
EMPTY = (
    "overview",
    "costs",
    "usage",
    "unit prices",
    "anomalies",
    "forecast",
    "budgets",
    "bridge",
    "reconciliation",
    "data quality",
    "jobs",
    "teams",
    "mappings",
    "imports",
    "admin",
    "admin list",
)


# What axe would preload breaks the page's own CSP.
RULES = {"resultTypes": ["violations"], "preload": False}
RUN = """async (options) => (await axe.run(options)).violations.flatMap(
    ({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`))"""

UNFOLD = """document.querySelectorAll("details:not([data-dropdown]), .filters details")
    .forEach((one) => (one.open = true))"""


@pytest.fixture
def examine(page: Page, live_server: Any) -> Callable[[str], None]:
    """`examine("/costs/")` fails with what axe finds there."""

    def examine(path: str) -> None:
        found = []
        for theme, width in (("light", 390), ("dark", 1600)):
            page.context.add_cookies([{"name": "theme", "value": theme, "url": live_server.url}])
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(path)
            page.evaluate(Axe().axe_script)
            page.evaluate(UNFOLD)
            found += [f"{theme}, {width} wide, {words}" for words in page.evaluate(RUN, RULES)]
        assert not found, "\n".join(found)

    return examine


@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_data_has_no_barrier(name, company, examine, sign_in, admin):
    sign_in(admin)
    keys = {"job": Job.objects.newest_first().first().pk, "team": Team.objects.first().pk}
    examine(PAGES[name].format(**keys))


@pytest.mark.parametrize("name", EMPTY)
def test_a_page_with_nothing_stored_has_no_barrier(name, examine, sign_in, admin):
    sign_in(admin)
    examine(PAGES[name])


@pytest.mark.parametrize("sample", ["jobs.csv", "jobs_one_bad_line.csv"])
def test_the_review_of_an_import_has_no_barrier(sample, page, examine, sign_in, admin):
    sign_in(admin)
    page.goto("/imports/")
    page.get_by_label("Files").set_input_files(SAMPLES / sample)
    page.get_by_role("button", name="Look at what they would change").click()
    page.wait_for_url("**/imports/review/**")
    examine(page.url)


def test_an_import_and_its_undoing_have_no_barrier(examine, sign_in, admin):
    run = load_rows(job()).run
    sign_in(admin)
    examine(f"/imports/{run}/")
    examine(f"/imports/{run}/undo/")


def test_the_lines_of_a_bill_have_no_barrier(examine, sign_in, finance):
    load_rows(bill(1), bill(2, billed="-3.50", hours=None, kind="credit"))
    sign_in(finance)
    examine("/costs/?start=2025-03-01&end=2025-03-02")


def test_contracts_that_were_typed_in_have_no_barrier(examine, sign_in, admin, as_of):
    as_of("2025-04-10 12:00")
    make_entry("2025-03-01", "2025-03-31", "310.00", "744", note="Invoice 17", **FOX)
    rate = per_hour("1.50", "2025-01-01")
    per_month("1000", "128", "2025-01-01", gpu_type="H100-80GB")
    make_commitment("8", "2025-01-01", "2025-12-31")
    sign_in(admin)
    examine("/contracts/?preset=last30")
    examine("/costs/?preset=last7")
    examine("/admin/dashboard/periodentry/")
    examine(f"/admin/dashboard/rate/{rate.pk}/change/")


def test_pages_that_refuse_have_no_barrier(examine, sign_in, viewer, complaints):
    examine("/accounts/login/")
    sign_in(viewer)
    examine("/costs/?_export=csv")
    examine("/nowhere/")
    complaints.clear()  # Chromium's own, on 403 and 404


def test_what_a_form_objects_to_is_no_barrier(page):
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    page.evaluate(Axe().axe_script)
    assert page.evaluate(RUN, RULES) == []
