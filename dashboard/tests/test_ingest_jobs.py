"""Jobs of logs and CSV files: which row is which job, and what an import keeps, changes and adds."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.ingest.load import Source, load
from dashboard.ingest.records import Ignored, Options, Refused, Spoken
from dashboard.models import GpuDay, ImportRun, Job, LogSpan, NameAlias, Provider, Team

from .conftest import REAL, at, make_job
from .loading import csv_job, job, load_files, load_rows

pytestmark = pytest.mark.django_db


def stored() -> list[dict[str, Any]]:
    """Every job and team, but for when and by which import they were written."""
    rest = {"created_at", "updated_at", "imported_by_id"}
    jobs = [{k: v for k, v in row.items() if k not in rest} for row in Job.objects.order_by("pk").values()]
    return [*jobs, *Team.objects.order_by("name").values("name")]


def test_a_log_becomes_jobs_and_a_team() -> None:
    summary = load_rows(job("7"), job("8", line=3))
    assert (summary.read, summary.inserted, summary.committed) == (2, 2, True)
    assert summary.tables == {
        "teams": {"created": 1, "changed": 0, "removed": 0},
        "jobs": {"created": 2, "changed": 0, "removed": 0},
    }
    assert summary.changes == 3
    assert Team.objects.get().name == "vision"
    seven = Job.objects.get(external_id="7")
    assert (seven.provider, seven.gpu_type, seven.gpu_count) == ("fox", "a100", 1)
    assert (seven.raw_gpu_type, seven.raw_gpu_count, seven.account) == ("a100", 1, "vision")


def test_every_row_of_the_run_carries_its_moment() -> None:
    load_rows(job())
    run = ImportRun.objects.get()
    assert {Job.objects.get().updated_at, Team.objects.get().updated_at} == {run.written_at}
    assert Job.objects.get().imported_by == run
    assert run.summary["inserted"] == 1


def test_the_same_log_twice_is_once() -> None:
    load_rows(job("7"), job("8"))
    before = list(Job.objects.order_by("pk").values())
    again = load_rows(job("7"), job("8"))
    assert (again.unchanged, again.changes, again.committed, again.run) == (2, 0, True, None)
    assert list(Job.objects.order_by("pk").values()) == before
    assert ImportRun.objects.count() == 1


def test_capitals_and_blanks_of_a_cluster_do_not_make_another_job() -> None:
    load_rows(job("7", cluster="Fox"))
    assert load_rows(job("7", cluster=" fox ")).changes == 0


def test_the_same_number_on_two_clusters_is_two_jobs() -> None:
    load_rows(job("7", cluster="fox"), job("7", cluster="saga"))
    assert Job.objects.count() == 2


def test_a_running_job_that_has_ended_is_updated() -> None:
    load_rows(job(status="running", end_time=None))
    summary = load_rows(job(status="completed"))
    assert (summary.updated, summary.changes) == (1, 1)
    assert summary.examples == [
        {
            "row": "job 7",
            "line": 2,
            "changes": {"status": ["running", "completed"], "end_time": ["—", "2025-03-01 01:00:00 UTC"]},
        }
    ]
    assert Job.objects.get().status == "completed"


def test_a_then_b_then_a_is_a() -> None:
    a = [job("7"), job("8", submit_time=at("2025-02-28 23:00"))]
    b = [job("7", status="failed", team="speech", account="speech"), job("8", submit_time=None)]
    load_rows(*a)
    first = stored()
    load_rows(*b)
    load_rows(*a)
    assert stored()[:2] == first[:2]


def test_what_a_file_does_not_speak_of_is_kept() -> None:
    load_rows(csv_job("7", submit_time=at("2025-02-28 23:00"), gpu_count=Decimal(8)))
    without = frozenset({"submit_time", "gpu_count"})
    summary = load_rows(csv_job("7", status="failed"), unsaid=without)
    changed = Job.objects.get()
    assert list(summary.examples[0]["changes"]) == ["status"]
    assert (changed.submit_time, changed.gpu_count) == (at("2025-02-28 23:00"), 8)


def test_a_file_that_says_nothing_of_the_scheduler_leaves_what_the_log_said() -> None:
    load_rows(job("7"))
    first = stored()
    pk = Job.objects.get().pk
    plain = csv_job(None, id=pk, provider="fox", gpu_type="a100", cluster=None)
    unsaid = frozenset({"external_id", "cluster", "account", "partition", "raw_gpu_type", "raw_gpu_count"})
    assert load_rows(plain, unsaid=unsaid).changes == 0
    assert stored() == first


def test_without_a_job_id_the_row_itself_is_the_identity() -> None:
    row = csv_job(None)
    summary = load_rows(row, row, csv_job(None, model_name="bert"))
    assert (summary.inserted, Job.objects.count()) == (3, 3)
    again = load_rows(csv_job(None, model_name="bert"), row, row)
    assert (again.unchanged, again.changes) == (3, 0)
    assert load_rows(row, row, row).inserted == 1


def test_spelling_and_aliases_of_names_are_no_change() -> None:
    NameAlias.objects.create(kind="provider", alias="Amazon Web Services", name="AWS")
    load_rows(csv_job("7", cluster="grid"))
    again = load_rows(csv_job("7", cluster="grid", provider="amazon web  services", gpu_type="a100-80gb"))
    assert (again.unchanged, again.changes) == (1, 0)
    assert Job.objects.get().provider == "AWS"
    other = load_rows(csv_job("7", cluster="grid", gpu_type="A100-40GB"))
    assert other.updated == 1


def test_teams_are_compared_by_name_without_capitals() -> None:
    load_rows(job("7", team="Vision  Lab", account=None))
    summary = load_rows(job("8", team="vision lab", account=None))
    assert "teams" not in summary.tables
    assert Team.objects.get().name == "Vision Lab"


def test_a_team_chosen_by_hand_stays() -> None:
    load_rows(job("7"))
    speech = Team.objects.create(name="speech")
    Job.objects.update(team=speech, team_set_by_hand=True)
    summary = load_rows(job("7", status="failed", team="audio", account="audio"))
    assert summary.updated == 1
    assert Job.objects.get().team == speech
    assert not Team.objects.filter(name="audio").exists()


def test_a_dry_run_says_the_same_and_writes_nothing() -> None:
    dry = load_rows(job("7"), job("8"), dry_run=True)
    assert (dry.inserted, dry.changes, dry.committed) == (2, 3, False)
    assert (Job.objects.count(), Team.objects.count(), ImportRun.objects.count()) == (0, 0, 0)
    wet = load_rows(job("7"), job("8"))
    assert (dry.tables, dry.months) == (wet.tables, wet.months)


def test_one_refused_row_keeps_everything_out() -> None:
    summary = load_rows(job("7"), Refused(3, "end_time", "yesterday", "a time"), Ignored(4, "no GPU"))
    assert (summary.read, summary.inserted, summary.refused, summary.ignored) == (3, 1, 1, 1)
    assert (summary.committed, summary.changes, summary.tables) == (False, 0, {})
    assert summary.refusals[0]["text"] == "Line 3, end_time: 'yesterday' is not a time"
    assert summary.ignored_kinds == {"no GPU": 1}
    assert not Job.objects.exists()


def test_a_job_told_twice_in_one_file_counts_once_and_may_not_contradict_itself() -> None:
    same = load_rows(csv_job("7"), csv_job("7", line=3), dry_run=True)
    assert (same.inserted, same.ignored, same.refused) == (1, 1, 0)
    other = load_rows(csv_job("7"), csv_job("7", line=3, status="failed"))
    assert (other.inserted, other.refused, other.committed) == (1, 1, False)
    assert "line 2 says it with other values" in other.refusals[0]["text"]


def test_of_an_attempt_that_a_log_tells_again_the_end_stands_then_the_last_row() -> None:
    waits = job(status="pending", start_time=at("2025-03-01 06:00"), end_time=None)
    runs = job(line=3, status="running", end_time=None)
    ended, corrected = job(line=4, status="failed"), job(line=5)
    summary = load_rows(
        waits, runs, ended, corrected, job(line=6), job(line=7, status="running", end_time=None)
    )
    assert (summary.read, summary.inserted, summary.ignored, summary.committed) == (6, 1, 5, True)
    assert summary.ignored_kinds == {
        "an attempt that the log tells again with other values": 4,
        "a job that the file tells already": 1,
    }
    assert summary.notes == [
        "4 rows of the log tell the attempt of another row with other values: "
        "the row that has ended stands, else the last."
    ]
    assert Job.objects.get().status == "completed"
    assert load_rows(ended, job(line=5, status="cancelled")).inserted == 0
    assert Job.objects.get().status == "cancelled"


def test_of_two_files_the_later_one_tells_the_end() -> None:
    summary = load_files([job("7", status="running", end_time=None)], [job("7")])
    assert (summary.read, summary.inserted, summary.ignored) == (2, 1, 1)
    assert Job.objects.get().status == "completed"


def attempt(day: int, external_id: str = "7", **facts: Any) -> Any:
    """From 1 to 3 of that day of March, submitted an hour before, but for what is said."""
    times = {"submit_time": at(f"2025-03-0{day} 00:00"), "start_time": at(f"2025-03-0{day} 01:00")}
    return job(external_id, **times | {"end_time": at(f"2025-03-0{day} 03:00")} | facts)


def days() -> dict[str, tuple[int, str]]:
    """The day of each stored attempt, and its status."""
    times = Job.objects.values_list("external_id", "start_time", "submit_time", "status")
    return {name: ((start or submit).day, status) for name, start, submit, status in times}


def test_a_later_log_that_begins_with_the_second_attempt_keeps_the_first() -> None:
    load_rows(attempt(1, status="failed"), attempt(2, "7#2", line=3, status="running", end_time=None))
    summary = load_rows(attempt(2), job("8", line=3))
    assert (summary.inserted, summary.updated) == (1, 1)
    assert days() == {"7": (1, "failed"), "7#2": (2, "completed"), "8": (1, "completed")}
    assert load_rows(attempt(2)).changes == 0


def test_attempts_of_logs_that_overlap_are_told_apart_by_their_starts() -> None:
    whole = [attempt(day, name, line=day) for day, name in ((1, "7"), (2, "7#2"), (3, "7#3"))]
    load_rows(*whole[:2])
    assert load_rows(attempt(2), attempt(3, "7#2", line=3)).inserted == 1
    assert load_rows(*whole).changes == 0
    assert days() == {"7": (1, "completed"), "7#2": (2, "completed"), "7#3": (3, "completed")}


def test_a_log_that_lists_only_the_last_attempt_adds_it() -> None:
    load_rows(attempt(1, status="failed"))
    load_rows(attempt(2, status="pending", start_time=None, end_time=None))
    assert days() == {"7": (1, "failed"), "7#2": (2, "pending")}
    load_rows(attempt(2, status="failed"))
    load_rows(attempt(3))
    assert days() == {"7": (1, "failed"), "7#2": (2, "failed"), "7#3": (3, "completed")}


def test_an_earlier_log_adds_the_attempts_before() -> None:
    load_rows(attempt(3))
    earlier = [attempt(1), attempt(2, "7#2", line=3), attempt(3, "7#3", line=4)]
    assert load_rows(*earlier).inserted == 2
    assert days() == {"7": (3, "completed"), "7#2": (1, "completed"), "7#3": (2, "completed")}
    assert load_rows(*earlier).changes == 0


def test_an_older_log_finds_an_attempt_under_the_number_that_it_has() -> None:
    runs: dict[str, Any] = {"status": "running", "end_time": None}
    load_rows(attempt(2, **runs))
    load_rows(attempt(1), attempt(2, "7#2", line=3, **runs))
    assert days() == {"7": (2, "running"), "7#2": (1, "completed")}
    for older in (runs, {"status": "pending", "start_time": None, "end_time": None}):
        load_rows(attempt(1, **older))
        assert days() == {"7": (2, "running"), "7#2": (1, older["status"])}
    load_rows(attempt(1), attempt(2, "7#2", line=3))
    assert days() == {"7": (2, "completed"), "7#2": (1, "completed")}


def test_an_attempt_that_ended_before_one_that_runs_or_waits_does_not_take_its_place() -> None:
    waits = attempt(2, "8", line=3, status="pending", start_time=None, end_time=None)
    load_rows(attempt(2, status="running", end_time=None), waits)
    load_rows(attempt(1), attempt(1, "8", line=3))
    assert days() == {
        "7": (2, "running"),
        "7#2": (1, "completed"),
        "8": (2, "pending"),
        "8#2": (1, "completed"),
    }


def test_what_still_ran_when_a_later_attempt_began_gives_way_to_it() -> None:
    load_rows(attempt(1, status="failed"), attempt(2, "7#2", line=3, status="running", end_time=None))
    assert load_rows(attempt(3)).updated == 1
    assert days() == {"7": (1, "failed"), "7#2": (3, "completed")}


def test_a_log_read_again_in_its_own_zone_moves_its_jobs() -> None:
    load_rows(attempt(1))
    names = ("submit_time", "start_time", "end_time")
    times = {name: getattr(attempt(1), name) - timedelta(hours=3) for name in names}
    assert load_rows(attempt(1, **times)).updated == 1
    assert Job.objects.get().start_time == at("2025-02-28 22:00")


def test_files_of_one_call_tell_attempts_apart_too() -> None:
    first = [attempt(1, status="failed"), attempt(2, "7#2", line=3, status="running", end_time=None)]
    summary = load_files(first, [attempt(2)])
    assert (summary.read, summary.inserted, summary.ignored) == (3, 2, 1)
    assert days() == {"7": (1, "failed"), "7#2": (2, "completed")}


def test_attempts_of_many_jobs_are_settled_by_as_many_queries_as_of_one() -> None:
    def asked(jobs: range) -> int:
        load_rows(*(attempt(1, str(n), line=n) for n in jobs))
        with CaptureQueriesContext(connection) as queries:
            load_rows(*(attempt(2, str(n), line=n) for n in jobs), dry_run=True)
        return len(queries)

    assert asked(range(1, 2)) == asked(range(10, 90))


def test_files_that_tell_the_same_jobs_again_are_settled_in_one_go() -> None:
    """The third file tells job 1 twice, the second tells jobs 1 and 2 of the first again."""
    first = [job(str(n), line=n, status="running", end_time=None) for n in range(1, 4)]
    second = [job(str(n), line=n, status="failed") for n in range(1, 3)]
    third = [job("1", line=1), job("1", line=2)]
    summary = load_files(first, second, third)
    assert (summary.read, summary.inserted, summary.ignored) == (7, 3, 4)
    assert summary.ignored_kinds == {
        "a job that a later file tells again": 3,
        "a job that the file tells already": 1,
    }
    assert dict(Job.objects.values_list("external_id", "status")) == {
        "1": "completed",
        "2": "failed",
        "3": "running",
    }


def test_a_provider_spelled_in_a_new_way_is_cut_by_its_clock_at_once() -> None:
    """3 am UTC on the 2nd is still the 1st in New York."""
    Provider.objects.create(name="Empire", bill_clock="America/New_York")
    with CaptureQueriesContext(connection) as asked:
        load_rows(
            csv_job(provider="EMPIRE", start_time=at("2025-03-02 03:00"), end_time=at("2025-03-02 04:00"))
        )
    assert not [query for query in asked if "recut" in query["sql"]]
    assert GpuDay.objects.get(provider="EMPIRE").day == date(2025, 3, 1)


def test_months_show_the_total_before_and_after() -> None:
    make_job("2025-03-05 00:00", "2025-03-05 02:00")
    rows = [
        job("7", start_time=at("2025-03-31 23:00"), end_time=at("2025-04-01 02:00"), gpu_count=Decimal(2))
    ]
    assert load_rows(*rows).months == {
        "job_gpu_hours": {
            "2025-03": {"before": "2.000000", "after": "4.000000"},
            "2025-04": {"before": "0.000000", "after": "4.000000"},
        }
    }
    longer = load_rows(rows[0].__class__(**facts(rows[0]) | {"end_time": at("2025-04-01 03:00")}))
    assert longer.months == {"job_gpu_hours": {"2025-04": {"before": "4.000000", "after": "6.000000"}}}


def facts(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


def test_the_log_covers_the_time_from_its_first_to_its_last_instant() -> None:
    load_rows(job("7", submit_time=at("2025-02-28 20:00")), job("8", end_time=at("2025-03-02 00:00")))
    span = LogSpan.objects.get()
    assert (span.cluster, span.first, span.last) == ("fox", at("2025-02-28 20:00"), at("2025-03-02 00:00"))


def test_the_log_covers_what_its_jobs_without_gpus_speak_of() -> None:
    spoken = Spoken("fox", at("2025-03-03 00:00"), at("2025-03-03 23:00"))
    load_rows(job("7"), Ignored(3, "job without a GPU", spoken))
    span = LogSpan.objects.get()
    assert (span.first, span.last) == (at("2025-03-01 00:00"), at("2025-03-03 23:00"))


def test_a_file_of_many_jobs_is_written_whole() -> None:
    start = at("2025-03-01 00:00")
    rows = [job(str(n), start_time=start, end_time=start + timedelta(minutes=n)) for n in range(4500)]
    assert load_rows(*rows).inserted == 4500
    assert Job.objects.count() == 4500


def test_an_id_of_our_own_export_is_kept() -> None:
    pk = UUID("8d0b4c3a-9a3e-4c38-9d7b-0d6d5a0d3f11")
    load_rows(csv_job(None, id=pk, cluster=None))
    assert Job.objects.get().pk == pk


if REAL.is_dir():

    def load_real(name: str, **how: Any) -> Any:
        options = Options(cluster=how.pop("cluster", None))
        return load([Source(name, REAL / name)], options, **how)

    def test_the_fox_log_twice() -> None:
        first = load_real("slurm_fox_2025-05.psv", cluster="fox")
        assert (first.read, first.inserted, first.ignored) == (876, 84, 792)
        assert first.months == {"job_gpu_hours": {"2025-05": {"before": "0.000000", "after": "38.999722"}}}
        assert load_real("slurm_fox_2025-05.psv", cluster="fox").changes == 0

    def test_the_philly_week_twice() -> None:
        first = load_real("philly_2017-10-09_week.generic_jobs.csv")
        hours = [Decimal(month["after"]) for month in first.months["job_gpu_hours"].values()]
        assert (first.inserted, sum(hours)) == (12751, Decimal("76446.611667"))
        assert load_real("philly_2017-10-09_week.generic_jobs.csv").changes == 0


def test_one_open_job_without_an_id_is_told_as_one(db) -> None:
    rows = [csv_job(None, status="running", end_time=None, model_name=model) for model in ("bert", "resnet")]
    assert load_rows(rows[0]).notes[0].startswith("1 job without job_id has not ended.")
    assert load_rows(*rows).notes[0].startswith("2 jobs without job_id have not ended.")
