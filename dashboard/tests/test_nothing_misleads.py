"""What a reader could take for something else on the pages that share the bill."""

from __future__ import annotations

from decimal import Decimal
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboard.models import SpendMapping, Team
from dashboard.naming import Names
from dashboard.reports.allocation import allocate
from dashboard.reports.charges import charges
from dashboard.scope import Scope

from .conftest import make_cost, make_job, make_team, make_usage
from .downloads import rows_of
from .test_allocation import DAY, make_lines
from .test_allocation_page import WHERE, month  # noqa: F401 (a fixture)


@pytest.fixture
def april(db, as_of):
    as_of("2025-04-10 12:00")


def asked(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(unescape(url)).query)


# Prices


def test_the_price_of_a_job_hour_leaves_idle_direct_and_unbilled_out(client, finance, april):
    """$60 for 6 of 10 hours, $40 idle, $25 a day nobody ran, 5 hours that nobody billed: $10 an hour."""
    make_cost("2025-03-01", "100.00")
    make_usage("2025-03-01", "10.00")
    make_cost("2025-03-02", "25.00")
    make_job("2025-03-01 00:00", "2025-03-01 06:00")
    make_job("2025-03-01 00:00", "2025-03-01 05:00", provider="fox")
    client.force_login(finance)
    for idle in ("apart", "by_use", "evenly"):
        groups = client.get("/allocation/", WHERE | {"idle": idle}).context["groups"]
        assert groups["lines"][0].row.sum.usd_per_hour == 10
        assert groups["total"].row.sum.usd_per_hour == 10
    vision = Team.objects.get(name="vision")
    statement = client.get(f"/teams/{vision.pk}/statement/", {"month": "2025-03"}).context["found"]
    assert statement.total.usd_per_hour == 10


# What is paid directly


def test_who_pays_directly_moves_no_cent_between_kinds_of_purchase(april):
    """0.3, 0.3 and 1.4 cents: 1 cent on demand and 1 spot, whoever pays for a part of the first."""
    lines = ("on_demand", "a", "0.003", "1"), ("on_demand", "b", "0.003", "1"), ("spot", "b", "0.014", "1")
    make_lines("2025-03-01", *lines)

    def kinds() -> dict[str, int]:
        found: dict[str, int] = {}
        for charge in charges(Scope(DAY), Names.load()):
            found[charge.kind] = found.get(charge.kind, 0) + charge.cents
        return found

    before = kinds()
    SpendMapping.objects.create(provider="AWS", sub_account="a", team=make_team("serving"))
    assert kinds() == before == {"on_demand": 1, "spot": 1}


def test_jobs_on_hours_that_a_team_pays_directly_are_told_apart(client, finance, april):
    """24 of 34 metered hours are serving's. Jobs of 12 hours are more than the 10 left, not than the 34."""
    SpendMapping.objects.create(provider="AWS", sub_account="inference", team=make_team("serving"))
    make_lines("2025-03-01", ("on_demand", "inference", "48.00", "24"), ("on_demand", "", "20.00", "10"))
    make_job("2025-03-01 00:00", "2025-03-01 12:00")
    [pool] = allocate(Scope(DAY), Names.load()).pools
    assert not pool.is_over_reported and pool.outruns_direct
    client.force_login(finance)
    html = client.get("/allocation/", WHERE).content.decode()
    assert "more job hours than direct cost left over: 1" in html
    assert "more job hours than metered ones" not in html


def test_only_what_is_shared_is_called_blended(april):
    SpendMapping.objects.create(provider="AWS", sub_account="inference", team=make_team("serving"))
    make_lines("2025-03-01", ("on_demand", "inference", "48.00", "24"), ("spot", "", "20.00", "10"))
    [pool] = allocate(Scope(DAY), Names.load()).pools
    assert not pool.is_blended


# Names


@pytest.mark.parametrize("by", ["team", "model"])
def test_a_name_in_brackets_hides_nobody_s_cost(client, finance, april, by):
    make_cost("2025-03-01", "100.00")
    make_usage("2025-03-01", "10.00")
    make_job("2025-03-01 00:00", "2025-03-01 06:00", team="(idle)", model_name="(idle)")
    client.force_login(finance)
    page = client.get("/allocation/", WHERE | {"by": by})
    lines = {line.row.name: line.row.sum.usd for line in page.context["groups"]["lines"]}
    assert lines == {f"(idle) [{by}]": 60, "(idle)": 40}
    rows = rows_of(client.get("/allocation/", WHERE | {"by": by, "_export": "csv"}))
    assert sorted((row[by], row["cost_usd"]) for row in rows) == [
        ("(idle)", "40.00"),
        (f"(idle) [{by}]", "60.00"),
    ]


# Links


def test_a_row_leads_to_the_jobs_of_its_team_and_idle_cost_to_the_hours(client, finance, month):  # noqa: F811
    client.force_login(finance)
    table = client.get("/allocation/", WHERE | {"per_page": 100}).context["table"]
    links = {(row.record.team, row.record.provider): row.record for row in table.rows}
    vision = Team.objects.get(name="vision")
    share = asked(table.link(links["vision", "AWS"]))
    assert share["team"] == [str(vision.pk)] and share["provider"] == ["AWS"]
    assert urlsplit(table.link(links["vision", "AWS"])).path == "/jobs/"
    assert urlsplit(table.link(links["(idle)", "AWS"])).path == "/usage/"
    assert urlsplit(table.link(links["(unallocated)", "AWS"])).path == "/costs/"


def test_links_keep_the_basis_the_idle_view_and_the_team(client, finance, month):  # noqa: F811
    client.force_login(finance)
    speech = Team.objects.get(name="speech")
    how = {"basis": "billed", "idle": "by_use", "by": "provider", "team": str(speech.pk)}
    page = client.get("/allocation/", WHERE | how)
    bars = [url for chart in page.context["charts"] for series in chart.series for url in series.links if url]
    bars += [url for chart in page.context["charts"] for url in chart.links if url]
    assert bars
    for url in bars:
        kept = {"basis": ["billed"], "idle": ["by_use"], "team": [str(speech.pk)]}
        assert asked(url).items() >= kept.items()
    [line] = client.get("/allocation/", WHERE | how | {"by": "team"}).context["groups"]["lines"]
    assert asked(line.statement_url) == {"month": ["2025-03"], "basis": ["billed"], "idle": ["by_use"]}


def test_the_overview_leads_to_the_same_basis(client, finance, month):  # noqa: F811
    client.force_login(finance)
    page = client.get("/", WHERE | {"basis": "billed"})
    [teams] = [chart for chart in page.context["charts"] if chart.id == "teams"]
    assert [asked(url)["basis"] for url in teams.links] == [["billed"]] * len(teams.labels)
    assert teams.labels


def test_a_file_says_how_idle_cost_is_shown(client, finance, month):  # noqa: F811
    client.force_login(finance)
    file = client.get("/allocation/", WHERE | {"idle": "by_use", "_export": "csv"})
    assert "idle-spread-by-use" in file["Content-Disposition"]
    page = client.get("/allocation/", WHERE | {"idle": "by_use"})
    assert ("Idle cost", "spread by use") in page.context["figures"][0]["how"].facts


# Statements


def test_a_month_without_a_bill_is_not_a_month_without_cost(client, finance, month):  # noqa: F811
    client.force_login(finance)
    speech = Team.objects.get(name="speech")
    html = client.get(f"/teams/{speech.pk}/statement/", {"month": "2024-03"}).content.decode()
    assert "No bill is stored for this month" in html and "Nothing to pay" not in html


def test_hours_on_no_bill_have_no_price_rather_than_none(client, finance, april):
    make_job("2025-03-03 00:00", "2025-03-03 02:00", provider="fox", gpu_type="v100")
    client.force_login(finance)
    vision = Team.objects.get(name="vision")
    page = client.get(f"/teams/{vision.pk}/statement/", {"month": "2025-03"})
    assert page.context["figures"][0]["value"] == "n/a"
    [row] = rows_of(client.get(f"/teams/{vision.pk}/statement/", {"month": "2025-03", "_export": "csv"}))
    assert (row["job_gpu_hours"], row["shared_usd"], row["cost_usd"]) == ("2.000000", "", "")


def test_a_statement_s_share_is_of_the_bill_and_not_of_the_teams(client, finance, month):  # noqa: F811
    client.force_login(finance)
    speech = Team.objects.get(name="speech")
    page = client.get(f"/teams/{speech.pk}/statement/", {"month": "2025-03"})
    assert page.context["figures"][0]["sub"] == "9.8 % of the GPU bill of all"


def test_who_may_not_take_figures_away_does_not_send_them_either(client, viewer, month):  # noqa: F811
    client.force_login(viewer)
    speech = Team.objects.get(name="speech")
    html = client.get(f"/teams/{speech.pk}/statement/", {"month": "2025-03"}).content.decode()
    assert "mailto:" not in html and "$29.99" in html


# Jobs


def test_a_job_s_formula_names_what_is_left_to_be_shared(client, finance, april):
    SpendMapping.objects.create(provider="AWS", sub_account="inference", team=make_team("serving"))
    make_lines("2025-03-01", ("on_demand", "inference", "48.00", "24"), ("on_demand", "", "20.00", "10"))
    make_cost("2025-03-09", "1.00")
    job = make_job("2025-03-01 00:00", "2025-03-01 05:00")
    client.force_login(finance)
    html = client.get(f"/jobs/{job.pk}/").content.decode()
    assert "$20.00 × 5.000 h ÷ 10.000 h" in html
    assert "less what is paid directly and unused commitment" in html


def test_a_job_on_no_bill_has_no_cost_rather_than_none(client, finance, april):
    job = make_job("2025-03-03 00:00", "2025-03-03 02:00", provider="fox", gpu_type="v100")
    client.force_login(finance)
    page = client.get(f"/jobs/{job.pk}/")
    cost = page.context["figures"][0]
    assert (cost["value"], cost["sub"]) == ("n/a", "1 day stands on no bill")
    assert "$0.00" not in page.content.decode()


# Ranges


def test_one_open_day_is_not_mistaken_for_no_data(client, finance, april):
    """The only day is open, so the last 30 closed days hold none."""
    make_cost("2025-04-09", "100.00")
    client.force_login(finance)
    for url in ("/", "/allocation/", "/costs/"):
        html = client.get(url).content.decode()
        assert "Stored days: 9 Apr 2025." in html and "preset=all" in html
        assert "no closed day yet" in html
    assert "Stored days" not in client.get("/allocation/", {"preset": "all"}).content.decode()


def test_a_team_that_is_gone_is_said_to_be(client, finance, month):  # noqa: F811
    client.force_login(finance)
    gone = "11111111-1111-1111-1111-111111111111"
    html = client.get("/allocation/", WHERE | {"team": gone}).content.decode()
    assert "There is no such team any more: all are shown." in html


def test_what_is_no_team_is_said_to_be_none_and_an_empty_one_is_not_asked_for(client, finance, month):  # noqa: F811
    client.force_login(finance)
    html = client.get("/allocation/", WHERE | {"team": "vision"}).content.decode()
    assert "That is no team: all are shown." in html and "UUID" not in html
    html = client.get("/allocation/", WHERE | {"team": ""}).content.decode()
    assert "all are shown" not in html and "UUID" not in html


def test_the_cost_on_a_team_s_page_is_what_its_link_shows(client, finance, april):
    """Bills end on the 5th, job logs on the 9th: the last 30 days of jobs are not those of bills."""
    for day, usd in (("2025-03-08", "30.00"), ("2025-04-05", "100.00")):
        make_cost(day, usd)
        make_job(f"{day} 00:00", f"{day} 01:00")
    make_job("2025-04-09 00:00", "2025-04-09 01:00")
    client.force_login(finance)
    vision = Team.objects.get(name="vision")
    where = {"preset": "last30"}
    [cost, *_] = client.get(f"/teams/{vision.pk}/", where).context["figures"]
    assert cost["value"] == "$100.00"
    assert client.get(unescape(cost["link"])).context["total"] == 100
    url = client.get("/teams/", where).context["costs_url"]
    assert client.get(unescape(url)).context["total"] == 100


def test_running_jobs_cost_what_their_own_pages_say(client, finance, as_of, db):
    """$24 a day for 24 hours on 5–7 March. 1–4 have no bill and no price before them, 8 and 9 are open."""
    as_of("2025-03-09 12:00")
    for day in ("05", "06", "07", "08"):
        make_cost(f"2025-03-{day}", "24.00")
        make_usage(f"2025-03-{day}", "24.00")
    job = make_job("2025-03-01 00:00", None, status="running")
    client.force_login(finance)
    [row] = rows_of(client.get("/jobs/running/", {"_export": "csv"}))
    assert (row["cost_usd"], row["estimated_usd"], row["usd_per_hour"]) == ("108.00", "36.00", "1.000000")
    cost = client.get(f"/jobs/{job.pk}/").context["cost"]
    assert (cost.billed, cost.estimated, cost.unpriced) == (72, 36, 4)


def test_a_gap_in_the_bill_is_estimated_alike_wherever_it_lies(client, finance, as_of, db):
    """Bills of 1 January and 1 March: $1 an hour, then $2. Days between them are estimated for 35 days."""
    as_of("2025-03-03 00:00")
    for day, usd in (("2025-01-01", "24.00"), ("2025-03-01", "48.00"), ("2025-03-02", "48.00")):
        make_cost(day, usd)
        make_usage(day, "24.00")
    job = make_job("2025-01-01 00:00", None, status="running")
    client.force_login(finance)
    [row] = rows_of(client.get("/jobs/running/", {"_export": "csv"}))
    cost = client.get(f"/jobs/{job.pk}/").context["cost"]
    assert Decimal(row["cost_usd"]) == cost.billed + cost.estimated == 24 + 35 * 24 + 48 + 48
