"""A large import on SQLite leaves indexes for later, and others can write sooner: no index or sum is lost."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from .. import late_indexes, rollups, typed
from ..ingest import jobs
from ..models import Job
from ..rollups import triggers
from .conftest import at, make_job
from .loading import job, load_rows
from .test_late_indexes import indexes

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_same_indexes_are_there_afterwards_and_the_sums_are_right(monkeypatch):
    before = indexes()
    monkeypatch.setattr(jobs, "MANY", 3)
    seen: list[int] = []
    merge = jobs.merge
    monkeypatch.setattr(jobs, "merge", lambda run: [seen.append(len(indexes())), *merge(run)][1:])
    load_rows(*(job(str(n)) for n in range(4)))
    changed = at("2025-03-01 05:00")
    load_rows(*(job(str(n), end_time=changed) for n in range(1, 6)))
    assert seen[0] < len(before) - 5, "they were left for later"
    assert indexes() == before
    assert Job.objects.count() == 6
    assert not list(rollups.verify())
    assert triggers.are_there(connection) and typed.are_there(connection)
    make_job()
    assert not list(rollups.verify()), "triggers note again"


def test_an_import_that_was_killed_before_they_were_made_leaves_them_to_the_next(monkeypatch):
    before = indexes()
    with transaction.atomic():
        late_indexes.leave_for_later(Job, 1)
        monkeypatch.setattr(late_indexes, "make_missing", lambda model: None)
    monkeypatch.undo()
    assert indexes() != before
    load_rows(job())
    assert indexes() == before


def test_a_table_that_is_much_larger_keeps_its_indexes():
    for _ in range(late_indexes.MOST_STORED + 1):
        make_job()
    before = indexes()
    with transaction.atomic():
        late_indexes.leave_for_later(Job, 1)
        assert indexes() == before
