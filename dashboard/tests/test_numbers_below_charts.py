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
    [link] = set(
        re.findall(r'The 1 before them are drawn, and they are <a href="([^"]*)">in the file</a>', html)
    )
    rows = rows_of(client.get(path + unescape(link)))
    first = {"/teams/": "2025-03-01"}.get(path, "2024-11-01")
    assert min(row.get("date") or row["day"] for row in rows) == first


@pytest.mark.parametrize(("path", "user"), [("/costs/", "viewer"), ("/waste/", "manager")])
def test_numbers_that_are_in_no_file_are_all_listed(client, request, many_days, path, user):
    client.force_login(request.getfixturevalue(user))
    html = client.get(path, MANY_DAYS).content.decode()
    assert "before them are drawn" not in html
    assert re.search(r'<th scope="row">(<a [^>]*>)?2024-11-01', html)
