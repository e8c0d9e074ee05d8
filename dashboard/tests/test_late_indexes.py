"""Indexes that are made after the rows: the same ones, whatever happens in between."""

from __future__ import annotations

import re

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from dashboard.late_indexes import indexes_made_afterwards, those_of
from dashboard.models import Job

from .conftest import make_job


def indexes() -> list[tuple[str, str]]:
    """How each is dropped and made, but for the casts, which PostgreSQL spells another way each time."""
    return [
        (drop, re.sub(r"::(character varying|text)|[\[\]() ]", "", make)) for drop, make in those_of("jobs")
    ]


def test_they_are_the_same_before_and_after(db):
    before = indexes()
    with indexes_made_afterwards("jobs"):
        assert indexes() == []
        job = make_job()
    assert len(before) > 10 and indexes() == before
    keys = [make for drop, make in before if "FOREIGNKEY" in make]
    assert len(keys) == (2 if connection.vendor == "postgresql" else 0)
    assert list(Job.objects.newest_first()) == [job]


def test_a_failure_halfway_loses_none(db):
    before = indexes()
    with pytest.raises(KeyboardInterrupt), transaction.atomic(), indexes_made_afterwards("jobs"):
        make_job()
        raise KeyboardInterrupt
    assert indexes() == before and not Job.objects.exists()


def test_a_table_that_has_rows_keeps_them_meanwhile(db):
    make_job()
    before = indexes()
    with indexes_made_afterwards("jobs"):
        assert indexes() == before
    assert indexes() == before


@pytest.mark.django_db(transaction=True)
def test_none_is_dropped_outside_a_transaction():
    before = indexes()
    with pytest.raises(TransactionManagementError), indexes_made_afterwards("jobs"):
        pass
    assert indexes() == before
