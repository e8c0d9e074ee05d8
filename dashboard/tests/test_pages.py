from __future__ import annotations

import io
import json
import re
from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse
from openpyxl import load_workbook

from dashboard.glossary import SECTIONS
from dashboard.models import CostSnapshot, Job, NameAlias, Team, UsageSnapshot
from dashboard.reports import job_time

from .conftest import at, make_cost, make_job, make_usage
from .downloads import rows_of

PAGES = [
    "/",
    "/costs/",
    "/usage/",
    "/jobs/",
    "/teams/",
    "/help/",
    "/unit-prices/",
    "/waste/",
    "/anomalies/",
    "/forecast/",
    "/budgets/",
    "/bridge/",
    "/reconcile/",
    "/data-quality/",
]
FILES = [
    "/",
    "/costs/",
    "/usage/",
    "/jobs/",
    "/teams/",
    "/unit-prices/",
    "/waste/",
    "/anomalies/",
    "/forecast/",
    "/budgets/",
    "/bridge/",
    "/reconcile/",
    "/data-quality/",
]


def chart(response, name: str) -> dict:
    found = re.search(
        rf'<script id="{name}-data" type="application/json">(.*?)</script>', response.content.decode()
    )
    return json.loads(found.group(1))


@pytest.fixture
def week(db, as_of):
    """AWS and GCP over 1–7 March; 7 March is open, 4 March has no GCP row."""
    as_of("2025-03-08 12:00")
    for day in range(1, 8):
        make_cost(f"2025-03-0{day}", "100.00")
        make_usage(f"2025-03-0{day}", "50.00")
        if day != 4:
            make_cost(f"2025-03-0{day}", "10.50", provider="GCP", gpu_type="L4")
            make_usage(f"2025-03-0{day}", "20.00", provider="GCP", gpu_type="L4")
    make_cost("2025-03-02", "-25.00", gpu_type="H100-80GB")
    make_job("2025-03-01 20:00", "2025-03-02 04:00", gpu_count=4)
    make_job(
        "2025-03-03 00:00", "2025-03-03 06:00", team="speech", provider="GCP", gpu_type="L4", status="failed"
    )
    make_job("2025-03-08 10:00", None, team="speech", status="running", model_name="whisper")


@pytest.mark.parametrize("url", PAGES)
def test_every_page_answers_with_nothing_stored(client, finance, url):
    client.force_login(finance)
    assert client.get(url).status_code == 200


@pytest.mark.parametrize("url", PAGES)
def test_every_page_answers_with_data(client, finance, week, url):
    client.force_login(finance)
    assert client.get(url).status_code == 200


@pytest.mark.parametrize("url", FILES)
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_every_page_gives_its_file(client, finance, week, url, kind):
    client.force_login(finance)
    response = client.get(url, {"_export": kind, "preset": "all"})
    assert response.status_code == 200
    assert f".{kind}" in response["Content-Disposition"]


def test_an_unknown_file_format_is_refused_in_words(client, finance, week):
    client.force_login(finance)
    response = client.get("/costs/", {"_export": "ods"})
    assert response.status_code == 400
    assert "csv or xlsx" in response.content.decode()


def test_a_viewer_sees_no_download_and_gets_none(client, viewer, week):
    client.force_login(viewer)
    assert "_export" not in client.get("/costs/").content.decode()
    assert client.get("/costs/", {"_export": "csv"}).status_code == 403


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


def test_job_hours_on_the_page_and_in_the_file_are_clipped_to_the_range(client, finance, week):
    client.force_login(finance)
    where = {"start": "2025-03-02", "end": "2025-03-03"}
    assert client.get("/jobs/", where).context["hours"] == Decimal(22)
    rows = rows_of(client.get("/jobs/", where | {"_export": "csv"}))
    assert sum(Decimal(r["job_gpu_hours"]) for r in rows) == 22
    assert {r["duration_seconds"] for r in rows} == {"28800", "21600"}


def test_filters_combine(client, finance, week):
    client.force_login(finance)
    team = Team.objects.get(name="speech")
    response = client.get("/jobs/", {"team": team.pk, "status": "failed", "q": "RES"})
    assert [row.record.model_name for row in response.context["table"].rows] == ["resnet"]
    assert [chip["text"] for chip in response.context["filters"]] == [
        "Team: speech",
        "Status: failed",
        "Search: RES",
    ]


def test_jobs_without_hours_come_last_by_hours_in_a_range_too(client, finance, as_of):
    as_of("2025-03-08 12:00")
    hour = make_job("2025-03-02 00:00", "2025-03-02 01:00")
    day = make_job("2025-02-28 00:00", "2025-03-03 00:00")
    no_end = make_job("2025-03-02 00:00", None)
    client.force_login(finance)
    for sort, expected in (("-gpu_hours", [day, hour, no_end]), ("gpu_hours", [hour, day, no_end])):
        table = client.get(f"/jobs/?start=2025-03-01&end=2025-03-05&sort={sort}").context["table"]
        assert [row.record.pk for row in table.rows] == [job.pk for job in expected]


@pytest.mark.parametrize(
    "sort", ["status", "-status", "gpu_hours", "-duration", "end", "-end", "team", "-start", "gpus"]
)
@pytest.mark.parametrize("per_page", [3, 7])
def test_the_pages_of_a_sorted_list_hold_every_job_once(client, finance, as_of, sort, per_page):
    as_of("2025-03-08 12:00")
    for n in range(20):
        make_job(
            f"2025-03-0{n % 5 + 1} 00:00" if n % 6 else None,
            f"2025-03-06 0{n % 4}:00" if n % 3 else None,
            team=f"team {n % 3}",
            status=["completed", "failed", "running"][n % 3],
            gpu_count=n % 2 + 1,
        )
    client.force_login(finance)
    seen, address = [], f"/jobs/?sort={sort}&per_page={per_page}"
    forward = []
    while address:
        response = client.get(address)
        ids = [row.record.pk for row in response.context["table"].rows]
        seen += ids
        forward.append(ids)
        older = response.context["pages"]["older_url"]
        last, address = address, older and "/jobs/" + older
    assert len(seen) == 20
    assert set(seen) == set(Job.objects.values_list("pk", flat=True))
    backward, address = [], last
    while address:
        response = client.get(address)
        backward.insert(0, [row.record.pk for row in response.context["table"].rows])
        newer = response.context["pages"]["newer_url"]
        address = newer and "/jobs/" + newer
    assert [one for page in backward for one in page] == seen


BAD_QUERIES = [
    "start=2025-13-45",
    "start=0001-01-01",
    "end=9999-12-31",
    "start=2025-03-09&end=2025-03-01",
    "team=abc",
    "team=%00",
    "provider=%00",
    "model=%00",
    "preset=nonsense",
    "bucket=century",
    "group_by=moon",
    "basis=free",
    "q=%00",
    "q=" + "x" * 3000,
    "status=" + "x" * 3000,
    "after=rubbish",
    "before=WzFd",
    "after=",
    "per_page=-1",
    "per_page=" + "9" * 400,
    "page=99999999999999999999",
    "page=abc",
    "sort=--start",
    "sort=nothing",
    "sort=%00",
]


@pytest.mark.parametrize("url", FILES)
def test_a_bad_query_gets_words_and_never_a_500(client, finance, week, url):
    client.force_login(finance)
    for query in BAD_QUERIES:
        hostile = "%00" in query or len(query) > 2000
        assert client.get(f"{url}?{query}").status_code == (400 if hostile else 200), query


def test_a_bad_value_is_told_beside_its_field_and_refused_in_a_file(client, finance, week):
    client.force_login(finance)
    response = client.get("/costs/", {"start": "2025-02-31"})
    assert response.context["form"].errors["start"] == ["Enter a valid date."]
    assert client.get("/costs/", {"start": "2025-02-31", "_export": "csv"}).status_code == 400


def test_a_filter_that_a_page_cannot_apply_is_named(client, finance, week):
    client.force_login(finance)
    response = client.get("/costs/", {"team": str(Team.objects.first().pk)})
    assert "Team does not apply here" in response.content.decode()


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


@pytest.mark.parametrize(
    ("text", "found"), [("ÉCOLE", 1), ("école-7b", 1), ("4711", 1), ("471", 0), ("mara", 1), ("resnet", 0)]
)
def test_search_finds_model_names_in_any_case_ids_and_users(client, finance, as_of, text, found):
    as_of("2025-03-08")
    make_job(model_name="École-7B", external_id="4711", submitted_by="mara")
    client.force_login(finance)
    assert client.get("/jobs/", {"q": text}).context["number"] == found


def test_a_page_of_one_job_shows_its_days(client, finance, week):
    client.force_login(finance)
    job = Job.objects.get(gpu_count=4)
    response = client.get(job.get_absolute_url())
    assert [(d.day, d.gpu_hours) for d in response.context["days"]] == [
        (date(2025, 3, 1), 16),
        (date(2025, 3, 2), 16),
    ]


def test_a_job_that_ends_before_it_starts_says_so(client, finance):
    job = make_job("2025-03-02 00:00", "2025-03-01 00:00")
    client.force_login(finance)
    assert "ends before it starts" in client.get(job.get_absolute_url()).content.decode()


def test_a_team_page_and_the_teams_file(client, finance, week):
    client.force_login(finance)
    rows = rows_of(client.get("/teams/", {"preset": "all", "_export": "csv"}))
    assert [(r["date"], r["team"], r["job_gpu_hours"], r["jobs"]) for r in rows] == [
        ("2025-03-01", "vision", "16.000000", "1"),
        ("2025-03-02", "vision", "16.000000", "1"),
        ("2025-03-03", "speech", "6.000000", "1"),
        ("2025-03-08", "speech", "2.000000", "1"),
    ]
    team = Team.objects.get(name="speech")
    figures = {
        f["label"]: f["value"]
        for f in client.get(team.get_absolute_url(), {"preset": "all"}).context["figures"]
    }
    assert figures["Job GPU-hours"] == "8.0 h"
    assert figures["Success rate"] == "0.0 %"
    assert figures["Running now"] == "1"


def test_a_job_counts_once_in_each_month_of_the_teams_file(client, finance, as_of):
    as_of("2025-06-01")
    make_job("2025-02-27 00:00", "2025-03-03 00:00")
    client.force_login(finance)
    rows = rows_of(client.get("/teams/", {"preset": "all", "bucket": "month", "_export": "csv"}))
    assert [(r["date"], r["job_gpu_hours"], r["jobs"]) for r in rows] == [
        ("2025-02-01", "48.000000", "1"),
        ("2025-03-01", "48.000000", "1"),
    ]


def test_formulas_in_names_are_guarded_and_numbers_are_numbers(client, finance, as_of):
    as_of("2025-03-08")
    make_job(model_name="=1+1", team="@evil")
    make_cost("2025-03-01", "-25.00")
    client.force_login(finance)
    [job] = rows_of(client.get("/jobs/", {"_export": "csv"}))
    assert (job["model_name"], job["team"]) == ("'=1+1", "'@evil")
    [cost] = rows_of(client.get("/costs/", {"preset": "all", "_export": "csv"}))
    assert cost["cost_usd"] == "-25.00"


def test_the_excel_file_has_the_rows_and_says_what_they_are(client, finance, week):
    client.force_login(finance)
    where = {"start": "2025-03-01", "end": "2025-03-02", "provider": "AWS", "_export": "xlsx"}
    response = client.get("/costs/", where)
    book = load_workbook(io.BytesIO(b"".join(response.streaming_content)))
    rows = list(book["Rows"].values)
    assert rows[0] == ("date", "provider", "gpu_type", "cost_usd")
    assert sum(row[3] for row in rows[1:]) == 175
    about = dict(book["About"].values)
    assert about["Range"] == "1–2 Mar 2025"
    assert about["Filters"] == "Provider: AWS"
    assert about["Total"] == "175.00 USD"


@pytest.mark.parametrize(
    ("url", "most"), [("/", 36), ("/costs/", 16), ("/usage/", 21), ("/jobs/", 22), ("/teams/", 33)]
)
def test_a_page_asks_the_database_a_fixed_number_of_times(
    client, finance, week, url, most, django_assert_max_num_queries
):
    for n in range(30):
        make_job("2025-03-05 00:00", "2025-03-05 01:00", team=f"team {n}", provider=f"cloud {n}")
    client.force_login(finance)
    with django_assert_max_num_queries(most):
        client.get(url, {"preset": "all"})


def test_the_words_of_this_schema_are_queryset_methods(week):
    assert Job.objects.per_team()[Team.objects.get(name="speech").pk] == 2
    assert [team.name for team in Team.objects.with_running_jobs()] == ["speech"]
    assert Job.objects.of_team(Team.objects.get(name="vision")).count() == 1
    assert Job.objects.with_status("failed").get().provider == "GCP"
    assert Job.objects.on(["AWS"], ["A100-80GB"]).count() == 2
    assert Job.objects.overlapping(at("2025-03-02 00:00"), at("2025-03-03 00:00")).count() == 1
    assert CostSnapshot.objects.total_per_provider() == {"AWS": Decimal("675.00"), "GCP": Decimal("63.00")}
    l4 = CostSnapshot.objects.of(gpu_types=["L4"]).over_time()
    assert list(l4)[:2] == [(date(2025, 3, 1), Decimal("10.50")), (date(2025, 3, 2), Decimal("10.50"))]
    assert UsageSnapshot.objects.hours_per_provider() == {"AWS": Decimal("350.00"), "GCP": Decimal("120.00")}
    assert UsageSnapshot.objects.peak_days(1)[0] == (date(2025, 3, 1), Decimal("70.00"))
    assert reverse("jobs") == "/jobs/"


@pytest.mark.parametrize(("number", "words"), [(1, "1 job,"), (2, "2 jobs,"), (3000, "3,000 jobs,")])
def test_the_number_of_jobs_reads_as_a_sentence(client, finance, week, monkeypatch, number, words):
    monkeypatch.setattr(job_time, "count", lambda scope, names: number)
    client.force_login(finance)
    assert f"<p>{words} " in client.get("/jobs/").content.decode()


def test_help_begins_with_its_sections(client, viewer):
    client.force_login(viewer)
    html = client.get("/help/").content.decode()
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    sections = re.findall(r'<a href="#(section-[^"]*)">', html)
    assert len(sections) == len(SECTIONS)
    assert set(sections) <= set(ids)
