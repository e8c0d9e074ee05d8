"""The roll-ups say what the jobs say, whoever wrote them and however."""

from __future__ import annotations

import uuid
from collections import Counter
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import gpu_time, rollups
from dashboard.ingest.reapply import reapply
from dashboard.ingest.records import JobRow
from dashboard.ingest.undo import CannotUndo, undo
from dashboard.models import (
    ClusterMapping,
    GpuDay,
    GpuMonth,
    GpuTimeChange,
    ImportRun,
    Job,
    ModelName,
    NameAlias,
    Provider,
    ProviderClock,
    Team,
)
from dashboard.naming import Names
from dashboard.rollups import Picked, triggers
from dashboard.scope import Span

from .conftest import at, examples, make_job, make_team
from .loading import job as logged_job
from .loading import load_rows

pytestmark = pytest.mark.django_db
HOUR = 3_600_000_000
LA = "America/Los_Angeles"
MARCH = Span(date(2025, 3, 1), date(2025, 4, 1))
SPANS = [
    None,
    MARCH,
    Span(date(2025, 2, 28), date(2025, 3, 1)),
    Span(date(2025, 1, 15), date(2025, 4, 20)),
]
KEYS = [[], ["day", "provider", "gpu_type"], ["team", "status"], ["model"]]


def hours_by(*keys, span=None, **picked):
    rows = rollups.by(keys, Picked(**picked), Names.load(), span)
    return {row[: len(keys)]: Decimal(row[len(keys)]) / HOUR for row in rows}


def unsettled() -> int:
    return GpuTimeChange.objects.count()


def counted_job_by_job(span, **narrow) -> Counter:
    """GPU microseconds by day and team from Python, which knows nothing of SQL."""
    names, found = Names.load(), Counter()
    for job in Job.objects.filter(**narrow):
        end = gpu_time.end_of_run(job)
        if job.start_time is None or end is None:
            continue
        clock = names.clock(job.provider)
        for day, spent in gpu_time.split_by_day(job.start_time, end, job.gpu_count, clock):
            if spent and (span is None or day in span):
                found[day, job.team_id] += spent
    return found


def check_against_the_jobs() -> None:
    names = Names.load()
    assert list(rollups.verify()) == []
    for span in SPANS:
        for keys in KEYS:
            lives = gpu_time.measured(keys, Job.objects.all(), names, span)
            known = sorted(row for row in lives if any(row[len(keys) :]))
            assert sorted(rollups.by(keys, Picked(), names, span)) == known, (keys, span)
            spent = Counter()
            for *values, microseconds in rollups.pieces(keys, Picked(), names, span):
                spent[tuple(values)] += microseconds
            of_keys = {row[: len(keys)]: row[len(keys)] for row in known if row[len(keys)]}
            assert {key: us for key, us in spent.items() if us} == of_keys, (keys, span)
        within = Job.objects.within(span, names.spellings_by_clock())
        assert rollups.count(Picked(), names, span) == within.count(), span
        by_team = {team: n for team, n in rollups.count_by(["team"], Picked(), names, span) if n}
        assert by_team == within.per_team(), span
        rows = rollups.by(["day", "team"], Picked(), names, span)
        found = Counter({(day, team): spent for day, team, spent, *_ in rows if spent})
        assert found == counted_job_by_job(span), span


# By hand


def test_a_job_over_midnight_is_summed_on_both_days_and_counted_on_the_first():
    make_job("2025-03-01 22:00", "2025-03-02 01:00", gpu_count=2)
    names = Names.load()
    assert sorted(rollups.by(["day"], Picked(), names)) == [
        (date(2025, 3, 1), 4 * HOUR, 1, 1),
        (date(2025, 3, 2), 2 * HOUR, 1, 0),
    ]
    assert rollups.count(Picked(), names, Span(date(2025, 3, 2), date(2025, 3, 3))) == 1
    assert rollups.count(Picked(), names, Span(date(2025, 3, 1), date(2025, 3, 3))) == 1


def test_sums_are_the_same_before_and_after_settling():
    make_job("2025-03-01 22:00", "2025-03-02 01:00")
    before = hours_by("day"), hours_by("team", span=MARCH)
    assert unsettled() == 2
    assert GpuDay.objects.count() == 0
    rollups.settle()
    assert unsettled() == 0
    assert (hours_by("day"), hours_by("team", span=MARCH)) == before
    assert GpuDay.objects.count() == 2
    assert GpuMonth.objects.get().microseconds == 3 * HOUR


def test_a_write_that_changes_no_sum_notes_nothing():
    job = make_job()
    rollups.settle()
    job.submitted_by = "ann"
    job.save()
    assert unsettled() == 0


def test_a_running_job_is_added_as_of_now_and_never_stored(as_of):
    as_of("2025-03-02 06:00")
    make_job("2025-03-01 18:00", None, status="running", gpu_count=2)
    assert hours_by("day") == {(date(2025, 3, 1),): 12, (date(2025, 3, 2),): 12}
    as_of("2025-03-02 07:00")
    assert hours_by("day")[(date(2025, 3, 2),)] == 14
    assert GpuTimeChange.objects.get().microseconds == 0


def test_an_end_that_lies_ahead_counts_until_now(as_of):
    as_of("2025-03-01 06:00")
    make_job("2025-03-01 00:00", "2025-03-02 12:00")
    assert hours_by("day") == {(date(2025, 3, 1),): 6}
    as_of("2025-03-05 00:00")
    assert hours_by("day") == {(date(2025, 3, 1),): 24, (date(2025, 3, 2),): 12}


def test_jobs_without_hours_are_counted_all_the_same(as_of):
    as_of("2025-03-02 00:00")
    make_job(None, None, status="pending")
    make_job("2025-03-01 00:00", None, status="completed")
    make_job("2025-03-01 00:00", None, status="running")
    make_job("2025-03-01 05:00", "2025-03-01 04:00", status="failed")
    assert rollups.count(Picked(), Names.load()) == 4
    assert hours_by() == {(): 24}
    check_against_the_jobs()


def test_a_narrowed_question_is_answered_from_the_sums_that_know_the_filter():
    make_job("2025-03-01 00:00", "2025-03-01 02:00", model_name="llama")
    make_job("2025-03-01 00:00", "2025-03-01 03:00", model_name="bert", status="failed", team="speech")
    rollups.settle()
    assert hours_by(models=["llama"]) == {(): 2}
    assert hours_by("team", statuses=["failed"]) == {(make_team("speech").pk,): 3}
    assert hours_by("model", teams=[make_team("vision").pk], span=MARCH) == {("llama",): 2}
    assert hours_by(providers=["GCP"]) == {}


def test_a_change_of_the_bill_clock_cuts_stored_jobs_again():
    make_job("2025-03-01 06:00", "2025-03-01 10:00")
    rollups.settle()
    provider = Provider.objects.create(name="AWS", bill_clock=LA)
    assert hours_by("day") == {(date(2025, 2, 28),): 2, (date(2025, 3, 1),): 2}
    check_against_the_jobs()
    provider.delete()
    assert hours_by("day") == {(date(2025, 3, 1),): 4}
    check_against_the_jobs()


def test_an_alias_brings_jobs_under_another_clock():
    make_job("2025-03-01 06:00", "2025-03-01 10:00", provider="Amazon")
    Provider.objects.create(name="AWS", bill_clock=LA)
    alias = NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    assert hours_by("day") == {(date(2025, 2, 28),): 2, (date(2025, 3, 1),): 2}
    alias.delete()
    assert hours_by("day") == {(date(2025, 3, 1),): 4}
    check_against_the_jobs()


def test_a_spelling_that_nobody_announced_is_cut_right_before_it_is_settled():
    Provider.objects.create(name="AWS", bill_clock=LA)
    make_job("2025-03-01 06:00", "2025-03-01 10:00", provider="aws")
    assert Names.load().stale_clocks() == {"aws": LA}
    assert hours_by("day") == {(date(2025, 2, 28),): 2, (date(2025, 3, 1),): 2}
    assert rollups.count(Picked(), Names.load(), Span(date(2025, 2, 28), date(2025, 3, 1))) == 1
    rollups.settle()
    assert Names.load().stale_clocks() == {}
    assert ProviderClock.objects.get(provider="aws").clock == LA
    check_against_the_jobs()


def test_plain_sql_keeps_the_sums(as_of):
    team = make_team("vision")
    pk = team.pk.hex if connection.vendor == "sqlite" else str(team.pk)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs (team_id, model_name, gpu_type, provider, start_time, end_time, status) "
            "SELECT %s, 'm', 'A100-80GB', 'AWS', '2025-03-01 00:00:00', '2025-03-01 02:00:00', 'completed'",
            [pk],
        )
        assert hours_by("day") == {(date(2025, 3, 1),): 2}
        cursor.execute("UPDATE jobs SET gpu_count = 4")
        assert hours_by("day") == {(date(2025, 3, 1),): 8}
        cursor.execute("UPDATE jobs SET status = 'pending'")
        assert hours_by("day") == {}
        cursor.execute("DELETE FROM jobs")
    rollups.settle()
    assert GpuDay.objects.count() == 0
    check_against_the_jobs()


def test_a_team_takes_its_sums_along():
    make_job(team="speech")
    make_job()
    rollups.settle()
    Team.objects.get(name="speech").delete()
    assert list(hours_by("team")) == [(make_team("vision").pk,)]
    check_against_the_jobs()


def test_model_names_are_remembered_with_their_case_folded():
    make_job(model_name="Straße-7B")
    rollups.settle()
    assert ModelName.objects.get().folded == "strasse-7b"


def test_a_difference_is_found_named_and_mended():
    make_job("2025-03-01 00:00", "2025-03-01 02:00")
    rollups.settle()
    GpuDay.objects.update(microseconds=HOUR)
    [difference] = rollups.verify()
    assert difference.table == "gpu_days"
    assert difference.measures == (-HOUR, 0, 0)
    assert rollups.rebuild() == []
    assert list(rollups.verify()) == []
    assert hours_by("day") == {(date(2025, 3, 1),): 2}


def test_rebuilding_changes_nothing():
    make_job("2025-03-01 22:00", "2025-03-02 01:00")
    make_job("2025-03-01 22:00", None, status="completed")
    rollups.settle()
    before = sorted(GpuDay.objects.values_list("day", "microseconds", "job_days", "jobs"))
    rollups.rebuild()
    assert sorted(GpuDay.objects.values_list("day", "microseconds", "job_days", "jobs")) == before


def test_the_command_settles_verifies_and_rebuilds(capsys):
    make_job("2025-03-01 00:00", "2025-03-01 02:00")
    call_command("roll_up")
    assert unsettled() == 0
    GpuDay.objects.update(jobs=7)
    with pytest.raises(SystemExit):
        call_command("roll_up", "--verify")
    assert "gpu_days" in capsys.readouterr().out
    call_command("roll_up", "--rebuild")
    assert "The roll-ups agree with the jobs." in capsys.readouterr().out


def test_triggers_are_installed_once_and_can_be_dropped():
    assert triggers.are_there(connection)
    triggers.drop(connection)
    assert not triggers.are_there(connection)
    make_job("2025-03-01 00:00", "2025-03-01 02:00")
    assert [str(d.table) for d in rollups.verify()] == [
        "gpu_days",
        "gpu_days_of_models",
        "gpu_months",
        "logged_gpu_time",
    ]
    triggers.install(connection)
    triggers.install(connection)
    rollups.rebuild()
    check_against_the_jobs()


# Any sequence of writes

moments = st.integers(0, 4 * 60).map(
    lambda n: at("2025-02-27 00:00") + timedelta(minutes=n * 15, seconds=n % 7)
)
facts = st.fixed_dictionaries(
    {
        "team": st.sampled_from(["vision", "speech"]),
        "provider": st.sampled_from(["AWS", "GCP", "gcp"]),
        "gpu_type": st.sampled_from(["A100-80GB", "T4"]),
        "model_name": st.sampled_from(["llama", "bert"]),
        "status": st.sampled_from(["pending", "running", "completed", "failed", "odd"]),
        "start_time": st.none() | moments,
        "end_time": st.none() | moments,
        "gpu_count": st.sampled_from([Decimal(1), Decimal(8), Decimal("0.142857")]),
        "cluster": st.sampled_from([None, "fox"]),
        "external_id": st.sampled_from([None, "7"]),
    }
)
writes = st.one_of(
    st.tuples(st.just("create"), facts),
    st.tuples(st.just("edit"), st.integers(0, 9), facts),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("update all"), st.sampled_from(["completed", "pending"])),
    st.tuples(st.just("drop team"), st.sampled_from(["vision", "speech"])),
    st.tuples(st.just("clock"), st.sampled_from(["UTC", LA, "Asia/Kolkata"])),
    st.tuples(st.just("settle")),
    st.tuples(st.just("upsert"), st.integers(0, 9), facts),
    st.tuples(st.just("import"), st.lists(st.tuples(st.integers(0, 3), facts), min_size=1, max_size=4)),
    st.tuples(st.just("undo")),
    st.tuples(st.just("map"), st.sampled_from(["AWS", "GCP", "gcp"])),
)


def perform(write) -> None:
    what, *said = write
    jobs = list(Job.objects.order_by("created_at", "pk"))
    if what == "create":
        Job.objects.create(**said[0] | {"team": make_team(said[0]["team"])})
    elif what == "edit" and jobs:
        job = jobs[said[0] % len(jobs)]
        for name, value in said[1].items():
            setattr(job, name, make_team(value) if name == "team" else value)
        job.save()
    elif what == "upsert":
        pk = jobs[said[0] % len(jobs)].pk if jobs and said[0] < 5 else uuid.uuid4()
        Job.objects.bulk_create(
            [Job(pk=pk, **said[1] | {"team": make_team(said[1]["team"])})],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["team", "status", "start_time", "end_time", "gpu_count", "provider"],
        )
    elif what == "delete" and jobs:
        jobs[said[0] % len(jobs)].delete()
    elif what == "update all":
        Job.objects.update(status=said[0])
    elif what == "drop team":
        Team.objects.filter(name=said[0]).delete()
    elif what == "clock":
        provider = Provider.objects.filter(key="gcp").first() or Provider(name="GCP")
        provider.bill_clock = said[0]
        provider.save()
    elif what == "settle":
        rollups.settle()
    elif what == "import":
        load_rows(*(logged(number, one, line) for line, (number, one) in enumerate(said[0], 2)))
    elif what == "undo":
        take_back_the_last_import()
    elif what == "map":
        mapping = ClusterMapping.objects.first() or ClusterMapping(cluster="fox", gpu_type="T4")
        mapping.provider, mapping.factor = said[0], Decimal(len(said[0]))
        mapping.save()
        reapply()


def logged(number, one, line) -> JobRow:
    said = {
        name: one[name] for name in ("team", "model_name", "status", "start_time", "end_time", "gpu_count")
    }
    return logged_job(str(number), line=line, **said)


def take_back_the_last_import() -> None:
    run = ImportRun.objects.filter(status=ImportRun.Status.COMMITTED).order_by("pk").last()
    if run:
        with suppress(CannotUndo), transaction.atomic():
            undo(run.pk)


@given(st.lists(writes, min_size=1, max_size=12))
@settings(max_examples=examples(8))
def test_after_any_writes_the_sums_are_those_of_the_jobs(as_of, written):
    as_of("2025-02-28 20:00")
    check_after(written)


def check_after(written) -> None:
    with transaction.atomic():
        for write in written:
            perform(write)
        check_against_the_jobs()
        rollups.settle()
        check_against_the_jobs()
        transaction.set_rollback(True)


def test_what_a_flush_leaves_behind_is_forgotten():
    make_job()
    rollups.settle()
    GpuDay.objects.all().delete()
    Job.objects.all().delete()
    assert unsettled() == 1
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default")
    assert unsettled() == 0
    check_against_the_jobs()
