"""For random filters the table, the chart and the file of a page say what the ORM says."""

from __future__ import annotations

import os
from random import Random

import pytest

from dashboard.models import CostSnapshot

from .questions import PAGES, compared, question

pytestmark = pytest.mark.django_db
QUESTIONS = int(os.environ.get("QUESTIONS", 20))


@pytest.fixture
def fionas(client, finance, company):
    client.force_login(finance)
    return client


def test_table_chart_file_and_orm_agree(fionas):
    random = Random(5)
    asked = [question(random, PAGES[number % len(PAGES)]) for number in range(QUESTIONS)]
    found = [wrong for one in asked for wrong in compared(fionas, one)]
    assert not found, "\n".join(found)


def test_a_cent_that_only_the_file_has_would_be_seen(fionas, monkeypatch):
    random = Random(5)
    one = next(one for one in iter(lambda: question(random, "costs"), None) if "start" not in one.asked)
    monkeypatch.setattr("dashboard.tests.questions.file_of", lambda *_: [{"cost_usd": "0.01"}])
    assert CostSnapshot.objects.exists()
    assert any("in the file" in wrong for wrong in compared(fionas, one))
