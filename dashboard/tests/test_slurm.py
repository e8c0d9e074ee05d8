"""Slurm logs: which rows are GPU jobs, how many GPUs of which type, in what state, from when to when."""

import csv
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dashboard.ingest.formats import slurm
from dashboard.ingest.records import FileRefused, Ignored, JobRow, Options, Refused, Spoken

from .conftest import REAL, SAMPLES, at
from .loading import records_of

ROW = {
    "JobIDRaw": "7",
    "User": "ada",
    "Account": "vision",
    "State": "COMPLETED",
    "Submit": "2025-03-03T07:00:00+00:00",
    "Start": "2025-03-03T08:00:00+00:00",
    "End": "2025-03-03T09:00:00+00:00",
    "ElapsedRaw": "3600",
    "Partition": "accel",
    "AllocTRES": "cpu=8,gres/gpu=1",
    "JobName": "resnet",
}
FOX = Options(cluster="fox")


def a_log(*rows: dict) -> bytes:
    return "\n".join("|".join(row) for row in (list(rows[0]), *(row.values() for row in rows))).encode()


def read(content, options=FOX):
    """Records and notes."""
    return records_of(content, slurm, options)


def one(options=FOX, **facts) -> JobRow:
    records, _ = read(a_log(ROW | facts), options)
    assert isinstance(records[0], JobRow), records[0]
    return records[0]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_a_log_is_its_top_level_gpu_jobs():
    records, notes = read(SAMPLES / "slurm.psv")
    jobs = [record for record in records if isinstance(record, JobRow)]
    assert [(job.external_id, job.status, job.gpu_count, job.raw_gpu_type) for job in jobs] == [
        ("101", "completed", 2, "a100"),
        ("102", "failed", 1, "unspecified"),
        ("103", "cancelled", 4, "unspecified"),
        ("104", "running", 1, "l4"),
        ("105", "pending", 8, "a100"),
        ("107", "failed", 2, "a100+rtx30"),
        ("107#2", "completed", 2, "a100"),
        ("108", "cancelled", 1, "a100"),
    ]
    ignored = Counter(record.reason for record in records if isinstance(record, Ignored))
    assert ignored == {"job step": 2, "no GPU": 1}
    assert len(records) == 11
    assert notes == []


def test_a_job_keeps_what_the_log_says_of_it():
    job = read(SAMPLES / "slurm.psv")[0][0]
    assert job == JobRow(
        line=2,
        team="vision",
        model_name="resnet",
        status="completed",
        gpu_count=Decimal(2),
        start_time=utc(2025, 3, 3, 7),
        end_time=utc(2025, 3, 3, 11),
        submit_time=utc(2025, 3, 3, 6, 50),
        external_id="101",
        cluster="fox",
        account="vision",
        partition="accel",
        raw_gpu_type="a100",
        submitted_by="ada",
        other_name="101",
    )


def test_a_job_name_may_hold_the_delimiter_and_an_empty_one_is_unspecified():
    names = [record.model_name for record in read(SAMPLES / "slurm.psv")[0] if isinstance(record, JobRow)]
    assert names[1] == "sweep|lr=0.1|seed=7"
    assert names[3] == "unspecified"


def test_a_job_name_may_hold_the_delimiter_wherever_its_column_stands():
    name = {"JobName": "a|b|"}
    for row in ({**name, **ROW, **name}, {**ROW, **name}):
        for end in (b"", b"|"):  # of sacct --parsable2 and --parsable
            [job], _ = read(a_log(row).replace(b"\n", end + b"\n") + end)
            assert (job.model_name, job.external_id, job.partition) == ("a|b|", "7", "accel")


@pytest.mark.parametrize(
    "column", ["SubmitLine", "Comment", "AdminComment", "SystemComment", "WorkDir", "Extra", "Constraints"]
)
def test_any_free_text_may_hold_the_delimiter(column):
    [job], _ = read(a_log({"JobIDRaw": "7", column: "a | b|c", **ROW}))
    assert (job.model_name, job.submitted_by, job.partition) == ("resnet", "ada", "accel")
    name_first = {"JobIDRaw": "7", "JobName": "res|net", **ROW}
    [job], _ = read(a_log({**name_first, "JobName": "resnet", column: "a | b|c"}))
    assert (job.model_name, job.submitted_by, job.partition) == ("resnet", "ada", "accel")
    [job], _ = read(a_log({**name_first, "JobName": "res|net", column: "a"}))
    assert (job.model_name, job.submitted_by, job.partition) == ("res|net", "ada", "accel")


def test_free_texts_between_which_nothing_is_read_need_not_be_told_apart():
    [job], _ = read(a_log(ROW | {"ReqTRES": "gres/gpu=1", "SubmitLine": "a|b", "WorkDir": "/home"}))
    assert (job.model_name, job.partition) == ("resnet", "accel")


def test_a_delimiter_that_may_stand_in_several_free_texts_is_refused():
    [record], _ = read(a_log(ROW | {"QOS": "normal", "SubmitLine": "sbatch train | tee log"}))
    assert str(record) == (
        "Line 2: '14 fields' is not 13 as in the header: a | stands in a text, and which of "
        "'JobName', 'SubmitLine' it is is not certain. Of these, ask sacct for JobName alone"
    )


def test_a_delimiter_that_fits_no_free_text_is_refused_and_one_of_a_step_does_not_matter():
    row = ROW | {"Comment": ""}
    odd, step = row | {"User": "a|b"}, row | {"JobIDRaw": "7.0", "JobName": "x|y"}
    records, _ = read(a_log(row, odd, step))
    assert str(records[1]).startswith("Line 3: '13 fields' is not 12 as in the header: a | stands in a text")
    assert records[2] == Ignored(4, "job step")


def test_commas_between_columns_would_take_resources_apart():
    """`gres/gpu=1` of `cpu=8,gres/gpu=1` would belong to the name of a job without a GPU."""
    records, _ = read(a_log(ROW).replace(b"|", b","))
    assert str(records[0]) == (
        "Line 2: '12 fields' is not 11 as in the header: "
        "give what sacct --parsable2 writes as it is, without --delimiter"
    )
    whole, _ = read(a_log(ROW | {"AllocTRES": '"cpu=8,gres/gpu=1"'}).replace(b"|", b","))
    assert (whole[0].gpu_count, whole[0].model_name) == (1, "resnet")
    for separator in (b";", b"\t"):
        with pytest.raises(FileRefused, match="give what sacct --parsable2 writes as it is"):
            read(a_log(ROW).replace(b"|", separator))


def test_of_a_job_without_times_only_the_known_ones_are_kept():
    by_id = {
        record.external_id: record for record in read(SAMPLES / "slurm.psv")[0] if isinstance(record, JobRow)
    }
    assert (by_id["103"].start_time, by_id["103"].end_time) == (None, utc(2025, 3, 4, 8, 5))
    assert (by_id["104"].start_time, by_id["104"].end_time) == (utc(2025, 3, 4, 9, 30), None)
    assert (by_id["105"].start_time, by_id["105"].end_time) == (None, None)


def test_local_times_that_occur_twice_fit_the_elapsed_time():
    records, _ = read(SAMPLES / "slurm_naive.psv", Options(cluster="fox", time_zone="Europe/Oslo"))
    assert [record.end_time - record.start_time for record in records] == [
        timedelta(hours=2),
        timedelta(hours=1),
        timedelta(minutes=20),
        timedelta(hours=1),
    ]
    assert records[3].start_time == utc(2025, 7, 1, 10)


@pytest.mark.parametrize(
    ("elapsed", "raw", "minutes"),
    [("00:20:00", None, 20), ("01:20:00", None, 80), ("01:20:00", "", 80), ("00:20:00", "4800", 80)],
)
def test_elapsed_tells_which_of_two_local_times_is_meant_where_no_seconds_do(elapsed, raw, minutes):
    facts = {"Start": "2025-10-26T02:30:00", "End": "2025-10-26T02:50:00", "Elapsed": elapsed}
    row = {name: value for name, value in ROW.items() if name != "ElapsedRaw"} | facts
    row |= {} if raw is None else {"ElapsedRaw": raw}
    [job], _ = read(a_log(row), Options(cluster="fox", time_zone="Europe/Oslo"))
    assert job.end_time - job.start_time == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1-00:00:01", 86401), ("23:59:59", 86399), ("05:07", 307), ("05:07.250", 307), ("x", None), ("", None)],
)
def test_elapsed_is_days_hours_minutes_and_seconds(text, seconds):
    assert slurm.elapsed_seconds("", text) == seconds
    assert slurm.elapsed_seconds("7", text) == 7


def test_times_without_a_zone_are_utc_unless_one_is_named_and_an_offset_wins():
    assert one(Start="2025-03-03T08:00:00").start_time == utc(2025, 3, 3, 8)
    oslo = Options(cluster="fox", time_zone="Europe/Oslo")
    assert one(oslo, Start="2025-03-03T08:00:00").start_time == utc(2025, 3, 3, 7)
    assert one(oslo, Start="2025-03-03T08:00:00+0000").start_time == utc(2025, 3, 3, 8)


@pytest.mark.parametrize(
    ("tres", "held"),
    [
        ("billing=19,cpu=1,gres/gpu:a100=1,gres/gpu=1,mem=32G,node=1", (1, "a100")),
        ("gres/gpu=4,gres/gpu:h100=4", (4, "h100")),
        ("cpu=6,gres/gpu=1", (1, "unspecified")),
        ("gres/gpu:a100=3", (3, "a100")),
        ("gres/gpu:a100=1,gres/gpu:rtx30=2", (3, "a100+rtx30")),
        ("gres/gpu:a100_1g.5gb=2,gres/gpu=2", (2, "a100_1g.5gb")),
        ("cpu=6,mem=8G", None),
        ("gres/gpu=0", None),
        ("gres/gpumem=4G,gres/gpuutil=90,gres/shard=2", None),
        ("", None),
    ],
)
def test_the_untyped_entry_is_the_count_and_the_typed_one_the_type(tres, held):
    assert slurm.gpus(tres) == held


@pytest.mark.parametrize(
    "tres", ["gres/gpu=", "gres/gpu=one", "gres/gpu=-1", "gres/gpu=1.5", "gres/gpu=1000000"]
)
def test_a_count_that_is_none_is_refused(tres):
    records, _ = read(a_log(ROW | {"AllocTRES": tres}))
    assert str(records[0]).startswith(f"Line 2, AllocTRES: '{tres}' is not a list like")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        *(
            ("COMPLETED", "completed"),
            ("RUNNING", "running"),
            ("COMPLETING", "running"),
            ("PENDING", "pending"),
        ),
        *(("FAILED", "failed"), ("TIMEOUT", "failed"), ("OUT_OF_MEMORY", "failed"), ("NODE_FAIL", "failed")),
        *(
            ("DEADLINE", "failed"),
            ("BOOT_FAIL", "failed"),
            ("CANCELLED", "cancelled"),
            ("CANCELLED+", "cancelled"),
        ),
        *(("CANCELLED by 1234", "cancelled"), ("PREEMPTED", "cancelled"), ("REVOKED", "cancelled")),
        *(("SUSPENDED", "suspended"), ("Something_New", "something_new")),
        *(
            ("OUT_OF_ME+", "failed"),
            ("NODE_F+", "failed"),
            ("PREEMPT+", "cancelled"),
            ("COMPLETI+", "running"),
        ),
        *(("COMPLET+", "complet"), ("SOMETHING+", "something"), ("SUSPEND+", "suspended")),
    ],
)
def test_states_become_statuses_and_unknown_ones_are_kept(state, status):
    assert one(State=state).status == status


@pytest.mark.parametrize(
    "state", ["SUSPENDED", "RESIZING", "STOPPED", "SIGNALING", "STAGE_OUT", "Something_New"]
)
def test_what_has_started_and_not_ended_runs_whatever_its_state_is_called(state):
    assert one(State=state, End="Unknown").status == "running"
    assert one(State=state, End="Unknown", Start="Unknown").status == state.lower()


@pytest.mark.parametrize(
    ("state", "status"),
    [("FAILED", "failed"), ("CANCELLED", "cancelled"), ("PENDING", "pending"), ("REQUEUED", "requeued")],
)
def test_what_is_over_or_waits_does_not_run_for_want_of_an_end(state, status):
    assert one(State=state, End="Unknown", ReqTRES="gres/gpu=1").status == status


@pytest.mark.parametrize("never", ["None", "Unknown", "", "N/A"])
def test_a_start_that_never_was(never):
    job = one(Start=never, End=never, State="PENDING", AllocTRES="gres/gpu=1")
    assert (job.start_time, job.end_time) == (None, None)


def test_what_was_asked_for_counts_only_before_the_start():
    asked = {"ReqTRES": "gres/gpu=8", "AllocTRES": ""}
    assert one(**asked, Start="None", End="Unknown", State="PENDING").gpu_count == 8
    assert one(**asked, End="Unknown", State="PENDING").gpu_count == 8
    [ignored], *_ = read(a_log(ROW | asked))
    assert (ignored.line, ignored.reason) == (2, "no GPU")


def test_a_job_without_a_gpu_tells_what_time_the_log_covers():
    asked = {"ReqTRES": "", "AllocTRES": "cpu=4"}
    [ignored], *_ = read(a_log(ROW | asked | {"Submit": "2025-03-02T22:00:00Z"}))
    assert ignored.spoken == Spoken("fox", at("2025-03-02 22:00"), at("2025-03-03 09:00"))
    [ignored], *_ = read(a_log(ROW | asked | {"End": "soon"}))
    assert ignored.spoken is None


def attempts(*rows):
    """The ids of rows of job 7, each with the hour of its start, if it has one, and of its submission."""
    told = []
    for start, submit in rows:
        began = f"2025-03-03T{start:02}:00:00Z" if start else "Unknown"
        state = {} if start else {"State": "PENDING", "End": "Unknown", "ReqTRES": "gres/gpu=1"}
        told.append(ROW | {"ReqTRES": "", "Submit": f"2025-03-03T{submit:02}:00:00Z", "Start": began} | state)
    return [record.external_id for record in read(a_log(*told))[0]]


def test_each_attempt_of_a_requeued_job_has_its_own_id_in_the_order_of_the_file():
    first, second, third = (ROW | {"Start": f"2025-03-03T0{hour}:00:00Z"} for hour in (6, 7, 8))
    other, again = first | {"JobIDRaw": "8"}, second | {"JobIDRaw": "8"}
    ids = [record.external_id for record in read(a_log(first, other, second, third, again))[0]]
    assert ids == ["7", "8", "7#2", "7#3", "8#2"]


def test_a_row_of_the_same_start_tells_the_same_attempt():
    assert attempts((6, 5), (6, 5), (7, 5), (6, 5), (7, 5)) == ["7", "7", "7#2", "7", "7#2"]


def test_a_row_that_waits_tells_the_attempt_of_its_submission():
    assert attempts((None, 5), (6, 5)) == ["7", "7"]
    assert attempts((6, 5), (None, 5)) == ["7", "7"]
    assert attempts((6, 5), (None, 7), (8, 7), (9, 7)) == ["7", "7#2", "7#2", "7#3"]


def test_ids_that_are_no_numbers_have_attempts_too():
    rows = [ROW | {"JobIDRaw": "5_3", "Start": f"2025-03-03T0{hour}:00:00Z"} for hour in (6, 7, 7)]
    assert [record.external_id for record in read(a_log(*rows))[0]] == ["5_3", "5_3#2", "5_3#2"]


def test_the_same_number_on_two_clusters_of_one_log_is_no_second_attempt():
    starts = [f"2025-03-03T0{hour}:00:00Z" for hour in range(4)]
    rows = [ROW | {"Cluster": name, "Start": start} for name, start in zip("abAb", starts, strict=True)]
    ids = [(record.cluster, record.external_id) for record in read(a_log(*rows), Options())[0]]
    assert ids == [("a", "7"), ("b", "7"), ("A", "7#2"), ("b", "7#2")]


def test_without_raw_ids_the_job_id_serves():
    row = {"JobID": "5_3", **{name: value for name, value in ROW.items() if name != "JobIDRaw"}}
    assert read(a_log(row, row | {"JobID": "5_3.batch"}))[0][0].external_id == "5_3"
    assert read(a_log(row | {"JobID": "5_3.batch"}))[0] == [Ignored(2, "job step")]


def test_the_cluster_is_named_by_the_option_or_a_column():
    assert one(Cluster="saga").cluster == "fox"
    assert one(Options(), Cluster="saga").cluster == "saga"
    with pytest.raises(FileRefused, match="--cluster"):
        read(a_log(ROW), Options())


def test_job_names_are_tidied_and_that_is_said():
    records, notes = read(a_log(ROW | {"JobName": "a\x1b[31mb"}, ROW | {"JobName": "x" * 400}))
    assert [record.model_name for record in records] == ["a [31mb", "x" * 255]
    assert notes == ["2 job names were too long or held control characters: tidied."]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"Account": ""}, "Line 2, Account: '' is not an account"),
        (
            {"End": "2025-03-03T07:59:59+00:00"},
            "Line 2, End: '2025-03-03T07:59:59+00:00' is not a time at or after",
        ),
        ({"Start": "yesterday"}, "Line 2, Start: 'yesterday' is not a time like"),
        ({"Start": "1740832200"}, "Line 2, Start: '1740832200' is not a time like"),
        ({"Submit": "0000-00-00"}, "Line 2, Submit: '0000-00-00' is not a time like"),
        ({"JobIDRaw": ""}, "Line 2, JobIDRaw: '' is not a job id"),
        ({"State": ""}, "Line 2, State: '' is not a job state"),
    ],
)
def test_a_bad_value_is_refused_with_line_and_column(facts, words):
    records, _ = read(a_log(ROW | facts))
    assert isinstance(records[0], Refused)
    assert str(records[0]).startswith(words)


def test_a_local_time_that_never_was_is_refused():
    oslo = Options(cluster="fox", time_zone="Europe/Oslo")
    records, _ = read(a_log(ROW | {"Start": "2025-03-30T02:30:00"}), oslo)
    assert "put forward" in str(records[0])


def test_an_unknown_zone_and_a_missing_column_refuse_the_file():
    with pytest.raises(FileRefused, match="'Mars' is not a time zone like Europe/Oslo"):
        read(a_log(ROW), Options(cluster="fox", time_zone="Mars"))
    with pytest.raises(FileRefused, match="lacks 'AllocTRES'"):
        read(a_log({name: value for name, value in ROW.items() if name != "AllocTRES"}))


def test_a_row_that_is_cut_short_is_refused():
    records, _ = read(a_log(ROW) + b"\n8|ada|vision\n")
    assert str(records[1]).startswith("Line 3: '3 fields' is not 11 as in the header")


if REAL.is_dir():
    EXPECTED = REAL / "expected"

    def hours_by_day_and_team(jobs):
        hours = defaultdict(Decimal)
        for job in jobs:
            start = job.start_time
            while start < job.end_time:
                midnight = start.replace(hour=0, minute=0, second=0) + timedelta(days=1)
                until = min(midnight, job.end_time)
                hours[str(start.date()), job.team] += (
                    job.gpu_count * int((until - start).total_seconds()) / 3600
                )
                start = until
        return {cell: f"{amount:.6f}" for cell, amount in hours.items()}

    def test_the_real_log_of_fox():
        records, _ = read(REAL / "slurm_fox_2025-05.psv")
        expected = json.loads((EXPECTED / "slurm_fox_2025-05.json").read_text())
        jobs = [record for record in records if isinstance(record, JobRow)]
        ignored = Counter(record.reason for record in records if isinstance(record, Ignored))
        assert len(records) == expected["rows_total"]
        assert len(jobs) == expected["gpu_jobs"] == 84
        assert ignored["job step"] == expected["step_rows_to_ignore"] == 582
        assert ignored["no GPU"] == expected["jobs_top_level"] - expected["gpu_jobs"]
        assert Counter(job.status for job in jobs) == expected["gpu_jobs_by_state"]
        assert Counter(job.raw_gpu_type for job in jobs) == expected["gpu_jobs_by_type"]
        seconds = sum(job.gpu_count * int((job.end_time - job.start_time).total_seconds()) for job in jobs)
        assert f"{seconds / 3600:.6f}" == expected["finished_only"]["gpu_hours_total"] == "38.999722"

    def test_the_real_log_per_day_and_team():
        jobs = [record for record in read(REAL / "slurm_fox_2025-05.psv")[0] if isinstance(record, JobRow)]
        with (EXPECTED / "slurm_fox_2025-05.day_team.csv").open(newline="") as file:
            expected = {(row["date"], row["team"]): row["gpu_hours"] for row in csv.DictReader(file)}
        assert hours_by_day_and_team(jobs) == expected
