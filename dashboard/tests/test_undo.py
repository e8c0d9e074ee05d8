"""Undoing an import leaves every table as it was, or says why it cannot be undone."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.ingest.figures import rebuild
from dashboard.ingest.load import Source, load
from dashboard.ingest.records import Options
from dashboard.ingest.undo import CannotUndo, undo
from dashboard.models import (
    BillLine,
    ClusterMapping,
    CostSnapshot,
    Delivery,
    ImportChange,
    ImportRun,
    Job,
    LogSpan,
    NameAlias,
    Team,
    UsageSnapshot,
)
from dashboard.naming import Names

from .conftest import REAL, examples, make_cost, make_job, make_team, make_usage
from .loading import bill, cost, job, load_files, load_rows, team, usage

pytestmark = pytest.mark.django_db
TABLES = (Team, Job, CostSnapshot, UsageSnapshot, Delivery, BillLine, LogSpan, ImportChange)


def everything() -> dict[str, list[Any]]:
    """Every column of every table that an import writes."""
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in TABLES}


def reasons(run: int | None) -> str:
    with pytest.raises(CannotUndo) as refused:
        undo(run or 0)
    return str(refused.value)


def test_a_log_is_taken_back() -> None:
    load_rows(job("1"), job("2"))
    before = everything()
    run = load_rows(job("2", status="failed", team="speech", account="speech"), job("3")).run
    assert everything() != before
    undo(run)
    assert everything() == before
    assert ImportRun.objects.get(pk=run).status == "undone"


def test_a_bill_is_taken_back_and_the_one_before_is_in_force_again() -> None:
    load_rows(bill(1, "10.004"), bill(2, "0.004"), bill(2, "3", gpu_type="H100"))
    before = everything()
    undo(load_rows(bill(2, "3"), bill(5, "1")).run)
    assert everything() == before
    assert Delivery.objects.get().current


def test_daily_files_are_taken_back() -> None:
    make_cost("2025-03-01", "8")
    load_rows(cost("9", date(2025, 3, 2)))
    before = everything()
    run = load_files(
        [cost("10"), cost("1", date(2025, 3, 2)), cost("2", date(2025, 3, 3))],
        [usage("4")],
        on_conflict="replace",
    ).run
    undo(run)
    assert everything() == before


@pytest.mark.parametrize("choice", ["keep", "replace", "add"])
def test_a_choice_on_conflict_is_taken_back(choice: str) -> None:
    make_cost("2025-03-01", "8")
    make_usage("2025-03-01", "1")
    before = everything()
    undo(load_rows(bill(1, "10"), bill(2, "1"), on_conflict=choice).run)
    assert everything() == before


def test_teams_are_taken_back_unless_they_are_used() -> None:
    named = make_team("Visoin")
    before = everything()
    first = load_rows(team("Vision", named.pk), team("speech"), team("audio")).run
    undo(first)
    assert everything() == before
    second = load_rows(team("speech"), team("audio")).run
    make_job(team=Team.objects.get(name="speech"))
    undo(second)
    assert set(Team.objects.values_list("name", flat=True)) == {"Visoin", "speech"}


def test_imports_are_undone_from_the_last_to_the_first() -> None:
    before = everything()
    first = load_rows(job("1"), job("2")).run
    second = load_rows(job("2", status="failed")).run
    assert f"Undo import {second} first." in reasons(first)
    undo(second)
    undo(first)
    assert everything() == before


def test_a_replaced_delivery_waits_for_its_successor() -> None:
    first = load_rows(bill(1, "10")).run
    second = load_rows(bill(1, "11")).run
    assert f"Undo import {second} first." in reasons(first)


def test_an_edited_or_deleted_row_stands_in_the_way() -> None:
    run = load_rows(job("1"), job("2")).run
    Job.objects.filter(external_id="1").update(status="failed", updated_at=timezone.now())
    assert "1 of its jobs were changed or deleted since." in reasons(run)
    Job.objects.all().delete()
    assert "2 of its jobs" in reasons(run)


def test_an_edited_figure_stands_in_the_way() -> None:
    run = load_rows(cost("10")).run
    CostSnapshot.objects.update(cost_usd=11, imported_by=None, updated_at=timezone.now())
    assert "1 of its cost snapshots were changed or deleted since." in reasons(run)


def test_twice_is_refused() -> None:
    run = load_rows(job("1")).run
    undo(run)
    assert "was undone already" in reasons(run)


def test_an_undone_file_can_come_again() -> None:
    undo(load_rows(bill(1)).run)
    assert load_rows(bill(1)).changes == 4


def test_restored_jobs_follow_the_mappings_of_today() -> None:
    load_rows(job("1", raw_gpu_type="v100"))
    run = load_rows(job("1", raw_gpu_type="a100")).run
    ClusterMapping.objects.create(cluster="fox", raw_gpu_type="v100", provider="AWS", gpu_type="V100-16GB")
    undo(run)
    assert Job.objects.get().gpu_type == "V100-16GB"


def test_a_rebuild_between_is_no_edit(settings: Any) -> None:
    storage = bill(1, "3", None, gpu_type="", kind="non_gpu", service_category="Storage")
    load_rows(bill(1, "10", effective="5"), storage)
    run = load_rows(bill(1, "12", effective="6"), bill(2, "4", effective="2"), storage).run
    settings.HELIOX_COST_BASIS = "billed"
    assert rebuild(Names.load()) == {"cost_snapshots": 2, "usage_snapshots": 0}
    assert list(CostSnapshot.objects.order_by("date").values_list("cost_usd", flat=True)) == [12, 4]
    undo(run)
    assert list(CostSnapshot.objects.values_list("cost_usd", "basis")) == [(10, "billed")]


def test_a_rebuild_leaves_entered_figures_and_changes_nothing_twice() -> None:
    make_cost("2025-03-01", "8")
    load_rows(bill(1, "10"), bill(2, "1"), on_conflict="keep")
    assert rebuild(Names.load()) == {"cost_snapshots": 0, "usage_snapshots": 0}
    CostSnapshot.objects.filter(from_lines=True).update(cost_usd=99)
    assert rebuild(Names.load())["cost_snapshots"] == 1
    assert rebuild(Names.load())["cost_snapshots"] == 0


def test_the_command_says_what_it_did(capsys: Any) -> None:
    run = load_rows(job("1")).run
    call_command("undo_import", run, "--json")
    assert json.loads(capsys.readouterr().out) == {"run": run, "undone": True, "reasons": []}
    with pytest.raises(SystemExit) as refused:
        call_command("undo_import", run)
    assert refused.value.code == 1
    assert "was undone already" in capsys.readouterr().out


jobs = st.builds(
    job,
    st.sampled_from(["1", "2", "3"]),
    status=st.sampled_from(["completed", "failed"]),
    team=st.sampled_from(["vision", "speech"]),
    gpu_count=st.sampled_from([Decimal(1), Decimal("0.5")]),
)
bills = st.builds(
    bill,
    st.integers(1, 4),
    st.sampled_from(["1", "0.004", "-2.505"]),
    st.sampled_from([None, "0.5"]),
    account=st.sampled_from(["main", "other"]),
)
one_each = st.lists(jobs, max_size=3, unique_by=lambda row: row.external_id)
some_bills = st.lists(bills, max_size=4)
quick = settings(max_examples=examples(8))


def start_empty() -> None:
    for model in (ImportRun, Job, Team, CostSnapshot, UsageSnapshot):
        model.objects.all().delete()


def stored() -> list[Any]:
    """What the tables say, whoever said it."""
    rest = {"id", "pk", "created_at", "updated_at", "imported_by_id", "team_id", "delivery_id"}
    job_rows = Job.objects.order_by("pk").values("pk", "team__name", "status", "gpu_count")
    found = list(job_rows)
    for model in (CostSnapshot, UsageSnapshot):
        rows = model.objects.order_by("date", "provider", "gpu_type").values()
        found += [{k: v for k, v in row.items() if k not in rest} for row in rows]
    return found


@quick
@given(one_each, one_each)
def test_import_and_undo_of_jobs_is_nothing(first: list[Any], second: list[Any]) -> None:
    start_empty()
    load_rows(*first)
    before = everything()
    if run := load_rows(*second).run:
        undo(run)
    assert everything() == before


@quick
@given(some_bills, some_bills)
def test_import_and_undo_of_bills_is_nothing(first: list[Any], second: list[Any]) -> None:
    start_empty()
    load_rows(*first)
    before = everything()
    if run := load_rows(*second).run:
        undo(run)
    assert everything() == before


@quick
@given(one_each)
def test_jobs_a_b_a_is_a(rows: list[Any]) -> None:
    start_empty()
    a = [job("1"), job("2", gpu_count=Decimal(4))]
    same = [row for row in rows if row.external_id != "3"]
    load_rows(*a)
    first = stored()
    load_rows(*same)
    load_rows(*a)
    assert stored() == first


@quick
@given(some_bills)
def test_bills_a_b_a_is_a(rows: list[Any]) -> None:
    start_empty()
    a = [bill(1, "1.006"), bill(3, "0.006")]
    b = [row for row in rows if row.account == "main"]
    load_rows(*a)
    first = stored()
    load_rows(*b)
    load_rows(*a)
    assert stored() == first


if REAL.is_dir():

    @pytest.mark.parametrize(
        "name",
        [
            "slurm_fox_2025-05.psv",
            "philly_2017-10-09_week.generic_jobs.csv",
            "focus_1.0_sample_first500.csv",
        ],
    )
    def test_a_real_file_undone_leaves_the_tables_empty(name: str) -> None:
        summary = load([Source(name, REAL / name)], Options(cluster="fox"))
        assert summary.changes > 0
        undo(summary.run)
        assert everything() == {model.__name__: [] for model in TABLES}


def test_the_moment_comes_back_to_the_microsecond() -> None:
    made = make_job(external_id="1", cluster="fox")
    exact = timezone.now().replace(microsecond=123456) - timedelta(days=1)
    Job.objects.update(updated_at=exact)
    run = load_rows(job(None, id=made.pk)).run
    undo(run)
    assert Job.objects.get().updated_at == exact


@pytest.mark.parametrize("facts", [{}, {"gpu_type": "", "hours": None, "kind": "non_gpu"}])
def test_a_bill_waits_for_one_that_stands_in_the_place_of_what_it_replaced(facts) -> None:
    """An alias made two providers one; without it the other is delivered anew."""
    load_rows(bill(1, "10", **facts))
    load_rows(bill(1, "20", provider="Amazon", **facts))
    alias = NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    both = load_rows(bill(1, "30", **facts))
    alias.delete()
    anew = load_rows(bill(2, "40", provider="Amazon", **facts))
    with pytest.raises(CannotUndo, match=f"Undo import {anew.run} first"):
        undo(both.run)
    undo(anew.run)
    undo(both.run)
    assert Delivery.objects.filter(current=True).count() == 2
