"""Below a chart stand its numbers: all of them, or the last with the file that has the others."""

from __future__ import annotations

import re
from datetime import date
from html import unescape

import pytest

from dashboard.scope import ONE_DAY

from .conftest import make_cost, make_job
from .downloads import rows_of


@pytest.fixture
def many_days(db, as_of):
    """131 days from 1 November to 11 March, of which the numbers below a chart list the last 130."""
    as_of("2025-04-10 12:00")
    for n in range(131):
        make_cost(f"{date(2024, 11, 1) + n * ONE_DAY}", "2.00")
    make_job("2025-03-01 00:00", "2025-03-01 01:00", status="failed")


MANY_DAYS = {"start": "2024-11-01", "end": "2025-03-11", "bucket": "day"}


@pytest.mark.parametrize("path", ["/", "/costs/", "/usage/", "/allocation/", "/teams/", "/unit-prices/"])
def test_numbers_that_are_not_listed_are_in_the_file(client, manager, many_days, path):
    client.force_login(manager)
    html = client.get(path, MANY_DAYS).content.decode()
    assert "The last 130 of 131 are listed" in html
    the_other = r'The one before them is drawn, and it is <a href="([^"]*)">in the file</a>'
    [link] = set(re.findall(the_other, html))
    rows = rows_of(client.get(path + unescape(link)))
    first = {"/teams/": "2025-03-01"}.get(path, "2024-11-01")
    assert min(row.get("date") or row["day"] for row in rows) == first


@pytest.mark.parametrize(("path", "user"), [("/costs/", "viewer"), ("/waste/", "manager")])
def test_numbers_that_are_in_no_file_are_all_listed(client, request, many_days, path, user):
    client.force_login(request.getfixturevalue(user))
    html = client.get(path, MANY_DAYS).content.decode()
    assert "before them" not in html
    assert re.search(r'<th scope="row">(<a [^>]*>)?2024-11-01', html)


def test_the_total_below_numbers_that_are_not_all_listed_says_that_it_is_of_all(client, manager, many_days):
    client.force_login(manager)
    html = client.get("/costs/", MANY_DAYS | {"end": "2025-03-12"}).content.decode()
    assert "The last 130 of 132 are listed; the total is of all. The 2 before them are drawn" in html
    assert "$262.00" in html


@pytest.mark.parametrize("path", ["/costs/", "/usage/"])
def test_a_chart_of_more_days_than_can_be_drawn_says_why_it_is_per_week(client, manager, many_days, path):
    client.force_login(manager)
    years = {"start": "2022-12-01", "end": "2025-03-11", "bucket": "day"}
    words = "More than 800 days are chosen: they are drawn per week."
    assert words in client.get(path, years).content.decode()
    for fits in (MANY_DAYS, years | {"bucket": "week"}, years | {"bucket": ""}):
        assert "are drawn per" not in client.get(path, fits).content.decode()
