"""Log lines: one for each request, with its number, and nothing in them that nobody should read."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from .. import current
from ..log_lines import JsonLines, ReadableLines

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines(caplog: Any) -> Any:
    """The JSON lines that a request leaves."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("heliox.request")
    log.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    log.removeHandler(handler)


def test_a_request_is_one_line(client, viewer, lines):
    client.force_login(viewer)
    response = client.get("/jobs/?q=hunter2&preset=all")
    (line,) = lines()
    assert line["request_id"] == response["X-Request-ID"]
    assert (line["method"], line["path"], line["view"], line["status"]) == ("GET", "/jobs/", "jobs", 200)
    assert line["user_id"] == viewer.pk
    assert line["ms"] > 0 and line["time"].endswith("+00:00")
    assert "hunter2" not in json.dumps(line)


def test_a_password_is_in_no_line(client, viewer, lines, caplog):
    with caplog.at_level(logging.DEBUG, "heliox"):
        client.post("/accounts/login/?token=hunter2", {"username": "vera", "password": "hunter2"})
    assert lines() and "hunter2" not in json.dumps(lines()) + caplog.text


def test_a_path_forges_no_line(client, lines):
    client.get("/x%0A%7B%22level%22%3A%20%22info%22%7D%0D%E2%80%A8/")
    (line,) = lines()
    assert line["status"] == 302 or line["status"] == 404


def test_probes_that_are_answered_as_always_are_no_lines(client, lines):
    client.get("/healthz")
    assert lines() == []


def test_a_mistake_of_ours_is_an_error(client, viewer, lines, monkeypatch):
    client.force_login(viewer)
    client.raise_request_exception = False
    monkeypatch.setattr("dashboard.views.costs.Asked.of", lambda *args, **how: 1 / 0)
    client.get("/costs/")
    (line,) = lines()
    assert (line["level"], line["status"]) == ("error", 500)


GIVEN = "abc-123.DEF_456"


@pytest.mark.parametrize(
    ("behind_proxy", "given", "kept"),
    [
        (True, GIVEN, True),
        (False, GIVEN, False),
        (True, "short", False),
        (True, "x" * 65, False),
        (True, "abc 12345\n", False),
        (True, "é" * 10, False),
    ],
)
def test_only_a_proxy_numbers_requests(client, settings, behind_proxy, given, kept):
    settings.HELIOX_BEHIND_PROXY = behind_proxy
    number = client.get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"]
    assert (number == given) is kept
    assert current.REQUEST_ID.fullmatch(number)


def test_a_readable_line_has_its_facts_and_its_traceback_on_lines_of_its_own():
    try:
        raise ValueError("one\n12:00:00 INFO forged")
    except ValueError as error:
        thrown = (type(error), error, None)
    record = logging.LogRecord("x", logging.ERROR, "", 1, "It failed\nbadly", (), thrown)
    record.facts = {"path": "/jobs/"}
    first, *rest = ReadableLines().format(record).splitlines()
    assert first.endswith("ERROR It failed\\nbadly  path=/jobs/")
    assert rest == ["    ValueError: one", "    12:00:00 INFO forged"]
