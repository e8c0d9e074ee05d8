from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.sites import site
from django.db.models import Model
from django.forms import CharField
from django.http import QueryDict
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.admin.fields import one_line
from dashboard.formulas import guarded, unguarded
from dashboard.ingest.load import Source, load
from dashboard.ingest.values import BadValue, text
from dashboard.models import (
    AccountMapping,
    Budget,
    ClusterMapping,
    Commitment,
    CostSnapshot,
    Job,
    NameAlias,
    PeriodEntry,
    Provider,
    Rate,
    SpendMapping,
    Team,
    UsageSnapshot,
)
from dashboard.models.names import name_key

from .cast import files, name_everything
from .conftest import examples
from .contracts import make_entry
from .test_job_file import nasty
from .test_job_file import text as text_of_any

# All that a database stores, and what spreadsheets, CSV and people make trouble with somewhat more often.
trouble = nasty | st.sampled_from(["", " ", "\u00a0", "\u202e"])
anything = st.tuples(trouble, st.text(text_of_any, max_size=12), trouble).map("".join)


def as_typed(name: str) -> str:
    """The name that a form makes of it; of what a form refuses or leaves empty, one that it takes."""
    return one_line("".join(char for char in name if char.isprintable() or char.isspace())) or "-"


names = anything.map(as_typed)


def pools(most: int) -> st.SearchStrategy[list[str]]:
    """Names that differ only in capitals or blanks are one name, and a file then shows one spelling."""
    return st.lists(names, min_size=1, max_size=most, unique_by=name_key)


instants = st.datetimes(datetime(2020, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))
counts = st.decimals(Decimal("0.000001"), 1000, places=6)
amounts = st.decimals(Decimal("-9999999999.99"), Decimal("9999999999.99"), places=2)


@st.composite
def jobs(draw):
    start = draw(st.none() | instants)
    length = draw(st.timedeltas(timedelta(0), timedelta(days=40)))
    return {
        "model_name": draw(names),
        "status": draw(
            st.sampled_from(["pending", "running", "completed", "failed", "cancelled", "held", "On Hold"])
        ),
        "start_time": start,
        "end_time": start + length if start and draw(st.booleans()) else None,
        "gpu_count": draw(counts),
        "external_id": draw(st.none() | names),
    }


def file_of(client: Client, page: str) -> bytes:
    path, _, asked = page.partition("?")
    answer = client.get(path, {**QueryDict(asked).dict(), "preset": "all", "_export": "csv"})
    return b"".join(answer.streaming_content)


def take_in(content: bytes) -> None:
    summary = load([Source("export.csv", io.BytesIO(content))])
    assert summary.committed, summary.refusals


@settings(max_examples=examples(12))
@given(
    teams=pools(3),
    providers=pools(3),
    gpu_types=pools(3),
    made=st.lists(st.tuples(jobs(), *[st.integers(0, 2)] * 3), max_size=6),
)
def test_jobs_exported_imported_and_exported_again_are_the_same_bytes(
    client, finance, as_of, teams, providers, gpu_types, made
):
    as_of("2029-06-01")
    Job.objects.all().delete()
    Team.objects.all().delete()
    stored = [Team.objects.create(name=name) for name in teams]
    for job, *chosen in made:
        pooled = [pool[n % len(pool)] for pool, n in zip((stored, providers, gpu_types), chosen, strict=True)]
        Job.objects.create(**dict(zip(("team", "provider", "gpu_type"), pooled, strict=True)), **job)
    client.force_login(finance)
    first = file_of(client, "/jobs/")
    Job.objects.all().delete()
    Team.objects.all().delete()
    take_in(first)
    assert file_of(client, "/jobs/") == first


TEXTS = ("job_id", "team", "model_name", "gpu_type", "provider")


@settings(max_examples=examples(12))
@given(stored=st.tuples(anything, anything, anything, anything, st.none() | anything))
def test_names_of_any_characters_come_back_without_blanks_around_or_are_refused_in_words(
    client, finance, as_of, stored
):
    """As a program that speaks plain SQL may write them."""
    as_of("2029-06-01")
    Job.objects.all().delete()
    Team.objects.all().delete()
    team, model, gpu_type, provider, job_id = stored
    facts = {"model_name": model, "gpu_type": gpu_type, "provider": provider, "external_id": job_id}
    Job.objects.create(team=Team.objects.create(name=team), **facts)
    client.force_login(finance)
    first = file_of(client, "/jobs/")
    Job.objects.all().delete()
    Team.objects.all().delete()
    summary = load([Source("export.csv", io.BytesIO(first))])
    [told] = cells(first)
    assert summary.committed == all(is_taken(column, unguarded(told[column])) for column in TEXTS)
    if summary.committed:
        assert cells(file_of(client, "/jobs/")) == [trimmed(told)]
    else:
        [refused] = summary.refusals
        assert refused["column"] in TEXTS and "a name" in refused["text"], refused
        assert not Team.objects.exists() and not Job.objects.exists()


def cells(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def trimmed(row: dict[str, str]) -> dict[str, str]:
    """Blanks are no part of a name; within a team's, of which files tell by key, several are one."""
    names = {column: unguarded(row[column]).strip() for column in TEXTS}
    names["team"] = " ".join(names["team"].split())
    names["model_name"] = names["model_name"] or "unspecified"
    return row | {column: guarded(name) for column, name in names.items()}


def is_taken(column: str, name: str) -> bool:
    if column in ("job_id", "model_name") and not name.strip(" "):
        return True
    try:
        return bool(text(name))
    except BadValue:
        return False


@settings(max_examples=examples(10))
@given(
    cells=st.dictionaries(
        st.tuples(
            instants.map(datetime.date),
            st.sampled_from(["AWS", "=GCP", "-Über"]),
            st.sampled_from(["A10", "L4"]),
        ),
        amounts,
        min_size=1,
        max_size=8,
    )
)
def test_costs_exported_imported_and_exported_again_are_the_same_bytes(client, finance, as_of, cells):
    as_of("2029-06-01")
    CostSnapshot.objects.all().delete()
    for (day, provider, gpu_type), usd in cells.items():
        CostSnapshot.objects.create(date=day, provider=provider, gpu_type=gpu_type, cost_usd=usd)
    client.force_login(finance)
    first = file_of(client, "/costs/")
    CostSnapshot.objects.all().delete()
    take_in(first)
    assert file_of(client, "/costs/") == first


notes = st.one_of(st.just(""), names)


@settings(max_examples=examples(10))
@given(
    entries=st.dictionaries(
        st.tuples(st.sampled_from(["AWS", "=GCP", "-Über", "🦊"]), st.sampled_from(["A10", "+L4"])),
        st.tuples(instants.map(datetime.date), st.integers(0, 60), amounts, notes),
        min_size=1,
        max_size=6,
    )
)
def test_period_entries_exported_imported_and_exported_again_are_the_same_bytes(
    client, finance, as_of, entries
):
    as_of("2029-06-01")
    PeriodEntry.objects.all().delete()
    for (provider, gpu_type), (first, days, usd, note) in entries.items():
        last = first + timedelta(days=days)
        make_entry(f"{first}", f"{last}", f"{usd}", provider=provider, gpu_type=gpu_type, note=note)
    client.force_login(finance)
    first_file = file_of(client, "/contracts/?file=entries")
    assert first_file.count(b"\r\n") == len(entries) + 1
    PeriodEntry.objects.all().delete()
    take_in(first_file)
    assert file_of(client, "/contracts/?file=entries") == first_file


NAMED: list[type[Model]] = [
    *(Team, Job, CostSnapshot, UsageSnapshot, PeriodEntry, Rate, Commitment, Budget),
    *(Provider, NameAlias, ClusterMapping, AccountMapping, SpendMapping),
]


@pytest.mark.parametrize("model", NAMED)
def test_no_form_takes_a_name_that_an_import_refuses(rf, admin, model):
    request = rf.get("/")
    request.user = admin
    form = site.get_model_admin(model).get_form(request)
    texts = [name for name, field in form.base_fields.items() if type(field) is CharField]
    refused = form(dict.fromkeys(texts, "a\u202eb"))
    assert texts and refused.errors.keys() >= set(texts)
    taken = form(dict.fromkeys(texts, "\u00a0a\n\tb "))
    taken.is_valid()
    assert {taken.cleaned_data[name] for name in texts if name in taken.cleaned_data} == {"a b"}


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0", "'=already", "''", "'plain", "+49 30", "@SUM(1)", "-1+1"]
)
def test_names_that_look_like_formulas_come_back_as_they_were(client, finance, name):
    Job.objects.create(team=Team.objects.create(name=name), model_name=name, provider=name, gpu_type=name)
    client.force_login(finance)
    content = file_of(client, "/jobs/")
    Job.objects.all().delete()
    Team.objects.all().delete()
    take_in(content)
    job = Job.objects.select_related("team").get()
    assert (job.team.name, job.model_name, job.provider, job.gpu_type) == (name,) * 4


IN_WORDS = re.compile("exports for reading|Unknown format: the header has|its header lacks")


def test_any_file_is_taken_back_as_it_is_or_refused_in_words(client, admin, as_of):
    as_of("2025-03-31 12:00")
    name_everything(["=vision", "nlp"])
    client.force_login(admin)
    taken, refused = set(), {}
    for path in files("csv"):
        if content := given(client, path):
            before = counted()
            summary = load([Source("export.csv", io.BytesIO(content))])
            if summary.committed:
                taken.add(path.partition("?")[0])
                assert summary.changes == 0, path
            else:
                refused[path] = " ".join(one["text"] for one in summary.refusals)
            assert counted() == before, path
    assert taken == {"/jobs/", "/costs/", "/contracts/"}
    assert len(refused) > 10 and all(IN_WORDS.search(words) for words in refused.values()), refused


def given(client: Client, path: str) -> bytes:
    answer = client.get(path)
    return b"".join(answer.streaming_content) if answer.has_header("Content-Disposition") else b""


def counted() -> list[int]:
    return [model.objects.count() for model in (Team, Job, CostSnapshot, UsageSnapshot, PeriodEntry)]
