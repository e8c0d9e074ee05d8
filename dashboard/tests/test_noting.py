"""Without triggers, the application notes what it writes: as where workers hold the jobs, on one machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import model_names, rollups, workers
from dashboard.ingest.undo import undo
from dashboard.models import GpuTimeChange, ImportRun, Job, ProviderClock, Team
from dashboard.models.distinct import distinct
from dashboard.rollups import cutting, noting, triggers

from .conftest import at, examples, make_job, make_team
from .loading import job as logged_job
from .loading import load_rows
from .test_rollups import HOUR, LA, check_after, check_against_the_jobs, facts, hours_by, unsettled, writes
from .test_structure import APP

FEW = settings(max_examples=examples(4))


@pytest.fixture
def distributed(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database as it is after `manage.py distribute`, but on one machine where workers hold no jobs."""
    if not workers.hold_jobs(connection):
        triggers.drop(connection)
    monkeypatch.setattr(workers, "hold_jobs", lambda connection: True)


def noted() -> list[tuple[int, int]]:
    """Hours and jobs of what is noted and not yet settled."""
    rows = GpuTimeChange.objects.order_by("pk").values_list("microseconds", "jobs")
    return [(spent // HOUR, jobs) for spent, jobs in rows]


def test_elsewhere_a_connection_is_asked_once_and_sqlite_never(db, monkeypatch, django_assert_num_queries):
    asked = []
    monkeypatch.setattr(workers, "are_asked", lambda connection: bool(asked.append(connection.alias)))
    workers.ask_again(connection)
    job = make_job()
    with django_assert_num_queries(3):
        Job.objects.update(gpu_count=2)
        job.save()
        Job.objects.filter(pk=job.pk).delete()
    assert asked == (["default"] if connection.vendor == "postgresql" else [])


def test_each_way_of_django_to_write_a_job_is_noted(distributed):
    job = make_job("2025-03-01 00:00", "2025-03-01 02:00")
    assert noted() == [(2, 1)]
    job.end_time = at("2025-03-01 03:00")
    job.save()
    assert noted()[1:] == [(1, 0)]
    Job.objects.update(gpu_count=2)
    assert noted()[2:] == [(3, 0)]
    job.refresh_from_db()
    job.gpu_count = Decimal(3)
    Job.objects.bulk_update([job], ["gpu_count"])
    assert noted()[3:] == [(3, 0)]
    job.delete()
    assert noted()[4:] == [(-9, -1)]
    Job.objects.bulk_create([job, Job(**as_given(job) | {"id": uuid4()})])
    assert noted()[5:] == [(18, 2)]
    Job.objects.filter(pk=job.pk).delete()
    assert noted()[6:] == [(-9, -1)]
    make_team("vision").delete()
    assert noted()[7:] == [(-9, -1)]
    check_against_the_jobs()


def as_given(job: Job) -> dict[str, Any]:
    return {field.attname: getattr(job, field.attname) for field in Job._meta.concrete_fields}


def test_only_the_jobs_that_are_written_are_read(distributed, monkeypatch):
    read = []

    def note(connection: Any, *signed: tuple[str, int]) -> None:
        with connection.cursor() as cursor:
            for table, _ in signed:
                cursor.execute(f"SELECT COUNT(*) FROM {table}")
                read.append(cursor.fetchone()[0])

    first, second, third = (make_job() for _ in range(3))
    monkeypatch.setattr(noting, "note", note)
    first.save()
    Job.objects.exclude(pk=first.pk).update(gpu_count=2)
    third.delete()
    Job.objects.filter(pk=second.pk).delete()
    assert read == [1, 1, 2, 2, 0, 1, 0, 1], "after and before each write"


def test_an_upsert_takes_away_what_was_there(distributed):
    job = make_job("2025-03-01 00:00", "2025-03-01 02:00")
    job.gpu_count = Decimal(4)
    how = {"unique_fields": ["id"], "update_fields": ["gpu_count"]}
    Job.objects.bulk_create([job], update_conflicts=True, **how)
    assert noted() == [(2, 1), (6, 0)]
    Job.objects.bulk_create([job], ignore_conflicts=True)
    assert noted() == [(2, 1), (6, 0)]


def test_jobs_change_teams_by_their_team_too(distributed):
    job, other = make_job(), make_team("speech")
    other.jobs.add(job, bulk=True)
    assert list(hours_by("team")) == [(other.pk,)]
    check_against_the_jobs()


def test_a_write_that_fails_leaves_nothing_noted(distributed):
    with pytest.raises(ValueError), noting.noted(connection, "SELECT id FROM jobs"):
        make_team("vision")
        raise ValueError
    assert not Team.objects.exists()
    make_job()
    check_against_the_jobs()


def test_what_changes_no_sum_is_not_looked_at(distributed, django_assert_num_queries):
    run = ImportRun.objects.create(format="slurm", files=[], written_at=at("2025-03-01 00:00"))
    make_job(imported_by=run)
    with django_assert_num_queries(1):
        Job.objects.update(submitted_by="ann")
    run.delete()
    assert unsettled() == 1
    check_against_the_jobs()


def test_an_import_and_its_undoing_are_noted(distributed):
    make_job("2025-03-01 00:00", "2025-03-01 02:00")
    load_rows(logged_job("7"), logged_job("8"))
    later = {"end_time": at("2025-03-01 05:00")}
    load_rows(logged_job("7", **later), logged_job("9"))
    assert sum(hours_by("day").values()) == 2 + 5 + 1 + 1
    check_against_the_jobs()
    undo(ImportRun.objects.latest("pk").pk)
    assert sum(hours_by("day").values()) == 2 + 1 + 1
    check_against_the_jobs()


def test_the_invented_company_is_noted(distributed):
    call_command("seed_demo", jobs=60, days=7, verbosity=0)
    assert Job.objects.count() == 60
    assert list(rollups.verify()) == []


def test_the_admin_notes(distributed, client, admin):
    client.force_login(admin)
    job = make_job("2025-03-01 00:00", "2025-03-01 02:00")
    make_job(status="failed")
    chosen = {
        "action": "change_status",
        "_selected_action": [str(job.pk)],
        "confirm": "1",
        "status": "failed",
    }
    client.post(reverse("admin:dashboard_job_changelist"), chosen)
    assert Job.objects.filter(status="failed").count() == 2
    check_against_the_jobs()
    client.post(reverse("admin:dashboard_job_delete", args=[job.pk]), {"post": "yes"})
    assert Job.objects.count() == 1
    check_against_the_jobs()


def test_a_rebuild_brings_no_triggers_back_and_misses_none(distributed, capsys):
    make_job()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs SET gpu_count = 4")
    assert len(list(rollups.verify())) == 4, "plain SQL is nobody's to note"
    call_command("roll_up", "--rebuild")
    assert not triggers.are_there(connection)
    call_command("roll_up", "--verify")
    assert capsys.readouterr().out.splitlines()[-1] == "The roll-ups agree with the jobs."


@FEW
@given(st.lists(writes, min_size=1, max_size=10))
def test_after_any_writes_what_is_noted_agrees_with_the_jobs(distributed, as_of, written):
    as_of("2025-02-28 20:00")
    check_after(written)


def test_the_distinct_values_of_jobs_are_the_same(distributed):
    make_job(provider="AWS")
    make_job(provider="AWS")
    make_job(provider="GCP", gpu_type="T4")
    assert sorted(distinct(connection, "jobs", ["provider", "gpu_type"])) == [
        ("AWS", "A100-80GB"),
        ("GCP", "T4"),
    ]


def test_jobs_are_found_by_the_names_of_models_while_there_are_any(distributed):
    job = make_job(model_name="llama-3-8b")
    make_job(model_name="bert")
    assert model_names.holding("LLAMA") == ["llama-3-8b"]
    job.delete()
    rollups.settle()
    assert model_names.first(10) == ["bert"]
    found = Job.objects.found_by("llama")
    assert not found.exists()


def test_jobs_are_listed_and_filtered_as_ever(distributed, client, admin, company):
    client.force_login(admin)
    for query in ("", "?team=&provider=AWS&provider=GCP&status=completed&status=failed", "?q=llama"):
        pages = [client.get(reverse("jobs") + query).content]
        with pytest.MonkeyPatch.context() as elsewhere:
            elsewhere.setattr(workers, "hold_jobs", lambda connection: False)
            pages.append(client.get(reverse("jobs") + query).content)
        rows = [re.findall(rb"/jobs/[0-9a-f-]{36}/", page) for page in pages]
        assert rows[0]
        assert rows[0] == rows[1]


if connection.vendor == "postgresql":

    @FEW
    @given(st.lists(facts, max_size=12), st.sampled_from([[], ["AWS"], ["AWS", "gcp"]]))
    def test_jobs_are_cut_alike_with_and_without_workers(db, jobs, with_clock):
        with transaction.atomic():
            for provider in with_clock:
                ProviderClock.objects.create(provider=provider, clock=LA)
            Job.objects.bulk_create(Job(**one | {"team": make_team(one["team"])}) for one in jobs)
            assert cut("citus") == cut("postgresql")
            transaction.set_rollback(True)

    def cut(dialect: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(cutting.changes(dialect, ("jobs", 1), ("jobs", 1)))
            return sorted(cursor.fetchall(), key=repr)

    @pytest.fixture
    def emptied(transactional_db: None, distributed: None) -> Any:
        """A database that other connections see, with its triggers again at the end."""
        yield
        if not workers.are_asked(connection):
            triggers.install(connection)

    def at_once(*writers: Callable[[], Any]) -> None:
        """Each in a thread and with a connection of its own, and all of them begin together."""
        ready, failed = Barrier(len(writers)), []

        def run(write: Callable[[], Any]) -> None:
            try:
                ready.wait()
                write()
            except Exception as error:
                failed.append(error)
            finally:
                connections.close_all()

        threads = [Thread(target=run, args=[write]) for write in writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        assert not failed

    @pytest.mark.django_db(transaction=True)
    def test_two_writers_take_an_old_row_away_once(emptied):
        job = make_job("2025-03-01 00:00", "2025-03-01 01:00")
        for n in range(4):
            at_once(
                lambda n=n: Job.objects.filter(pk=job.pk).update(gpu_count=2 + 2 * n),
                lambda n=n: Job.objects.filter(model_name="resnet").update(gpu_count=3 + 2 * n),
                lambda: Job.objects.filter(pk=job.pk).update(end_time=at("2025-03-01 05:00")),
            )
        assert list(rollups.verify()) == []
        job.refresh_from_db()
        assert hours_by("day") == {(date(2025, 3, 1),): 5 * job.gpu_count}

    @pytest.mark.django_db(transaction=True)
    def test_who_deletes_and_who_edits_the_same_job_agree(emptied):
        for n in range(4):
            job = make_job("2025-03-01 00:00", "2025-03-01 01:00", team=f"team {n}")
            at_once(
                job.team.delete,
                lambda pk=job.pk: Job.objects.filter(pk=pk).update(gpu_count=7),
                lambda pk=job.pk: Job.objects.filter(pk=pk).delete(),
            )
        assert hours_by("day") == {}
        assert list(rollups.verify()) == []


# In the code

WRITES = re.compile(
    r'\b(INSERT INTO|UPDATE|DELETE FROM|COPY|TRUNCATE|TRUNCATE TABLE) "?(jobs\b|\{(?!TABLE|SETTLED))'
)
# SQL that writes jobs, or any table it is given, and the function that notes what it does to jobs.
NOTED_BY = {
    "ingest/jobs.py merge": "merge_noted",
    "ingest/rows.py put_back": "take_back_jobs",
    "ingest/none_of_ours.py write": "write",
    "ingest/undo.py take_back_jobs": "take_back_jobs",
    "demo_data/storing.py copy_into": "write_jobs",
    "demo_data/storing.py insert_into": "write_jobs",
}
# Roll-ups, snapshots, staged rows; what a migration or a move does to jobs is followed by a rebuild.
OTHERS = {
    "backups/restoring.py leave_sign_ins",
    "ingest/rows.py upsert",
    "ingest/two_names.py refuse_what_is_stored_otherwise",
    "management/commands/merge_duplicates.py merge",
    "moving.py move",
    "rollups/clocks.py roll_up_again",
    "rollups/settling.py merged",
    "rollups/settling.py summed_afresh",
    "rollups/stamps.py stamp_all",
    "rollups/stamps.py stamping",
    "rollups/settling.py settle_noted",
    "rollups/triggers.py forget_what_no_job_says",
    "rollups/triggers.py on_postgresql",
    "row_lines.py write_to_postgresql",
    "row_lines.py write_to_sqlite",
    "schema.py fill_blanks",
    "schema.py lower_known_statuses",
    "schema.py normalise",
    "schema.py refuse_finer_amounts",
}


def functions() -> dict[str, str]:
    """The code of each function of the application, by its file and name."""
    files = [path for path in APP.rglob("*.py") if not {"tests", "migrations"} & set(path.parts)]
    return {
        f"{path.relative_to(APP).as_posix()} {node.name}": ast.unparse(node)
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }


def test_no_other_place_writes_jobs_past_django():
    found = {name for name, code in functions().items() if WRITES.search(code)}
    assert found - OTHERS == set(NOTED_BY), "if it writes jobs, note it there (rollups/noting.py)"


@pytest.mark.parametrize("place", sorted(set(NOTED_BY.values())))
def test_who_writes_jobs_past_django_notes_it(place):
    assert [
        name for name, code in functions().items() if name.endswith(f" {place}") and "noting.noted" in code
    ]


def test_nobody_deletes_jobs_behind_their_queryset():
    private = re.compile(
        r"\b(DeleteQuery|UpdateQuery|InsertQuery|Collector|_raw_delete|_base_manager\.(?!filter))"
    )
    found = {name.split()[0] for name, code in functions().items() if private.search(code)}
    assert found <= {"metrics.py", "models/audit.py", "models/noted.py", "moving.py"}
