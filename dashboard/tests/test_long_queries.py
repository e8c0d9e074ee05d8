"""An address that says the same very often costs no more than one that says it once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from dashboard.filters import ScopeFilter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("company")]


@pytest.fixture
def reader(viewer: Any) -> Client:
    client = Client()
    client.force_login(viewer)
    return client


def test_a_column_that_is_named_again_sorts_once(reader):
    """Rows that are alike in a column would be compared by it hundreds of times."""
    page = reader.get("/costs/?preset=all&sort=provider&sort=-provider&sort=day" + "&sort=provider" * 200)
    assert tuple(page.context["table"].order_by) == ("provider", "day")


def test_what_a_page_is_narrowed_to_is_said_once(reader, monkeypatch):
    """Each of its words holds a link with all the others, and a dozen of figures tell of them."""
    said, without = [], ScopeFilter.without
    monkeypatch.setattr(ScopeFilter, "without", lambda self, *of: said.append(of) or without(self, *of))
    asked = "&".join(f"model=m{number}" for number in range(40))
    page = reader.get(f"/allocation/?preset=all&{asked}")
    assert len(page.context["filters"]) == len(said) == 40


@pytest.mark.parametrize(("values", "status"), [(300, 200), (301, 400)])
def test_a_query_has_three_hundred_values_at_most(reader, values, status):
    asked = "&".join(["preset=all", *(f"model=m{number}" for number in range(values - 1))])
    assert reader.get(f"/jobs/?{asked}").status_code == status


TEAMS = [f"team={number:08}-0000-4000-8000-000000000000" for number in range(400)]


def test_who_chooses_more_teams_than_an_address_holds_is_told_what_to_do(reader):
    """190 of them and the range come to 7,990 characters."""
    assert reader.get("/costs/?" + "&".join(["preset=all", *TEAMS[:190]])).status_code == 200
    answer = reader.get("/costs/?" + "&".join(["preset=all", "provider=A%26B", *TEAMS[:191]]))
    told = answer.content.decode()
    assert answer.status_code == 400
    assert "191 teams are chosen." in told and "this one has room for 189 of them" in told
    assert "To see all teams, choose none of them." in told
    assert '<a class="btn btn-primary" href="/costs/?preset=all&amp;provider=A%26B">' in told
    assert reader.get("/costs/?preset=all&provider=A%26B").status_code == 200
    assert 'href="/costs/"' in reader.get("/costs/?" + "&".join(TEAMS)).content.decode()


def test_more_values_than_a_page_takes_are_told_as_well(reader):
    told = reader.get("/jobs/?q=x&" + "&".join(f"model=m{n}" for n in range(400))).content.decode()
    assert "400 models are chosen." in told and "room for 299 of them" in told
    assert 'href="/jobs/?q=x"' in told


@pytest.mark.parametrize(
    "address",
    [
        "/costs/?team=a%00&team=b",
        "/costs/?team=a&team=" + "b" * 2001,
        "/costs/?x=" + "y" * 9000,
        "/costs/?q=" + "y" * 9000 + "&" + "&".join(TEAMS[:9]),
        "/costs/?q=%00&" + "&".join(TEAMS),
        "/costs/?team=" + "y" * 9000,
        "/costs/?" + "&".join(TEAMS * 7),
    ],
)
def test_what_else_nobody_can_read_is_refused_as_before(reader, address):
    answer = reader.get(address)
    assert answer.status_code == 400 and "That request cannot be read" in answer.content.decode()


@pytest.mark.parametrize("path", ["//example.com/", "/\\example.com/"])
def test_the_way_back_stays_on_this_site(reader, path):
    answer = reader.generic("GET", "/", PATH_INFO=path, QUERY_STRING="&".join(TEAMS))
    links = re.findall('href="([^"]*)"', answer.content.decode().partition("<main")[2])
    assert links and all(re.match(r"/($|[^/\\])", link) for link in links)
