from __future__ import annotations

import pytest
from django.db import connection, transaction

from dashboard.late_indexes import indexes_made_afterwards
from dashboard.models import Job

from .conftest import make_job
from .test_late_indexes import indexes


def test_conditions_of_indexes_are_still_understood(db):
    with indexes_made_afterwards("jobs"):
        pass
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "jobs_unusual_idx" in Job.objects.unusual().values("status", "start_time").explain()


def test_rows_that_break_a_foreign_key_are_refused(db):
    with pytest.raises(Exception, match="foreign key"), transaction.atomic(), indexes_made_afterwards("jobs"):
        Job.objects.filter(pk=make_job().pk).update(team="6f1f9b7e-5d0c-5b62-9a55-0c8f3f2a7d11")
    assert len(indexes()) > 10
