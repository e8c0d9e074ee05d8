"""The same files give the same pages and files on PostgreSQL and on SQLite, character by character."""

from __future__ import annotations

import io
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib import admin as admin_site
from django.contrib.auth.models import User
from django.db.models.signals import post_save
from django.test import Client, override_settings
from django.urls import reverse

from dashboard import remembered
from dashboard.ingest.load import Source, load
from dashboard.ingest.records import Options
from dashboard.models import ImportRun, Job, Provider, Team, TeamLimit

from .cast import PAGES, name_everything
from .conftest import SAMPLES, at
from .contracts import make_commitment, make_rate
from .servers import connected_to, new_database

COMPARED = ("bridge/",)  # with the days before, which a range of all days does not have
RANGES = ("preset=all", "start=2025-03-01&end=2025-03-31")
WAYS = ("", "&_export=csv", "&_export=xlsx", "&basis=billed", "&bucket=month&group_by=gpu_type")
ALL = os.environ.get("SAME") == "all"  # else every page once and its files
ONE_AT_A_TIME = sorted(
    path.name for path in SAMPLES.iterdir() if path.suffix != ".gz" and "bad" not in path.name
)
NAMES = ["Vision", "speech lab", "Übersetzung", "vision 2", "a-b", "O’Neill & Söhne"]  # sorted in many ways
SHEETS = ("xl/workbook.xml", "xl/worksheets/", "xl/sharedStrings.xml")
_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="\w+"|request_id=\w+|<code>[0-9a-f]{32}</code>')
_CURSOR = re.compile(r"(after|before)=[\w-]+")
_WRITTEN = re.compile(
    r"20(2[6-9]|[3-9]\d)-\d\d-\d\d[T ]?\d\d:\d\d(:\d\d(\.\d+)?)?|\d+ \w+ 20(2[6-9]|[3-9]\d)(,? \d\d:\d\d)?"
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
    """What every page and file says, by its address without ids and its place among them."""
    remembered.forget()
    with connected_to(default=url):
        root = User.objects.create_superuser("root")
        said = {f"import {place}": text for place, text in enumerate(take_in())}
        make_rate("gpu_hour", "1.50", "2025-03-01", None, provider="fox", gpu_type="a100")
        make_commitment("8", "2025-03-01", "2025-03-31")
        with fixed_ids(), written() as rows:
            name_everything(NAMES)
            limit_somebody()
            Provider.objects.create(name="AWS", bill_clock="America/Los_Angeles")
        client = Client()
        client.force_login(root)
        for place, path in enumerate([*paths(), *forms(rows)]):
            answer = client.get(path)
            said[f"{normal(path)} {place}"] = f"{answer.status_code} {normal(text_of(answer))}"
    remembered.forget()
    return said


@contextmanager
def fixed_ids() -> Iterator[None]:
    """The same on both databases, so that rows which nothing else tells apart come in the same order."""
    with patch.object(os, "urandom", Random(1).randbytes):
        yield


@contextmanager
def written() -> Iterator[dict[type, Any]]:
    """By table, the key of the row that was written last."""
    rows: dict[type, Any] = {}

    def note(sender: type, instance: Any, **_: Any) -> None:
        rows[sender] = instance.pk

    post_save.connect(note)
    try:
        yield rows
    finally:
        post_save.disconnect(note)


def limit_somebody() -> None:
    TeamLimit.objects.create(user=User.objects.get(username=NAMES[0])).teams.set(
        Team.objects.filter(name=NAMES[0])
    )


def forms(rows: dict[type, Any]) -> Iterator[str]:
    for model in admin_site.site._registry:
        if model in rows:
            yield reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_change", args=[rows[model]])


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
        for days in ranges(page):
            for way in WAYS if ALL else WAYS[:3]:
                yield f"/{page}{'&' if '?' in page else '?'}{days}{way}"
    for sort in ("team", "-gpu_hours", "model", "-end", "duration"):
        yield f"/jobs/?sort={sort}"
        yield f"/jobs/?sort={sort}&_export=csv"
    for team in sorted(Team.objects.all(), key=str):
        yield f"/teams/{team.pk}/?{RANGES[1]}"
        for month in ("2025-03", "2025-02", "2025-02&as=now"):
            yield f"/teams/{team.pk}/statement/?month={month}"
    for job in Job.objects.exclude(external_id=None).order_by("external_id", "pk")[:5]:
        yield f"/jobs/{job.pk}/"
    for run in ImportRun.objects.order_by("pk"):
        yield f"/imports/{run.pk}/"
    for model in admin_site.site._registry:
        yield reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")


def ranges(page: str) -> tuple[str, ...]:
    if page in COMPARED:
        return RANGES[1:]
    return RANGES if ALL else RANGES[:1]


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
    assert len(of_sqlite) > 200
    assert of_sqlite.keys() == of_postgresql.keys()
    wrong = [
        difference(path, text, of_postgresql[path])
        for path, text in of_sqlite.items()
        if text != of_postgresql[path]
    ]
    assert not wrong, f"{len(wrong)} of {len(of_sqlite)} differ:\n" + "\n".join(wrong[:10])
    asked = {path.rpartition(" ")[0] for path in of_sqlite if path.startswith("/")}
    shown = {path.rpartition(" ")[0] for path, text in of_sqlite.items() if not is_empty(path, text)}
    assert not asked - shown


def is_empty(path: str, text: str) -> bool:
    """A page that says that it has nothing to show, or a file or list without a row."""
    if "<html" in text:
        is_list = path.startswith("/admin/") and path.count("/") == 4
        return 'class="panel empty"' in text or (is_list and 'id="result_list"' not in text)
    if "<row " in text:
        return text.partition("/sheet1.xml: ")[2].partition("/sheet2.xml: ")[0].count("<row ") < 2
    return len(text.splitlines()) < 2


def difference(path: str, one: str, other: str) -> str:
    place = len(os.path.commonprefix([one, other]))
    near = slice(max(place - 80, 0), place + 80)
    return f"{path} at {place}: {one[near]!r} / {other[near]!r}"
