"""Nothing at all, one row, the greatest amounts, credits alone, running jobs, and odd days of a calendar."""

from __future__ import annotations

import csv
import io
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils.html import strip_tags

from dashboard.models import Invoice, Job, PeriodEntry, Provider, Rate

from . import hostile
from .cast import PAGES
from .conftest import make_cost, make_job, make_usage
from .contracts import make_commitment, make_entry, per_hour, per_month
from .loading import bill, load_rows
from .test_access_matrix import ROUTES, quiet

__all__ = ["quiet"]
pytestmark = pytest.mark.django_db
MOST, CENT = "9999999999.99", "0.01"
MOST_GPUS = Decimal("999999.999999")
MOST_OF_A_CONTRACT, MOST_OF_A_RATE = "999999999999.99", "99999999.999999"
NOBODY = "00000000-0000-0000-0000-000000000000"
OTHERWISE = (
    "basis=billed&bucket=month&group_by=gpu_type&idle=evenly&by=model&then_by=provider&compare=last_year"
)
WAYS = ("", "preset=all", f"preset=all&{OTHERWISE}", "preset=all&_export=csv", "preset=all&_export=xlsx")
ALL = os.environ.get("EXTREMES") == "all"  # else each page once and its file
NAMES_OF_ZONES = (
    "/admin/dashboard/provider/add/",
    "/admin/dashboard/provider/<path:object_id>/change/",
)  # GMT-0
LISTS = [route for route in ROUTES if route.startswith("/admin/") and "_id>" not in route]
FORMS = [route for route in ROUTES if route.startswith("/admin/") and route.endswith("/change/")]


# What is stored


def nothing(as_of: Any) -> None:
    as_of("2025-03-10 12:00")


def one_cost(as_of: Any) -> None:
    as_of("2025-03-10 12:00")
    make_cost("2025-03-01", "10.00")


def one_nought(as_of: Any) -> None:
    as_of("2025-03-10 12:00")
    make_cost("2025-03-01", "0.00")
    make_usage("2025-03-01", "0.00")


def one_usage(as_of: Any) -> None:
    as_of("2025-03-10 12:00")
    make_usage("2025-03-01", "10.00")


def one_job(as_of: Any) -> None:
    as_of("2025-03-10 12:00")
    make_job()


def the_greatest(as_of: Any) -> None:
    """Beside the least, a credit of the same size, and a job of an instant."""
    as_of("2025-03-10 12:00")
    for gpu_type in ("A100-80GB", "L4", "T4"):
        for day in ("2024-03-01", "2025-02-01", "2025-03-01", "2025-03-02"):
            make_cost(day, MOST, gpu_type=gpu_type)
            make_usage(day, MOST, gpu_type=gpu_type)
    make_cost("2025-03-01", f"-{MOST}", provider="GCP")
    make_cost("2025-03-03", MOST)
    make_usage("2025-03-03", CENT)
    make_cost("2025-03-04", CENT)
    make_usage("2025-03-04", MOST)
    make_job("2000-01-01 00:00", "2025-03-09 00:00", gpu_count=MOST_GPUS)
    make_job("2025-03-03 00:00", "2025-03-03 00:00:00.000001", gpu_count=Decimal("0.000001"))
    load_rows(
        bill(5, MOST, MOST, gpu_type="H100-80GB"), bill(5, f"-{MOST}", None, kind="credit", gpu_type="")
    )
    contracts = {"provider": "OCI", "gpu_type": "H100-80GB"}
    make_entry("2025-03-01", "2025-03-02", MOST_OF_A_CONTRACT, MOST_OF_A_CONTRACT, **contracts)
    per_hour(MOST_OF_A_RATE, "2025-03-01")
    make_job("2025-03-03 00:00", None, provider="fox", status="running", gpu_count=MOST_GPUS)
    per_month(MOST_OF_A_RATE, "999999.999999", "2025-03-01", provider="elk")
    make_commitment("999999.999999", "2025-03-01", "2025-12-31")
    Invoice.objects.create(provider="AWS", period_start="2025-03-01", total_usd=MOST_OF_A_CONTRACT)


def credits_only(as_of: Any) -> None:
    as_of("2025-03-10 12:00")
    for day, usd in (("2025-03-01", "-5.00"), ("2025-03-02", f"-{MOST}"), ("2025-03-03", "-0.01")):
        make_cost(day, usd)
    make_usage("2025-03-01", "24.00")
    make_job("2025-03-01 00:00", "2025-03-01 05:00")
    load_rows(bill(4, "-7", None, kind="credit", gpu_type=""))


def running_only(as_of: Any) -> None:
    as_of("2025-03-10 12:00")
    make_job("2025-03-01 00:00", None, status="running")
    make_job("2025-03-10 12:00", None, status="running")
    make_job("2025-03-11 00:00", None, status="running")
    make_job("", None, status="pending")


def clock_changes(as_of: Any) -> None:
    """Oslo's days of 23 and 25 hours, and New York's; a day that a clock of Samoa never had."""
    as_of("2025-12-01 12:00")
    clocks = {"AWS": "Europe/Oslo", "GCP": "America/New_York", "OCI": "Pacific/Apia"}
    for name, clock in clocks.items():
        Provider.objects.update_or_create(name=name, defaults={"bill_clock": clock})
    for day in ("2011-12-30", "2025-03-09", "2025-03-30", "2025-10-26", "2025-11-02"):
        for name in clocks:
            make_cost(day, "25.00", provider=name)
            make_usage(day, "25.00", provider=name)
    for provider in clocks:
        make_job("2025-03-29 23:00", "2025-03-30 22:00", provider=provider)
        make_job("2025-10-25 22:00", "2025-10-26 23:00", provider=provider)
        make_job("2011-12-28 00:00", "2012-01-02 00:00", provider=provider)


def new_years_eve(as_of: Any) -> None:
    as_of("2024-12-31 23:59:59")
    for day in ("2023-12-31", "2024-02-29", "2024-12-30", "2024-12-31"):
        make_cost(day, "24.00")
        make_usage(day, "24.00")
    make_job("2024-12-30 12:00", None, status="running")
    make_job("2023-12-31 12:00", "2024-01-01 12:00")


def the_ends_of_the_calendar(as_of: Any) -> None:
    as_of("2099-12-31 23:59:59")
    for day in ("2000-01-01", "2099-12-30", "2099-12-31"):
        make_cost(day, "24.00")
        make_usage(day, "24.00")
    make_job("2000-01-01 00:00", "2000-01-01 01:00")
    make_job("2099-12-30 00:00", None, status="running")


STORED: list[Callable[[Any], None]] = [
    *(nothing, the_greatest, credits_only, running_only),
    *([one_cost, one_nought, one_usage, one_job] if ALL else []),
    *([clock_changes, new_years_eve, the_ends_of_the_calendar] if ALL else []),
]


@pytest.fixture(params=STORED, ids=lambda fill: fill.__name__)
def stored(request: Any, as_of: Any, root: Client) -> Callable[[Any], None]:
    request.param(as_of)
    return request.param


# What is said


def address(route: str) -> str:
    """Of the first row of its table, or of none."""

    def key(route: str, name: str) -> str:
        tables = {model._meta.model_name: model for model in hostile.admin_site.site._registry}
        model = tables.get(hostile.subject_of(route, name))
        row = model._base_manager.order_by("pk").first() if model else None
        nobody = NOBODY if "uuid" in route or name not in ("pk", "id") else "0"
        return str(row.pk) if row else nobody

    return hostile.whole(route, key)


def addresses() -> Iterator[str]:
    places = {address(route) for route in ROUTES if not route.startswith("/admin/")} - {"/theme"}
    for place in sorted(places | {f"/{page}" for page in PAGES if "?" in page}):
        yield from (f"{place}{'&' if '?' in place else '?'}{way}" for way in (WAYS if ALL else WAYS[2:4]))
    for job in Job.objects.order_by("pk"):
        yield f"/jobs/{job.pk}/"


_TOLD = re.compile(r'\s(?:title|value|alt|placeholder|aria-[a-z]+|data-[a-z-]+)="([^"]*)"')
_NO_FIGURE = re.compile(
    r"\b(?:None(?! yet| available)|NaN|nan|Infinity|inf|undefined)\b|[-−]\$?0(?:\.0*)?\b(?![\d.-])"
)


def said(answer: Any) -> str:
    """The words of a page with what its charts draw, or the cells of a file."""
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            parts = [book.read(name).decode() for name in book.namelist() if name.startswith("xl/")]
        return strip_tags("\n".join(parts).replace("<", " <"))
    text = content.decode("utf-8-sig")
    if not answer["Content-Type"].startswith("text/html"):
        return text if answer.has_header("Content-Disposition") else ""
    return unescape(strip_tags(text) + "\n".join(_TOLD.findall(text)))


def wrong_with(client: Client, path: str) -> list[str]:
    try:
        answer = client.get(path)
        text = said(answer)
    except Exception as error:
        return [f"{path}: {error!r}"]
    if answer.status_code >= 500:
        return [f"{path}: {answer.status_code}"]
    near = [text[max(found.start() - 60, 0) : found.end() + 30] for found in _NO_FIGURE.finditer(text)]
    return [f"{path}: …{words!r}" for words in near]


def test_every_page_and_file_says_figures_or_that_there_are_none(root, stored):
    found = [wrong for path in addresses() for wrong in wrong_with(root, path)]
    assert not found, f"{len(found)}:\n" + "\n".join(found[:40])


@pytest.mark.parametrize("fill", [nothing, the_greatest], ids=lambda fill: fill.__name__)
def test_the_admin_shows_what_is_stored(root, as_of, fill):
    fill(as_of)
    paths = [address(route) for route in [*LISTS, *FORMS] if route not in NAMES_OF_ZONES]
    found = [wrong for path in paths for wrong in wrong_with(root, path)]
    assert not found, f"{len(found)}:\n" + "\n".join(found[:40])


@pytest.mark.parametrize("page", ["usage/", "unit-prices/", "reconcile/?view=match"])
def test_a_workbook_says_that_there_is_no_amount(root, as_of, page):
    one_job(as_of)
    text = said(root.get(f"/{page}{'&' if '?' in page else '?'}preset=all&_export=xlsx"))
    assert "no metered GPU-hours" in text
    assert not _NO_FIGURE.search(text)


def test_the_greatest_amounts_are_summed_to_the_cent(root, as_of):
    """Twelve of the greatest, one beside a credit of the same size, one alone, a cent, and one of a bill."""
    the_greatest(as_of)
    PeriodEntry.objects.all().delete()
    Rate.objects.all().delete()
    text = said(root.get("/costs/?preset=all&_export=csv"))
    held = [Decimal(row["cost_usd"]) for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert sum(held) == 13 * Decimal(MOST) + Decimal(CENT)


def test_what_is_no_figure_is_seen():
    for text in ("None USD", "NaN", "Infinity", "−$0.00", "-0.00", "-0"):
        assert _NO_FIGURE.search(text), text
    for text in ("None yet.", "2025-03-01", "-0.01", "−$0.50", "information"):
        assert not _NO_FIGURE.search(text), text
