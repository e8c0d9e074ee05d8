"""Who reads a file slowly keeps a thread; pages are left the others."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections
from django.test import Client

from .conftest import make_job

pytestmark = pytest.mark.django_db
FILE = "/jobs/?_export=csv"


@pytest.fixture
def reader(settings, manager) -> Client:
    """Of a process that gives two files at a time."""
    settings.HELIOX_FILES_AT_ONCE = 2
    make_job()
    client = Client()
    client.force_login(manager)
    return client


def test_the_third_file_at_a_time_is_asked_to_come_again(reader):
    slow = [reader.get(FILE), reader.get("/teams/?_export=xlsx")]
    refused = reader.get(FILE)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "10"
    assert "being downloaded already" in refused.content.decode()
    assert reader.get("/jobs/").status_code == 200, "pages come as ever"
    b"".join(slow[0].streaming_content)
    assert reader.get(FILE).status_code == 200


def test_who_goes_away_leaves_the_place_to_another(reader):
    for _ in range(5):
        answer = reader.get(FILE)
        assert answer.status_code == 200
        go_away(answer)


def go_away(answer: Any) -> None:
    """As a server closes what nobody reads; the connection is the test's own."""
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)


def test_what_is_no_file_takes_no_place_for_long(reader):
    for path in ("/jobs/?_export=pdf", "/jobs/?_export=csv&start=soon", "/nowhere/?_export=csv"):
        for _ in range(3):
            assert reader.get(path).status_code in (400, 404)
    assert reader.get(FILE).status_code == 200


def test_strangers_take_no_place(reader):
    for _ in range(5):
        assert Client().get(FILE).status_code == 302
    assert reader.get(FILE).status_code == 200
