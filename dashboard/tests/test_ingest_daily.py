"""Daily cost and usage CSV: whose figure a cell is, and what a file may do to it."""

from __future__ import annotations

import gzip
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dashboard.ingest.load import Source, load
from dashboard.ingest.summary import Summary
from dashboard.ingest.undo import undo
from dashboard.models import CostSnapshot, NameAlias, UsageSnapshot

from .conftest import make_cost
from .loading import A_DAY, bill, cost, load_files, load_rows, usage

pytestmark = pytest.mark.django_db


def figures() -> list[str]:
    return [f"{row} {row.cost_usd}" for row in CostSnapshot.objects.order_by("date", "provider")]


def test_a_csv_of_costs_and_one_of_hours() -> None:
    summary = load_files([cost("10"), cost("-2.50", date(2025, 4, 1))], [usage("24")])
    assert (summary.read, summary.inserted, summary.changes) == (3, 3, 3)
    assert figures() == ["2025-03-01 AWS A100-80GB 10.00", "2025-04-01 AWS A100-80GB -2.50"]
    assert UsageSnapshot.objects.get().gpu_hours == 24
    assert summary.months["cost_usd"]["2025-04"] == {"before": "0.00", "after": "-2.50"}


def test_a_then_b_then_a_is_a() -> None:
    load_rows(cost("10"))
    assert load_rows(cost("10")).changes == 0
    summary = load_rows(cost("12"))
    assert (summary.updated, summary.changes) == (1, 1)
    assert summary.examples[0]["changes"] == {"cost_usd": ["10.00", "12.00"]}
    load_rows(cost("10"))
    assert figures() == ["2025-03-01 AWS A100-80GB 10.00"]


def test_a_name_or_an_alias_is_the_same_cell() -> None:
    NameAlias.objects.create(kind="gpu_type", alias="NVIDIA A100-SXM4-80GB", name="A100-80GB")
    load_rows(cost("10"))
    other = "nvidia a100-sxm4-80gb"
    assert load_rows(cost("10", provider="aws", gpu_type=other)).changes == 0
    load_rows(cost("11", gpu_type=other))
    assert figures() == ["2025-03-01 AWS A100-80GB 11.00"]
    twice = load_rows(cost("1"), cost("2", gpu_type=other))
    assert (twice.refused, twice.committed) == (1, False)


def test_of_two_files_the_later_one_tells_a_day() -> None:
    summary = load_files([cost("10")], [cost("12")])
    assert (summary.inserted, summary.ignored) == (1, 1)
    assert figures() == ["2025-03-01 AWS A100-80GB 12.00"]


def test_an_entered_figure_is_not_overwritten_unasked() -> None:
    make_cost("2025-03-01", "8")
    same = load_rows(cost("8"))
    assert (same.unchanged, same.committed) == (1, True)
    other = load_rows(cost("10"), cost("1", date(2025, 3, 2)))
    assert (other.refused, other.conflicts, other.inserted, other.committed) == (1, 1, 1, False)
    assert "'10.00' is not 8.00" in other.refusals[0]["text"].replace("'10'", "'10.00'")
    kept = load_rows(cost("10"), on_conflict="keep")
    assert (kept.ignored, kept.changes, kept.ignored_kinds) == (1, 0, {"kept what was there": 1})
    load_rows(cost("10"), on_conflict="replace")
    assert figures() == ["2025-03-01 AWS A100-80GB 10.00"]
    assert load_rows(cost("11")).committed  # the cell is the CSV's now


def test_add_is_done_once_per_file() -> None:
    make_cost("2025-03-01", "8")
    load_rows(cost("10"), digest="file a", on_conflict="add")
    assert figures() == ["2025-03-01 AWS A100-80GB 18.00"]
    assert load_rows(cost("10"), digest="file a", on_conflict="add").changes == 0
    assert load_rows(cost("10"), digest="file a").changes == 0
    load_rows(cost("10"), digest="file a", on_conflict="replace")
    assert figures() == ["2025-03-01 AWS A100-80GB 10.00"]


def add(usd: str) -> str:
    load_rows(cost(usd), digest=f"file of {usd}", on_conflict="add")
    return str(CostSnapshot.objects.get().cost_usd)


def test_add_is_done_once_per_file_however_many_others_came_between() -> None:
    entered = make_cost("2025-03-01", "100")
    assert [add(usd) for usd in ("5", "5", "7", "5", "7", "1", "5")] == [
        *("105.00", "105.00", "112.00", "112.00", "112.00", "113.00", "113.00")
    ]
    load_rows(cost("50"), digest="another", on_conflict="replace")
    assert [add("5"), add("7"), add("5")] == ["55.00", "62.00", "62.00"]
    CostSnapshot.objects.filter(pk=entered.pk).update(cost_usd=20, imported_by=None)
    assert [add("7"), add("5"), add("7")] == ["27.00", "32.00", "32.00"]


def test_a_file_that_stood_there_before_others_were_added_to_it_is_not_added_once_more() -> None:
    load_rows(cost("10"), digest="file of 10")
    assert [add(usd) for usd in ("5", "10", "5", "10")] == ["15.00"] * 4
    load_rows(cost("10"), digest="file of 10")
    assert figures() == ["2025-03-01 AWS A100-80GB 10.00"]


def test_a_file_whose_figure_a_bill_was_added_to_is_not_added_once_more() -> None:
    load_rows(cost("10"), digest="file of 10")
    load_rows(bill(1, "4", None), digest="bill", on_conflict="add")
    assert add("10") == "14.00"
    load_rows(bill(1, "5", None), digest="corrected bill")
    assert [add(usd) for usd in ("10", "1", "10", "1")] == ["15.00", "16.00", "16.00", "16.00"]
    load_rows(cost("3"), digest="file of 3", on_conflict="replace")
    assert [add(usd) for usd in ("10", "3")] == ["13.00", "13.00"]


def test_a_figure_that_another_file_of_the_same_call_took_the_place_of_can_be_added() -> None:
    """Spot and on demand, given together: of the day that both tell, only the later file's figure stands."""
    head, on_demand = "date,provider,gpu_type,cost_usd", "2025-03-01,AWS,A100-80GB,30.10"
    spot = ["2025-03-01,AWS,A100-80GB,10.20", "2025-03-02,AWS,A100-80GB,4"]
    told = {"spot.csv": [head, *spot], "on demand.csv": [head, on_demand]}
    files = [Source(name, io.BytesIO("\n".join(rows).encode())) for name, rows in told.items()]
    assert load(files).ignored_kinds == {"a day that a later file tells again": 1}
    for _ in range(2):
        load(files[:1], on_conflict="add")
        assert figures() == ["2025-03-01 AWS A100-80GB 40.30", "2025-03-02 AWS A100-80GB 4.00"]


HEAD = "date,provider,gpu_type,cost_usd"


def add_files(*files: list[str], **how: Any) -> Summary:
    """Daily costs, each list of rows a file of its own, added in one call."""
    texts = ("\n".join([HEAD, *rows]).encode() for rows in files)
    sources = [Source("costs.csv", io.BytesIO(text)) for text in texts]
    return load(sources, **({"on_conflict": "add"} | how))


def test_files_of_one_call_that_tell_one_cell_are_all_added() -> None:
    spot, on_demand = ["2025-03-01,AWS,A100-80GB,10.20"], ["2025-03-01,aws,A100-80GB,30.10"]
    summary = add_files(spot, [*on_demand, "2025-03-02,AWS,A100-80GB,4"])
    assert (summary.read, summary.inserted, summary.ignored) == (3, 3, 0)
    assert summary.tables == {"cost_snapshots": {"created": 2, "changed": 0, "removed": 0}}
    assert figures() == ["2025-03-01 aws A100-80GB 40.30", "2025-03-02 AWS A100-80GB 4.00"]
    again = add_files(spot, [*on_demand, "2025-03-02,AWS,A100-80GB,4"])
    assert (again.unchanged, again.changes) == (3, 0)
    assert add_files(spot).changes == 0
    assert add_files(["2025-03-01,AWS,A100-80GB,-0.30"], spot).updated == 1
    assert figures()[0] == "2025-03-01 aws A100-80GB 40.00"


def test_files_of_one_call_are_all_added_to_what_is_stored_and_taken_back() -> None:
    make_cost("2025-03-01", "8")
    summary = add_files(["2025-03-01,AWS,A100-80GB,10"], ["2025-03-01,AWS,A100-80GB,10.00", ""])
    assert summary.ignored_kinds == {"a file that was given twice": 1}
    undo(summary.run or 0)
    summary = add_files(["2025-03-01,AWS,A100-80GB,10"], ["2025-03-01,AWS,A100-80GB,5"])
    assert (summary.read, summary.updated) == (2, 2)
    assert summary.months["cost_usd"]["2025-03"] == {"before": "8.00", "after": "23.00"}
    assert figures() == ["2025-03-01 AWS A100-80GB 23.00"]
    undo(summary.run or 0)
    assert figures() == ["2025-03-01 AWS A100-80GB 8.00"]


def test_what_is_added_may_equal_what_is_stored() -> None:
    make_cost("2025-03-01", "100")
    assert add_files(["2025-03-01,AWS,A100-80GB,60"], ["2025-03-01,AWS,A100-80GB,40"]).updated == 2
    assert figures() == ["2025-03-01 AWS A100-80GB 200.00"]
    assert add_files(["2025-03-01,AWS,A100-80GB,200"]).updated == 1
    assert figures() == ["2025-03-01 AWS A100-80GB 400.00"]


def test_what_files_of_one_call_add_up_to_has_to_fit() -> None:
    most = "2025-03-01,AWS,A100-80GB,9999999999.99"
    refused = add_files([most], [most, "2025-03-02,AWS,A100-80GB,1"])
    assert (refused.read, refused.refused, refused.conflicts, refused.committed) == (3, 2, 0, False)
    assert refused.refusals[0]["text"] == (
        "Line 2, cost_usd: '19999999999.98' is not a sum for 2025-03-01 AWS A100-80GB below 10,000,000,000"
    )


def test_hours_of_several_files_are_added_as_well() -> None:
    load_files([usage("3")], [usage("4.5")], on_conflict="add")
    assert UsageSnapshot.objects.get().gpu_hours == Decimal("7.50")


@pytest.mark.parametrize("on_conflict", ["refuse", "keep", "replace"])
def test_unless_they_are_to_be_added_the_later_file_tells_a_cell(on_conflict: str) -> None:
    """Also where both have one name, as files of two folders do."""
    summary = add_files(
        ["2025-03-01,AWS,A100-80GB,10"], ["2025-03-01,AWS,A100-80GB,5"], on_conflict=on_conflict
    )
    assert summary.ignored_kinds == {"a day that a later file tells again": 1}
    assert figures() == ["2025-03-01 AWS A100-80GB 5.00"]


def test_the_figures_of_a_file_tell_that_it_is_the_same_however_it_is_written() -> None:
    make_cost("2025-03-01", "8")
    rows = ["2025-03-01,AWS,A100-80GB,10", "2025-03-02,AWS,A100-80GB,1"]
    head = "date,provider,gpu_type,cost_usd"

    def add_file(*lines: str, end: str = "\n", packed: Any = bytes) -> int:
        content = packed(end.join(lines).encode())
        return load([Source("costs.csv", io.BytesIO(content))], on_conflict="add").changes

    assert add_file(head, *rows) == 2
    assert add_file(head, *rows, end="\r\n") == 0
    assert add_file(head, *rows, packed=gzip.compress) == 0
    assert add_file(head, *reversed(rows), "") == 0
    assert add_file(head, rows[0].replace(",10", ",10.00").replace("AWS", "aws"), rows[1]) == 0
    assert add_file(head, rows[0]) == 1
    assert figures() == ["2025-03-01 AWS A100-80GB 28.00", "2025-03-02 AWS A100-80GB 1.00"]


def test_what_was_added_and_undone_can_be_added_again() -> None:
    make_cost("2025-03-01", "100")
    load_rows(cost("5"), digest="file of 5", on_conflict="add")
    undo(load_rows(cost("7"), digest="file of 7", on_conflict="add").run or 0)
    assert [add("5"), add("7"), add("5")] == ["105.00", "112.00", "112.00"]


def test_what_was_added_is_asked_at_once_for_all_rows() -> None:
    days = [date(2025, 3, day) for day in range(1, 29)]

    def load_all(usd: str, **how: Any) -> None:
        load_rows(*(cost(usd, day) for day in days), digest=f"file of {usd}", on_conflict="add", **how)

    for day in days:
        make_cost(str(day), "100")
    with CaptureQueriesContext(connection) as nothing_added:
        load_all("5", dry_run=True)
    for usd in ("5", "7"):
        load_all(usd)
    with CaptureQueriesContext(connection) as twice_added:
        load_all("5", dry_run=True)
    assert len(twice_added) <= len(nothing_added) + 1


def test_who_chooses_to_keep_or_to_add_is_heard_also_over_an_earlier_csv() -> None:
    load_rows(cost("539.04"), digest="file a")
    kept = load_rows(cost("0.01"), digest="file b", on_conflict="keep")
    assert (kept.ignored_kinds, kept.changes) == ({"kept what was there": 1}, 0)
    for _ in range(2):
        load_rows(cost("0.01"), digest="file b", on_conflict="add")
        assert figures() == ["2025-03-01 AWS A100-80GB 539.05"]


def test_a_csv_over_a_bill_asks() -> None:
    load_rows(bill(1, "10", None))
    assert load_rows(cost("10")).changes == 0
    refused = load_rows(cost("12"))
    assert "which comes from a bill" in refused.refusals[0]["text"]
    load_rows(cost("12"), on_conflict="replace")
    snapshot = CostSnapshot.objects.get()
    assert (snapshot.cost_usd, snapshot.from_lines, snapshot.basis) == (Decimal(12), False, "")
    # The next bill meets a figure that is not its own.
    assert load_rows(bill(1, "11", None)).conflicts == 1


def test_hours_and_costs_of_a_cell_are_settled_apart() -> None:
    make_cost("2025-03-01", "8")
    summary = load_files([cost("9", A_DAY)], [usage("3", A_DAY)], on_conflict="keep")
    assert (summary.ignored, summary.inserted, summary.committed) == (1, 1, True)
