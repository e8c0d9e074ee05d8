"""What memory a file takes on its way out: as much for a hundred thousand rows as for a thousand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drills import many_jobs

from .conftest import PROJECT, make_user
from .servers import connected_to, new_database

JOBS = 100_000
A_DAY, ALL = "/jobs/?start=2025-03-30&end=2025-03-30&_export=csv", "/jobs/?preset=all&_export=csv"
MEGABYTES = 4

# Each file in a process of its own that has given a short one before; both are forked from one that has none.
TAKER = """
import json, os, resource, sys
import django
django.setup()
from django.contrib.auth.models import User
from django.test import Client
import dashboard.urls

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def rows_of(client, path):
    return sum(piece.count(b"\\n") for piece in client.get(path).streaming_content) - 1

def taken(path, before):
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get())
    rows_of(client, before)
    held = most()
    return {"rows": rows_of(client, path), "mb": most() - held}

short, *paths = sys.argv[1:]
for path in paths:
    if (pid := os.fork()) == 0:
        print(json.dumps(taken(path, short)), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
"""


@pytest.fixture(scope="module")
def many(migrated: str, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[str]:
    """The address of a database of a hundred thousand jobs and one reader."""
    folder: Path = tmp_path_factory.mktemp("many")
    with django_db_blocker.unblock(), new_database(folder, like=migrated) as url:
        many_jobs.fill(url, JOBS)
        with connected_to(default=url):
            make_user("mia", "Manager")
        yield url


def taken(url: str, *paths: str) -> list[dict[str, Any]]:
    """Rows of each file, and megabytes beyond those of the process that was to write it."""
    environ = os.environ | {
        "DJANGO_SETTINGS_MODULE": "heliox_site.settings",
        "HELIOX_DEBUG": "1",
        "DATABASE_URL": url,
    }
    told = subprocess.run(
        [sys.executable, "-c", TAKER, A_DAY, *paths], capture_output=True, text=True, env=environ, cwd=PROJECT
    )
    assert told.returncode == 0, told.stderr
    return [json.loads(line) for line in told.stdout.splitlines()]


def test_a_file_of_100_000_jobs_takes_no_more_memory_than_one_of_1000(many):
    few, all_of_them = taken(many, A_DAY, ALL)
    assert 1_000 <= few["rows"] < 2_000 and all_of_them["rows"] == JOBS
    assert abs(all_of_them["mb"] - few["mb"]) < MEGABYTES, (few, all_of_them)
