"""Every page answers, gives its file, refuses in words and asks the database a fixed number of times."""

from __future__ import annotations

import io
import re
from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse
from openpyxl import load_workbook

from dashboard.glossary import SECTIONS
from dashboard.models import CostSnapshot, Job, Team, UsageSnapshot

from .conftest import at, make_cost, make_job
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


def test_help_begins_with_its_sections(client, viewer):
    client.force_login(viewer)
    html = client.get("/help/").content.decode()
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    sections = re.findall(r'<a href="#(section-[^"]*)">', html)
    assert len(sections) == len(SECTIONS)
    assert set(sections) <= set(ids)
