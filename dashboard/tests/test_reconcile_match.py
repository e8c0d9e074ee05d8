"""The page of the reconciliation, how cost, metered hours and jobs match, and where days are missing."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from openpyxl import load_workbook

from .conftest import make_cost, make_job, make_usage
from .downloads import rows_of
from .loading import bill, load_rows
from .test_invoices import make_invoice
from .test_reconcile import MARCH, URL, text


@pytest.fixture
def fiona(client: Client, finance: Any, in_april: None) -> Client:
    client.force_login(finance)
    return client


@pytest.fixture
def three(fiona: Client) -> Client:
    """One cell that matches, one that nobody ran, one that nobody billed, one over-reported."""
    make_cost("2025-03-03", "10.00")
    make_usage("2025-03-03", "5.00")
    make_job("2025-03-03 00:00", "2025-03-03 06:00")
    make_cost("2025-03-04", "20.00")
    make_usage("2025-03-04", "5.00")
    make_job("2025-03-05 00:00", "2025-03-05 02:00")
    return fiona


def matching(client: Client, **query: str) -> Any:
    return client.get(URL, MARCH | {"view": "match"} | query)


def test_the_seven_states_have_money_hours_and_a_way_to_their_cells(three):
    page = matching(three)
    lines = {line["state"].key: line for line in page.context["states"]}
    assert len(lines) == 7
    assert (lines["matched"]["cells"], lines["matched"]["sums"].usd) == (1, Decimal("10.00"))
    assert (lines["jobs-only"]["cells"], lines["jobs-only"]["job_hours"]) == (1, Decimal(2))
    behind = three.get(URL + lines["nobody-ran"]["url"])
    assert [row.record["day"].day for row in behind.context["table"].rows] == [4]
    assert behind.context["chosen"] == "Paid for and nobody ran"
    assert lines["not-billed"]["url"] == ""


def test_a_cell_leads_to_its_cost_usage_and_jobs(three):
    [row] = [row.record for row in matching(three, state="matched").context["table"].rows]
    assert three.get(row["go"]["costs"]).context["total"] == Decimal("10.00")
    assert three.get(row["go"]["usage"]).context["total"].metered == Decimal("5.00")
    assert three.get(row["go"]["jobs"]).context["hours"] == 6


def test_cells_that_do_not_match_come_first_and_a_column_sorts_them(three):
    order = [row.record["day"].day for row in matching(three).context["table"].rows]
    assert order == [4, 5, 3]
    order = [row.record["day"].day for row in matching(three, sort="-day").context["table"].rows]
    assert order == [5, 4, 3]


def test_over_reported_cells_say_by_how_much(three):
    page = matching(three)
    [row] = page.context["over"]["rows"]
    assert row["over"] == Decimal(1)
    assert "jobs overlap on GPUs" in text(page)
    [row] = matching(three, state="over-reported").context["table"].rows
    assert row.record["day"].day == 3


@pytest.mark.parametrize("state", ["", "matched", "nobody-ran", "over-reported", "nonsense"])
def test_the_file_of_the_match_holds_the_cells_of_the_page(three, state):
    page = matching(three, state=state)
    rows = rows_of(matching(three, state=state, _export="csv"))
    shown = [row.record["day"].isoformat() for row in page.context["table"].rows]
    assert [row["date"] for row in rows] == shown
    if not state:
        assert sum(Decimal(row["cost_usd"] or 0) for row in rows) == page.context["total"].usd == 30
        assert sum(Decimal(row["job_gpu_hours"] or 0) for row in rows) == 8


def test_the_filters_keep_the_view_and_the_state(three):
    page = matching(three, state="matched").content.decode()
    assert '<input type="hidden" name="view" value="match">' in page
    assert '<input type="hidden" name="state" value="matched">' in page
    assert 'href="/reconcile/?view=match">Clear' in page


def test_gaps_are_told_in_words_drawn_and_filed(three):
    page = three.get(URL, MARCH | {"view": "gaps"})
    assert [gap["days"] + ": " + gap["words"] for gap in page.context["gaps"]] == [
        "3 Mar 2025: no job log of AWS"
    ]
    [calendar] = page.context["calendars"]
    boxes = [box for month in calendar["months"] for week in month["weeks"] for box in week if box]
    assert {box["number"]: box["state"] for box in boxes if box["number"] in (2, 3, 4, 5)} == {
        3: "no-log",
        4: "open",
        5: "open",
    }
    assert "3 Mar 2025: Cost and metered hours are there, no job log speaks of the day" in text(page)
    rows = rows_of(three.get(URL, MARCH | {"view": "gaps", "_export": "csv"}))
    assert len(rows) == page.context["days"] == 29
    assert rows[0] == {
        "date": "2025-03-03",
        "provider": "AWS",
        "state": "no job log",
        "cost_row": "yes",
        "metered_row": "yes",
        "job_log": "no",
    }


def test_a_calendar_begins_its_weeks_on_monday(three):
    page = three.get(URL, {"view": "gaps", "start": "2025-03-01", "end": "2025-03-09"})
    [month] = page.context["calendars"][0]["months"]
    assert [[box and box["number"] for box in week] for week in month["weeks"]] == [[3, 4, 5, 6, 7, 8, 9]]


@pytest.mark.parametrize("view", ["invoice", "match", "gaps", "nonsense"])
@pytest.mark.parametrize(
    "query", ["state=nonsense", "page=99", "page=-1", "sort=--day", "sort=nothing", "preset=all"]
)
def test_a_bad_query_is_no_error(three, view, query):
    assert three.get(f"{URL}?view={view}&{query}").status_code == 200


@pytest.mark.parametrize("view", ["invoice", "match", "gaps"])
def test_a_view_without_anything_says_what_to_do(fiona, view):
    assert "Nothing is stored yet" in text(fiona.get(URL, {"view": view}))
    make_cost("2025-03-03", "10.00")
    empty = text(fiona.get(URL, {"view": view, "start": "2001-01-01", "end": "2001-01-31"}))
    assert "Choose a" in empty


@pytest.mark.parametrize(("view", "most"), [("invoice", 22), ("match", 19), ("gaps", 19)])
def test_a_view_asks_the_database_a_fixed_number_of_times(three, view, most, django_assert_max_num_queries):
    load_rows(*(bill(1, account=f"a{n}") for n in range(10)))
    for n in range(10):
        make_invoice("5", account=f"a{n}")
        make_job("2025-03-05 00:00", "2025-03-05 01:00", provider=f"cloud {n}")
    with django_assert_max_num_queries(most):
        three.get(URL, MARCH | {"view": view})


@pytest.mark.parametrize("view", ["invoice", "match", "gaps"])
def test_a_view_gives_an_excel_file_that_says_what_it_is(three, view):
    response = three.get(URL, MARCH | {"view": view, "_export": "xlsx"})
    about = dict(load_workbook(io.BytesIO(b"".join(response.streaming_content)))["About"].values)
    assert about["Cost basis"] == ("billed" if view == "invoice" else "effective")
    assert about["Total"]
