"""/contracts/: what was typed in, what it posts, and whether the internal price covers the cost."""

from __future__ import annotations

import io
import json
import re
from decimal import Decimal

import pytest
from django.test import Client
from hypothesis import given, settings

from dashboard.ingest.load import Source, load
from dashboard.models import NameAlias, PeriodEntry
from dashboard.naming import Names
from dashboard.reports.recovery import Recovery, contracts
from dashboard.reports.spend import costs
from dashboard.scope import Scope

from .conftest import examples, make_cost, make_job
from .contracts import FOX, make_commitment, make_entry, per_hour, per_month
from .downloads import rows_of
from .test_posted import entries, rates, span, store
from .test_round_trip import file_of

pytestmark = pytest.mark.django_db
MARCH = {"start": "2025-03-01", "end": "2025-03-31"}


@pytest.fixture
def reader(client: Client, finance, as_of) -> Client:
    as_of("2025-04-10 12:00")
    client.force_login(finance)
    return client


def recoveries(first: str = "2025-03-01", last: str = "2025-03-31", **scope) -> list[Recovery]:
    return contracts(Scope(span=span(first, last), **scope), Names.load()).recoveries


def ten_hours_a_day(*days: int) -> None:
    for day in days:
        make_job(f"2025-03-{day:02} 00:00", f"2025-03-{day:02} 05:00", gpu_count=2, **FOX)


# Recovery


def test_an_hourly_price_that_covers_its_cost_is_over_recovered(as_of):
    as_of("2025-04-10")
    per_hour("2.00", "2025-01-01")
    make_entry("2025-03-01", "2025-03-02", "30.00", **FOX)
    ten_hours_a_day(1, 2)
    [march] = recoveries()
    # 20 h × $2 = $40 charged, $30 paid.
    assert (march.charged, march.compared, march.actual, march.over) == (40, 40, 30, 10)
    assert sum(cost.usd for cost in costs(Scope(), Names.load())) == 30


def test_a_price_that_leaves_cost_uncharged_is_under_recovered(as_of):
    as_of("2025-04-10")
    per_hour("1.00", "2025-01-01")
    per_month("310.00", "1", "2025-03-01", "2025-03-31")
    ten_hours_a_day(5)
    [march] = recoveries()
    assert (march.charged, march.actual, march.over) == (10, 310, -300)


def test_without_an_actual_cost_there_is_nothing_to_recover(as_of):
    as_of("2025-04-10")
    per_hour("1.50", "2025-01-01")
    ten_hours_a_day(5)
    [march] = recoveries()
    assert (march.charged, march.compared, march.actual, march.over) == (15, 0, None, None)
    assert sum(cost.usd for cost in costs(Scope(), Names.load())) == 15


def test_only_days_with_a_known_cost_are_compared(as_of):
    as_of("2025-04-10")
    per_hour("1.00", "2025-03-01")
    make_entry("2025-03-01", "2025-03-10", "50.00", **FOX)
    ten_hours_a_day(9, 10, 11, 12)
    [march] = recoveries()
    assert (march.charged, march.compared, march.actual, march.over) == (40, 20, 50, -30)


def test_days_before_the_price_and_after_today_are_not_compared(as_of):
    as_of("2025-03-21 12:00")
    per_hour("1.00", "2025-03-11")
    make_entry("2025-03-01", "2025-03-31", "310.00", **FOX)
    [march] = recoveries()
    assert (march.charged, march.actual, march.over) == (0, 100, -100)


def test_a_stored_figure_is_an_actual_cost_and_a_month_stands_alone(as_of):
    as_of("2025-04-10")
    per_hour("1.00", "2025-01-01")
    make_cost("2025-03-01", "12.00", provider="Fox")
    make_cost("2025-04-01", "3.00", provider="fox")
    make_cost("2025-04-01", "99.00")
    ten_hours_a_day(1)
    march, april = recoveries("2025-03-01", "2025-04-30")
    assert (march.over, april.charged, april.over) == (-2, 0, -3)
    assert recoveries(providers=("AWS",)) == []


# The page


def test_the_page_lists_what_was_typed_in_and_what_it_posts(reader):
    make_entry("2025-02-15", "2025-03-14", "280.00", "672", note="Invoice 17")
    per_month("310.00", "2", "2025-03-01", note="rack 4")
    per_hour("1.50", "2025-01-01", gpu_type="V100")
    make_job("2025-03-05 00:00", "2025-03-05 10:00", provider="fox", gpu_type="V100")
    make_commitment("8", "2025-01-01", "2025-04-30")
    shown = reader.get("/contracts/", MARCH).context
    assert [(row["usd"], row["by"]) for row in shown["entries"].rows] == [
        (Decimal("140.00"), "contracted capacity")
    ]
    assert [(row["price"], row["usd"], row["gpu_hours"], row["charged"]) for row in shown["rates"].rows] == [
        ("$310.00 per GPU and month", Decimal("620.00"), Decimal("1488.00"), None),
        ("$1.50 per GPU-hour", Decimal("15.00"), None, Decimal("15.00")),
    ]
    assert [(row["gpus"], row["expiry"]) for row in shown["commitments"].rows] == [("8", "20 days left")]
    assert [figure["value"] for figure in shown["figures"]] == ["$140.00", "$635.00"]
    assert all(figure["how"] for figure in shown["figures"])


def test_the_parts_in_the_range_are_what_the_costs_page_shows(reader):
    make_entry("2025-02-15", "2025-03-14", "-100.01")
    per_month("333.33", "3", "2025-02-20", "2025-03-17")
    total = reader.get("/costs/", MARCH).context["total"]
    figures = reader.get("/contracts/", MARCH).context["figures"]
    posted = [Decimal(re.sub("[$,]", "", f["value"].replace("−", "-"))) for f in figures]
    assert sum(posted) == total


def test_the_recovery_file_is_the_table(reader):
    per_hour("2.00", "2025-01-01")
    make_entry("2025-03-01", "2025-03-02", "30.00", **FOX)
    ten_hours_a_day(1, 2, 3)
    [row] = rows_of(reader.get("/contracts/", MARCH | {"_export": "csv"}))
    assert list(row.values()) == [
        "2025-03-01",
        "fox",
        "A100-80GB",
        "30.000000",
        "60.00",
        "40.00",
        "30.00",
        "10.00",
    ]
    text = reader.get("/contracts/", MARCH).content.decode()
    assert '<small class="soft">over</small> $10.00' in text
    chart = json.loads(re.search(r'id="recovery-data" type="application/json">(.*?)</script>', text)[1])
    assert [series["values"] for series in chart["series"]] == [[40.0], [30.0]]


def test_nothing_typed_in_helps_on(reader, admin, client):
    assert "Nothing is typed in" in reader.get("/contracts/").content.decode()
    assert reader.get("/contracts/").context["actions"] == []
    client.force_login(admin)
    labels = [action["label"] for action in client.get("/contracts/").context["actions"]]
    assert labels == ["Add a period entry", "Add a rate", "Add a commitment"]


def test_only_admins_are_led_to_the_forms(reader, admin, client):
    entry = make_entry("2025-03-01", "2025-03-31", "1")
    address = f"/admin/dashboard/periodentry/{entry.pk}/change/"
    assert address not in reader.get("/contracts/", MARCH).content.decode()
    client.force_login(admin)
    assert address in client.get("/contracts/", MARCH).content.decode()


def test_a_file_that_is_not_there_is_refused_in_words(reader):
    response = reader.get("/contracts/", {"file": "rates", "_export": "csv"})
    assert (response.status_code, "Ask for entries" in response.content.decode()) == (400, True)


def test_a_viewer_gets_no_file(client, viewer):
    make_entry("2025-03-01", "2025-03-31", "1")
    client.force_login(viewer)
    assert "_export" not in client.get("/contracts/", {"preset": "all"}).content.decode()
    assert client.get("/contracts/", {"file": "entries", "_export": "csv"}).status_code == 403


def test_the_page_asks_the_database_a_fixed_number_of_times(reader, django_assert_max_num_queries):
    for n in range(20):
        make_entry("2025-03-01", "2025-03-31", "1", "5", gpu_type=f"GPU {n}", provider="fox")
        per_hour("1", "2025-01-01", gpu_type=f"GPU {n}")
        per_month("1", "1", "2025-01-01", gpu_type=f"GPU {n}")
        make_commitment("1", "2025-01-01", "2025-12-31", gpu_type=f"GPU {n}")
    with django_assert_max_num_queries(18):
        reader.get("/contracts/", {"preset": "all"})


# The file of period entries


def entries_file(client: Client, **where) -> bytes:
    where = {"preset": "all", "file": "entries", "_export": "csv"} | where
    return b"".join(client.get("/contracts/", where).streaming_content)


def take_in(content: bytes):
    return load([Source("entries.csv", io.BytesIO(content))])


def test_period_entries_exported_and_imported_again_change_nothing(reader):
    make_entry("2025-03-01", "2025-03-31", "3100.00", "744", note="=SUM(A1:A9)")
    make_entry("2025-03-01", "2025-03-31", "-25.00", provider="@home", gpu_type="'x")
    make_entry("2025-02-01", "2025-02-28", "1.00", provider="aws", note="two  blanks")
    content = entries_file(reader)
    header = content.decode("utf-8-sig").splitlines()[0]
    assert header == "from,to,provider,gpu_type,cost_usd,gpu_hours,note"
    summary = take_in(content)
    assert (summary.unchanged, summary.changes, summary.refused) == (3, 0, 0)
    PeriodEntry.objects.all().delete()
    assert take_in(content).inserted == 3
    assert entries_file(reader) == content
    assert take_in(content).changes == 0


def test_entries_that_an_alias_makes_one_are_one_row_of_the_file(reader):
    make_entry("2025-03-01", "2025-03-31", "10.00", "5", note="a")
    make_entry("2025-03-01", "2025-03-31", "20.00", provider="Amazon", note="b")
    NameAlias.objects.create(kind="provider", alias="Amazon", name="AWS")
    content = entries_file(reader)
    assert content.decode("utf-8-sig").splitlines()[1:] == [
        "2025-03-01,2025-03-31,AWS,A100-80GB,30.00,5.00,a; b"
    ]
    assert take_in(content).changes == 0


def test_the_file_holds_whole_entries_of_the_filters(reader):
    make_entry("2025-02-15", "2025-03-14", "280.00")
    make_entry("2025-01-01", "2025-01-31", "1.00")
    make_entry("2025-03-01", "2025-03-31", "2.00", provider="GCP")
    rows = rows_of(
        reader.get("/contracts/", MARCH | {"file": "entries", "_export": "csv", "provider": "AWS"})
    )
    assert [row["cost_usd"] for row in rows] == ["280.00"]


@settings(max_examples=examples(10))
@given(made=entries, price=rates)
def test_any_entry_comes_back_as_it_was(client, finance, as_of, made, price):
    as_of("2025-06-01")
    store([made], [price])
    client.force_login(finance)
    content = entries_file(client)
    assert take_in(content).changes == 0
    before = file_of(client, "/costs/")
    PeriodEntry.objects.all().delete()
    assert take_in(content).committed
    assert entries_file(client) == content
    assert file_of(client, "/costs/") == before


def test_where_nothing_is_recovered_no_empty_file_is_offered(reader):
    make_commitment("8", "2025-01-01", "2025-12-31")
    assert "_export" not in reader.get("/contracts/", MARCH).content.decode()
