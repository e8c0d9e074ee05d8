"""manage.py ingest: what it prints, and what it exits with."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from dashboard.models import CostSnapshot, ImportRun, Job

from .conftest import REAL, make_cost

pytestmark = pytest.mark.django_db

COSTS = "date,provider,gpu_type,cost_usd\n2025-03-01,AWS,A100-80GB,10.00\n"
LOG = (
    "JobIDRaw|User|Account|State|Submit|Start|End|Partition|AllocTRES|JobName\n"
    "7|u1|vision|COMPLETED|2025-03-01T00:00:00|2025-03-01T00:00:00|2025-03-01T01:00:00|accel|"
    "gres/gpu:a100=2,gres/gpu=2|resnet\n"
    "7.batch||vision|COMPLETED|2025-03-01T00:00:00|2025-03-01T00:00:00|2025-03-01T01:00:00||"
    "gres/gpu:a100=2,gres/gpu=2|batch\n"
)
COUNTS = ("inserted", "updated", "unchanged", "refused", "ignored")


@pytest.fixture
def ingest(tmp_path: Path, capsys: Any) -> Any:
    """Writes the content into a file and imports it: (exit status, what was printed)."""

    def run(content: str | bytes, *options: str, name: str = "file.csv") -> tuple[int, str]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return ran(capsys, str(path), *options)

    return run


def ran(capsys: Any, *arguments: str) -> tuple[int, str]:
    status = 0
    try:
        call_command("ingest", *arguments)
    except CommandError as error:
        return error.returncode, str(error)
    except SystemExit as left:
        status = int(left.code or 0)
    return status, capsys.readouterr().out


def test_a_file_is_imported_and_says_so(ingest: Any) -> None:
    status, said = ingest(COSTS)
    assert status == 0
    assert said.splitlines()[0].startswith("Imported: file.csv (daily cost CSV")
    assert "1 row read: 1 inserted, 0 updated, 0 unchanged, 0 refused, 0 ignored." in said
    assert "Cost in USD, 2025-03: 0.00 → 10.00" in said
    assert "Nothing was written: everything in the file is stored already." in ingest(COSTS)[1]


def test_what_is_not_stored_is_not_called_stored_already(ingest: Any) -> None:
    make_cost("2025-03-01", "8")
    kept = ingest(COSTS, "--on-conflict", "keep")[1]
    assert "Nothing was written: 1 row of the file is not stored, since what was there is kept." in kept
    no_gpu = LOG.replace("gres/gpu:a100=2,gres/gpu=2", "cpu=8")
    assert "log_spans: 1 created" in ingest(no_gpu, "--cluster", "fox")[1]
    assert "Nothing was written: every row of the file is ignored." in ingest(no_gpu, "--cluster", "fox")[1]


def test_json_alone_is_printed(ingest: Any) -> None:
    status, said = ingest(LOG, "--json", "--cluster", "fox")
    summary = json.loads(said)
    assert status == 0
    assert (summary["read"], summary["inserted"], summary["ignored"]) == (2, 1, 1)
    assert summary["read"] == sum(summary[count] for count in COUNTS)
    assert (summary["committed"], summary["changes"], summary["format"]) == (True, 2, "slurm")
    assert summary["ignored_kinds"] == {"job step": 1}
    assert json.loads(ingest(LOG, "--json", "--cluster", "fox")[1])["changes"] == 0


def test_a_dry_run_writes_nothing(ingest: Any) -> None:
    status, said = ingest(COSTS, "--dry-run")
    assert (status, CostSnapshot.objects.count()) == (0, 0)
    assert "Dry run: file.csv" in said and "1 change would be written, and nothing was" in said


def test_one_bad_line_refuses_the_file(ingest: Any) -> None:
    status, said = ingest(COSTS + "2025-03-02,AWS,A100-80GB,cheap\n")
    assert (status, CostSnapshot.objects.count(), ImportRun.objects.count()) == (1, 0, 0)
    assert "Line 3, cost_usd: 'cheap' is not a number" in said
    summary = json.loads(ingest(COSTS + "0000-00-00,AWS,A100-80GB,1\n", "--json")[1])
    assert (summary["inserted"], summary["refused"], summary["committed"], summary["changes"]) == (
        1,
        1,
        False,
        0,
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty."),
        (b"a,b\n1,2\n", "Unknown format"),
        (bytes(range(256)) * 40, "binary"),
        (COSTS.encode() + b"2025-03-02,AWS\0,A,1\n", "NUL"),
        (COSTS.encode() + b"2025-03-02,\xff,A,1\n", "Line 3, character 12 is not UTF-8"),
        (gzip.compress(COSTS.encode() * 2000, mtime=0)[:-9], "cut off"),
        (COSTS.encode() + b"2025-03-02,AWS,A," + b"9" * 1000 + b"\n", "Line 3, cost_usd"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(ingest: Any, content: bytes, words: str) -> None:
    status, said = ingest(content)
    assert status == 1
    assert words in said and "Traceback" not in said
    summary = json.loads(ingest(content, "--json")[1])
    assert summary["committed"] is False and summary["changes"] == 0
    assert summary["read"] == sum(summary[count] for count in COUNTS)
    assert not CostSnapshot.objects.exists()


def test_wrong_usage_is_told_apart(tmp_path: Path, capsys: Any, ingest: Any) -> None:
    assert ran(capsys, str(tmp_path / "absent.csv"))[0] == 2
    assert ran(capsys, str(tmp_path))[0] == 2
    assert ingest(COSTS, "--time-zone", "Mars/Olympus")[0] == 2
    for wrong in (["--on-conflict", "guess"], ["--format", "pdf"], []):
        with pytest.raises((SystemExit, CommandError)):
            call_command("ingest", *wrong)


def test_the_format_can_be_named(ingest: Any) -> None:
    status, said = ingest(COSTS, "--format", "usage")
    assert (status, CostSnapshot.objects.count()) == (1, 0)
    assert "lacks 'gpu_hours'" in said


def test_options_reach_the_reader(ingest: Any) -> None:
    ingest(LOG, "--cluster", "fox", "--time-zone", "Europe/Oslo")
    assert Job.objects.get().start_time.isoformat() == "2025-02-28T23:00:00+00:00"


def test_a_conflict_names_the_choices(ingest: Any) -> None:
    make_cost("2025-03-01", "8")
    status, said = ingest(COSTS)
    assert status == 1 and "Say --on-conflict keep, replace or add." in said
    assert ingest(COSTS, "--on-conflict", "add")[0] == 0
    assert ingest(COSTS, "--on-conflict", "add")[0] == 0
    assert CostSnapshot.objects.get().cost_usd == 18


def test_a_log_without_a_column_keeps_what_is_stored(ingest: Any) -> None:
    ingest(LOG, "--cluster", "fox")
    stored = Job.objects.values().get()
    lines = [line.split("|") for line in LOG.splitlines()]
    short = "\n".join("|".join(cells[:1] + cells[2:4] + cells[5:7] + cells[8:9]) for cells in lines) + "\n"
    assert short.startswith("JobIDRaw|Account|State|Start|End|AllocTRES\n")
    status, said = ingest(short, "--cluster", "fox", name="short.psv")
    assert (status, Job.objects.values().get()) == (0, stored), said


def test_a_jobs_csv_without_a_column_keeps_what_is_stored(ingest: Any) -> None:
    whole = (
        "job_id,team,model_name,gpu_type,gpu_count,provider,submit_time,start_time,end_time,status\n"
        "1,vision,resnet,A100,4,AWS,2025-02-28T00:00:00Z,2025-03-01T00:00:00Z,2025-03-01T02:00:00Z,failed\n"
    )
    short = (
        "job_id,team,model_name,gpu_type,provider,start_time,end_time,status\n"
        "1,vision,resnet,A100,AWS,2025-03-01T00:00:00Z,2025-03-01T02:00:00Z,failed\n"
    )
    ingest(whole)
    assert json.loads(ingest(short, "--json")[1])["unchanged"] == 1
    assert Job.objects.get().gpu_count == 4
    other = json.loads(ingest(whole.replace(",4,", ",8,"), "--json")[1])
    assert other["examples"][0]["changes"] == {"gpu_count": ["4", "8"]}


def test_a_header_without_rows_is_said(ingest: Any) -> None:
    status, said = ingest(COSTS.splitlines()[0] + "\n")
    assert status == 0
    assert "there are no rows" in said and "WARNING: file.csv has a header and no rows." in said


def test_a_refused_file_is_named(ingest: Any) -> None:
    assert json.loads(ingest("a,b\n1,2\n", "--json")[1])["files"] == ["file.csv"]


if REAL.is_dir():

    def test_real_files_of_other_versions(capsys: Any) -> None:
        expected = json.loads((REAL / "expected" / "focus_versions.json").read_text())
        paths = sorted((REAL / "focus_versions").iterdir())
        assert {path.name for path in paths} > set(expected)
        for path in paths:
            status, said = ran(capsys, str(path), "--json", "--dry-run")
            summary = json.loads(said)
            assert summary["read"] == sum(summary[count] for count in COUNTS), path.name
            assert status == (1 if summary["refusals"] else 0)
            if path.name in expected:
                assert (summary["read"], status) == (expected[path.name]["rows"], 0), path.name
