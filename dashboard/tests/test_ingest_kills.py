"""Imports that run at once or are killed: nothing is doubled, nothing is half there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client

from dashboard.models import CostSnapshot, ImportRun, Job, Team

from .conftest import PROJECT
from .test_imports_page import COSTS, path, send

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "job_id,team,model_name,gpu_type,provider,start_time,end_time,status\n"
JOBS = 4000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    row = "{n},team {n:.1},resnet,A100,AWS,2025-03-01T00:00:00Z,2025-03-01T02:00:00Z,completed\n"
    path = tmp_path / "jobs.csv"
    path.write_text(HEADER + "".join(row.replace("{n:.1}", str(n % 3)).format(n=n) for n in range(JOBS)))
    return path


def start(path: Path) -> subprocess.Popen[bytes]:
    """manage.py ingest in a process of its own, on the database of this test."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"}
    environment |= {"DATABASE_URL": address(), "HELIOX_DEBUG": "1"}
    command = [sys.executable, "manage.py", "ingest", str(path), "--json"]
    return subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def address() -> str:
    facts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{facts['NAME']}"
    host, port = quote(str(facts["HOST"]), safe=""), f":{facts['PORT']}" if facts["PORT"] else ""
    login = quote(facts["USER"]) + (f":{quote(facts['PASSWORD'])}" if facts["PASSWORD"] else "")
    return f"postgres://{login}@{host}{port}/{facts['NAME']}"


def test_three_at_once_are_one(log: Path) -> None:
    running = [start(log) for _ in range(3)]
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    inserted = sorted(json.loads(out)["inserted"] for out, _ in said)
    assert inserted == [0, 0, JOBS]
    assert (Job.objects.count(), Team.objects.count(), ImportRun.objects.count()) == (JOBS, 3, 1)


def test_a_killed_import_leaves_nothing_or_all_and_can_be_run_again(log: Path) -> None:
    for wait in (0.8, 1.3, 1.8):
        process = start(log)
        time.sleep(wait)
        process.kill()
        process.communicate(timeout=60)
        assert Job.objects.count() in (0, JOBS)
        assert Job.objects.count() == JOBS * ImportRun.objects.count()
    again = start(log)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert json.loads(out)["read"] == JOBS
    assert (Job.objects.count(), ImportRun.objects.count()) == (JOBS, 1)


def test_new_jobs_in_opposite_order_make_nobody_wait_in_a_ring(log: Path) -> None:
    """Neither holds the jobs that the other still has to write."""
    header, *rows = log.read_text().splitlines(keepends=True)
    backwards = log.with_name("backwards.csv")
    backwards.write_text(header + "".join(reversed(rows)))
    running = [start(path) for path in (log, backwards, log, backwards)]
    said = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0, 0, 0], said
    assert sorted(json.loads(out)["inserted"] for out, _ in said) == [0, 0, 0, JOBS]


def test_a_double_click_in_two_threads_imports_once(admin: User) -> None:
    """Whichever of the two comes first."""
    clients = [Client(), Client()]
    for one in clients:
        one.force_login(admin)
    review = path(send(clients[0], COSTS))
    both = Barrier(2)

    def click(client: Client) -> int:
        both.wait(20)
        try:
            return client.post(review, {"do": "confirm"}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as people:
        assert list(people.map(click, clients)) == [302, 302]
    assert ImportRun.objects.count() == 1
    assert CostSnapshot.objects.count() == 2
