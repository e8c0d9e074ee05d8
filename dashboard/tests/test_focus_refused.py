"""FOCUS bills: what is refused, with line and column, and what is noted."""

import csv
import gzip
import importlib.util
import json
from datetime import date
from decimal import Decimal

import pytest

from dashboard.ingest.records import BillRow, FileRefused, Ignored, Options, Refused

from .conftest import REAL, SAMPLES
from .focus_bills import ROW, a_file, gpu_rows, p4d, read, refused, sample


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"BillingCurrency": "EUR"}, "Line 2, BillingCurrency: 'EUR' is not USD"),
        ({"BillingCurrency": ""}, "Line 2, BillingCurrency: '' is not USD"),
        ({"BilledCost": "n/a"}, "Line 2, BilledCost: 'n/a' is not a number"),
        ({"BilledCost": "null"}, "Line 2, BilledCost: 'null' is not an amount"),
        ({"EffectiveCost": "1_000"}, "Line 2, EffectiveCost: '1_000' is not a number"),
        ({"EffectiveCost": "9" * 1000}, "Line 2, EffectiveCost: '999"),
        ({"BilledCost": "1e400"}, "Line 2, BilledCost: '1e400' is not a number from"),
        ({"ChargePeriodStart": "NULL"}, "Line 2, ChargePeriodStart: 'NULL' is not a value"),
        ({"ChargePeriodStart": "0000-00-00"}, "Line 2, ChargePeriodStart: '0000-00-00' is not a time like"),
        ({"BillingPeriodStart": ""}, "Line 2, BillingPeriodStart: '' is not a value"),
        ({"BillingPeriodEnd": "2025-03-01T00:00:00Z"}, "Line 2, BillingPeriodEnd"),
        ({"ChargeCategory": "Gift"}, "Line 2, ChargeCategory: 'Gift' is not one of Usage"),
        ({"ServiceCategory": " "}, "Line 2, ServiceCategory: ' ' is not a value"),
        ({"ProviderName": "null"}, "Line 2, ProviderName: 'null' is not a value"),
        ({"ProviderName": "A\u202eWS"}, "Line 2, ProviderName"),
        ({"BillingAccountId": "NULL"}, "Line 2, BillingAccountId: 'NULL' is not a value"),
        (p4d(ConsumedQuantity="two"), "Line 2, ConsumedQuantity: 'two' is not a number"),
    ],
)
def test_a_bad_value_is_refused_with_line_and_column(facts, words):
    assert refused(**facts).startswith(words)


def test_one_bad_row_does_not_hide_the_others():
    records, _ = read(a_file(ROW, ROW | {"BilledCost": "?"}, ROW))
    assert [type(record) for record in records] == [BillRow, Refused, BillRow]


def test_rows_of_the_wrong_width_are_refused_and_empty_ones_ignored():
    content = a_file(ROW) + b"1,2\n" + b"," * (len(ROW) - 1) + b"\n,,\n"
    records, _ = read(content)
    assert str(records[1]).startswith("Line 3: '2 fields' is not 23 as in the header")
    assert records[2:] == [Ignored(4, "empty row"), Ignored(5, "empty row")]


def test_a_header_that_lacks_columns_names_them():
    row = {name: value for name, value in ROW.items() if name not in ("BillingCurrency", "ServiceCategory")}
    with pytest.raises(FileRefused, match="lacks 'BillingCurrency', 'ServiceCategory'"):
        read(a_file(row))


def test_a_header_without_a_provider_is_refused():
    with pytest.raises(FileRefused, match="ServiceProviderName"):
        read(a_file({name: value for name, value in ROW.items() if name != "ProviderName"}))


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        ([("1.50", "0"), ("2.25", "0")], "0 on every row (billed 3.750000 USD, effective 0.000000 USD)"),
        ([("1.50", "1"), ("2.25", "3.00")], "whole dollars only"),
        ([("1.50", "1"), ("2.25", "2.01")], None),
        ([("1", "0"), ("2", "2")], None),
        ([("0", "0")], None),
    ],
)
def test_an_effective_column_of_no_use_is_said_with_both_sums(costs, words):
    rows = [ROW | {"BilledCost": billed, "EffectiveCost": effective} for billed, effective in costs]
    _, notes = read(a_file(*rows))
    assert notes[1:] == [] if words is None else words in notes[1]


def test_strict_times_are_not_noted_and_loose_ones_once():
    assert read(a_file(ROW, ROW))[1] == ["Read as FOCUS 1.1."]
    loose = ROW | {"ChargePeriodStart": "2025-03-05 10:00:00 UTC"}
    assert len(read(a_file(loose, loose))[1]) == 2


if importlib.util.find_spec("duckdb"):

    def test_parquet_is_the_same_bill(tmp_path):
        import duckdb

        source, packed = SAMPLES / "focus_1.2_aws.csv", tmp_path / "bill.parquet"
        duckdb.execute(
            f"""COPY (SELECT * REPLACE (
                CAST(BilledCost AS DOUBLE) AS BilledCost,
                CAST(EffectiveCost AS DECIMAL(20, 10)) AS EffectiveCost,
                CAST(ChargePeriodStart AS TIMESTAMPTZ) AS ChargePeriodStart,
                MAP {{'team': 'vision'}} AS Tags)
            FROM read_csv('{source}', all_varchar = true)) TO '{packed}' (FORMAT parquet)"""
        )
        records, notes = read(packed, Options(team_tag="team"))
        assert gpu_rows(records) == gpu_rows(sample("focus_1.2_aws.csv")[0])
        assert {row.tag for row in records} == {"vision"}
        assert [row.billed for row in records] == [row.billed for row in sample("focus_1.2_aws.csv")[0]]

    def test_a_cut_off_parquet_file_is_refused():
        with pytest.raises(FileRefused, match="Parquet file cannot be read"):
            read(b"PAR1" + b"\1" * 1000)


if REAL.is_dir():

    def test_the_real_sample_has_three_gpu_rows():
        records, notes = read(REAL / "focus_1.0_sample_first500.csv")
        expected = json.loads((REAL / "expected" / "focus_1.0_first500.json").read_text())
        gpus = [row for row in records if row.gpu_type]
        assert [row.line for row in gpus] == expected["gpu_row_file_lines"]
        assert len(records) == expected["rows"]
        sums = expected["gpu_totals_usd"]
        micro = Decimal("0.000001")
        assert sum(row.billed for row in gpus).quantize(micro) == Decimal(sums["BilledCost"])
        assert sum(row.effective for row in gpus) == Decimal(sums["EffectiveCost"])
        assert sum(row.gpu_hours for row in gpus) == Decimal(sums["gpu_hours"])
        everything = expected["sum_all_rows"]
        assert sum(row.billed for row in records).quantize(micro) == Decimal(everything["BilledCost"])
        assert sum(row.effective for row in records) == Decimal(everything["EffectiveCost"])
        assert any("whole dollars only" in note and "billed 5.988394 USD" in note for note in notes)
        for name, facts in expected["gpu_by_type"].items():
            ours = [row for row in gpus if row.gpu_type == name]
            assert (len(ours), sum(row.gpu_hours for row in ours)) == (
                facts["rows"],
                Decimal(facts["gpu_hours"]),
            )

    def test_the_real_sample_per_day():
        records, _ = read(REAL / "focus_1.0_sample_first500.csv")
        ours = [
            (str(row.day), row.provider, row.gpu_type, f"{row.gpu_hours:.6f}", f"{row.billed:.6f}")
            for row in sorted((row for row in records if row.gpu_type), key=lambda row: row.day)
        ]
        with (REAL / "expected" / "focus_1.0_first500.snapshots.csv").open(newline="") as file:
            names = ("date", "provider", "gpu_type", "gpu_hours", "BilledCost")
            assert ours == [tuple(row[name] for name in names) for row in csv.DictReader(file)]

    VERSIONS = json.loads((REAL / "expected" / "focus_versions.json").read_text())

    @pytest.mark.parametrize("name", sorted(VERSIONS))
    def test_each_version_adds_up(name):
        records, _ = read(REAL / "focus_versions" / name)
        sums = VERSIONS[name]["sum_all_rows"]
        assert len(records) == VERSIONS[name]["rows"]
        assert sum(row.billed for row in records) == Decimal(sums["BilledCost"])
        assert sum(row.effective for row in records) == Decimal(sums["EffectiveCost"])
        assert gpu_rows(records) == []

    @pytest.mark.parametrize(
        ("name", "rows"),
        [
            ("costroid_hazard.csv.gz", 2),
            ("costroid_lenient_lenient-1.4.csv", 3),
            ("costroid_negative_focus-1.4-minimal.csv", 2),
            ("costroid_negative_nonrfc3339-1.0.csv", 1),
        ],
    )
    def test_odd_but_readable_files_are_read(name, rows):
        records, _ = read(REAL / "focus_versions" / name)
        assert [type(record) for record in records] == [BillRow] * rows

    def test_a_period_that_starts_in_another_zone_is_the_utc_month():
        records, notes = read(REAL / "focus_versions" / "costroid_lenient_lenient-1.4.csv")
        assert records[1].period == (date(2026, 6, 1), date(2026, 7, 1))
        assert "'2026-05-01 00:00:00 UTC'" in notes[1]

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("literal-null", "Line 2, BilledCost: 'null' is not an amount"),
            ("null-chargeperiodstart", "Line 2, ChargePeriodStart: 'null' is not a value"),
        ],
    )
    def test_a_null_where_focus_demands_a_value_is_refused(name, words):
        records, _ = read(REAL / "focus_versions" / f"costroid_negative_{name}.csv")
        assert [str(record)[: len(words)] for record in records] == [words]

    @pytest.mark.parametrize(
        ("name", "words"),
        [("duplicate-header", "names 'BilledCost' more than once"), ("unknown-header", "Unknown format")],
    )
    def test_a_header_that_is_no_bill_refuses_the_file(name, words):
        with pytest.raises(FileRefused, match=words):
            read(REAL / "focus_versions" / f"costroid_negative_{name}.csv")

    def test_a_cut_off_real_file_is_refused():
        packed = gzip.compress((REAL / "focus_1.0_sample_first500.csv").read_bytes())
        with pytest.raises(FileRefused, match="cut off"):
            read(packed[: len(packed) // 2])
