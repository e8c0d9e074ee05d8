"""The same files give the same pages and files on PostgreSQL and on SQLite, character by character."""

from __future__ import annotations

import io
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin as admin_site
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse

from dashboard import remembered
from dashboard.ingest.load import Source, load
from dashboard.ingest.records import Options
from dashboard.models import ImportRun, Job, Team

from .cast import PAGES
from .conftest import SAMPLES, at
from .contracts import make_commitment, make_rate
from .servers import connected_to, new_database

RANGES = ("preset=all", "start=2025-03-01&end=2025-03-31")
WAYS = ("", "&_export=csv", "&_export=xlsx", "&basis=billed", "&bucket=month&group_by=gpu_type")
ALL = os.environ.get("SAME") == "all"  # else every page once and its files
ONE_AT_A_TIME = sorted(
    path.name for path in SAMPLES.iterdir() if path.suffix != ".gz" and "bad" not in path.name
)
SHEETS = ("xl/workbook.xml", "xl/worksheets/", "xl/sharedStrings.xml")
_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="\w+"|request_id=\w+|<code>[0-9a-f]{32}</code>')
_CURSOR = re.compile(r"(after|before)=[\w-]+")
_WRITTEN = re.compile(
    r"20(2[6-9]|[3-9]\d)-\d\d-\d\d[T ]?\d\d:\d\d(:\d\d)?|\d+ \w+ 20(2[6-9]|[3-9]\d)(, \d\d:\d\d)?"
)


@pytest.fixture(autouse=True)
def unblocked(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


def take_in() -> list[str]:
    """What the imports say: of each sample in turn, and of some again."""
    said = []
    for name in [*ONE_AT_A_TIME, "slurm.psv", "focus_1.4.csv", "jobs_one_bad_line.csv"]:
        options = Options(cluster="fox") if name.endswith(".psv") else Options()
        told = load([Source(name, SAMPLES / name)], options, on_conflict="replace").as_json()
        said.append(normal(repr(sorted((key, value) for key, value in told.items() if key != "run"))))
    return said


def told(url: str) -> dict[str, str]:
    """What every page and file says, by its address."""
    remembered.forget()
    with connected_to(default=url):
        root = User.objects.create_superuser("root")
        said = {f"import {place}": text for place, text in enumerate(take_in())}
        make_rate("gpu_hour", "1.50", "2025-03-01", None, provider="fox", gpu_type="a100")
        make_commitment("8", "2025-03-01", "2025-03-31")
        client = Client()
        client.force_login(root)
        for path in paths():
            answer = client.get(path)
            said[normal(path)] = f"{answer.status_code} {normal(text_of(answer))}"
    remembered.forget()
    return said


def text_of(answer: Any) -> str:
    """Of a workbook all sheets, with every cell."""
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if not content.startswith(b"PK"):
        return content.decode()
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        held = sorted(name for name in book.namelist() if name.startswith(SHEETS))
        return "\n".join(f"{name}: {book.read(name).decode()}" for name in held)


def paths() -> Iterator[str]:
    for page in PAGES:
        for days in RANGES if ALL else RANGES[:1]:
            for way in WAYS if ALL else WAYS[:3]:
                yield f"/{page}{'&' if '?' in page else '?'}{days}{way}"
    for sort in ("team", "-gpu_hours", "model", "-end", "duration"):
        yield f"/jobs/?sort={sort}"
        yield f"/jobs/?sort={sort}&_export=csv"
    for team in Team.objects.order_by("name"):
        yield f"/teams/{team.pk}/?{RANGES[1]}"
        yield f"/teams/{team.pk}/statement/?month=2025-03"
    for job in Job.objects.exclude(external_id=None).order_by("external_id", "pk")[:5]:
        yield f"/jobs/{job.pk}/"
    for run in ImportRun.objects.order_by("pk"):
        yield f"/imports/{run.pk}/"
    for model in admin_site.site._registry:
        yield reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")


def normal(text: str) -> str:
    """Without what is made up anew each time: ids, tokens, places in a list and times of writing."""
    for pattern, instead in ((_TOKEN, "token"), (_ID, "id"), (_CURSOR, "cursor"), (_WRITTEN, "then")):
        text = pattern.sub(instead, text)
    return text


def test_both_databases_say_the_same(migrated, migrated_file, tmp_path):
    with override_settings(HELIOX_AS_OF=at("2025-04-10 12:00")):
        of_sqlite = told(f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'one.sqlite3')}")
        with new_database(tmp_path, like=migrated) as url:
            of_postgresql = told(url)
    assert len(of_sqlite) > (150 if ALL else 60)
    assert of_sqlite.keys() == of_postgresql.keys()
    wrong = [
        difference(path, text, of_postgresql[path])
        for path, text in of_sqlite.items()
        if text != of_postgresql[path]
    ]
    assert not wrong, f"{len(wrong)} of {len(of_sqlite)} differ:\n" + "\n".join(wrong[:10])


def difference(path: str, one: str, other: str) -> str:
    place = len(os.path.commonprefix([one, other]))
    near = slice(max(place - 80, 0), place + 80)
    return f"{path} at {place}: {one[near]!r} / {other[near]!r}"
