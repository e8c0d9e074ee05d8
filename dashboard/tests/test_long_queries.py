"""An address that says the same very often costs no more than one that says it once."""

from __future__ import annotations

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
