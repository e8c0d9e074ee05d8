"""What a worker beside Heliox's own database is asked to do beyond pages. Each takes the worker first."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

Worker = Any
Told = dict[str, Any]
MEGABYTE = 1024**2

# While a database is built

SPLIT = 5  # each team of the company becomes so many
SPLIT_TEAMS = (
    f"""
    CREATE FUNCTION bench_more_teams() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF pg_trigger_depth() = 1 THEN
            INSERT INTO teams (id, created_at, updated_at, name)
            SELECT md5(n.id::text || part)::uuid, n.created_at, n.updated_at, n.name || ' ' || part
            FROM new_teams n CROSS JOIN generate_series(2, {SPLIT}) part;
        END IF;
        RETURN NULL;
    END $$""",
    f"""
    CREATE FUNCTION bench_one_of_them() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE part int := 1 + abs(hashtext(NEW.id::text)) % {SPLIT}; BEGIN
        IF part > 1 THEN NEW.team_id := md5(NEW.team_id::text || part)::uuid; END IF;
        RETURN NEW;
    END $$""",
    """
    CREATE TRIGGER bench_more_teams AFTER INSERT ON teams REFERENCING NEW TABLE AS new_teams
    FOR EACH STATEMENT EXECUTE FUNCTION bench_more_teams()""",
    """
    CREATE TRIGGER bench_one_of_them BEFORE INSERT ON jobs
    FOR EACH ROW EXECUTE FUNCTION bench_one_of_them()""",
)


def split_teams(worker: Worker) -> None:
    """From now on each team that is written is five, and each job goes to one of them by its id."""
    for statement in SPLIT_TEAMS:
        worker.query(statement)


def keep_teams(worker: Worker) -> None:
    worker.query("DROP FUNCTION bench_more_teams, bench_one_of_them CASCADE")


def name_providers(worker: Worker) -> None:
    from dashboard import rollups
    from dashboard.demo_data.company import ALIASES, PROVIDERS
    from dashboard.demo_data.write import write_names

    write_names()
    rollups.expect([*(name for name, _, _ in PROVIDERS), *(alias for _, alias, _ in ALIASES)])


def tidy(worker: Worker) -> None:
    """As the database's own housekeeping leaves it sooner or later."""
    if worker.connection.vendor == "postgresql":
        worker.query("VACUUM (FREEZE, ANALYZE)")
    else:
        worker.query("ANALYZE")
        worker.query("PRAGMA wal_checkpoint(TRUNCATE)")


# What there is to ask for


def menu(worker: Worker) -> Told:
    """The address of every page that the menu leads to, but the admin."""
    from django.urls import reverse

    from dashboard.templatetags.ui import menu_pages

    return {"pages": [(reverse(name), label) for name, label in menu_pages() if ":" not in name]}


def values(worker: Worker) -> Told:
    """What jobs can be filtered by: the values of each filter, the most frequent first."""
    from dashboard.models import Team
    from dashboard.naming import Names
    from dashboard.rollups import Picked, count_by

    names = Names.load()
    shown: dict[str, Callable[[Any], Any]] = {"provider": names.provider, "gpu_type": names.gpu_type}
    found = {}
    for key in ("provider", "gpu_type", "team", "status", "model"):
        counted: dict[str, int] = {}
        for value, jobs in count_by([key], Picked(), names):
            name = str(shown.get(key, str)(value))
            counted[name] = counted.get(name, 0) + jobs
        found[key] = sorted(counted, key=lambda name: -counted[name])
    return {"values": found, "teams": {str(team.pk): team.name for team in Team.objects.all()}}


def checks(worker: Worker) -> Told:
    from dashboard.reports.oddities import ODDITIES

    return {"checks": [one.key for one in ODDITIES]}


def cursor_at(worker: Worker, share: float) -> Told:
    """The address of the page that begins behind this share of all jobs."""
    from dashboard import joblist
    from dashboard.clock import now
    from dashboard.joblist import paging
    from dashboard.models import Job
    from dashboard.naming import Names

    jobs = joblist.sorted_by(joblist.NEWEST, Job.objects.all(), Names.load(), None, now())
    from_the_end = round(Job.objects.count() * (1 - share))
    row = jobs.order_by(*paging.order(descending=True, backwards=True))[from_the_end]
    return {"after": str(paging.cursor(row, now()))}


# The list of jobs


def rendering(worker: Worker, ours: bool, times: int = 10) -> Told:
    """The same fifty rows as our table or as django-tables2's own, that many times."""
    from django.test import RequestFactory

    made, request = table_of(worker, ours), RequestFactory().get("/jobs/")
    size = 0
    for _ in range(times):
        size = len(made().as_html(request))
    return {"bytes": size}


def table_of(worker: Worker, ours: bool) -> Callable[[], Any]:
    rows = fifty_rows(worker)
    if ours:
        from dashboard.naming import Names
        from dashboard.tables import JobTable

        names = kept(worker, "names", Names.load)
        return lambda: JobTable(rows, names=names, order_by="-start")
    default = kept(worker, "table", default_table)
    return lambda: default(rows, order_by="-start_time")


OUR_COLUMNS = [
    "model_name",
    "team",
    "gpu_type",
    "gpu_count",
    "provider",
    "status",
    "start_time",
    "end_time",
    "duration",
    "gpu_hours",
]


def default_table() -> Any:
    """The columns of our table, as django-tables2 makes them of a model."""
    import django_tables2

    from dashboard.models import Job

    class Jobs(django_tables2.Table):
        team = django_tables2.Column(
            accessor="team__name", linkify=lambda record: f"/teams/{record.team_id}/"
        )
        model_name = django_tables2.Column(linkify=True)
        duration = django_tables2.Column(empty_values=())
        gpu_hours = django_tables2.Column(empty_values=())

        class Meta:
            model = Job
            fields = OUR_COLUMNS

        def render_duration(self, record: Any) -> str:
            from dashboard.joblist import duration

            return str(duration(record))

        def render_gpu_hours(self, record: Any) -> str:
            from dashboard.gpu_time import job_gpu_hours

            return f"{job_gpu_hours(record):.2f}"

    return Jobs


def fifty_rows(worker: Worker) -> Any:
    from dashboard import joblist
    from dashboard.models import Job

    return kept(worker, "rows", lambda: joblist.newest(Job.objects.all(), 50))


def kept(worker: Worker, name: str, make: Callable[[], Any]) -> Any:
    if not hasattr(worker, name):
        setattr(worker, name, make())
    return getattr(worker, name)


# Files


def export(worker: Worker, to: str, url: str = "/jobs/?_export=csv") -> Told:
    """The answer into a file: its rows, the wait for its first bytes, how much memory it took at most."""
    forget_peak()
    before, started = memory("VmRSS"), time.perf_counter()
    response = worker.client.get(url, secure=True)
    first, rows = 0.0, -1
    with open(to, "wb") as file:
        for part in response.streaming_content:
            first = first or time.perf_counter() - started
            rows += part.count(b"\n")
            file.write(part)
    response.close()
    return {
        "status": response.status_code,
        "rows": rows,
        "first": first,
        "grown": (memory("VmHWM") - before) / MEGABYTE,
    }


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def memory(kind: str) -> int:
    """Bytes; VmRSS is what this process holds now, VmHWM the most since the peak was forgotten."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) * 1024
    raise OSError(kind)


def ingest(worker: Worker, file: str) -> Told:
    """What `manage.py ingest FILE` does, without the start of Python."""
    from django.core.management import call_command

    said = io.StringIO()
    try:
        call_command("ingest", file, json=True, stdout=said)
    except SystemExit as refused:
        raise RuntimeError(f"the file was refused: {said.getvalue()[:500]}") from refused
    return {"counts": json.loads(said.getvalue())}


def drop_triggers(worker: Worker) -> None:
    from dashboard.rollups import triggers

    triggers.drop(worker.connection)


def load_jobs_to_save(worker: Worker, number: int) -> None:
    from dashboard.models import Job

    worker.jobs = list(Job.objects.order_by("pk")[:number])
    worker.as_they_were = [(job.status, job.end_time) for job in worker.jobs]


def save_jobs(worker: Worker) -> None:
    """One save each, as a form does it: another status, and a later end."""
    for job in worker.jobs:
        job.status = "failed" if job.status == "completed" else "completed"
        job.end_time = (job.end_time or job.start_time or job.created_at) + timedelta(minutes=1)
        job.save()


def restore_jobs(worker: Worker) -> None:
    for job, (status, end) in zip(worker.jobs, worker.as_they_were, strict=True):
        job.status, job.end_time = status, end
        job.save()


# Sums


def hours_by_team_and_day(worker: Worker, from_jobs: bool, days: int = 90) -> None:
    from dashboard import gpu_time, rollups
    from dashboard.models import Job

    keys, names = ["day", "team"], known_names(worker)
    if from_jobs:
        rows = gpu_time.measured(keys, Job.objects.all(), names, span_of(days))
    else:
        rows = rollups.by(keys, rollups.Picked(), names, span_of(days))
    worker.found = [row for row in rows if any(row[len(keys) :])]


def dollars(worker: Worker, from_jobs: bool, days: int = 90) -> None:
    """The bill shared among the teams; from_jobs: with hours that are measured and not summed ahead."""
    from dashboard.reports import allocation
    from dashboard.scope import Scope

    scope, names = Scope(span=span_of(days)), known_names(worker)
    with measured_hours() if from_jobs else unchanged():
        shared = allocation.allocate(scope, names)
    worker.found = [
        (one.day, one.provider, one.gpu_type, one.team, one.line, one.microseconds, one.cents)
        for one in shared.shares
    ]


def known_names(worker: Worker) -> Any:
    """Of a process that remembers no figure: else both ways would be told what the first came to."""
    from dashboard import remembered
    from dashboard.naming import Names

    names = kept(worker, "names", Names.load)
    names.answers.clear()
    remembered.forget()
    return names


@contextmanager
def measured_hours() -> Iterator[None]:
    from dashboard import gpu_time
    from dashboard.reports import allocation, job_time

    def from_the_jobs(keys: Sequence[str], scope: Any, names: Any, span: Any = None) -> list[Any]:
        rows = gpu_time.measured(keys, job_time.jobs_of(scope, names), names, span)
        return [row[: len(keys) + 1] for row in rows]

    usual, allocation.pieces = allocation.pieces, from_the_jobs
    try:
        yield
    finally:
        allocation.pieces = usual


@contextmanager
def unchanged() -> Iterator[None]:
    yield


def span_of(days: int) -> Any:
    from dashboard.clock import today
    from dashboard.scope import Span

    return Span(today() - timedelta(days=days), today())


def found(worker: Worker) -> Told:
    """What the last sums came to: how many rows, their total, and a digest of all of them in order."""
    rows = sorted(map(repr, worker.found))
    digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return {"rows": len(rows), "digest": digest}


def roll_up(worker: Worker, how: str) -> Told:
    """What `manage.py roll_up --rebuild` or `--verify` does; the first verifies too."""
    from django.core.management import call_command

    try:
        call_command("roll_up", **{how: True}, stdout=io.StringIO())
    except SystemExit:
        return {"differs": 1}
    return {"differs": 0}


def get_afresh(worker: Worker, url: str) -> Told:
    from dashboard import remembered

    remembered.forget()
    return worker.get(url)


# Serving


def session(worker: Worker) -> Told:
    """The cookie of somebody who is signed in."""
    from django.conf import settings

    name = settings.SESSION_COOKIE_NAME
    return {"cookie": f"{name}={worker.client.cookies[name].value}"}


def versions(worker: Worker) -> Told:
    import django
    import django_tables2

    return {"Django": django.get_version(), "django-tables2": django_tables2.__version__}
