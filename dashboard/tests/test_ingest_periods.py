"""The CSV of period entries: read, written over with care, taken back, and the same after a round trip."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from dashboard.ingest.formats import periods
from dashboard.ingest.load import Source, load
from dashboard.ingest.records import Refused
from dashboard.ingest.undo import CannotUndo, undo
from dashboard.models import ImportChange, ImportRun, NameAlias, PeriodEntry

from .conftest import SAMPLES, make_cost, make_job, make_usage
from .contracts import FOX, make_commitment, make_entry, per_hour, per_month
from .loading import cost, load_files, load_rows, period, usage
from .test_csv_formats import read

pytestmark = pytest.mark.django_db
HEADER = "from,to,provider,gpu_type,cost_usd,gpu_hours,note\n"


def stored() -> list[str]:
    return [
        f"{entry.first_day}–{entry.last_day} {entry.provider} {entry.cost_usd} {entry.gpu_hours}"
        for entry in PeriodEntry.objects.order_by("first_day", "provider")
    ]


def everything() -> list[Any]:
    return [*PeriodEntry.objects.order_by("pk").values(), *ImportChange.objects.order_by("pk").values()]


def take_in(text: str, **how: Any) -> Any:
    return load([Source("periods.csv", io.BytesIO(text.encode()))], **how)


def reasons(run: int | None) -> str:
    with pytest.raises(CannotUndo) as refused:
        undo(run or 0)
    return str(refused.value)


# Reading


def test_the_sample_is_read():
    records, notes = read(SAMPLES / "periods.csv", form=periods)
    assert records[0] == period(
        "3100", provider="Lambda", gpu_type="GH200", gpu_hours=Decimal(744), note="Invoice 17"
    )
    assert (records[1].gpu_hours, records[1].note, records[1].cost_usd) == (None, "", Decimal("128000.50"))
    assert records[2].cost_usd == -25
    assert notes == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2025-03-02,2025-03-01,AWS,L4,1,,", "on or after 2025-03-02, the first of the period"),
        ("1999-03-02,2025-03-01,AWS,L4,1,,", "from 2000 to 2099"),
        ("2025-03-01,2025-03-31,,L4,1,,", "may not be empty"),
        ("2025-03-01,2025-03-31,AWS,L4,n/a,,", "a number like 1234.56"),
        ("2025-03-01,2025-03-31,AWS,L4,1.234,,", "at most two decimals"),
        ("2025-03-01,2025-03-31,AWS,L4,1,-1,", "a number from 0"),
        ("2025-03-01,2025-03-31,AWS,L4,1e6,,", "a number like"),
    ],
)
def test_what_cannot_be_is_refused_in_words(row, words):
    [refused], _ = read(HEADER + row + "\n")
    assert isinstance(refused, Refused)
    assert words in str(refused)


def test_a_period_is_said_once_and_in_us_dollars():
    row = "2025-03-01,2025-03-31,{},L4,1,,\n"
    _, again = read(HEADER + row.format("AWS") + row.format("aws"))[0]
    assert "line 2 says it already" in str(again)
    text = "from,to,provider,gpu_type,cost_usd,currency\n2025-03-01,2025-03-31,AWS,L4,1,{}\n"
    assert "USD" in str(read(text.format("EUR"))[0][0])
    assert read(text.format("USD"))[0][0].cost_usd == 1


def test_a_header_without_a_cost_says_what_is_missing():
    refused = take_in("from,to,provider,gpu_type,gpu_hours\n2025-03-01,2025-03-31,AWS,L4,1\n").refusals
    assert "lacks 'cost_usd'" in refused[0]["text"]


# Writing


def test_a_file_of_totals_tells_what_it_does_to_each_month():
    make_entry("2025-03-01", "2025-03-31", "10.00", provider="GCP")
    summary = load_rows(period("310"), period("59", "2025-03-31", "2025-04-28", provider="Lambda"))
    assert (summary.read, summary.inserted, summary.changes) == (2, 2, 2)
    assert summary.tables == {"period_entries": {"created": 2, "changed": 0, "removed": 0}}
    # 59 over 29 days: 2.03 on the first of them, the only one in March.
    assert summary.months == {
        "period_usd": {
            "2025-03": {"before": "10.00", "after": "322.03"},
            "2025-04": {"before": "0.00", "after": "56.97"},
        }
    }
    assert {name["name"] for name in summary.unknown_names} <= {"Lambda"}


def test_months_are_told_by_contracted_capacity_too():
    make_commitment("8", "2025-04-01", "2025-04-30")
    summary = load_rows(period("100", "2025-03-01", "2025-04-30"))
    assert summary.months["period_usd"] == {"2025-04": {"before": "0.00", "after": "100.00"}}


def test_the_same_file_twice_changes_nothing_and_a_then_b_then_a_is_a():
    load_rows(period("310", gpu_hours=Decimal(744)))
    assert load_rows(period("310.00", gpu_hours=Decimal(744))).changes == 0
    summary = load_rows(period("320"))
    assert (summary.updated, summary.changes) == (1, 1)
    assert summary.examples[0]["changes"] == {"cost_usd": ["310", "320"], "gpu_hours": ["744", "—"]}
    load_rows(period("310", gpu_hours=Decimal(744)))
    assert stored() == ["2025-03-01–2025-03-31 AWS 310.00 744.00"]


def test_an_entry_is_the_same_under_another_spelling_or_alias():
    NameAlias.objects.create(kind="provider", alias="Amazon Web Services", name="AWS")
    load_rows(period("310"))
    assert load_rows(period("310", provider="amazon web  services", gpu_type="a100-80gb")).changes == 0
    load_rows(period("311", provider="Amazon Web Services"))
    assert stored() == ["2025-03-01–2025-03-31 AWS 311.00 None"]
    twice = load_rows(period("1"), period("2", provider="Amazon Web Services", line=3))
    assert (twice.refused, twice.committed) == (1, False)


def test_two_entries_that_an_alias_has_made_one_are_told_by_their_sum():
    make_entry("2025-03-01", "2025-03-31", "10.00", "5")
    make_entry("2025-03-01", "2025-03-31", "20.00", provider="Amazon")
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    assert load_rows(period("30", gpu_hours=Decimal(5))).changes == 0
    before = everything()
    run = load_rows(period("40"), on_conflict="replace").run
    assert stored() == ["2025-03-01–2025-03-31 AWS 40.00 None"]
    undo(run)
    assert everything() == before


def test_other_days_are_another_entry():
    load_rows(period("310"))
    assert load_rows(period("310", "2025-03-01", "2025-03-30")).inserted == 1


def test_of_two_files_the_later_one_tells_a_period():
    summary = load_files([period("310")], [period("320")])
    assert (summary.inserted, summary.ignored) == (1, 1)
    assert stored() == ["2025-03-01–2025-03-31 AWS 320.00 None"]


def test_what_a_person_typed_in_is_not_overwritten_unasked():
    make_entry("2025-03-01", "2025-03-31", "8", note="from the invoice")
    assert (load_rows(period("8", note="another")).unchanged, PeriodEntry.objects.get().note) == (
        1,
        "from the invoice",
    )
    refused = load_rows(period("10"))
    assert (refused.refused, refused.conflicts, refused.committed) == (1, 1, False)
    assert "'10' is not 8.00, as typed in for 2025-03-01 to 2025-03-31 AWS" in refused.refusals[0]["text"]
    hours = load_rows(period("8", gpu_hours=Decimal(3)))
    assert "gpu_hours: '3' is not empty, as typed in" in hours.refusals[0]["text"]
    kept = load_rows(period("10"), on_conflict="keep")
    assert (kept.ignored, kept.changes) == (1, 0)
    load_rows(period("10", note="file"), on_conflict="replace")
    assert stored() == ["2025-03-01–2025-03-31 AWS 10.00 None"]
    assert load_rows(period("11")).committed  # the entry is the CSV's now


def test_adding_is_done_once_per_file():
    make_entry("2025-03-01", "2025-03-31", "8", "4")
    load_rows(period("10"), digest="file a", on_conflict="add")
    assert stored() == ["2025-03-01–2025-03-31 AWS 18.00 4.00"]
    assert load_rows(period("10"), digest="file a", on_conflict="add").changes == 0
    assert load_rows(period("10"), digest="file a").changes == 0


def test_adding_is_done_once_per_file_however_many_others_came_between():
    make_entry("2025-03-01", "2025-03-31", "100")
    sums = []
    for usd in ("5", "7", "5", "7"):
        load_rows(period(usd), digest=f"file of {usd}", on_conflict="add")
        sums.append(str(PeriodEntry.objects.get().cost_usd))
    assert sums == ["105.00", "112.00", "112.00", "112.00"]


def test_files_of_one_call_that_tell_one_period_are_all_added():
    files = [[period("10", gpu_hours=Decimal(4))], [period("5")], [period("2", gpu_hours=Decimal(1))]]
    summary = load_files(*files, on_conflict="add")
    assert (summary.read, summary.inserted) == (3, 3)
    assert stored() == ["2025-03-01–2025-03-31 AWS 17.00 5.00"]
    summary = load_files([period("1")], [period("-3", note="credit")], on_conflict="add")
    assert (summary.updated, stored()) == (2, ["2025-03-01–2025-03-31 AWS 15.00 5.00"])
    undo(summary.run or 0)
    assert stored() == ["2025-03-01–2025-03-31 AWS 17.00 5.00"]


def test_what_is_added_may_equal_what_is_stored():
    make_entry("2025-03-01", "2025-03-31", "100", "4")
    summary = load_files(
        [period("60", gpu_hours=Decimal(3))], [period("40", gpu_hours=Decimal(1))], on_conflict="add"
    )
    assert (summary.updated, stored()) == (2, ["2025-03-01–2025-03-31 AWS 200.00 8.00"])


def test_a_file_given_twice_in_other_bytes_is_added_once():
    rows = "2025-03-01,2025-03-31,AWS,L4,10,4,\n"
    texts = [HEADER + rows, HEADER + rows.replace(",10,", ",10.00,"), HEADER + rows.replace(",10,", ",7,")]
    files = [Source("periods.csv", io.BytesIO(text.encode())) for text in texts]
    summary = load(files, on_conflict="add")
    assert summary.ignored_kinds == {"a file that was given twice": 1}
    assert stored() == ["2025-03-01–2025-03-31 AWS 17.00 8.00"]
    assert load(files, on_conflict="add").changes == load(files[:1], on_conflict="add").changes == 0


def test_what_is_added_has_to_fit():
    refused = load_files([period("999999999999.99")], [period("1")], on_conflict="add")
    assert "'1000000000000.99' is not a sum for 2025-03-01 to 2025-03-31 AWS" in refused.refusals[0]["text"]
    assert (refused.refused, refused.conflicts) == (2, 0)


def test_columns_that_a_file_does_not_have_stay_as_they_are():
    take_in(HEADER + "2025-03-01,2025-03-31,AWS,L4,10,744,Invoice 17\n")
    summary = take_in("to,cost_usd,from,provider,gpu_type\n2025-03-31,11,2025-03-01,AWS,L4\n")
    assert (summary.format, summary.updated) == ("periods", 1)
    entry = PeriodEntry.objects.get()
    assert (entry.cost_usd, entry.gpu_hours, entry.note) == (11, 744, "Invoice 17")
    take_in(HEADER + "2025-03-01,2025-03-31,AWS,L4,11,,\n")
    entry = PeriodEntry.objects.get()
    assert (entry.gpu_hours, entry.note) == (None, "")


def test_one_bad_row_refuses_them_all():
    summary = take_in(HEADER + "2025-03-01,2025-03-31,AWS,L4,1,,\n2025-03-01,2025-03-31,AWS,A10,?,,\n")
    assert (summary.refused, summary.inserted, PeriodEntry.objects.count()) == (1, 1, 0)


def test_the_command_takes_it(capsys):
    call_command("ingest", str(SAMPLES / "periods.csv"))
    said = capsys.readouterr().out
    assert "period_entries: 3 created" in said
    assert "Period entries in USD, 2025-03: 0.00 → 131075.50" in said
    assert PeriodEntry.objects.count() == 3


# Undoing


def test_an_import_is_taken_back():
    make_entry("2025-03-01", "2025-03-31", "8", "4", note="by hand")
    load_rows(period("5", "2025-04-01", "2025-04-30"))
    before = everything()
    run = load_rows(
        period("10"),
        period("6", "2025-04-01", "2025-04-30"),
        period("7", "2025-05-01", "2025-05-31"),
        on_conflict="replace",
    ).run
    assert everything() != before
    undo(run)
    assert everything() == before
    assert ImportRun.objects.get(pk=run).status == "undone"


def test_it_is_taken_back_together_with_daily_figures():
    make_cost("2025-03-01", "1")
    before = everything()
    run = load_files([period("10")], [cost("2", date(2025, 3, 2))], [usage("3")]).run
    undo(run)
    assert everything() == before


def test_an_edited_entry_stands_in_the_way():
    run = load_rows(period("10"), period("7", "2025-05-01", "2025-05-31")).run
    PeriodEntry.objects.filter(cost_usd=10).update(cost_usd=11, updated_at=timezone.now())
    assert "1 of its period entries were changed or deleted since." in reasons(run)
    PeriodEntry.objects.all().delete()
    assert "2 of its period entries" in reasons(run)


def test_imports_are_undone_from_the_last_to_the_first():
    first = load_rows(period("10")).run
    second = load_rows(period("11")).run
    assert f"Undo import {second} first." in reasons(first)
    undo(second)
    assert stored() == ["2025-03-01–2025-03-31 AWS 10.00 None"]
    undo(first)
    assert stored() == []


def test_an_entry_typed_in_again_stands_in_the_way():
    make_entry("2025-03-01", "2025-03-31", "10.00")
    make_entry("2025-03-01", "2025-03-31", "20.00", provider="Amazon")
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    run = load_rows(period("40"), on_conflict="replace").run
    make_entry("2025-03-01", "2025-03-31", "1.00", provider="Amazon")
    assert "2025-03-01 2025-03-31 Amazon A100-80GB was entered again since." in reasons(run)


def test_what_the_hours_weigh_is_no_part_of_the_import():
    make_usage("2025-03-01", "24")
    before = everything()
    undo(load_rows(period("10")).run)
    assert everything() == before


# Daily costs beside what is posted


def exported(client: Any) -> bytes:
    return b"".join(client.get("/costs/", {"preset": "all", "_export": "csv"}).streaming_content)


def test_a_cost_file_of_the_page_changes_nothing_where_it_came_from(client, finance, as_of):
    as_of("2025-04-10 12:00")
    make_entry("2025-03-01", "2025-03-31", "100.00")
    make_cost("2025-03-02", "5.00", provider="aws")
    per_month("1000", "3", "2025-03-10", "2025-03-20")
    per_hour("1.50", "2025-03-21")
    make_job("2025-03-21 00:00", "2025-03-22 07:00", **FOX)
    client.force_login(finance)
    content = exported(client)
    summary = load([Source("costs.csv", io.BytesIO(content))])
    assert (summary.read, summary.unchanged, summary.changes) == (44, 44, 0)
    assert exported(client) == content


def test_a_daily_figure_beside_a_period_entry_or_in_the_place_of_a_rate_is_warned_of(as_of):
    as_of("2025-04-10 12:00")
    make_entry("2025-03-01", "2025-03-31", "310.00")
    per_month("310", "1", "2025-03-01", "2025-03-31")
    rows = [cost("7"), cost("8", date(2025, 3, 2)), cost("9", provider="Fox")]
    summary = load_rows(*rows, cost("1", date(2025, 4, 1)))
    assert summary.inserted == 4
    assert summary.warnings == [
        "On 2 of these days a period entry tells a cost, too: the two add up.",
        "On 1 of these days the figure takes the place of a rate.",
    ]
    assert load_rows(*rows).changes == 0


def test_a_period_entry_over_billed_days_is_warned_of_as_in_the_admin():
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    for day in ("2025-03-01", "2025-03-31", "2025-04-01"):
        make_cost(day, "8")
    make_cost("2025-03-02", "8", provider="Fox")
    summary = load_rows(period("310", provider="Amazon"), period("100", provider="Lambda"))
    assert summary.inserted == 2
    assert summary.warnings == [
        "On 2 of the days of these entries a bill of the same GPUs stands, too: both count."
    ]
    assert load_rows(period("310", provider="Amazon")).warnings == []


def test_a_file_that_stood_there_before_others_were_added_to_it_is_not_added_once_more():
    load_rows(period("10"), digest="file of 10")
    for usd, stands in (("5", 15), ("10", 15), ("5", 15)):
        load_rows(period(usd), digest=f"file of {usd}", on_conflict="add")
        assert PeriodEntry.objects.get().cost_usd == stands
