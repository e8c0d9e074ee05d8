from __future__ import annotations

from decimal import Decimal
from urllib.parse import unquote

import pytest

from dashboard.models import CostSnapshot, Team
from dashboard.reports.sharing import IDLE_VIEWS

from .conftest import make_cost, make_job, make_usage
from .downloads import rows_of

HOW = [
    {"idle": idle, "by": by, "then_by": then}
    for idle in IDLE_VIEWS
    for by, then in (
        ("team", ""),
        ("model", ""),
        ("provider", "team"),
        ("gpu_type", "provider"),
        ("team", "model"),
    )
]


def summed(rows, column: str = "cost_usd") -> Decimal:
    return sum((Decimal(row[column] or 0) for row in rows), Decimal(0))


@pytest.fixture
def month(db, as_of):
    """1–3 March: AWS $100 a day and 10 metered hours, GCP L4 $9.99 without; a credit; hours nobody billed."""
    as_of("2025-04-10 12:00")
    for day in ("01", "02", "03"):
        make_cost(f"2025-03-{day}", "100.00")
        make_usage(f"2025-03-{day}", "10.00")
        make_cost(f"2025-03-{day}", "9.99", provider="GCP", gpu_type="L4")
    make_cost("2025-03-02", "-25.00", gpu_type="H100-80GB")
    make_job("2025-03-01 20:00", "2025-03-02 04:00", gpu_count=Decimal("1.5"))
    make_job("2025-03-03 00:00", "2025-03-03 02:00", team="speech", model_name="whisper")
    make_job("2025-03-03 00:00", "2025-03-03 02:00", team="speech", provider="GCP", gpu_type="L4")
    make_job("2025-03-03 00:00", "2025-03-03 02:00", team="speech", provider="fox", gpu_type="v100")


WHERE = {"start": "2025-03-01", "end": "2025-03-31"}


@pytest.mark.parametrize("how", HOW, ids=lambda how: "-".join(how.values()))
def test_page_file_and_database_agree(client, finance, month, how):
    client.force_login(finance)
    page = client.get("/allocation/", WHERE | how)
    stored = CostSnapshot.objects.total()
    assert page.context["total"] == page.context["equation"]["bill"] == stored == Decimal("304.97")
    assert page.context["equation"]["difference"] == 0
    assert page.context["groups"]["total"].row.sum.usd == stored
    assert sum(line.row.sum.cents for line in page.context["groups"]["lines"]) == 30497
    assert summed(rows_of(client.get("/allocation/", WHERE | how | {"_export": "csv"}))) == stored


def test_the_file_has_a_row_per_day_team_provider_and_gpu_type(client, finance, month):
    client.force_login(finance)
    rows = rows_of(client.get("/allocation/", WHERE | {"_export": "csv"}))
    assert list(rows[0]) == ["date", "team", "provider", "gpu_type", "job_gpu_hours", "cost_usd"]
    first = [row for row in rows if row["date"] == "2025-03-01"]
    assert [(row["team"], row["provider"], row["job_gpu_hours"], row["cost_usd"]) for row in first] == [
        ("(idle)", "AWS", "0.000000", "40.00"),
        ("(unallocated)", "GCP", "0.000000", "9.99"),
        ("vision", "AWS", "6.000000", "60.00"),
    ]
    [unbilled] = [row for row in rows if row["provider"] == "fox"]
    assert (unbilled["team"], unbilled["job_gpu_hours"], unbilled["cost_usd"]) == ("speech", "2.000000", "")


def test_one_team_sees_its_share_of_the_whole_bill(client, finance, month):
    client.force_login(finance)
    speech = Team.objects.get(name="speech")
    where = WHERE | {"team": str(speech.pk)}
    page = client.get("/allocation/", where)
    assert page.context["total"] == Decimal("29.99")
    assert page.context["equation"]["bill"] == Decimal("304.97")
    assert summed(rows_of(client.get("/allocation/", where | {"_export": "csv"}))) == Decimal("29.99")
    assert "their share of a bill of $304.97" in page.content.decode()


def test_rows_say_what_makes_their_shares_less_sure(client, finance, month):
    client.force_login(finance)
    table = client.get("/allocation/", WHERE | {"per_page": 100}).context["table"]
    notes = {(row.record.team, row.record.provider): row.get_cell("note") for row in table.rows}
    assert notes["speech", "GCP"] == "no metered usage" and notes["speech", "AWS"] == ""


def test_the_last_lines_of_the_page_add_up(client, finance, month):
    client.force_login(finance)
    html = client.get("/allocation/", WHERE).content.decode()
    last = html[html.index("Does it add up?") :]
    assert "= Bill" in last and "$304.97" in last and "Difference" in last and "$0.00" in last
    assert "2.0 h of jobs stand on no bill" in html


def test_a_bucket_gathers_days(client, finance, month):
    client.force_login(finance)
    rows = rows_of(client.get("/allocation/", WHERE | {"bucket": "month", "_export": "csv"}))
    assert {row["date"] for row in rows} == {"2025-03-01"}
    assert summed(rows) == Decimal("304.97")


def test_a_statement_page_and_its_file_agree(client, finance, month):
    client.force_login(finance)
    speech = Team.objects.get(name="speech")
    url = f"/teams/{speech.pk}/statement/"
    page = client.get(url, {"month": "2025-03"})
    assert page.context["found"].total.usd == Decimal("29.99")
    rows = rows_of(client.get(url, {"month": "2025-03", "_export": "csv"}))
    assert [(row["month"], row["provider"], row["gpu_type"], row["cost_usd"]) for row in rows] == [
        ("2025-03", "AWS", "A100-80GB", "20.00"),
        ("2025-03", "GCP", "L4", "9.99"),
        ("2025-03", "fox", "v100", ""),  # hours that no bill speaks of: not known to cost nothing
    ]
    assert "2.0 h of these hours stand on no bill" in page.content.decode()


def test_a_statement_is_compared_with_the_month_before(client, finance, db, as_of):
    as_of("2025-04-10 12:00")
    for month, usd in (("02", "1.00"), ("03", "1.50")):
        for day in range(1, 32 if month == "03" else 29):
            make_cost(f"2025-{month}-{day:02}", usd)
            make_job(f"2025-{month}-{day:02} 00:00", f"2025-{month}-{day:02} 01:00")
    make_cost("2025-04-02", "1.00")
    client.force_login(finance)
    vision = Team.objects.get(name="vision")
    page = client.get(f"/teams/{vision.pk}/statement/", {"month": "2025-03"})
    [amount, *_] = page.context["figures"]
    assert (amount["value"], amount["delta"]["text"]) == ("$46.50", "50.0 %")
    assert amount["delta"]["spans"] == "1–28 Mar 2025 $42.00 against 1–28 Feb 2025 $28.00"


def test_a_statement_can_be_sent_from_one_s_own_mail_program(client, finance, month):
    client.force_login(finance)
    speech = Team.objects.get(name="speech")
    page = client.get(f"/teams/{speech.pk}/statement/", {"month": "2025-03"})
    words = unquote(page.context["mail_url"])
    assert words.startswith("mailto:?subject=GPU cost of speech, March 2025&body=")
    assert "AWS A100-80GB: $20.00" in words and words.endswith("/statement/?month=2025-03")


def test_a_statement_names_what_is_in_no_team_s(client, finance, month):
    client.force_login(finance)
    speech = Team.objects.get(name="speech")
    html = client.get(f"/teams/{speech.pk}/statement/", {"month": "2025-03"}).content.decode()
    # Idle: $40 + $40 + $80 of AWS. Unallocated: two days of GCP without jobs, $19.98, less the $25 refund.
    assert "In no team’s statement: (idle) $160.00, (unallocated) −$5.02." in html


@pytest.mark.parametrize("month_text", ["", "2025-3", "nonsense", "9999-99", "0001-01", "2025-13"])
def test_a_month_that_cannot_be_read_is_the_last_closed_one_or_the_first_with_data(
    client, finance, month, month_text
):
    client.force_login(finance)
    speech = Team.objects.get(name="speech")
    page = client.get(f"/teams/{speech.pk}/statement/", {"month": month_text})
    assert page.status_code == 200
    assert f"{page.context['month'].start:%Y-%m}" == "2025-03"


def test_a_month_that_is_not_closed_says_so(client, finance, month):
    client.force_login(finance)
    speech = Team.objects.get(name="speech")
    html = client.get(f"/teams/{speech.pk}/statement/", {"month": "2025-03"}).content.decode()
    assert "29 of 31 days are not closed yet" in html
    for provider in ("AWS", "GCP"):
        make_cost("2025-03-31", "1.00", provider=provider)
    html = client.get(f"/teams/{speech.pk}/statement/", {"month": "2025-03"}).content.decode()
    assert "1 of 31 days is not closed yet" in html


def test_a_job_s_page_shows_the_formula_with_its_numbers(client, finance, month):
    client.force_login(finance)
    job = Team.objects.get(name="vision").jobs.get()
    html = client.get(f"/jobs/{job.pk}/").content.decode()
    assert "$100.00 × 6.000 h ÷ 10.000 h" in html and "$120.00" in html


def test_running_jobs_and_their_file(client, finance, month, as_of):
    as_of("2025-03-03 06:00")
    make_job("2025-03-01 00:00", None, team="speech", status="running", model_name="serving")
    client.force_login(finance)
    page = client.get("/jobs/running/")
    [row] = rows_of(client.get("/jobs/running/", {"_export": "csv"}))
    assert (row["model"], row["gpu_hours"]) == ("serving", "54.000000")
    assert Decimal(row["cost_usd"]) == page.context["total"]


@pytest.mark.parametrize(("url", "most"), [("/allocation/", 37), ("/jobs/running/", 20)])
def test_the_number_of_queries_does_not_grow(
    client, finance, month, url, most, django_assert_max_num_queries
):
    client.force_login(finance)
    client.get(url)
    for n in range(10):
        make_job("2025-03-02 00:00", "2025-03-02 01:00", team=f"team {n}")
    with django_assert_max_num_queries(most):
        client.get(url, WHERE)


@pytest.mark.parametrize("end", ["2025-03-04 01:00", "2025-03-31 01:00"])
def test_a_job_s_page_asks_as_often_for_a_month_as_for_a_day(
    client, finance, month, end, django_assert_max_num_queries
):
    client.force_login(finance)
    job = make_job("2025-03-01 00:00", end)
    with django_assert_max_num_queries(35):
        client.get(f"/jobs/{job.pk}/")


def test_a_team_is_compared_with_its_own_cost_before(client, finance, db, as_of):
    as_of("2025-03-10 12:00")
    for day, usd in (("01", 100), ("02", 100), ("03", 150), ("04", 150), ("05", 1)):
        make_cost(f"2025-03-{day}", str(usd))
        make_job(f"2025-03-{day} 00:00", f"2025-03-{day} 01:00")
    make_job("2025-03-03 02:00", "2025-03-03 04:00", team="speech")
    client.force_login(finance)
    page = client.get("/allocation/", {"start": "2025-03-03", "end": "2025-03-04"})
    [vision, speech] = page.context["groups"]["lines"]
    assert (vision.row.name, vision.row.sum.usd, vision.change["text"]) == ("vision", 200, "0.0 %")
    assert (speech.row.name, speech.row.sum.usd, speech.change["text"]) == (
        "speech",
        100,
        "less than 1 cent before",
    )
    assert page.context["figures"][0]["delta"]["text"] == "50.0 %"
    assert "3–4 Mar 2025 $300.00 against 1–2 Mar 2025 $200.00" in page.content.decode()


@pytest.mark.parametrize("bad", [{"by": "x"}, {"idle": "x"}, {"then_by": "\u0661"}, {"start": "2025-99-99"}])
def test_odd_questions_are_answered(client, finance, month, bad):
    client.force_login(finance)
    assert client.get("/allocation/", bad).status_code == 200


def statement(client, finance):
    client.force_login(finance)
    return client.get(f"/teams/{Team.objects.get(name='vision').pk}/statement/", {"month": "2025-03"})


def test_a_team_whose_hours_stand_on_no_bill_has_no_amount_on_page_and_in_mail(client, finance, as_of):
    as_of("2025-04-10 12:00")
    make_cost("2025-03-03", "100.00", provider="GCP", gpu_type="L4")
    for n in range(12):
        make_job("2025-03-03 00:00", "2025-03-03 10:00", model_name=f"m{n:02}")
    page = statement(client, finance)
    assert page.context["figures"][0]["value"] == "n/a"
    assert "GPU cost of vision, March 2025: n/a" in unquote(page.context["mail_url"])
    assert [row["usd"] for row in page.context["models"]] == [None] * 11


def test_the_mail_of_a_statement_says_how_many_lines_more_there_are(client, finance, as_of):
    as_of("2025-04-10 12:00")
    for n in range(25):
        make_cost("2025-03-03", "1.00", gpu_type=f"G{n:02}")
        make_job("2025-03-03 00:00", "2025-03-03 10:00", gpu_type=f"G{n:02}")
    words = unquote(statement(client, finance).context["mail_url"])
    assert "March 2025: $25.00" in words and words.count(": $1.00") == 20 and "5 more: $5.00" in words
