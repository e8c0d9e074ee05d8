"""Whatever an address says, it is answered in time and without an error, and valid ones stay right."""

from __future__ import annotations

import os
from collections import Counter
from itertools import islice
from random import Random
from time import perf_counter
from typing import Any

import pytest
from django.contrib import admin as admin_site
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from dashboard.models import (
    AccountMapping,
    Budget,
    ClusterMapping,
    CostCentre,
    ImportRun,
    Invoice,
    NameAlias,
    Provider,
    SpendMapping,
    Team,
    Upload,
)

from . import hostile
from .contracts import make_commitment, make_entry, per_hour
from .loading import bill, load_rows
from .questions import PAGES, Question, compared, question
from .test_access_matrix import OPEN, quiet

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore::RuntimeWarning")]
REQUESTS = int(os.environ.get("FUZZ", 150))
IN_TIME = 2  # seconds
EVERY = 50  # fuzzed requests, a valid one
__all__ = ["quiet"]


@pytest.fixture
def one_of_each(root: Client, company: None) -> dict[str, Any]:
    """The key of a row of each table; what was typed in lies in a year that no valid question asks about."""
    load_rows(bill(1, provider="OCI"))
    team = Team.objects.order_by("name")[0]
    make_entry("2020-03-03", "2020-03-04", "10.00")
    per_hour("1.50", "2020-01-01", "2020-01-02")
    make_commitment("8", "2020-01-01", "2020-12-31")
    Invoice.objects.create(provider="AWS", period_start="2020-03-01", total_usd="10.00")
    CostCentre.objects.create(team=team, code="4711")
    Budget.objects.create(provider="AWS", first_month="2020-01-01", monthly_usd="100.00")
    ClusterMapping.objects.create(cluster="elk", provider="AWS")
    AccountMapping.objects.create(cluster="fox", account="nn1", team=team)
    SpendMapping.objects.create(provider="AWS", tag="vision", team=team)
    Provider.objects.get_or_create(name="AWS")
    NameAlias.objects.create(kind="provider", alias="amazon", name="AWS")
    Upload.objects.create(user=User.objects.get(username="root"))
    root.post("/theme", {"theme": "dark"})
    tables = [*admin_site.site._registry, ImportRun, Upload]
    return {model._meta.model_name: model._base_manager.order_by("pk").first() for model in tables}


def answer(client: Client, path: str, query: str) -> tuple[int, bytes]:
    """Its status and its content; an exception is a 500, and nothing stays of what was done."""
    with transaction.atomic():
        try:
            got = client.generic("GET", path, QUERY_STRING=query)
            content = b"".join(got.streaming_content) if got.streaming else got.content
            return got.status_code, content
        except Exception as error:
            return 500, repr(error).encode()
        finally:
            transaction.set_rollback(True)


def tried(client: Client, path: str, query: str) -> tuple[int, str]:
    """The status, and what is wrong with the answer; a busy machine may be slow once."""
    for _ in range(3):
        began = perf_counter()
        status, content = answer(client, path, query)
        took = perf_counter() - began
        if status >= 500:
            return status, f"{status} {path}?{query[:300]} {content[:200]!r}"
        if took < IN_TIME:
            return status, ""
    return status, f"{took:.1f} s {path}?{query[:300]}"


def valid(random: Random) -> Question:
    """Of given days."""
    asked = iter(lambda: question(random, random.choice(PAGES)), None)
    return next(one for one in asked if "start" in one.asked)


def test_no_address_breaks_a_page(root, one_of_each):
    def fill(route: str, name: str) -> str:
        subject = hostile.subject_of(route, name)
        row = one_of_each.get(subject)
        return str(row.pk) if row else "dashboard"

    random, found, statuses = Random(2), [], Counter()
    for number, (path, query) in enumerate(islice(hostile.requests(fill, REQUESTS), REQUESTS)):
        status, wrong = tried(Client() if path in OPEN else root, path, query)
        statuses[status] += 1
        found += [wrong] if wrong else []
        if number % EVERY == 0:
            found += compared(root, valid(random))
    assert not found, f"{len(found)} of {REQUESTS}:\n" + "\n".join(found)
    assert statuses[200] > REQUESTS / 5, f"most are refused at the edge: {statuses}"
