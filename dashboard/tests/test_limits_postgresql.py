"""Pages give up on rows that others hold; what may take long, such as an import, does not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection

from ..databases import at_leisure, reading
from ..ingest.reapply import reapply
from ..ingest.rows import IMPORT_LOCK
from ..ingest.undo import undo
from ..reports import spend
from ..views import costs
from .conftest import PROJECT, make_cost
from .loading import cost, load_rows
from .test_ingest_kills import address

pytestmark = pytest.mark.django_db

SHOWN = """
import heliox_site.wsgi
from django.db import connection, connections
for name in ("lock_timeout", "statement_timeout", "search_path"):
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        print(*cursor.fetchone())
connections.close_all()
connection.close_pool()
"""


def shown_by_a_web_process(url: str, **environment: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PG"))}
    environ = kept | {"DATABASE_URL": url, "HELIOX_DEBUG": "1"} | environment
    command = [sys.executable, "-c", SHOWN]
    return subprocess.check_output(command, cwd=PROJECT, env=environ, text=True).splitlines()


def test_pages_are_limited_also_where_the_address_brings_options_of_its_own():
    url = address() + "?options=-c%20search_path%3Dscratch"
    assert shown_by_a_web_process(url) == ["2s", "1min", "scratch"]
    other = {"HELIOX_LOCK_SECONDS": "1", "HELIOX_PAGE_SECONDS": "5"}
    assert shown_by_a_web_process(url, **other) == ["1s", "5s", "scratch"]


def limits() -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        return cursor.fetchone()


@pytest.fixture
def page() -> Iterator[None]:
    """This connection is that of a page, with less patience than a web process has."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'; SET statement_timeout = '300ms'")
    yield
    if not connection.in_atomic_block:  # whose end takes them back
        connection.close()


def test_what_is_done_at_leisure_has_no_limits_and_leaves_those_of_the_page(page):
    with at_leisure():
        with at_leisure():
            pass
        assert limits() == ("0", "0")
    assert limits() == ("100ms", "300ms")


def test_limits_are_back_after_a_failure(page):
    with pytest.raises(ZeroDivisionError), at_leisure():
        _ = 1 / 0
    assert limits() == ("100ms", "300ms")


@contextmanager
def import_of_somebody_else(seconds: float) -> Iterator[None]:
    begun = threading.Event()

    def hold() -> None:
        with psycopg.connect(address()) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])
            begun.set()
            time.sleep(seconds)

    holder = threading.Thread(target=hold)
    holder.start()
    begun.wait(10)
    try:
        yield
    finally:
        holder.join()


@pytest.mark.django_db(transaction=True)
def test_imports_wait_for_each_other_longer_than_pages_may(page):
    with import_of_somebody_else(0.5):
        done = load_rows(cost("10.00"))
    assert done.committed
    with import_of_somebody_else(0.5):
        undo(done.run)
    with import_of_somebody_else(0.5):
        assert reapply() == 0


def test_a_page_does_not_wait_so_long(page):
    with import_of_somebody_else(0.5), pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])


LONG = "SELECT pg_sleep(0.5)"


@pytest.fixture
def slow(page, monkeypatch) -> None:
    """What the page of costs is made of takes longer than a page may."""
    make_cost("2025-03-01", "10.00")
    ask = spend.costs
    monkeypatch.setattr(costs.spend, "costs", lambda *asked: taking_long() and ask(*asked))


def taking_long() -> bool:
    with reading().cursor() as cursor:
        cursor.execute(LONG)
    return True


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_file_may_take_longer_than_its_page(client, finance, slow, kind):
    client.force_login(finance)
    answer = client.get(f"/costs/?preset=all&_export={kind}")
    assert answer.status_code == 200
    assert limits() == ("100ms", "0"), "until it has left"
    assert b"".join(answer.streaming_content)
    assert limits() == ("100ms", "300ms")


def test_rows_that_are_asked_for_as_the_file_leaves_may_take_longer(client, finance, page, monkeypatch):
    make_cost("2025-03-01", "10.00")
    written = costs.written
    monkeypatch.setattr(costs, "written", lambda rows: (row for row in written(rows) if taking_long()))
    client.force_login(finance)
    answer = client.get("/costs/?preset=all&_export=csv")
    assert b"2025-03-01,AWS,A100-80GB,10.00" in b"".join(answer.streaming_content)
    assert limits() == ("100ms", "300ms")


@pytest.mark.parametrize("asked", ["", "&_export=", "&_export=pdf"])
@pytest.mark.django_db(transaction=True)
def test_a_page_may_not_take_so_long_and_what_is_no_file_is_a_page(client, finance, slow, asked):
    client.force_login(finance)
    client.raise_request_exception = False
    assert client.get(f"/costs/?preset=all{asked}").status_code == 503


@pytest.mark.django_db(transaction=True)
def test_who_may_take_no_file_away_has_no_more_time_by_asking_for_one(client, viewer, slow):
    client.force_login(viewer)
    client.raise_request_exception = False
    assert client.get("/costs/?preset=all&_export=xlsx").status_code == 503


@pytest.mark.django_db(transaction=True)
def test_limits_are_back_after_a_file_that_failed(client, finance, page, monkeypatch):
    monkeypatch.setattr(costs.spend, "totals", lambda cells: 1 / 0)
    client.force_login(finance)
    client.raise_request_exception = False
    assert client.get("/costs/?preset=all&_export=xlsx").status_code == 500
    assert limits() == ("100ms", "300ms")
