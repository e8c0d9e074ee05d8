"""One cluster's log, read every night: what waited, started and went is followed from log to log."""

from __future__ import annotations

import io
from typing import Any

import pytest

from dashboard.ingest.load import Source, load
from dashboard.ingest.records import Options
from dashboard.ingest.summary import Summary
from dashboard.models import Job

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


def night(*rows: dict[str, str], without: tuple[str, ...] = (), **how: Any) -> Summary:
    """The log of these rows, read."""
    columns = [name for name in COLUMNS if name not in without]
    lines = ["|".join(columns), *("|".join(told[name] for name in columns) for told in rows)]
    log = io.BytesIO("\n".join(lines).encode())
    return load([Source("fox.psv", log)], FOX, **how)


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
