"""The CSV files of our own: jobs, daily cost, daily usage and teams; and how a format is recognised."""

import io
import json
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from dashboard.ingest.formats import FORMATS, costs, jobs, named, of, recognise, teams, usage
from dashboard.ingest.records import (
    CostRow,
    FileRefused,
    Ignored,
    JobRow,
    Options,
    Refused,
    TeamRow,
    UsageRow,
)
from dashboard.ingest.source import open_table
from dashboard.models.entities import KNOWN_STATUSES

from .conftest import REAL, SAMPLES
from .loading import records_of


def read(content, options=None, form=None):
    """Records and notes."""
    return records_of(content, form, options)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def one_refusal(content: str) -> str:
    records, _ = read(content)
    assert [type(record) for record in records] == [Refused], records
    return str(records[0])


# Recognising


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.NAME)
def test_every_format_has_a_sample_that_it_alone_recognises_and_reads(known):
    samples = [path for path in SAMPLES.glob(f"{known.NAME}*") if "bad" not in path.name]
    assert samples
    for path in samples:
        with open_table(path, "x") as table:
            assert recognise(table.header) is known
            assert recognise(tuple(reversed(table.header))) is known
            records = list(known.read(table, Options(cluster="fox", time_zone="Europe/Oslo"), []))
        assert records
        assert not any(isinstance(record, Refused) for record in records)
        assert [record.line for record in records] == sorted({record.line for record in records})


def test_a_format_can_be_named():
    assert named("costs") is costs
    with pytest.raises(FileRefused, match="focus, slurm, jobs, periods, costs, usage, teams"):
        named("xls")


@pytest.mark.parametrize("name", [None, "costs"])
@pytest.mark.parametrize(("separator", "called"), [("|", "vertical bars"), (";", "semicolons")])
def test_columns_of_a_csv_are_separated_by_commas(name, separator, called):
    """Else its quotation marks would be taken for a part of names."""
    rows = 'date,provider,gpu_type,cost_usd\n2025-03-01,"AWS",L4,5\n'.replace(",", separator)
    with open_table(io.BytesIO(rows.encode()), "file") as table, pytest.raises(FileRefused) as refused:
        of(table, name)
    assert str(refused.value) == f"The columns are separated by {called}: save the file with commas."


@pytest.mark.parametrize(
    "header",
    ["a,b", "date,provider,gpu_type", "date,provider,gpu_type,cost", "name,email", "BilledCost,ServiceName"],
)
def test_an_unknown_header_lists_what_is_known_and_what_was_found(header):
    with pytest.raises(FileRefused) as refused:
        read(header + "\n1,2\n")
    assert f"'{header.split(',')[0]}'" in str(refused.value)
    for known in FORMATS:
        assert known.LABEL in str(refused.value)


@pytest.mark.parametrize(
    "header",
    [
        "date,provider,gpu_type,metered_gpu_hours,job_gpu_hours,cost_usd",
        "date,team,provider,gpu_type,job_gpu_hours,jobs",
    ],
)
def test_files_for_reading_are_no_imports(header):
    with pytest.raises(FileRefused, match="exports for reading"):
        read(header + "\n2025-03-01,AWS,L4,1,1,1\n")


# Jobs


def test_jobs_are_read():
    records, notes = read(SAMPLES / "jobs.csv", form=jobs)
    assert records[0] == JobRow(
        line=2,
        team="vision",
        model_name="resnet",
        status="completed",
        gpu_count=Decimal(4),
        start_time=utc(2025, 3, 3, 8, 5),
        end_time=utc(2025, 3, 3, 12, 5),
        submit_time=utc(2025, 3, 3, 8),
        provider="AWS",
        gpu_type="A100-80GB",
        external_id="j-1",
        cluster="AWS",
    )
    assert (records[1].model_name, records[1].gpu_count) == ("unspecified", Decimal("0.5"))
    assert records[1].start_time == utc(2025, 3, 3, 22)
    assert (records[2].status, records[2].end_time) == ("running", None)
    assert (records[3].status, records[3].start_time) == ("pending", None)
    assert records[4].model_name == "=large-v3"  # the guard is taken off
    assert (records[4].status, records[4].gpu_count) == ("Evicted", 1)
    assert notes == []


MINIMAL = "team,model_name,gpu_type,provider,start_time,end_time,status\n"
GOOD = "vision,resnet,L4,GCP,2025-03-03T08:00:00Z,2025-03-03T09:00:00Z,completed\n"


def test_seven_columns_are_enough_and_equal_rows_are_that_many_jobs():
    records, _ = read(MINIMAL + GOOD + GOOD)
    assert [record.line for record in records] == [2, 3]
    assert (records[0].id, records[0].external_id, records[0].gpu_count) == (None, None, 1)


def test_what_heliox_exports_it_takes_back():
    own = "123e4567-e89b-42d3-a456-426614174000"
    records, notes = read(
        "\ufeffid,job_id,team,model_name,gpu_type,gpu_count,provider,status,start_time,end_time,"
        "duration_seconds,job_gpu_hours\n"
        f"{own},101#2,'@vision,'-x,A100-80GB,2.000000,AWS,completed,"
        "2025-03-03T08:00:00+00:00,2025-03-03T09:00:00+00:00,3600,2.000000\n"
    )
    job = records[0]
    assert (job.id, job.external_id, job.team, job.model_name) == (UUID(own), "101#2", "@vision", "-x")
    assert (job.gpu_count, job.cluster) == (2, None)  # its id says which job it is
    assert notes == []


def test_a_cluster_can_be_named():
    records, _ = read(SAMPLES / "jobs.csv", Options(cluster="fox"))
    assert {record.cluster for record in records} == {"fox"}


def test_headers_may_have_capitals_and_unknown_columns_are_noted():
    records, notes = read(
        "Team,Model name,GPU_type,Provider,START_TIME,end_time,Status,colour\n" + GOOD[:-1] + ",red\n"
    )
    assert records[0].team == "vision"
    assert notes == ["Columns that are not read: 'colour'."]


def test_a_cost_file_may_name_its_currency_and_it_is_usd():
    header = "date,provider,gpu_type,cost_usd,Billing Currency\n"
    records, notes = read(header + "2026-05-01,AWS,A100-80GB,1.00,usd\n2026-05-02,AWS,A100-80GB,1.00,\n")
    assert [type(record) for record in records] == [CostRow, CostRow]
    assert notes == []
    said = one_refusal(header + "2026-05-01,AWS,A100-80GB,1.00,EUR\n")
    assert "billing_currency" in said and "'EUR'" in said and "USD, the only currency" in said


def test_local_times_take_the_named_zone():
    row = "vision,resnet,L4,GCP,2025-07-01 12:00:00,2025-07-01T12:00:00Z,completed\n"
    records, _ = read(MINIMAL + row, Options(time_zone="Europe/Oslo"))
    assert (records[0].start_time, records[0].end_time) == (utc(2025, 7, 1, 10), utc(2025, 7, 1, 12))


@pytest.mark.parametrize(("took", "seconds"), [("1200", 1200), ("4800.0", 4800), ("", 1200)])
def test_of_a_local_time_that_occurs_twice_the_duration_tells_which_is_meant(took, seconds):
    header = MINIMAL.replace("\n", ",duration_seconds\n")
    row = f"vision,resnet,L4,GCP,2025-10-26 02:30:00,2025-10-26 02:50:00,completed,{took}\n"
    [job], notes = read(header + row, Options(time_zone="Europe/Oslo"))
    assert ((job.end_time - job.start_time).total_seconds(), notes) == (seconds, [])
    [refused], _ = read(header + row.replace(f",{took}\n", ",soon\n"), Options(time_zone="Europe/Oslo"))
    assert str(refused) == "Line 2, duration_seconds: 'soon' is not a number like 1234.56"
    [job], _ = read(header + row.replace("-10-", "-11-").replace(f",{took}\n", ",soon\n"))
    assert (job.end_time - job.start_time).total_seconds() == 1200


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (",resnet,L4,GCP,,,pending", "Line 2, team: '' is not a name"),
        ("vision,resnet,L4,,,,pending", "Line 2, provider: '' is not a name"),
        ("vision,resnet,,GCP,,,pending", "Line 2, gpu_type: '' is not a name"),
        ("vision,resnet,L4,GCP,,,", "Line 2, status: '' is not a status"),
        (
            'vision,resnet,L4,"AWS\n",,,pending',
            "Line 2, provider: 'AWS\\n' is not a name without line breaks",
        ),
        ("vision,a\u202eb,L4,GCP,,,pending", "Line 2, model_name"),
        ("vision,resnet,L4,GCP,0000-00-00,,running", "Line 2, start_time: '0000-00-00' is not a time like"),
        (
            "vision,resnet,L4,GCP,2025-03-03T08:00:00Z,2025-03-03T07:59:59Z,failed",
            "Line 2, end_time: '2025-03-03T07:59:59Z' is not a time at or after the start",
        ),
        (f"vision,{'x' * 256},L4,GCP,,,pending", "Line 2, model_name: 'xxx"),
    ],
)
def test_a_bad_job_is_refused_with_line_and_column(row, words):
    assert one_refusal(MINIMAL + row + "\n").startswith(words)


@pytest.mark.parametrize("count", ["0", "-1", "1_000", "٣", "1e2", "100001", "0.0000001", "nan", "9" * 10**5])
def test_a_number_of_gpus_that_is_none_is_refused(count):
    header = MINIMAL.strip() + ",gpu_count\n"
    assert "Line 2, gpu_count" in one_refusal(header + GOOD.strip() + f",{count}\n")


def test_a_missing_column_is_named():
    with pytest.raises(FileRefused, match="lacks 'gpu_type', 'provider', 'end_time'"):
        read("team,model_name,start_time,status\n")


def test_short_rows_are_refused_and_empty_ones_ignored():
    records, _ = read(MINIMAL + GOOD + "vision,resnet\n,,,,,,\n" + GOOD)
    assert [type(record) for record in records] == [JobRow, Refused, Ignored, JobRow]
    assert str(records[1]) == "Line 3: '2 fields' is not 7 as in the header; the row begins 'vision, resnet'"


def test_one_bad_line_is_found_in_the_sample():
    records, _ = read(SAMPLES / "jobs_one_bad_line.csv")
    assert [str(record)[:16] for record in records if isinstance(record, Refused)] == ["Line 3, end_time"]


# Daily cost and usage


def test_daily_cost_is_read():
    records, _ = read(SAMPLES / "costs.csv", form=costs)
    assert records == [
        CostRow(2, date(2025, 3, 3), "AWS", "A100-80GB", Decimal("120.50")),
        CostRow(3, date(2025, 3, 3), "GCP", "L4", Decimal("3.40")),
        CostRow(4, date(2025, 3, 4), "AWS", "A100-80GB", Decimal("0")),  # a fact, not a gap
        CostRow(5, date(2025, 3, 5), "AWS", "A100-80GB", Decimal("-25.00")),
    ]


def test_daily_usage_is_read():
    records, _ = read(SAMPLES / "usage.csv", form=usage)
    assert records[1] == UsageRow(3, date(2025, 3, 3), "GCP", "L4", Decimal("4.50"))


COST, USAGE = "date,provider,gpu_type,cost_usd\n", "date,provider,gpu_type,gpu_hours\n"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2025-03-01,AWS,L4,1.005", "Line 2, cost_usd: '1.005' is not a number with at most two decimals"),
        ("2025-03-01,AWS,L4,99999999999.99", "Line 2, cost_usd: '99999999999.99' is not a number from"),
        ("2025-03-01,AWS,L4,1e5", "Line 2, cost_usd: '1e5' is not a number"),
        ("2025-03-01,AWS,L4,", "Line 2, cost_usd: '' is not a number"),
        ("20250301,AWS,L4,1", "Line 2, date: '20250301' is not a day like"),
        ("2025-W01-1,AWS,L4,1", "Line 2, date"),
        ("0000-00-00,AWS,L4,1", "Line 2, date"),
        ("9999-12-31,AWS,L4,1", "Line 2, date"),
        ("2025-03-01,,L4,1", "Line 2, provider: '' is not a name"),
        ("2025-03-01,AWS,,1", "Line 2, gpu_type: '' is not a name"),
        (f"2025-03-01,{'x' * 101},L4,1", "Line 2, provider"),
    ],
)
def test_a_bad_cost_is_refused_with_line_and_column(row, words):
    assert one_refusal(COST + row + "\n").startswith(words)


def test_the_largest_amounts_that_fit_are_read():
    records, _ = read(COST + "2025-03-01,AWS,L4,9999999999.99\n2025-03-02,AWS,L4,-9999999999.99\n")
    assert [record.cost_usd for record in records] == [Decimal("9999999999.99"), Decimal("-9999999999.99")]


def test_negative_hours_are_refused():
    assert one_refusal(USAGE + "2025-03-01,AWS,L4,-1\n") == (
        "Line 2, gpu_hours: '-1' is not a number from 0 to 9,999,999,999.99"
    )


@pytest.mark.parametrize("header", [COST, USAGE])
def test_a_cell_stands_once_in_a_file_however_it_is_spelt(header):
    records, _ = read(header + "2025-03-01,AWS,L4,1\n2025-03-02,AWS,L4,1\n2025-03-01, aws ,l4,2\n")
    assert str(records[2]) == (
        "Line 4, date: '2025-03-01 aws l4' is not said once in the file: line 2 says it already"
    )


def test_names_with_a_guard_come_back_bare():
    records, _ = read(COST + "2025-03-01,'@cloud,''=L4,1\n")
    assert (records[0].provider, records[0].gpu_type) == ("@cloud", "'=L4")


# Teams


def test_teams_are_read():
    assert read(SAMPLES / "teams.csv", form=teams)[0] == [TeamRow(2, "vision"), TeamRow(3, "speech")]


def test_a_team_may_bring_its_id():
    own = "123e4567-e89b-42d3-a456-426614174000"
    records, _ = read(f"id,name\n{own},vision\n,speech\n")
    assert records == [TeamRow(2, "vision", UUID(own)), TeamRow(3, "speech", None)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("vision\nvision\n", "Line 3, name: 'vision' is not a new team: line 2 names it already"),
        ('"a\nb"\n', "Line 2, name"),
    ],
)
def test_a_bad_team_is_refused(rows, words):
    refusals = [str(record) for record in read("name\n" + rows)[0] if isinstance(record, Refused)]
    assert len(refusals) == 1
    assert refusals[0].startswith(words)


if REAL.is_dir():

    def test_the_real_week_of_philly():
        records, _ = read(REAL / "philly_2017-10-09_week.generic_jobs.csv")
        expected = json.loads((REAL / "expected" / "philly_week.json").read_text())
        assert len(records) == expected["jobs"] == 12_751
        assert all(isinstance(record, JobRow) for record in records)
        assert {record.model_name for record in records} == {"unspecified"}
        assert Counter(str(record.gpu_count) for record in records) == {
            f"{int(count)}.000000": jobs for count, jobs in expected["gpus_per_job"].items()
        }
        by_team: Counter[str] = Counter()
        for record in records:
            seconds = int((record.end_time - record.start_time).total_seconds())
            by_team[record.team] += int(record.gpu_count) * seconds
        assert f"{Decimal(by_team.total()) / 3600:.6f}" == expected["expect"]["gpu_hours_total"]
        for team, hours in expected["expect"]["gpu_hours_by_team"].items():
            assert f"{Decimal(by_team[team]) / 3600:.6f}" == hours


def test_an_allocation_is_no_bill_though_it_has_all_columns_of_one():
    header = "date,team,line,provider,gpu_type,job_gpu_hours,cost_usd"
    with pytest.raises(FileRefused, match="it shares the cost out"):
        read(f"{header}\n2025-03-01,nlp,jobs,AWS,L4,1,2.00\n", form=costs)


def test_statuses_that_are_known_to_the_reader_are_those_of_jobs():
    """The reader knows no models."""
    assert jobs.STATUSES == KNOWN_STATUSES
