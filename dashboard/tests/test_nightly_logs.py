"""One cluster's log, read every night: what waited, started and went is followed from log to log."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import pytest

from dashboard.ingest.load import Source, load
from dashboard.ingest.records import Options
from dashboard.ingest.summary import Summary
from dashboard.ingest.undo import CannotUndo, undo
from dashboard.models import ImportRun, Job, LogSpan
from dashboard.naming import Names
from dashboard.reports.coverage import covered
from dashboard.scope import Span

pytestmark = pytest.mark.django_db

COLUMNS = (
    "JobID",
    "JobIDRaw",
    "User",
    "Account",
    "State",
    "Submit",
    "Start",
    "End",
    "ReqTRES",
    "AllocTRES",
    "JobName",
)
FOX = Options(cluster="fox")


def row(job_id: str = "7", raw: str = "", **facts: str) -> dict[str, str]:
    """A job with a GPU that ran from 8 to 9 on 3 March, but for what is said."""
    said = {
        "JobID": job_id,
        "JobIDRaw": raw or job_id,
        "User": "ada",
        "Account": "vision",
        "State": "COMPLETED",
        "Submit": "2025-03-03T07:00:00",
        "Start": "2025-03-03T08:00:00",
        "End": "2025-03-03T09:00:00",
        "ReqTRES": "cpu=4,gres/gpu=1",
        "AllocTRES": "cpu=4,gres/gpu:a100=1,gres/gpu=1",
        "JobName": "resnet",
    }
    return said | facts


def waiting(job_id: str = "7", raw: str = "", **facts: str) -> dict[str, str]:
    waits = {"State": "PENDING", "Start": "Unknown", "End": "Unknown", "AllocTRES": ""}
    return row(job_id, raw, **(waits | facts))


def log(*rows: dict[str, str], without: tuple[str, ...] = ()) -> io.BytesIO:
    columns = [name for name in COLUMNS if name not in without]
    lines = ["|".join(columns), *("|".join(told[name] for name in columns) for told in rows)]
    return io.BytesIO("\n".join(lines).encode())


def night(*rows: dict[str, str], without: tuple[str, ...] = (), **how: Any) -> Summary:
    """The log of these rows, read."""
    return load([Source("fox.psv", log(*rows, without=without))], FOX, **how)


def jobs() -> dict[str, str]:
    return dict(Job.objects.values_list("external_id", "status"))


@pytest.mark.parametrize(
    "times",
    [
        {"Start": "None", "End": "2025-03-03T07:30:00"},
        {"Start": "Unknown", "End": "2025-03-03T07:30:00"},
        {"Start": "2025-03-03T07:30:00", "End": "2025-03-03T07:30:00"},
    ],
)
def test_a_job_that_is_cancelled_while_it_waits_waits_no_longer(times: dict[str, str]) -> None:
    night(waiting())
    gone = night(row(State="CANCELLED by 1234", AllocTRES="", **times))
    assert (gone.updated, gone.ignored, jobs()) == (1, 0, {"7": "cancelled"})


def test_a_log_that_does_not_tell_what_was_asked_for_says_what_it_cannot_tell() -> None:
    night(waiting())
    gone = row(State="CANCELLED", Start="None", AllocTRES="")
    summary = night(gone, waiting("8"), row("9"), without=("ReqTRES",))
    assert (summary.inserted, summary.ignored_kinds) == (1, {"no GPU": 2})
    assert summary.notes == [
        "2 jobs have not run, and the log has no column ReqTRES: what they asked for is not known, so they "
        "count as jobs without a GPU. Those that wait by an earlier log go on waiting."
    ]
    assert night(row(), without=("ReqTRES",)).notes == []


def test_waiting_tasks_of_an_array_are_one_job_that_becomes_the_last_of_them() -> None:
    """Slurm keeps the array's own number for the task that starts last."""
    night(waiting("7_[1-3%2]", "7"))
    night(row("7_1", "8"), waiting("7_[2,3]", "7"))
    assert jobs() == {"7": "pending", "8": "completed"}
    night(row("7_2", "9"), row("7_3", "7", State="RUNNING", End="Unknown"))
    assert jobs() == {"7": "running", "8": "completed", "9": "completed"}
    night(row("7_3", "7"))
    assert jobs() == dict.fromkeys("789", "completed")


def test_of_an_array_that_is_cancelled_nothing_waits() -> None:
    night(row("7_1", "8"), waiting("7_[2-3]", "7"))
    night(row("7_[2-3]", "7", State="CANCELLED by 5", Start="None", AllocTRES=""))
    assert jobs() == {"7": "cancelled", "8": "completed"}


@pytest.mark.parametrize("waits", ["7_[2-3]", "7_[2-9%2]", "7_[2,5]"])
def test_without_raw_ids_tasks_that_have_not_started_are_told_and_left_out(waits: str) -> None:
    """They share an id, which changes whenever one of them starts."""
    summary = night(row("7_1"), waiting(waits), waiting("8"), without=("JobIDRaw",))
    assert summary.ignored_kinds == {"tasks of an array that have not started": 1}
    assert summary.notes == [
        "Tasks of an array that wait have one JobID together, and come in as they start. "
        "With JobIDRaw in sacct --format they come in as one job that waits."
    ]
    assert jobs() == {"7_1": "completed", "8": "pending"}


def test_only_raw_ids_follow_an_array_as_well() -> None:
    night(waiting("7_[1-2]", "7"), without=("JobID",))
    night(row("7_1", "8"), row("7_2", "7"), without=("JobID",))
    assert jobs() == {"7": "completed", "8": "completed"}


RAW_ONLY, ID_ONLY = ("JobID",), ("JobIDRaw",)


@pytest.mark.parametrize(("first", "then"), [(ID_ONLY, ()), (ID_ONLY, RAW_ONLY), (RAW_ONLY, ID_ONLY)])
def test_a_job_of_no_array_has_one_name(first: tuple[str, ...], then: tuple[str, ...]) -> None:
    night(row("7", State="RUNNING", End="Unknown"), without=first)
    assert night(row("7"), without=then).updated == 1
    assert jobs() == {"7": "completed"}


def test_tasks_that_a_log_named_by_job_id_are_found_by_a_log_with_both_names() -> None:
    night(row("7_1", State="RUNNING", End="Unknown"), row("7_2"), row("5"), without=ID_ONLY)
    whole = [row("7_1", "8"), row("7_2", "9"), row("7_3", "7"), row("5")]
    summary = night(*whole)
    assert (summary.inserted, summary.updated, summary.unchanged) == (1, 1, 2)
    assert jobs() == dict.fromkeys(("7_1", "7_2", "7", "5"), "completed")
    assert night(*whole).changes == 0
    assert night(row("7_1"), row("7_2"), without=ID_ONLY).changes == 0


def test_attempts_of_a_task_are_found_under_its_other_name() -> None:
    again = {"Submit": "2025-03-03T09:01:00", "Start": "2025-03-03T10:00:00", "End": "2025-03-03T11:00:00"}
    night(row("7_1", State="NODE_FAIL"), without=ID_ONLY)
    night(row("7_1", "8", State="NODE_FAIL"), row("7_1", "8", **again))
    assert jobs() == {"7_1": "failed", "7_1#2": "completed"}
    assert night(row("7_1", "8", **again)).changes == 0


def test_files_of_one_call_that_name_a_task_otherwise_tell_one_job() -> None:
    both, alone = log(row("7_1", "8")), log(row("7_1"), without=ID_ONLY)
    load([Source("both.psv", both), Source("alone.psv", alone)], FOX)
    assert jobs() == {"7_1": "completed"}


def test_a_file_of_job_ids_beside_one_with_both_names_does_not_double_what_is_stored() -> None:
    night(row("7_1", "8"))
    both, alone = (log(row("7_1", "8")), log(row("7_1"), without=ID_ONLY))
    refused = load([Source("both.psv", both), Source("alone.psv", alone)], FOX)
    assert refused.refusals[0]["text"].startswith("Line 2, JobID: '7_1' is not the name by which the job is")
    assert jobs() == {"8": "completed"}


@pytest.mark.parametrize(
    ("before", "then", "words"),
    [
        ((), ID_ONLY, "JobID: '7_1' is not the name by which the job is stored, which is '8'"),
        (RAW_ONLY, ID_ONLY, "JobID: '7_1' is not the name by which the job is stored, which is '8'"),
        (ID_ONLY, RAW_ONLY, "JobIDRaw: '8' is not the name by which the job is stored, which is '7_1'"),
    ],
)
def test_a_task_is_not_stored_twice_under_its_two_names(
    before: tuple[str, ...], then: tuple[str, ...], words: str
) -> None:
    night(row("7_1", "8", State="RUNNING", End="Unknown"), row("5"), without=before)
    six = row("6", Start="2025-03-03T08:30:00")
    twice = night(row("7_1", "8"), row("5"), six, without=then)
    assert (twice.committed, twice.read, twice.refused) == (False, 3, 1)
    assert twice.refusals[0]["text"] == f"Line 2, {words}: ask sacct for JobID and JobIDRaw together"
    other = row("7_2", "9", Start="2025-03-03T08:00:01")
    assert night(other, six, without=then).inserted == 2


def test_a_job_that_began_with_a_task_of_an_array_is_another_where_the_log_tells_both() -> None:
    """The task is stored by its raw id; the log names it so, and beside it one that nobody has told yet."""
    night(row("7_1", "8"), without=RAW_ONLY)
    both = night(row("8"), row("9_1"), without=ID_ONLY)
    assert (both.refused, both.unchanged, both.inserted) == (0, 1, 1)


def together(*logs: io.BytesIO, **how: Any) -> Summary:
    """Logs of one call: 1.psv, 2.psv and so on."""
    return load([Source(f"{n}.psv", one) for n, one in enumerate(logs, 1)], FOX, **how)


def by_raw(*rows: dict[str, str], without: tuple[str, ...] = ()) -> io.BytesIO:
    return log(*rows, without=(*RAW_ONLY, *without))


def by_id(*rows: dict[str, str], without: tuple[str, ...] = ()) -> io.BytesIO:
    return log(*rows, without=(*ID_ONLY, *without))


ASK_FOR_BOTH = "ask sacct for JobID and JobIDRaw together"


def test_a_task_does_not_come_in_twice_by_two_logs_of_one_call() -> None:
    runs = row("7_1", "8", State="RUNNING", End="Unknown")
    twice = together(
        by_raw(runs, row("5")), by_id(row("5"), row("7_1"), row("7_2", Start="2025-03-03T08:30:00"))
    )
    assert (twice.committed, twice.read, twice.refused, jobs()) == (False, 5, 1, {})
    assert twice.refusals[0]["text"] == (
        f"Line 3, JobID: '7_1' is not the name by which 1.psv tells the job, which is '8': {ASK_FOR_BOTH}"
    )
    other_way = together(by_id(row("7_1")), by_raw(row("7_1", "8")), dry_run=True)
    assert other_way.refusals[0]["text"].startswith(
        "Line 2, JobIDRaw: '8' is not the name by which 1.psv tells the job, which is '7_1'"
    )
    assert other_way.warnings == []


def test_a_part_of_a_job_of_several_sizes_does_not_come_in_twice_either() -> None:
    assert together(by_raw(row("7+1", "8")), by_id(row("7+1"))).refused == 1
    night(row("7+1", "8"))
    assert night(row("7+1"), without=ID_ONLY).refused == 1


def test_each_row_that_tells_a_job_otherwise_is_refused_once() -> None:
    logs = by_id(row("7_1", State="RUNNING", End="Unknown")), by_raw(row("7_1", "8")), by_id(row("7_1"))
    assert [(one["file"], one["value"]) for one in together(*logs).refusals] == [
        ("2.psv", "8"),
        ("3.psv", "7_1"),
    ]


@pytest.mark.parametrize("file", [by_id, by_raw])
def test_logs_with_one_kind_of_names_tell_different_jobs(file: Any) -> None:
    """Alike in all but their names."""
    assert together(file(row("7_1", "8")), file(row("9"))).inserted == 2


def test_two_jobs_that_a_log_of_the_call_tells_apart_are_two() -> None:
    """Whichever of the logs comes first: 8 is no task there, and another job began with one."""
    raw, both_told = by_raw(row("8")), by_id(row("8"), row("7_1"))
    assert together(raw, both_told, dry_run=True).refused == 0
    for one in (raw, both_told):
        one.seek(0)
    assert together(both_told, raw).inserted == 2
    assert jobs() == {"8": "completed", "7_1": "completed"}


def test_what_is_stored_by_one_of_its_names_is_refused_by_the_other_alone() -> None:
    night(row("7_1", "8"))
    twice = together(by_id(row("7_1")), by_raw(row("7_1", "8")))
    assert [one["text"] for one in twice.refusals] == [
        f"Line 2, JobID: '7_1' is not the name by which the job is stored, which is '8': {ASK_FOR_BOTH}"
    ]


@pytest.mark.parametrize(
    ("raw_lacks", "id_lacks", "columns"),
    [
        (("User",), (), "User"),
        ((), ("Submit",), "Submit"),
        (("Submit", "User"), ("User",), "Submit and User"),
        (("JobName",), (), "JobName"),
    ],
)
def test_logs_that_may_tell_a_task_twice_and_cannot_be_known_to_say_so(
    raw_lacks: tuple[str, ...], id_lacks: tuple[str, ...], columns: str
) -> None:
    raw, ids = by_raw(row("7_1", "8"), without=raw_lacks), by_id(row("7_1"), without=id_lacks)
    assert together(raw, ids, dry_run=True).warnings == [
        "'2.psv' names tasks of arrays by JobID alone, and '1.psv' by JobIDRaw alone. "
        f"Without {columns} in both, nothing tells which of them are the same, and those count twice: "
        f"{ASK_FOR_BOTH}."
    ]


def test_logs_that_cannot_tell_a_task_twice_say_nothing() -> None:
    lacking = ("User", "Submit")
    no_tasks = together(by_raw(row("8"), without=lacking), by_id(row("9"), without=lacking), dry_run=True)
    same_kind = together(by_id(row("7_1"), without=lacking), by_id(row("8"), without=lacking), dry_run=True)
    nameless = together(
        by_raw(row("7_1", "8"), without=("JobName",)), by_id(row("7_1"), without=("JobName",))
    )
    assert (no_tasks.warnings, same_kind.warnings, nameless.warnings) == ([], [], [])
    assert nameless.refused == 1
    header = "Cluster|{}|Account|State|Start|End|AllocTRES\n{}|{}|vision|COMPLETED|{}|gres/gpu=1"
    times = "2025-03-03T08:00:00|2025-03-03T09:00:00"
    texts = header.format("JobID", "fox", "7_1", times), header.format("JobIDRaw", "saga", "8", times)
    clusters = load([Source("log", io.BytesIO(text.encode())) for text in texts])
    assert (clusters.inserted, clusters.warnings) == (2, [])


TAKEN_AWAY = (
    "1 job that waited for a GPU has none by this log, so it is none of ours and was taken away. "
    "Undoing the import brings them back."
)
NO_GPU = {"ReqTRES": "cpu=4", "AllocTRES": "cpu=4"}


@pytest.mark.parametrize(
    "facts",
    [
        NO_GPU,
        {**NO_GPU, "State": "RUNNING", "End": "Unknown"},
        {**NO_GPU, "State": "PENDING", "Start": "Unknown", "End": "Unknown", "AllocTRES": ""},
        {**NO_GPU, "State": "CANCELLED by 5", "Start": "None", "AllocTRES": ""},
        {"AllocTRES": "cpu=4"},  # asked for a GPU once, and ran without
    ],
)
def test_a_job_that_waited_for_a_gpu_and_has_none_any_more_is_none_of_ours(facts: dict[str, str]) -> None:
    waits = night(waiting(), waiting("8"))
    before = list(Job.objects.order_by("pk").values())
    dry = night(row(**facts), dry_run=True)
    assert (dry.tables["jobs"], jobs()) == (
        {"created": 0, "changed": 0, "removed": 1},
        {"7": "pending", "8": "pending"},
    )
    gone = night(row(**facts))
    assert (gone.read, gone.ignored_kinds, jobs()) == (1, {"no GPU": 1}, {"8": "pending"})
    assert TAKEN_AWAY in gone.notes
    assert gone.examples == [{"row": "job 7", "line": 2, "changes": {"GPUs": ["waited for", "none"]}}]
    assert night(row(**facts)).changes == 0
    with pytest.raises(CannotUndo, match=f"Undo import {gone.run} first"):
        undo(waits.run or 0)
    undo(gone.run or 0)
    assert list(Job.objects.order_by("pk").values()) == before
    undo(waits.run or 0)
    assert jobs() == {}


def test_a_job_that_asks_for_a_gpu_again_waits_again_and_is_not_lost_by_undoing() -> None:
    night(waiting())
    gone = night(row(**NO_GPU))
    again = night(waiting())
    assert (again.inserted, jobs()) == (1, {"7": "pending"})
    with pytest.raises(CannotUndo, match=f"Undo import {again.run} first"):
        undo(gone.run or 0)
    Job.objects.update(imported_by=None)
    with pytest.raises(CannotUndo, match="1 job that it took away has come in again since"):
        undo(gone.run or 0)


def test_a_task_that_waited_is_found_by_both_of_its_names() -> None:
    night(waiting("7_1", "8"), waiting("7_[2-3]", "7"), without=ID_ONLY)
    assert jobs() == {"7_1": "pending"}
    night(row("7_1", "8", **NO_GPU))
    assert jobs() == {}
    night(waiting("7_[1-3]", "7"))
    night(row("7_1", "8", **NO_GPU), waiting("7_[2-3]", "7"))
    assert jobs() == {"7": "pending"}
    night(row("7_[2-3]", "7", **NO_GPU, State="CANCELLED", Start="None"), without=RAW_ONLY)
    assert jobs() == {}


def test_a_task_that_stands_under_both_names_is_told() -> None:
    night(waiting("7_1", "8"))
    assert night(row("7_1"), without=ID_ONLY).inserted == 1
    [told] = [words for words in night(row("7_1", "8")).warnings if "both names" in words]
    assert told == (
        "1 job is stored under both names, so that the hours count twice: '8 and 7_1'. Undo the import that "
        "brought one of the two, or delete it."
    )
    Job.objects.get(external_id="7_1").delete()
    twice = together(log(row("7_1", "8")), by_id(row("7_1")), dry_run=True)
    assert (twice.refused, twice.warnings) == (1, []), "told in this call is not stored"
    assert not [words for words in night(row("7_1", "8")).warnings if "both names" in words]


def test_only_what_waited_is_none_of_ours_any_more() -> None:
    """A job that has run on a GPU did so, and one of another cluster is another."""
    night(row("5"), row("6", State="RUNNING", End="Unknown"), waiting("7"))
    load([Source("saga.psv", log(row("7", **NO_GPU)))], Options(cluster="saga"))
    night(row("5", **NO_GPU), row("6", **NO_GPU))
    assert jobs() == {"5": "completed", "6": "running", "7": "pending"}
    load([Source("Fox.psv", log(row("7", **NO_GPU)))], Options(cluster=" Fox"))
    assert jobs() == {"5": "completed", "6": "running"}


def test_a_row_that_says_nothing_of_what_was_allocated_takes_no_job_away() -> None:
    night(waiting("7"))
    cancelled = {"State": "CANCELLED by 5", "Start": "2025-03-03T08:00:00", "End": "2025-03-03T08:00:01"}
    night(row("7", **cancelled, AllocTRES="", ReqTRES="cpu=4,gres/gpu=1"))
    assert jobs() == {"7": "pending"}


def test_an_attempt_without_a_gpu_is_the_one_of_its_submission() -> None:
    later = {"Submit": "2025-03-03T09:01:00"}
    night(row("7", State="NODE_FAIL"), waiting("7", **later))
    assert jobs() == {"7": "failed", "7#2": "pending"}
    night(row("7", **NO_GPU))
    assert jobs() == {"7": "failed", "7#2": "pending"}
    night(row("7", **NO_GPU, **later, Start="2025-03-03T10:00:00", End="2025-03-03T11:00:00"))
    assert jobs() == {"7": "failed"}


def test_a_later_attempt_without_a_gpu_ends_the_waiting_of_the_one_before() -> None:
    night(waiting())
    later = {"Submit": "2025-03-03T09:01:00", "Start": "2025-03-03T10:00:00", "End": "2025-03-03T11:00:00"}
    night(row("7", State="NODE_FAIL"), row("7", **NO_GPU, **later))
    assert jobs() == {"7": "failed"}


def test_of_rows_of_one_call_the_later_says_whether_a_job_has_a_gpu() -> None:
    summary = together(log(waiting(), waiting("8")), log(row(**NO_GPU)))
    assert summary.ignored_kinds == {"no GPU": 1, "a job that a later row tells without a GPU": 1}
    assert (summary.read, summary.inserted, jobs()) == (3, 1, {"8": "pending"})
    assert together(log(row("8", **NO_GPU)), log(waiting("8"))).changes == 0
    night(waiting("8"), row("8", **NO_GPU))
    assert jobs() == {}


def test_a_log_without_times_of_a_job_tells_by_its_id() -> None:
    night(waiting(), without=("Submit",))
    night(waiting(**NO_GPU), without=("Submit",))
    assert jobs() == {}


def without_gpu(day: int, **facts: str) -> dict[str, str]:
    """Submitted at noon of that day of March, it ran until six in the evening."""
    noon, six = f"2025-03-{day:02}T12:00:00", f"2025-03-{day:02}T18:00:00"
    return row(str(day), Submit=noon, Start=noon, End=six, ReqTRES="cpu=4", AllocTRES="cpu=4") | facts


def days_covered() -> list[Span]:
    return covered(Names.load()).get("fox", [])


def test_a_night_on_which_only_others_ran_is_covered_and_can_be_undone() -> None:
    night(row())
    assert days_covered() == [Span(date(2025, 3, 3), date(2025, 3, 4))]
    dry = night(without_gpu(4), without_gpu(5), dry_run=True)
    assert (dry.changes, dry.tables) == (1, {"log_spans": {"created": 1, "changed": 0, "removed": 0}})
    assert (dry.touched, LogSpan.objects.count()) == (["2025-03"], 1)
    assert dry.notes == [
        "No job of the log is new or changed; what is new is that it speaks of fox from "
        "2025-03-04 12:00:00 UTC to 2025-03-05 18:00:00 UTC. A day then without jobs on GPUs is an idle one."
    ]
    quiet = night(without_gpu(4), without_gpu(5))
    assert (quiet.committed, quiet.changes, quiet.ignored) == (True, 1, 2)
    assert days_covered() == [Span(date(2025, 3, 3), date(2025, 3, 6))]
    assert night(without_gpu(4), without_gpu(5)).changes == 0
    undo(quiet.run or 0)
    assert days_covered() == [Span(date(2025, 3, 3), date(2025, 3, 4))]
    assert night(without_gpu(4), without_gpu(5)).changes == 1


def test_what_logs_cover_together_is_no_news() -> None:
    night(row(), without_gpu(4), without_gpu(6))
    night(without_gpu(5), without_gpu(8))
    assert night(row(), without_gpu(7)).changes == 0
    assert night(without_gpu(2)).changes == 1
    assert ImportRun.objects.count() == 3


def test_a_log_does_not_speak_of_the_day_on_which_a_job_is_expected_to_start() -> None:
    """The scheduler's guess changes with what others ask for."""
    waits = waiting(Start="2025-03-20T00:00:00")
    night(waits)
    assert days_covered() == [Span(date(2025, 3, 3), date(2025, 3, 4))]
    assert night(waits, without_gpu(4)).changes == 1
    assert days_covered() == [Span(date(2025, 3, 3), date(2025, 3, 5))]


def test_of_two_clusters_in_one_log_each_is_covered() -> None:
    """One of them has jobs without GPUs only; capitals do not tell clusters apart."""
    lines = ["Cluster|JobID|Account|State|Submit|Start|End|AllocTRES"]
    for cluster, day, gpu in (("Fox", 3, ",gres/gpu=1"), ("saga", 4, ""), ("fox", 5, "")):
        times = [f"2025-03-0{day}T{hour}:00:00" for hour in ("07", "08", "09")]
        lines.append("|".join([cluster, str(day), "vision", "COMPLETED", *times, f"cpu=4{gpu}"]))
    load([Source("both.psv", io.BytesIO("\n".join(lines).encode()))])
    spans = {span.cluster: (span.first.day, span.last.day) for span in LogSpan.objects.all()}
    assert spans == {"Fox": (3, 5), "saga": (4, 4)}
