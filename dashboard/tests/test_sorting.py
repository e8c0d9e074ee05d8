"""Whatever a table is sorted by, its pages together are its rows, each once, also where many are equal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin as admin_site
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django_tables2 import Table

from dashboard.models import Invoice

from .cast import name_everything
from .conftest import LAST_OF_MARCH, make_company, make_job, written_once

pytestmark = pytest.mark.django_db
DAYS = "start=2025-03-20&end=2025-03-31"
MARCH = "start=2025-03-01&end=2025-03-31"
TWO_MONTHS = "start=2025-02-01&end=2025-03-31"
LONGER = {"/bridge/": "start=2025-03-01&end=2025-03-28", "/contracts/": MARCH, "/waste/": MARCH}
PAGES = (
    "/costs/",
    "/usage/",
    "/allocation/?by=team&then_by=model",
    "/teams/",
    "/jobs/running/",
    "/bridge/",
    "/unit-prices/",
    "/contracts/",
    "/waste/",
    "/reconcile/?view=match",
    "/data-quality/?quality=unmatched-accounts",
)


@pytest.fixture(scope="module")
def stored(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Two rows or more of each table of each page."""

    def write() -> None:
        make_company()
        name_everything(f"n{number}" for number in range(8))
        for model in ("open", "still open"):
            make_job(end=None, model_name=model)

    with written_once(django_db_blocker, LAST_OF_MARCH, write):
        yield


@pytest.fixture
def root(stored: None, as_of: Any, root: Client) -> Client:
    as_of(LAST_OF_MARCH)
    return root


def tables(client: Client, contexts: list[Any], path: str, query: str) -> dict[str, Table]:
    contexts.clear()
    answer = client.get(f"{path}{'&' if '?' in path else '?'}{LONGER.get(path, DAYS)}&{query}")
    assert answer.status_code == 200
    return {name: value for name, value in (contexts[-1] or {}).items() if isinstance(value, Table)}


def shown(table: Table) -> list[str]:
    return [repr(row.record) for row in table.paginated_rows]


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_of_a_sorted_table_are_its_rows_each_once(root, contexts, path):
    """All tables of a page are sorted at once, each by a column of its own."""
    first = tables(root, contexts, path, "per_page=200")
    assert first
    rows = {name: sorted(repr(row.record) for row in table.rows) for name, table in first.items()}
    assert all(len(set(records)) == len(records) > 1 for records in rows.values())
    ways = {name: list(sorts(table)) for name, table in first.items()}
    for turn in range(max(map(len, ways.values()))):
        chosen = {name: ways[name][turn % len(ways[name])] for name in ways if ways[name]}
        found = union(root, contexts, path, first, chosen)
        assert all(sorted(found[name]) == rows[name] for name in chosen), (path, chosen)


def sorts(table: Table) -> Iterator[str]:
    for column in table.columns:
        if column.orderable:
            yield from (column.name, f"-{column.name}")


def union(
    client: Client, contexts: list[Any], path: str, first: dict[str, Table], chosen: dict[str, str]
) -> dict[str, list[str]]:
    """The rows of all pages of each table; the smallest has two."""
    lengths = [len(first[name].rows) for name in chosen]
    size = max(-(-min(lengths) // 2), -(-max(lengths) // 3))
    found: dict[str, list[str]] = {name: [] for name in chosen}
    for page in range(1, -(-max(lengths) // size) + 1):
        asked = (f"{first[n].prefix}sort={sort}&{first[n].prefix}page={page}" for n, sort in chosen.items())
        drawn = tables(client, contexts, path, f"per_page={size}&" + "&".join(asked))
        for name in chosen:
            if (page - 1) * size < len(first[name].rows):  # past the end is the last page
                found[name] += shown(drawn[name])
    return found


# The admin


@pytest.fixture
def request_of(root: Client) -> Any:
    user = User.objects.get(username="root")

    def request_of(query: str) -> Any:
        request = RequestFactory().get(f"/?{query}")
        request.user = user
        return request

    return request_of


def test_the_pages_of_a_sorted_list_of_the_admin_are_its_rows_each_once(request_of, monkeypatch):
    walked = 0
    for model, options in admin_site.site._registry.items():
        keys = sorted(options.get_queryset(request_of("")).values_list("pk", flat=True))
        monkeypatch.setattr(options, "list_per_page", max(7, -(-len(keys) // 3)))
        for place, _ in enumerate(options.list_display, 1):
            for way in ("", "-"):
                found = listed(options, request_of, f"o={way}{place}", len(keys))
                assert sorted(found) == keys, (model, way, place)
                walked += len(keys) > 7
    assert walked > 100


def listed(options: Any, request_of: Any, query: str, rows: int) -> list[Any]:
    found: list[Any] = []
    for page in range(1, -(-rows // options.list_per_page) + 1):
        shown = options.get_changelist_instance(request_of(f"{query}&p={page}"))
        found += [row.pk for row in shown.result_list]
    return found


# Page size


def test_no_page_has_more_than_200_rows(root, contexts):
    name_everything(f"m{number}" for number in range(8))
    Invoice.objects.bulk_create(
        Invoice(provider="AWS", account=f"{n}", period_start="2025-03-01", total_usd=1) for n in range(250)
    )
    lengths = [
        len(shown(table))
        for path in PAGES
        for table in tables(root, contexts, path, f"{TWO_MONTHS}&per_page=1000000").values()
    ]
    assert max(lengths) == 200
    for asked in ("1000000", "201", "9" * 400, "-1", "0", "all"):
        assert all(
            len(shown(t)) <= 200 for t in tables(root, contexts, "/costs/", f"per_page={asked}").values()
        )
        contexts.clear()
        root.get(f"/reconcile/?{DAYS}&per_page={asked}")
        assert 1 <= len(contexts[-1]["rows"]) <= 200
        root.get(f"/jobs/?per_page={asked}")
        assert len(contexts[-1]["table"].data) <= 200


@pytest.mark.parametrize("query", ["all=", "all=1", ""])
def test_no_list_of_the_admin_has_more_than_200_rows(request_of, query):
    Invoice.objects.bulk_create(
        Invoice(provider="AWS", account=f"{n}", period_start="2025-03-01", total_usd=1) for n in range(250)
    )
    for options in admin_site.site._registry.values():
        assert options.list_per_page <= options.list_max_show_all <= 200
    options = admin_site.site._registry[Invoice]
    assert len(options.get_changelist_instance(request_of(query)).result_list) <= 200
