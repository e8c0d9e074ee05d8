"""FOCUS bills: lines at full precision, deliveries that replace each other, and the snapshots beside them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.checks import stored_basis
from dashboard.ingest.load import Source, load
from dashboard.ingest.records import Options
from dashboard.ingest.undo import undo
from dashboard.models import (
    AuditEvent,
    BillLine,
    CostSnapshot,
    Delivery,
    ImportRun,
    NameAlias,
    UsageSnapshot,
)
from dashboard.money import carry_cents, to_cents

from .conftest import REAL, examples, make_cost, make_usage
from .focus_bills import ROW, a_file, p4d
from .loading import A_DAY, bill, cost, load_files, load_rows

pytestmark = pytest.mark.django_db


def costs() -> dict[str, str]:
    """Day of March → dollars."""
    rows = CostSnapshot.objects.order_by("date", "provider", "gpu_type")
    return {f"{row.date.day} {row.provider} {row.gpu_type}": str(row.cost_usd) for row in rows}


def hours() -> dict[int, str]:
    return {row.date.day: str(row.gpu_hours) for row in UsageSnapshot.objects.order_by("date")}


def test_rows_become_lines_and_snapshots() -> None:
    summary = load_rows(bill(1, "10.005", "2"), bill(1, "0.1", "1"), bill(2, "7", "3", gpu_type="H100"))
    assert (summary.read, summary.inserted, summary.committed) == (3, 3, True)
    assert summary.tables == {
        "deliveries": {"created": 1, "changed": 0, "removed": 0},
        "bill_lines": {"created": 2, "changed": 0, "removed": 0},
        "cost_snapshots": {"created": 2, "changed": 0, "removed": 0},
        "usage_snapshots": {"created": 2, "changed": 0, "removed": 0},
    }
    line = BillLine.objects.get(gpu_type="A100-80GB")
    assert (line.billed, line.gpu_hours, line.rows) == (Decimal("10.105"), 3, 2)
    assert costs() == {"1 AWS A100-80GB": "10.11", "2 AWS H100": "7.00"}
    assert hours() == {1: "3.00", 2: "3.00"}
    assert CostSnapshot.objects.filter(from_lines=True, basis="effective").count() == 2


def test_rows_that_are_no_gpu_rows_are_kept_as_lines_only() -> None:
    load_rows(bill(1, "5", None, gpu_type="", kind="non_gpu", service_category="Storage"))
    assert BillLine.objects.get().service_category == "Storage"
    assert not CostSnapshot.objects.exists()


def test_unused_commitment_costs_but_runs_no_hours() -> None:
    load_rows(bill(1, "4", None, kind="unused_commitment"))
    assert costs() == {"1 AWS A100-80GB": "4.00"}
    assert hours() == {}


def test_snapshots_follow_the_cost_basis(settings: Any) -> None:
    rows = [bill(1, "10", effective="6")]
    load_rows(*rows)
    assert costs() == {"1 AWS A100-80GB": "6.00"}
    settings.HELIOX_COST_BASIS = "billed"
    load_rows(bill(1, "10", effective="6"), bill(2, "1", effective="0"))
    assert costs() == {"1 AWS A100-80GB": "10.00", "2 AWS A100-80GB": "1.00"}
    assert set(CostSnapshot.objects.values_list("basis", flat=True)) == {"billed"}


def test_the_cents_of_a_month_add_up_to_the_month() -> None:
    load_rows(*(bill(day, "0.004", "0.004") for day in range(1, 11)))
    assert sum(CostSnapshot.objects.values_list("cost_usd", flat=True)) == Decimal("0.04")
    assert sum(UsageSnapshot.objects.values_list("gpu_hours", flat=True)) == Decimal("0.04")


def test_carried_cents_by_hand() -> None:
    amounts = [Decimal("0.004"), Decimal("0.004"), Decimal("0.004"), Decimal("-0.002")]
    # running: 0.004 0.008 0.012 0.010 → 0.00 0.01 0.01 0.01
    assert carry_cents(amounts) == [Decimal("0.00"), Decimal("0.01"), Decimal("0.00"), Decimal("0.00")]


@settings(max_examples=examples(100))
@given(st.lists(st.decimals(-1000, 1000, places=9), max_size=31))
def test_carried_cents_keep_the_sum_and_stay_near(amounts: list[Decimal]) -> None:
    cents = carry_cents(amounts)
    assert sum(cents, Decimal(0)) == to_cents(sum(amounts, Decimal(0)))
    near = (abs(c - a) <= Decimal("0.01") for c, a in zip(cents, amounts, strict=True))
    assert all(near)


def test_the_same_bill_twice_changes_nothing() -> None:
    load_rows(bill(1), bill(2))
    again = load_rows(bill(2), bill(1))
    assert (again.unchanged, again.changes, again.committed, again.run) == (2, 0, True, None)
    assert (Delivery.objects.count(), ImportRun.objects.count()) == (1, 1)


def test_a_later_delivery_replaces_the_earlier_one() -> None:
    load_rows(bill(1, "10"), bill(2, "20"), bill(3, "30"))
    summary = load_rows(bill(1, "10"), bill(2, "25"), bill(4, "40"))
    assert (summary.unchanged, summary.updated, summary.inserted) == (1, 1, 1)
    assert summary.tables["bill_lines"] == {"created": 1, "changed": 1, "removed": 1}
    assert summary.tables["deliveries"] == {"created": 1, "changed": 1, "removed": 0}
    assert costs() == {"1 AWS A100-80GB": "10.00", "2 AWS A100-80GB": "25.00", "4 AWS A100-80GB": "40.00"}
    assert sum(line.billed for line in BillLine.objects.current()) == 75
    old, new = Delivery.objects.order_by("pk")
    assert (old.current, new.current, new.replaces) == (False, True, old)
    assert summary.months["cost_usd"] == {"2025-03": {"before": "60.00", "after": "75.00"}}


def test_a_bill_then_another_then_the_first_again() -> None:
    a, b = [bill(1, "10.004"), bill(2, "0.004")], [bill(2, "3"), bill(5, "1")]
    load_rows(*a)
    first = costs(), hours()
    load_rows(*b)
    load_rows(*a)
    assert (costs(), hours()) == first
    assert Delivery.objects.filter(current=True).count() == 1


def test_other_accounts_and_periods_stand_beside() -> None:
    load_rows(bill(1, "10"))
    load_rows(bill(1, "5", account="other"))
    load_rows(bill(1, "1", period=(date(2025, 4, 1), date(2025, 5, 1))))
    assert Delivery.objects.filter(current=True).count() == 3
    assert costs() == {"1 AWS A100-80GB": "16.00"}


def test_the_parts_of_one_export_are_one_delivery() -> None:
    summary = load_files([bill(1, "10")], [bill(1, "5"), bill(2, "1")])
    assert summary.tables["deliveries"]["created"] == 1
    assert costs() == {"1 AWS A100-80GB": "15.00", "2 AWS A100-80GB": "1.00"}


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
def test_a_bill_given_twice_in_one_call_counts_once(packed: Callable[[bytes], bytes]) -> None:
    again = a_file(ROW | p4d(), ROW | p4d())
    files = {"bill.csv": again, "bill (1).csv": packed(again), "rest.csv": a_file(ROW | p4d())}
    summary = load([Source(name, io.BytesIO(content)) for name, content in files.items()])
    assert (summary.read, summary.inserted, summary.ignored) == (5, 3, 2)
    assert summary.ignored_kinds == {"a file that was given twice": 2}
    assert (costs(), hours()) == ({"5 AWS A100-40GB": "28.50"}, {5: "48.00"})


def as_parquet(content: bytes) -> bytes:
    """As providers write it: typed columns, and nulls for what is empty."""
    duckdb = pytest.importorskip("duckdb")
    typed = ", ".join(
        [f"{name}::DECIMAL(38, 18) AS {name}" for name in ("BilledCost", "EffectiveCost", "ConsumedQuantity")]
        + [f"{name}::TIMESTAMP AS {name}" for name in ("ChargePeriodStart", "BillingPeriodStart")]
        + ["nullif(ResourceId, '') AS ResourceId"]
    )
    with TemporaryDirectory() as folder:
        bill, packed = Path(folder) / "bill.csv", Path(folder) / "bill.parquet"
        bill.write_bytes(content)
        rows = f"SELECT * REPLACE ({typed}) FROM read_csv('{bill}', all_varchar = true)"
        duckdb.sql(f"COPY ({rows}) TO '{packed}' (FORMAT parquet)")
        return packed.read_bytes()


def charge(hour: int, resource: str = "i-1") -> dict[str, str]:
    start = f"2025-03-05T{hour:02}:00:00Z"
    return ROW | p4d() | {"ChargePeriodStart": start, "ResourceId": resource}


@pytest.mark.parametrize(
    "spelled",
    [
        as_parquet,
        lambda content: content.replace(b"\r\n", b"\n"),
        lambda content: b"\n".join([content.splitlines()[0], *reversed(content.splitlines()[1:])]),
    ],
    ids=["Parquet", "line ends", "order"],
)
def test_a_bill_given_twice_in_other_bytes_counts_once(spelled: Callable[[bytes], bytes]) -> None:
    """Of one charge a day's hours cost the same: what tells parts of a bill apart is hour and resource."""
    first, others = a_file(charge(1), charge(2, "")), [a_file(charge(3), charge(4)), a_file(charge(1, "i-2"))]
    files = [first, spelled(first), *others]
    summary = load([Source(f"part {n}", io.BytesIO(content)) for n, content in enumerate(files)])
    assert (summary.read, summary.inserted, summary.ignored) == (7, 5, 2)
    assert summary.ignored_kinds == {"a file that was given twice": 2}
    assert summary.warnings == ["part 1 has the very rows of part 0: they count once."]
    assert costs() == {"5 AWS A100-40GB": "47.50"}
    alone = load([Source("bill", io.BytesIO(spelled(first)))], dry_run=True)
    assert alone.tables["bill_lines"] == {"created": 0, "changed": 1, "removed": 0}


@pytest.mark.parametrize("column", ["SubAccountId", "RegionId"])
def test_parts_that_come_to_the_same_are_no_copies(column: str) -> None:
    """A flat price for each sub-account or region, of which no resource and no SKU is told."""
    parts = [a_file(ROW | p4d() | {column: name}) for name in ("north", "south")]
    summary = load([Source(f"part {n}", io.BytesIO(content)) for n, content in enumerate(parts)])
    assert (summary.read, summary.inserted, summary.warnings) == (2, 2, [])
    assert costs() == {"5 AWS A100-40GB": "19.00"}


def test_a_bill_in_other_bytes_that_comes_later_changes_nothing() -> None:
    first = a_file(charge(1), charge(2))
    load([Source("bill.csv", io.BytesIO(first))])
    again = load([Source("bill.parquet", io.BytesIO(as_parquet(first)))])
    assert (again.unchanged, again.changes) == (2, 0)


def test_capitals_and_aliases_of_a_provider_are_the_same_delivery() -> None:
    NameAlias.objects.create(kind="provider", alias="Amazon Web Services", name="AWS")
    load_rows(bill(1, "10"))
    assert load_rows(bill(1, "10", provider="aws", account="MAIN")).changes == 0
    load_rows(bill(1, "12", provider="Amazon Web Services"))
    assert costs() == {"1 AWS A100-80GB": "12.00"}


def two_names_of_one_provider() -> None:
    """A bill of AWS for the 1st, one of Amazon for the 2nd; then an alias makes them one."""
    load_rows(bill(1, "10"))
    load_rows(bill(2, "5", provider="Amazon"))
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")


def test_a_delivery_replaces_all_of_its_provider_account_and_period() -> None:
    two_names_of_one_provider()
    summary = load_rows(bill(1, "12"), bill(2, "5"))
    assert (summary.updated, summary.unchanged) == (1, 1)
    assert costs() == {"1 AWS A100-80GB": "12.00", "2 AWS A100-80GB": "5.00"}
    assert Delivery.objects.filter(current=True).count() == 1
    assert load_rows(bill(1, "12"), bill(2, "5")).changes == 0


def test_the_first_of_two_bills_again_takes_the_other_away_too() -> None:
    two_names_of_one_provider()
    load_rows(bill(1, "10"))
    assert costs() == {"1 AWS A100-80GB": "10.00"}


def test_undoing_it_brings_back_each_of_the_bills_that_it_replaced() -> None:
    two_names_of_one_provider()
    before = costs()
    undo(load_rows(bill(1, "12"), bill(2, "5")).run)
    assert costs() == before == {"1 AWS A100-80GB": "10.00", "2 Amazon A100-80GB": "5.00"}
    assert Delivery.objects.filter(current=True).count() == Delivery.objects.count() == 2


def test_one_provider_under_two_names_in_one_call_is_one_delivery() -> None:
    two_names_of_one_provider()
    summary = load_rows(bill(1, "12"), bill(1, "1", provider="Amazon"), bill(2, "5", provider="Amazon"))
    assert summary.committed
    assert costs() == {"1 AWS A100-80GB": "13.00", "2 AWS A100-80GB": "5.00"}


def a_bill_beside_an_entered_figure() -> None:
    """Two spellings of one cell: $10 billed, $4 effective and 2 h by lines, $7 and 5 h by hand."""
    load_rows(bill(1, "10", effective="4", hours="2"))
    make_cost("2025-03-01", "7.00", provider="Amazon")
    make_usage("2025-03-01", "5.00", provider="Amazon")
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")


@pytest.mark.parametrize("how", ["refuse", "keep", "replace", "add"])
def test_a_replaced_bill_leaves_nothing_behind_beside_an_entered_figure(how: str) -> None:
    a_bill_beside_an_entered_figure()
    assert load_rows(bill(2, "20", hours="3"), on_conflict=how).committed
    assert costs() == {"1 Amazon A100-80GB": "7.00", "2 AWS A100-80GB": "20.00"}
    assert sum(usage.gpu_hours for usage in UsageSnapshot.objects.all()) == 5 + 3


@pytest.mark.parametrize("how", ["refuse", "keep", "replace", "add"])
def test_a_corrected_bill_touches_no_figure_beside_it(how: str) -> None:
    a_bill_beside_an_entered_figure()
    load_rows(bill(1, "20", effective="8", hours="2"), on_conflict=how)
    assert costs() == {"1 AWS A100-80GB": "8.00", "1 Amazon A100-80GB": "7.00"}


def test_another_basis_is_rebuilt_beside_an_entered_figure_too(settings: Any) -> None:
    a_bill_beside_an_entered_figure()
    settings.HELIOX_COST_BASIS = "billed"
    call_command("rebuild_snapshots", verbosity=0)
    assert costs() == {"1 AWS A100-80GB": "10.00", "1 Amazon A100-80GB": "7.00"}


def test_fewer_days_than_before_are_said_loudly() -> None:
    load_rows(bill(1), bill(2), bill(3))
    [warning] = load_rows(bill(1), dry_run=True).warnings
    assert "speaks of 1 days; the one that it replaces spoke of 3" in warning


def test_a_dry_run_of_a_bill_writes_nothing() -> None:
    dry = load_rows(bill(1), dry_run=True)
    assert (dry.inserted, dry.changes, dry.committed) == (1, 4, False)
    assert dry.months == {
        "cost_usd": {"2025-03": {"before": "0.00", "after": "10.00"}},
        "metered_gpu_hours": {"2025-03": {"before": "0.00", "after": "2.00"}},
    }
    assert not Delivery.objects.exists()


def test_a_bill_over_an_entered_figure_asks() -> None:
    make_cost("2025-03-01", "8")
    make_usage("2025-03-01", "2")
    summary = load_rows(bill(1, "10", "2"), bill(1, "1", "0"), bill(2, "3"))
    assert (summary.read, summary.refused, summary.inserted, summary.committed) == (3, 2, 1, False)
    assert summary.conflicts == 1
    [refusal] = summary.refusals
    assert refusal["text"].startswith(
        "Line 2, cost_usd: '11.00' is not 8.00, the figure stored for 2025-03-01"
    )
    assert "entered by hand" in refusal["text"]
    assert not Delivery.objects.exists()


def test_an_entered_figure_that_the_bill_confirms_is_no_conflict() -> None:
    make_cost("2025-03-01", "10")
    assert load_rows(bill(1, "10")).committed
    assert CostSnapshot.objects.get().from_lines is False


def test_keep_stores_the_lines_and_leaves_the_figure() -> None:
    make_cost("2025-03-01", "8")
    assert load_rows(bill(1, "10"), on_conflict="keep").committed
    assert costs() == {"1 AWS A100-80GB": "8.00"}
    assert BillLine.objects.get().billed == 10
    # The next bill that does not speak anew of that day asks no more.
    assert load_rows(bill(1, "10"), bill(2, "1")).committed


def test_replace_gives_the_figure_to_the_bill() -> None:
    entered = make_cost("2025-03-01", "8")
    load_rows(bill(1, "10"), on_conflict="replace")
    snapshot = CostSnapshot.objects.get()
    assert (snapshot.pk, snapshot.cost_usd, snapshot.from_lines) == (entered.pk, 10, True)


def test_replace_under_an_alias_leaves_one_figure() -> None:
    NameAlias.objects.create(kind="provider", alias="Amazon Web Services", name="AWS")
    make_cost("2025-03-01", "8", provider="Amazon Web Services")
    load_rows(bill(1, "10"), on_conflict="replace")
    assert costs() == {"1 AWS A100-80GB": "10.00"}


def test_add_keeps_the_sum_over_the_next_delivery() -> None:
    make_cost("2025-03-01", "8.10")
    make_usage("2025-03-01", "1")
    load_rows(bill(1, "10", "2"), on_conflict="add")
    assert (costs(), hours()) == ({"1 AWS A100-80GB": "18.10"}, {1: "3.00"})
    assert load_rows(bill(1, "10", "2"), on_conflict="add").changes == 0
    load_rows(bill(1, "11", "2"))
    assert (costs(), hours()) == ({"1 AWS A100-80GB": "19.10"}, {1: "3.00"})
    entered = Delivery.objects.get(account="(entered)", current=True)
    assert sorted(line.billed for line in entered.lines.all()) == [0, Decimal("8.1")]


def test_entered_hours_alone_make_no_cost_of_zero() -> None:
    make_usage("2025-03-01", "1")
    load_rows(bill(1, "10", "2"), on_conflict="add")
    load_rows(bill(2, "10", "2"))
    assert (costs(), hours()) == ({"2 AWS A100-80GB": "10.00"}, {1: "1.00", 2: "2.00"})


def test_a_second_addition_joins_the_first() -> None:
    make_cost("2025-03-01", "1")
    load_rows(bill(1, "10"), on_conflict="add")
    make_cost("2025-03-02", "2")
    load_rows(bill(1, "10"), bill(2, "20"), on_conflict="add")
    assert costs() == {"1 AWS A100-80GB": "11.00", "2 AWS A100-80GB": "22.00"}
    assert Delivery.objects.filter(account="(entered)").count() == 2


def test_a_sum_that_no_column_holds_is_refused() -> None:
    most = "9999999999"
    summary = load_rows(bill(1, most), bill(1, most))
    assert (summary.refused, summary.committed) == (2, False)
    assert "a day's sum below 10,000,000,000" in summary.refusals[0]["text"]


def test_a_bill_and_a_daily_csv_are_not_mixed() -> None:
    summary = load_files([bill(1)], [cost("1", A_DAY)])
    assert (summary.committed, summary.read) == (False, 0)
    assert "one after the other" in summary.refusals[0]["text"]


def test_names_that_nothing_knows_are_listed() -> None:
    summary = load_rows(bill(1, provider="Nimbus", gpu_type="X900"), dry_run=True)
    assert summary.unknown_names == [
        {"kind": "provider", "name": "Nimbus"},
        {"kind": "gpu_type", "name": "X900"},
    ]


def test_a_change_of_basis_is_warned_of_until_the_snapshots_are_rebuilt(settings: Any) -> None:
    load_rows(bill(1, "10", effective="6"))
    assert stored_basis(["default"]) == []
    settings.HELIOX_COST_BASIS = "billed"
    assert [warning.hint for warning in stored_basis(["default"])] == ["Run: manage.py rebuild_snapshots"]
    call_command("rebuild_snapshots", verbosity=0)
    told = AuditEvent.objects.latest("pk")
    assert (told.action, told.rows) == ("changed", 1) and "cost_snapshots" in told.details
    call_command("rebuild_snapshots", verbosity=0)
    assert AuditEvent.objects.latest("pk") == told, "nothing changed"
    assert (stored_basis(["default"]), costs()) == ([], {"1 AWS A100-80GB": "10.00"})


if REAL.is_dir():

    def test_the_focus_sample_twice() -> None:
        name = "focus_1.0_sample_first500.csv"
        first = load([Source(name, REAL / name)], Options())
        assert (first.read, first.inserted, first.committed) == (500, 500, True)
        lines = BillLine.objects.current()
        gpu = lines.gpu()
        assert round(sum(line.billed for line in lines), 6) == Decimal("5.988394")
        assert (gpu.count(), sum(line.effective for line in gpu)) == (3, 3)
        assert round(sum(line.billed for line in gpu), 6) == Decimal("3.244884")
        assert round(sum(line.gpu_hours for line in gpu), 6) == Decimal("2.296111")
        assert {f"{s} {s.gpu_hours}" for s in UsageSnapshot.objects.all()} == {
            "2024-09-21 AWS A10G 0.30",
            "2024-09-24 AWS M60 1.00",
            "2024-09-27 AWS A10G 1.00",
        }
        assert any("whole dollars" in note for note in [*first.notes, *first.warnings])
        assert load([Source(name, REAL / name)], Options()).changes == 0
