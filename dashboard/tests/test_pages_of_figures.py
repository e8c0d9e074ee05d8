"""Costs, usage and the overview of one week: each figure, its chart and its file worked out by hand."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest

from dashboard.models import NameAlias

from .conftest import make_cost, make_usage
from .downloads import chart, rows_of


def test_the_last_seven_days_are_seven_closed_days(client, finance, week):
    client.force_login(finance)
    response = client.get("/costs/", {"preset": "last7"})
    assert response.context["span"] == "Last 7 days (closed): 28 Feb – 6 Mar 2025"


def test_gross_credits_and_net_of_a_range(client, finance, week):
    client.force_login(finance)
    response = client.get("/costs/", {"start": "2025-03-01", "end": "2025-03-03"})
    assert [f["value"] for f in response.context["figures"]] == ["$331.50", "−$25.00", "$306.50"]


def test_the_cost_file_adds_up_to_the_page(client, finance, week):
    client.force_login(finance)
    where = {"start": "2025-03-01", "end": "2025-03-06"}
    total = client.get("/costs/", where).context["total"]
    rows = rows_of(client.get("/costs/", where | {"_export": "csv"}))
    assert list(rows[0]) == ["date", "provider", "gpu_type", "cost_usd"]
    assert sum(Decimal(row["cost_usd"]) for row in rows) == total == Decimal("627.50")
    assert {"date": "2025-03-02", "provider": "AWS", "gpu_type": "H100-80GB", "cost_usd": "-25.00"} in rows


def test_the_file_has_the_order_of_the_page(client, finance, week):
    client.force_login(finance)
    where = {"preset": "all", "sort": "-usd"}
    rows = rows_of(client.get("/costs/", where | {"_export": "csv"}))
    shown = [row.record.usd for row in client.get("/costs/", where).context["table"].rows]
    assert [Decimal(row["cost_usd"]) for row in rows] == shown == sorted(shown, reverse=True)


@pytest.mark.parametrize("page", ["costs", "usage", "allocation", "unit-prices"])
@pytest.mark.parametrize("bucket", ["day", "week", "month", "quarter"])
def test_the_first_column_of_rows_is_called_what_it_holds(client, finance, week, page, bucket):
    client.force_login(finance)
    html = client.get(f"/{page}/", {"preset": "all", "bucket": bucket}).content.decode()
    assert set(re.findall(r"sort=-?day[^>]*>(\w+)</a>", html)) == {bucket.capitalize()}


def test_a_month_bucket_gives_a_month_per_row(client, finance, week):
    client.force_login(finance)
    rows = rows_of(client.get("/costs/", {"preset": "all", "bucket": "month", "_export": "csv"}))
    assert [(r["date"], r["gpu_type"], r["cost_usd"]) for r in rows] == [
        ("2025-03-01", "A100-80GB", "700.00"),
        ("2025-03-01", "H100-80GB", "-25.00"),
        ("2025-03-01", "L4", "63.00"),
    ]


def test_a_day_without_a_row_is_a_gap_and_an_open_day_is_marked(client, finance, week):
    client.force_login(finance)
    drawn = chart(client.get("/costs/", {"start": "2025-03-03", "end": "2025-03-07"}), "spend")
    gcp = next(series for series in drawn["series"] if series["name"] == "GCP")
    assert gcp["values"] == [10.5, None, 10.5, 10.5, 10.5]
    assert drawn["open"] == [False, False, False, False, True]


def test_the_usage_file_sets_metered_beside_job_hours(client, finance, week):
    client.force_login(finance)
    rows = rows_of(client.get("/usage/", {"start": "2025-03-01", "end": "2025-03-03", "_export": "csv"}))
    found = {(r["date"], r["provider"], r["gpu_type"]): r for r in rows}
    first = found["2025-03-01", "AWS", "A100-80GB"]
    assert (first["metered_gpu_hours"], first["job_gpu_hours"], first["cost_usd"]) == (
        "50.00",
        "16.000000",
        "100.00",
    )
    assert found["2025-03-03", "GCP", "L4"]["job_gpu_hours"] == "6.000000"
    assert found["2025-03-02", "AWS", "H100-80GB"]["metered_gpu_hours"] == ""


def test_utilisation_idle_hours_and_unit_price(client, finance, week):
    client.force_login(finance)
    response = client.get("/usage/", {"start": "2025-03-01", "end": "2025-03-03", "provider": "AWS"})
    figures = {f["label"]: f["value"] for f in response.context["figures"]}
    assert figures["Metered GPU-hours"] == "150.0 h"
    assert figures["Job GPU-hours"] == "32.0 h"
    assert figures["Idle GPU-hours"] == "118.0 h"
    assert figures["Utilisation"] == "21.3 %"
    assert figures["Average price"] == "$2.00/h"


def test_an_average_price_is_of_gpus_with_both_cost_and_metered_hours(client, finance, partly_metered):
    """(3 × $100 + 3 × $30) ÷ (3 × 50 h + 30 h), on the page, in the chart, the table and the file."""
    client.force_login(finance)
    days = {"start": "2025-03-01", "end": "2025-03-03", "bucket": "month"}
    response = client.get("/usage/", days)
    price = next(f for f in response.context["figures"] if f["label"] == "Average price")
    assert price["value"] == "$2.1667/h"
    assert price["sub"] == (
        "per metered GPU-hour, blended; $60.00 without metered hours left out; 20.0 h without cost left out"
    )
    assert price["how"].formula == (
        "($450.00 − $60.00 without metered hours) ÷ (200.0 h − 20.0 h without cost) = $2.1667/h"
    )
    assert chart(response, "price")["series"][0]["values"] == [2.16667]
    prices = {row["provider"]: row["sums"].unit_price for row in response.context["by_provider"]}
    assert prices == {"AWS": 2, "GCP": None, "Lambda": 3, "OCI": None}
    rows = rows_of(client.get("/usage/", days | {"_export": "csv"}))
    assert {row["provider"]: row["usd_per_metered_gpu_hour"] for row in rows} == {
        "AWS": "2.000000",
        "GCP": "",
        "Lambda": "3.000000",
        "OCI": "",
    }
    overview = client.get("/", days).context["figures"]
    assert next(f["value"] for f in overview if f["label"] == "Average price") == "$2.1667/h"


def test_the_days_with_most_metered_hours(client, finance, week):
    make_usage("2025-03-05", "500.00", gpu_type="H100-80GB")
    client.force_login(finance)
    peaks = client.get("/usage/", {"preset": "all"}).context["peaks"]
    assert (peaks[0]["day"], peaks[0]["hours"]) == (date(2025, 3, 5), Decimal("570.00"))


def test_spend_is_compared_like_for_like_on_closed_days(client, finance, as_of):
    as_of("2025-03-08 12:00")
    for day in range(1, 8):
        make_cost(f"2025-02-0{day}", "80.00")
        make_cost(f"2025-03-0{day}", "100.00")
    client.force_login(finance)
    spend = client.get("/", {"preset": "mtd"}).context["figures"][0]
    assert spend["value"] == "$700.00"
    assert spend["delta"]["text"] == "25.0 %"
    assert spend["delta"]["spans"] == "1–6 Mar 2025 $600.00 against 1–6 Feb 2025 $480.00"


def test_there_is_no_percentage_where_days_are_missing(client, finance, week):
    client.force_login(finance)
    delta = client.get("/", {"preset": "mtd"}).context["figures"][0]["delta"]
    assert delta["text"] == "No percentage: no cost before"


def test_an_alias_brings_spellings_together_also_for_what_is_stored(client, finance, week):
    make_cost("2025-03-03", "1.00", provider="Amazon Web Services")
    client.force_login(finance)
    where = {"start": "2025-03-03", "end": "2025-03-03", "provider": "AWS"}
    assert client.get("/costs/", where).context["total"] == Decimal("100.00")
    alias = NameAlias.objects.create(kind="provider", alias="Amazon  web services", name="AWS")
    assert client.get("/costs/", where).context["total"] == Decimal("101.00")
    alias.delete()
    assert client.get("/costs/", where).context["total"] == Decimal("100.00")


def test_a_bar_leads_to_its_rows(client, finance, week):
    client.force_login(finance)
    drawn = chart(client.get("/", {"start": "2025-03-01", "end": "2025-03-07"}), "spend")
    aws = next(series for series in drawn["series"] if series["name"] == "AWS")
    behind = client.get(aws["links"][1])
    assert behind.context["total"] == Decimal("75.00")
