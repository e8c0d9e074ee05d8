"""The file of jobs: the same bytes from both databases, of any length, and freed when nobody reads on."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import joblist
from dashboard.exports import csv_cell, plain_number
from dashboard.formulas import unguarded
from dashboard.gpu_time import job_gpu_hours, six_decimals
from dashboard.job_file import JobFile
from dashboard.models import Job, NameAlias, Provider, Team
from dashboard.naming import Names
from dashboard.scope import Span

from .conftest import at, examples

NOW = at("2029-06-01 12:00")


def the_file(span: Span | None = None, order: str = "pk") -> JobFile:
    return JobFile([Job.objects.order_by(order)], Names.load(), span, NOW)


def as_python_writes(file: JobFile) -> bytes:
    """Each cell worked out by the functions that pages use."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\r\n")
    for job in file.parts[0].select_related("team"):
        ran = joblist.duration(job)
        hours = job_gpu_hours(job, file.span, file.names.clock(job.provider))
        cells = [
            str(job.pk),
            job.external_id,
            job.team.name,
            job.model_name,
            file.names.gpu_type(job.gpu_type),
            plain_number(job.gpu_count),
            file.names.provider(job.provider),
            job.status,
            job.start_time,
            job.end_time,
            None if ran is None else plain_number(Decimal(ran // timedelta(microseconds=1)).scaleb(-6)),
            six_decimals(hours),
        ]
        writer.writerow(map(csv_cell, cells))
    return lines.getvalue().encode()


SIGNS = [
    "",
    "=",
    "+1",
    "-",
    "@",
    "'",
    "'=",
    "|",
    "%",
    " =",
    "\u00a0=",
    "\u3000@",
    "\u2003-",
    "\u0085",
    "NULL",
]
QUOTED = ['"', ",", '",', '""', "\n", "\r", "\r\n", "\t", "\\.", ", ", "a,b", 'a"b', "\x1f", "\x7f", "\x01"]
nasty = st.sampled_from([*SIGNS, *QUOTED, "é", "日本", "かな", "🦊"])
text = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
names = st.builds("".join, st.lists(nasty | st.text(text, max_size=4), max_size=4))
plain_names = st.text("abcXYZ019 .-/_", max_size=12)
providers = st.sampled_from(["AWS", "amazon", "=GCP", "New  York", "Chatham", "kestrel, west"])
instants = st.datetimes(datetime(1850, 1, 1), datetime(2095, 1, 1), timezones=st.just(UTC)) | st.sampled_from(
    [at("2025-03-09 04:59"), at("2025-03-09 05:00"), at("2025-11-02 04:00"), NOW, at("2025-03-09 07:30")]
)
lengths = st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(hours=1), timedelta(days=2)])
lengths |= st.timedeltas(timedelta(days=-3), timedelta(days=90_000))
gpus = st.sampled_from([Decimal(1), Decimal("0.125"), Decimal("2.5"), Decimal("999999.999999"), Decimal(100)])
gpus |= st.decimals(Decimal("0.000001"), Decimal("999999"), places=6)
statuses = st.sampled_from(["pending", "running", "completed", "failed", "cancelled", "held", "=held", ""])


@st.composite
def jobs(draw):
    spelled = draw(st.sampled_from([plain_names, names]))
    start = draw(st.none() | instants)
    if draw(st.booleans()) and start:
        start = start.replace(microsecond=0)
    shorter = 1 if start and start.year < 1990 else 100
    end = (start or NOW) + draw(lengths) / shorter
    return {
        "model_name": draw(spelled),
        "gpu_type": draw(spelled),
        "provider": draw(providers),
        "status": draw(statuses),
        "start_time": start,
        "end_time": draw(st.none() | st.just(end)),
        "gpu_count": draw(gpus),
        "external_id": draw(st.none() | spelled),
    }


@pytest.fixture
def clocks(db, as_of):
    as_of("2029-06-01 12:00")
    Provider.objects.create(name="New York", bill_clock="America/New_York")
    Provider.objects.create(name="Chatham", bill_clock="Pacific/Chatham")
    NameAlias.objects.create(kind="provider", alias="amazon", name='Amazon, "Inc."')


spans = st.none() | st.builds(
    lambda first, days: Span(first, first + timedelta(days=days)),
    st.dates(date(2025, 3, 7), date(2025, 3, 11)) | st.dates(date(2001, 1, 1), date(2029, 7, 1)),
    st.integers(0, 400),
)


@settings(max_examples=examples(40))
@given(
    teams=st.lists(names, min_size=1, max_size=20, unique=True), made=st.lists(jobs(), max_size=8), span=spans
)
def test_the_bytes_are_those_that_python_writes(clocks, teams, made, span):
    Team.objects.all().delete()
    stored = Team.objects.bulk_create(Team(name=name) for name in teams)
    Job.objects.bulk_create(Job(team=stored[n % len(stored)], **job) for n, job in enumerate(made))
    file = the_file(span)
    assert b"".join(file.lines()) == as_python_writes(file)
    assert {unguarded(row[2]) for row in rows_of(file)} <= set(teams)


def rows_of(file: JobFile) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(file.lines()).decode(), newline="")))
