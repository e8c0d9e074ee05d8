"""What a sharded database asks of the code, held where no sharded database is at hand (docs/scaling.md)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ..admin.jobs import MOST_LISTED
from ..models import Job
from ..sharding import REFERENCE
from .conftest import PROJECT, at
from .loading import job, load_rows

APP = PROJECT / "dashboard"


@cache
def code() -> list[tuple[Path, ast.AST]]:
    """Every expression of the application's code, with its file."""
    files = [path for path in sorted(APP.rglob("*.py")) if not {"tests", "migrations"} & set(path.parts)]
    return [(path, node) for path in files for node in ast.walk(ast.parse(path.read_text()))]


def calls(*names: str) -> Iterator[tuple[Path, ast.Call]]:
    for path, node in code():
        if isinstance(node, ast.Call) and called(node) in names:
            yield path, node


def called(call: ast.Call) -> str:
    return getattr(call.func, "attr", "") or getattr(call.func, "id", "")


def test_nothing_of_a_job_is_unique_but_its_key():
    """A sharded table keeps a key within one shard only."""
    assert [field.name for field in Job._meta.get_fields() if getattr(field, "unique", False)] == ["id"]
    assert not Job._meta.unique_together
    assert not [one for one in Job._meta.constraints if isinstance(one, models.UniqueConstraint)]


@pytest.mark.django_db
def test_the_database_knows_no_other_unique_key_either():
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Job._meta.db_table)
    unique = [facts["columns"] for facts in found.values() if facts["unique"] or facts["primary_key"]]
    assert unique
    assert all(columns == ["id"] for columns in unique)


def test_no_column_of_jobs_brings_a_check_along():
    """A positive integer is an inline CHECK, which cannot be added to shards; a named constraint can."""
    assert [field.name for field in Job._meta.concrete_fields if field.db_check(connection)] == []


def test_nothing_refers_to_jobs_by_a_foreign_key():
    """A table on the coordinator cannot refer to rows on the workers."""
    assert not [
        relation.related_model for relation in Job._meta.related_objects if relation.related_model is not Job
    ]


def test_nobody_counts_jobs_from_their_team():
    """Team.annotate(Count("jobs")) took 26 seconds on three servers, counting jobs by team one."""
    found = list(calls("Count", "Sum", "Min", "Max", "Avg", "FilteredRelation", "prefetch_related"))
    assert found
    for path, call in found:
        texts = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant)]
        assert not [text for text in texts if str(text).split("__")[0] == "jobs"], path


def test_a_subquery_refers_to_the_row_of_a_job_only():
    """OuterRef from Team cannot be pushed down to the workers; of a job, it stays on one."""
    files = {path.relative_to(APP).as_posix() for path, _ in calls("OuterRef")}
    known = {"job_file/postgresql.py", "reports/oddities.py"}
    assert files <= known, "look at the new one, and name its file here if it is of jobs"


def test_no_list_of_jobs_is_turned_by_offset():
    """To skip 100,000 rows took 12 seconds: lists of jobs go on from a key, and count to a limit."""
    skipping = [
        f"{path.parent.name}/{path.name}: {ast.unparse(node)}" for path, node in code() if skips_jobs(node)
    ]
    assert skipping == ["admin/jobs.py: self.queryset[first:upto]"], "the admin's pages, which end at a cap"
    assert MOST_LISTED <= 1_000
    assert skips_jobs(ast.parse("Job.objects.newest_first()[50:100]", mode="eval").body)
    assert not skips_jobs(ast.parse("jobs.order_by()[:1001]", mode="eval").body)


def skips_jobs(node: ast.AST) -> bool:
    """A slice that does not begin at the beginning, of something named after jobs."""
    if not (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and node.slice.lower):
        return False
    names = {getattr(inner, "id", getattr(inner, "attr", "")) for inner in ast.walk(node.value)}
    return bool(names & {"Job", "jobs", "queryset"})


@pytest.mark.django_db
@pytest.mark.parametrize("named", [{}, {"other_name": "7_1"}])
def test_an_import_looks_from_a_job_only_at_tables_that_workers_have(named):
    """From row to row, that is: a subquery that stands for itself goes to the workers with its answer."""
    facts = {"submitted_by": "ada", "submit_time": at("2025-02-28 20:00")}
    load_rows(job("5", **facts))
    with CaptureQueriesContext(connection) as asked:
        assert load_rows(job("5", **facts), job("7", line=3, **facts, **named)).inserted == 1
    of_jobs = [query["sql"] for query in asked if re.search(r'(FROM|JOIN) "?jobs\b', query["sql"])]
    assert of_jobs
    looked_at = {table for sql in of_jobs for table in re.findall(r"EXISTS \(SELECT .*? FROM (\w+)", sql)}
    assert looked_at <= set(REFERENCE)


@pytest.mark.parametrize(
    "query", ["", "?page=100000", "?page=2&per_page=25", "?after=x&before=y", "?sort=model"]
)
def test_no_page_of_jobs_asks_for_an_offset(client, admin, company, query):
    client.force_login(admin)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(reverse("jobs") + query).status_code == 200
    of_jobs = [query["sql"] for query in asked if 'FROM "jobs"' in query["sql"]]
    assert of_jobs
    assert not [sql for sql in of_jobs if re.search("OFFSET [1-9]", sql)]
