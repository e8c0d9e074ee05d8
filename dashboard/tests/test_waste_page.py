"""/waste/: four tables with a file each, what is counted once, and what would have to be true to save it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client

from dashboard.models import Team, UsageSnapshot

from .conftest import make_cost, make_job, make_usage
from .downloads import rows_of
from .test_waste import hours, waste

pytestmark = pytest.mark.django_db
WHERE = {"start": "2025-03-01", "end": "2025-03-31"}
FILES = ("lost", "runs", "idle", "stuck")


@pytest.fixture
def reader(client: Client, finance, as_of) -> Client:
    as_of("2025-04-10 12:00")
    client.force_login(finance)
    return client


@pytest.fixture
def march(reader):
    """1 March: $160 and 16 h, of which 9 h completed, 3 h failed, 4 h idle. Two records are wrong."""
    make_cost("2025-03-01", "160.00")
    make_cost("2025-04-05", "1.00")
    make_usage("2025-03-01", "16.00")
    hours(1, 9)
    hours(1, 3, status="failed")
    make_job("2025-03-07 00:00", None, model_name="open", team="speech")
    make_job("2025-03-08 00:00", None, model_name="waits", status="pending")
    make_job("2025-04-09 12:00", None, model_name="serving", status="running")


def text_of(page) -> str:
    return " ".join(page.content.decode().split())


def figure(page, label: str) -> str:
    return next(one["value"] for one in page.context["figures"] if one["label"] == label)


def test_the_page_counts_every_dollar_once(reader, march):
    page = reader.get("/waste/", WHERE)
    assert figure(page, "Waste, counted once") == "$70.00"
    assert figure(page, "Failed and cancelled jobs") == "$30.00"
    assert figure(page, "Idle GPUs") == "$40.00"
    assert figure(page, "Stuck jobs now") == "2"
    assert "43.8 % of a bill of $160.00" in text_of(page)
    assert "no dollar is in two of them" in text_of(page)


def test_every_table_says_what_would_save_it(reader, march):
    assert text_of(reader.get("/waste/", WHERE)).count("What would save it:") == 4


def test_each_table_has_its_file(reader, march):
    found = {name: rows_of(reader.get("/waste/", WHERE | {"file": name, "_export": "csv"})) for name in FILES}
    [lost] = found["lost"]
    assert (lost["team"], lost["model"], lost["failed_jobs"], lost["wasted_usd"]) == (
        *("vision", "resnet", "1", "30.00"),
    )
    assert (lost["job_gpu_hours"], lost["usd_per_gpu_hour"]) == ("3.000000", "10.000000")
    by_model = {row["model"]: row for row in found["runs"]}
    assert by_model["resnet"]["usd_per_successful_run"] == "120.00"
    assert by_model["resnet"]["usd_per_completed_run"] == "90.00"
    [idle] = found["idle"]
    assert (idle["idle_usd"], idle["unknown_usd"], idle["idle_gpu_hours"]) == ("40.00", "40.00", "4.000000")
    assert [(row["model"], row["reason"]) for row in found["stuck"]] == [
        ("open", "no-end"),
        ("waits", "pending-with-start"),
    ]


@pytest.mark.parametrize("name", FILES)
def test_the_file_has_the_rows_of_the_page_in_its_order(reader, march, name):
    for n in range(4):
        make_cost(f"2025-03-1{n}", f"{n + 1}0.00", gpu_type=f"L{n}")
        make_usage(f"2025-03-1{n}", "3.00", gpu_type=f"L{n}")
        make_job(f"2025-03-1{n} 00:00", f"2025-03-1{n} 02:00", gpu_type=f"L{n}", status="cancelled")
        make_job(f"2025-03-1{n} 00:00", None, gpu_type=f"L{n}", model_name=f"m{n}")
    first = {"lost": "model", "runs": "model", "idle": "gpu_type", "stuck": "model"}[name]
    prefix = "" if name == "lost" else f"{name}-"
    for order in ("", first, f"-{first}"):
        where = WHERE | {f"{prefix}sort": order} if order else WHERE
        table = reader.get("/waste/", where).context[f"{name}_table"]
        rows = rows_of(reader.get("/waste/", where | {"file": name, "_export": "csv"}))
        assert [row[first] for row in rows] == [row.record[first] for row in table.rows] != []


def test_a_file_that_is_not_there_is_refused_in_words(reader, march):
    answer = reader.get("/waste/", {"file": "all"})
    assert answer.status_code == 400 and "Ask for one of: lost, runs, idle, stuck" in answer.content.decode()


def test_idle_gpus_are_left_out_where_a_team_is_chosen(reader, march):
    page = reader.get("/waste/", WHERE | {"team": str(Team.objects.get(name="vision").pk)})
    assert figure(page, "Waste, counted once") == "$30.00"
    assert "Idle GPUs are nobody’s" in text_of(page)
    assert all(one["label"] != "Idle GPUs" for one in page.context["figures"])


def test_a_model_without_a_completed_run_says_so(reader, march):
    make_job("2025-03-01 00:00", "2025-03-01 02:00", model_name="doomed", status="failed")
    assert "none completed" in text_of(reader.get("/waste/", WHERE))


def test_waste_is_compared_like_for_like(reader, march):
    make_cost("2025-02-28", "100.00")
    make_usage("2025-02-28", "10.00")
    make_job("2025-02-28 00:00", "2025-02-28 05:00")
    day = {"start": "2025-03-01", "end": "2025-03-01"}
    page = reader.get("/waste/", day)
    [told] = [one["delta"] for one in page.context["figures"] if one["label"] == "Waste, counted once"]
    assert told["text"] == "40.0 %" and told["direction"] == "up"  # $70 against $50


def test_a_day_without_a_log_is_said_to_be_left_out(reader, march):
    make_cost("2025-03-02", "30.00")
    make_usage("2025-03-02", "10.00")
    assert "$30.00 of the bill are left out" in text_of(reader.get("/waste/", WHERE))


def test_the_chart_adds_up_to_the_figure(reader, march):
    [chart] = reader.get("/waste/", WHERE).context["charts"]
    assert sum(series.total for series in chart.series) == Decimal("70.00")


def test_without_data_the_page_says_what_to_do(reader):
    assert "figures" in reader.get("/waste/").context and not reader.get("/waste/").context["figures"]
    UsageSnapshot.objects.all().delete()
    make_cost("2025-01-01", "1.00")
    assert "Choose a longer range" in text_of(reader.get("/waste/", WHERE))


def test_the_number_of_queries_does_not_grow(reader, march, django_assert_max_num_queries):
    reader.get("/waste/")
    for n in range(10):
        make_job("2025-03-01 00:00", "2025-03-01 01:00", team=f"team {n}", status="failed")
        make_job("2025-03-09 00:00", None, team=f"team {n}", model_name=f"m{n}", status="running")
    with django_assert_max_num_queries(60):
        reader.get("/waste/", WHERE)


def test_what_stands_on_no_bill_is_not_told_as_free(reader, march):
    """Hours on a day without a bill cost nobody knows what; the day with one says what the others cost."""
    hours(2, 3, status="failed", team="speech", model_name="whisper")
    hours(2, 1, team="speech", model_name="whisper")
    page = reader.get("/waste/", WHERE)
    assert "3.0 h on no bill" in text_of(page)
    lost = {row["team"]: row["usd"] for row in files(reader, "lost", "wasted_usd")}
    runs = {row["team"]: row["usd"] for row in files(reader, "runs", "usd_per_successful_run")}
    assert lost == {"speech": "", "vision": "30.00"}
    assert runs == {"speech": "", "vision": "120.00"}
    assert text_of(page).count("on no bill") == 1 + 3 + 4


def files(reader, name: str, column: str) -> list[dict[str, str]]:
    rows = rows_of(reader.get("/waste/", {**WHERE, "file": name, "_export": "csv"}))
    return [{"team": row["team"], "usd": row[column]} for row in rows]


def test_a_team_that_is_deleted_while_the_page_is_made_is_no_error(reader, march, monkeypatch):
    found = waste()
    Team.objects.all().delete()
    monkeypatch.setattr("dashboard.views.waste.Waste.of", lambda *asked: found)
    page = reader.get("/waste/", WHERE)
    assert page.status_code == 200 and "–" in text_of(page)
    assert [
        row["team"] for row in rows_of(reader.get("/waste/", WHERE | {"file": "lost", "_export": "csv"}))
    ] == ["–"]
