"""What Prometheus and a server for errors are told: only where they are set up, and about nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from .. import audit, error_reports
from ..models import AuditEvent
from .conftest import PROJECT, make_job

pytestmark = pytest.mark.django_db
TOKEN = "a-token-of-more-than-sixteen-characters"


def test_without_a_token_there_is_no_such_page(client):
    assert client.get("/metrics").status_code == 404


def test_a_wrong_token_is_refused_and_told(client, settings, monkeypatch):
    monkeypatch.setattr(audit, "strangers", audit.Strangers())
    settings.HELIOX_METRICS_TOKEN = TOKEN
    monkeypatch.setattr("dashboard.metrics.answered", lambda *args: None)
    assert client.get("/metrics").status_code == 403
    for said in ("Bearer wrong", TOKEN, "Bearer é"):
        assert client.get("/metrics", headers={"Authorization": said}).status_code == 403
    assert [event.subject for event in AuditEvent.objects.all()] == ["/metrics"] * 4


def test_the_use_of_the_token_is_told_once_a_day_for_each_address(client, settings, monkeypatch, as_of):
    settings.HELIOX_METRICS_TOKEN = TOKEN
    monkeypatch.setattr("dashboard.views.metrics.USED", {})
    monkeypatch.setattr("dashboard.metrics.page", lambda *more: b"")
    monkeypatch.setattr("dashboard.metrics.answered", lambda *args: None)
    for moment, address in (
        ("2025-03-01 12:00", "10.0.0.1"),
        ("2025-03-01 12:01", "10.0.0.1"),
        ("2025-03-01 12:02", "10.0.0.2"),
        ("2025-03-02 12:00", "10.0.0.1"),
    ):
        as_of(moment)
        got = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, REMOTE_ADDR=address)
        assert got.status_code == 200
    told = AuditEvent.objects.order_by("pk").values_list("action", "subject", "address")
    assert list(told) == [("token", "/metrics", f"10.0.0.{n}") for n in (1, 2, 1)]


def test_workers_count_together(tmp_path):
    """Two processes of one server, asked by a third; in processes of their own, as counting is for ever."""
    environment = {"PATH": os.environ["PATH"], "HELIOX_DEBUG": "1", "HELIOX_METRICS_TOKEN": TOKEN}
    environment |= {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "heliox_site.settings",
    }
    begin = "import django; django.setup(); from dashboard import metrics; "
    count = "[metrics.answered('jobs', 'GET', 200, 0.02) for _ in range(3)]"
    for told in (count, count, "print(metrics.page().decode())"):
        done = subprocess.run(
            [sys.executable, "-c", begin + told], env=environment, cwd=PROJECT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert 'heliox_requests_total{method="GET",status="200",view="jobs"} 6.0' in done.stdout
    assert 'heliox_request_seconds_bucket{le="0.025",view="jobs"} 6.0' in done.stdout


def test_it_tells_of_imports_roll_ups_and_data(client, settings, monkeypatch, tmp_path, company):
    settings.HELIOX_METRICS_TOKEN = TOKEN
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr("dashboard.metrics.counters", lambda: (Any, Any))
    monkeypatch.setattr("dashboard.metrics.answered", lambda *args: None)
    audit.record("imported", rows=7)
    audit.record("imported", rows=3)
    audit.record("import refused")
    make_job()
    page = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    told = page.content.decode().splitlines()
    assert 'heliox_imports_total{outcome="committed"} 2.0' in told
    assert 'heliox_imports_total{outcome="refused"} 1.0' in told
    assert "heliox_imported_rows_total 10.0" in told
    assert any(line.startswith("heliox_roll_up_unsettled ") and float(line.split()[1]) > 0 for line in told)
    # Rows until the 30th, the last of which may still grow: complete through the 29th, and it is the 31st.
    assert 'heliox_data_age_days{provider="AWS"} 2.0' in told


def test_an_error_is_told_without_the_person():
    event = {
        "level": "error",
        "exception": {"values": [{"type": "KeyError", "value": "vera", "mechanism": {"data": "vera"}}]},
        "logentry": {"message": "vera", "params": ["vera"]},
        "message": "vera",
        "threads": {"values": ["vera"]},
        "user": {"id": "7", "email": "vera@example.com", "ip_address": "10.0.0.9"},
        "request": {
            "method": "POST",
            "url": "https://heliox.example.com/jobs/?q=vera",
            "query_string": "q=vera",
            "cookies": {"sessionid": "secret"},
            "headers": {"Authorization": "secret", "X-Forwarded-For": "10.0.0.9"},
            "data": {"password": "secret"},
            "env": {"REMOTE_ADDR": "10.0.0.9"},
        },
        "breadcrumbs": {"values": ["vera"]},
        "server_name": "web-1",
        "extra": {"sys.argv": ["secret"]},
        "contexts": {"anything": "vera"},
    }
    told = error_reports.scrubbed(event, {})
    assert told["exception"] == {"values": [{"type": "KeyError", "mechanism": {}}]}
    assert told["request"] == {"method": "POST", "url": "https://heliox.example.com/jobs/"}
    for word in ("vera", "secret", "10.0.0.9", "web-1"):
        assert word not in str(told)


def test_the_kind_and_the_place_of_an_error_are_sent_and_no_word_of_it():
    """By the real program for it, in a process of its own, as what it hooks itself into stays."""
    environment = {"PATH": os.environ["PATH"], "HELIOX_DEBUG": "1"}
    environment |= {"HELIOX_ERRORS_DSN": "https://key@errors.example.com/1"}
    done = subprocess.run(
        [sys.executable, "-m", "dashboard.tests.failing"],
        env=environment | {"DJANGO_SETTINGS_MODULE": "heliox_site.settings"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Covert" not in done.stdout
    chained, grouped, logged, said = map(json.loads, done.stdout.splitlines())
    assert [one["type"] for one in chained["exception"]["values"]] == ["IntegrityError", "KeyError"]
    inner, outer = (one["stacktrace"]["frames"][-1] for one in chained["exception"]["values"])
    assert (inner["function"], outer["function"]) == ("stored", "chained")
    assert inner["filename"] == "failing.py"
    assert "raise IntegrityError(" in inner["context_line"] and inner["lineno"] < outer["lineno"]
    assert [(one["type"], one["mechanism"].get("parent_id")) for one in grouped["exception"]["values"]] == [
        ("FileNotFoundError", 0),
        ("ValueError", 0),
        ("ExceptionGroup", None),
    ]
    assert logged["logger"] == "heliox" and "exception" not in logged and "exception" not in said


def test_requests_that_are_answered_and_those_that_are_asked_wrongly_are_told_nobody():
    """Though a header asks that they be traced, and strangers ask for hosts that are not ours."""
    environment = {"PATH": os.environ["PATH"], "HELIOX_DEBUG": "1"}
    environment |= {"HELIOX_ERRORS_DSN": "https://key@errors.example.com/1"}
    done = subprocess.run(
        [sys.executable, "-m", "dashboard.tests.failing", "ask"],
        env=environment | {"DJANGO_SETTINGS_MODULE": "heliox_site.settings"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert [word for word in ("evil.example", "TooMany", "TooBig") if word not in "".join(told)] == []
    assert "Traceback" not in done.stderr


def test_errors_are_told_nobody_unless_asked_for(settings, monkeypatch):
    import sentry_sdk

    begun = []
    monkeypatch.setattr(sentry_sdk, "init", lambda **how: begun.append(how))
    error_reports.begin()
    assert begun == []
    settings.HELIOX_ERRORS_DSN = "https://key@errors.example.com/1"
    error_reports.begin()
    assert begun[0]["send_default_pii"] is False and begun[0]["include_local_variables"] is False
    assert begun[0]["send_client_reports"] is False, "they tell how many requests came"
    assert begun[0]["trace_propagation_targets"] == [], "nor is the webhook of digests told of it"
