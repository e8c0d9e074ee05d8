"""Lists of what people type in have 200 rows a page at most; their files and further pages have all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from dashboard.models import Budget, CostSnapshot, DayNote, DismissedAnomaly

from .conftest import LAST_OF_MARCH, written_once
from .contracts import make_commitment, make_entry, per_hour

MARCH = "start=2025-03-01&end=2025-03-31"


@pytest.fixture(scope="module")
def typed_in(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with written_once(django_db_blocker, LAST_OF_MARCH, type_in):
        yield


def type_in() -> None:
    """250 of each thing that is typed in, and of notes."""
    for n in range(250):
        hardware = {"provider": f"P{n:03}", "gpu_type": "fox"}
        per_hour("1.00", "2025-03-01", **hardware)
        make_entry("2025-03-05", "2025-03-06", "1.00", **hardware, note=f"entry {n}")
        make_commitment("1", "2025-03-01", "2025-03-31", **hardware)
        Budget.objects.create(provider=hardware["provider"], first_month="2025-03-01", monthly_usd=1)
        DayNote.objects.create(day="2025-03-05", text=f"note {n}")


@pytest.fixture
def long_lists(typed_in: None, as_of: Any, root: Client) -> Client:
    as_of(LAST_OF_MARCH)
    return root


@pytest.fixture
def days_that_stand_out(db: None) -> None:
    """500: $10 a day for five weeks, and once $1,000; of every second one somebody knew."""
    days = [date(2025, 2, 20) + timedelta(days=n) for n in range(36)]
    cells = [("AWS" if n % 2 else "GCP", f"G{n:03}") for n in range(500)]
    CostSnapshot.objects.bulk_create(
        CostSnapshot(date=day, provider=provider, gpu_type=gpu_type, cost_usd=1000 if day == days[32] else 10)
        for day in days
        for provider, gpu_type in cells
    )
    DismissedAnomaly.objects.bulk_create(
        DismissedAnomaly(day=days[32], provider=provider, gpu_type=gpu_type, reason="known")
        for provider, gpu_type in cells[::2]
    )


LISTS = {
    "/contracts/": {"rates": "rates-page", "entries": "entries-page", "commitments": "commitments-page"},
    "/unit-prices/": {"commitments": "commitments-page", "contracts": "contracts-page"},
    "/budgets/": {"budgets": "page"},
    "/anomalies/": {"anomalies": "page", "dismissed": "dismissed-page", "notes": "notes-page"},
}


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    """Days stand out for the page that tells of them; to the others they are rows to read."""
    if request.param.startswith("/anomalies/"):
        request.getfixturevalue("days_that_stand_out")
    return request.param


@pytest.mark.parametrize("path", LISTS, indirect=True)
def test_the_pages_of_a_list_are_its_rows_each_once_and_200_at_most(long_lists, contexts, path):
    def lists(per_page: int | str, number: int = 1) -> list[Any]:
        contexts.clear()
        turned = "&".join(f"{field}={number}" for field in LISTS[path].values())
        long_lists.get(f"{path}?{MARCH}&per_page={per_page}&{turned}")
        return [contexts[-1][name] for name in LISTS[path]]

    assert {len(one.rows) for one in lists(1_000_000)} == {200}
    assert {len(one.rows) for one in lists("all")} == {50}
    for first, second in zip(lists(125), lists(125, 2), strict=True):
        shown = [repr(row) for row in (*first.rows, *second.rows)]
        assert len(set(shown)) == len(shown) == len(first) == 250
    assert {one.page.number for one in lists(125, 99)} == {2}, "past the end is the last page"


FILES = {"/contracts/?file=entries&": 250, "/budgets/?": 250, "/anomalies/?": 500}


@pytest.mark.parametrize(("path", "rows"), FILES.items(), indirect=["path"])
def test_the_file_of_a_long_list_has_all_of_it(long_lists, path, rows):
    answer = long_lists.get(f"{path}{MARCH}&_export=csv")
    assert len(b"".join(answer.streaming_content).splitlines()) == 1 + rows


@pytest.mark.parametrize("path", LISTS, indirect=True)
def test_each_long_list_leads_to_its_other_pages(long_lists, path):
    page = long_lists.get(f"{path}?{MARCH}").content.decode()
    assert page.count("Page 1 of 5, 250 rows") >= len(LISTS[path])
    assert all(f"{field}=2#" in page for field in LISTS[path].values())
