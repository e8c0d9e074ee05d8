from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.models import CostSnapshot, ImportRun, LogSpan, PeriodEntry, Provider, UsageSnapshot
from dashboard.naming import Names
from dashboard.periods import PRESETS, in_words, preset_span
from dashboard.reports.allocation import allocate
from dashboard.reports.allocation_changes import AllocationChanges
from dashboard.reports.changes import Changes, TeamCostChanges
from dashboard.reports.compare import AGAINST, Sides, change, points, sides, spans_to_compare
from dashboard.reports.known import Known
from dashboard.reports.usage import cells
from dashboard.reports.waste import Waste, changed
from dashboard.scope import Scope, Span

from .conftest import at, examples, make_cost, make_job, make_usage

quick = settings(max_examples=examples(100))
days = st.dates(date(2001, 1, 1), date(2098, 12, 31))
spans = st.builds(lambda day, length: Span(day, day + timedelta(days=length)), days, st.integers(1, 800))
againsts = st.sampled_from(sorted(AGAINST))


def inclusive(first: str, last: str) -> Span:
    return Span.inclusive(date.fromisoformat(first), date.fromisoformat(last))


def in_words_of(found: Sides) -> str:
    return found.reason or f"{in_words(found.now)} against {in_words(found.before)}"


@quick
@given(spans, st.integers(-5, 900), st.sampled_from(["", *PRESETS]), againsts)
def test_both_sides_are_as_long_closed_and_apart(span, closed, preset, against):
    through = span.start + timedelta(days=closed)
    found = spans_to_compare(span, through, preset, against)
    assert found.now.length == found.before.length
    if not found.reason:
        assert found.now.length > 0
        assert found.before.end <= found.now.start
        assert found.now.start == span.start
        assert found.now.last <= min(span.last, through)


@quick
@given(days, st.integers(1, 12), againsts, st.sampled_from(sorted(PRESETS)))
def test_every_preset_is_compared_on_as_many_closed_days(today, fiscal_month, against, preset):
    through = today - timedelta(days=2)
    scope = Scope(span=preset_span(preset, today, through, fiscal_month), compare=against)
    found = sides(scope, preset, through)
    assert found.now.length == found.before.length
    assert found.reason or found.now.last <= through


@quick
@given(spans, st.sampled_from(["last_month", "last_year"]))
def test_the_same_days_keep_their_day_of_the_month_within_one_month(span, against):
    found = spans_to_compare(span, span.last, "", against)
    if not found.reason and (span.start.year, span.start.month) == (span.last.year, span.last.month):
        assert [day.day for day in found.now] == [day.day for day in found.before]


@pytest.mark.parametrize(
    ("first", "last", "preset", "against", "words"),
    [
        # The period before: as many days, right before.
        ("2025-03-04", "2025-03-10", "last7", "previous", "4–10 Mar 2025 against 25 Feb – 3 Mar 2025"),
        # Month to date: days 1..d of the month before.
        ("2025-03-01", "2025-03-10", "mtd", "previous", "1–10 Mar 2025 against 1–10 Feb 2025"),
        # February has no 29th to 31st: March is cut, too.
        ("2025-03-01", "2025-03-31", "mtd", "previous", "1–28 Mar 2025 against 1–28 Feb 2025"),
        ("2025-03-01", "2025-03-31", "last_month", "previous", "1–28 Mar 2025 against 1–28 Feb 2025"),
        ("2025-02-01", "2025-02-28", "last_month", "previous", "1–28 Feb 2025 against 1–28 Jan 2025"),
        # Free dates that begin on a first are no month to date.
        ("2025-03-01", "2025-03-10", "", "previous", "1–10 Mar 2025 against 19–28 Feb 2025"),
        ("2025-03-04", "2025-03-10", "last7", "last_month", "4–10 Mar 2025 against 4–10 Feb 2025"),
        ("2025-03-25", "2025-03-31", "", "last_month", "25–28 Mar 2025 against 25–28 Feb 2025"),
        (
            "2025-01-15",
            "2025-02-14",
            "",
            "last_month",
            "15 Jan – 14 Feb 2025 against 15 Dec 2024 – 14 Jan 2025",
        ),
        ("2025-03-30", "2025-03-31", "", "last_month", "there are no such days to compare with"),
        ("2025-01-10", "2025-03-10", "", "last_month", "the range is longer than a month"),
        ("2025-03-04", "2025-03-10", "last7", "last_year", "4–10 Mar 2025 against 4–10 Mar 2024"),
        # 2024 has a 29 February and 2023 has none.
        ("2024-02-01", "2024-02-29", "", "last_year", "1–28 Feb 2024 against 1–28 Feb 2023"),
        ("2024-02-29", "2024-02-29", "", "last_year", "there are no such days to compare with"),
        ("2024-02-20", "2024-03-10", "", "last_year", "20 Feb – 9 Mar 2024 against 20 Feb – 10 Mar 2023"),
        ("2023-02-20", "2023-03-10", "", "previous", "20 Feb – 10 Mar 2023 against 1–19 Feb 2023"),
        ("2024-01-01", "2025-02-01", "", "last_year", "the range is longer than a year"),
    ],
)
def test_the_days_that_a_range_is_compared_with(first, last, preset, against, words):
    found = spans_to_compare(inclusive(first, last), date(2026, 1, 1), preset, against)
    assert in_words_of(found) == words


def test_open_days_are_cut_off_on_both_sides():
    month = inclusive("2025-03-01", "2025-03-31")
    found = spans_to_compare(month, date(2025, 3, 10), "mtd")
    assert in_words_of(found) == "1–10 Mar 2025 against 1–10 Feb 2025"


@pytest.mark.parametrize(
    ("span", "through", "reason"),
    [
        (None, date(2025, 3, 10), "all days are shown"),
        (inclusive("2025-03-01", "2025-03-31"), None, "no closed day in the range"),
        (inclusive("2025-03-01", "2025-03-31"), date(2025, 2, 28), "no closed day in the range"),
    ],
)
def test_why_nothing_is_compared(span, through, reason):
    assert sides(Scope(span=span), "", through) == Sides(reason=reason)


def test_a_change_is_relative_to_what_was_before():
    assert change(Decimal(150), Decimal(120)).by == Decimal("0.25")
    assert change(Decimal(90), Decimal(120)).by == Decimal("-0.25")
    assert change(Decimal("0.02"), Decimal("0.01")).by == 1


@pytest.mark.parametrize("base", ["0.00", "0.009", "-25.00"])
def test_there_is_no_percentage_of_less_than_a_cent(base):
    found = change(Decimal(10), Decimal(base))
    assert (found.by, found.reason) == (None, "less than 1 cent before")


def test_shares_change_in_points():
    assert points(Decimal("0.30"), Decimal("0.25")).by == Decimal("0.05")
    assert points(Decimal("0.30"), None).reason == "none before"
    assert points(None, Decimal("0.30")).reason == "none now"


# What is known

WEEKS = Sides(inclusive("2025-03-08", "2025-03-14"), inclusive("2025-03-01", "2025-03-07"))


def make_days(make, first: int, last: int, amount: str = "10.00", without: tuple[int, ...] = (), **facts):
    for day in range(first, last + 1):
        if day not in without:
            make(f"2025-03-{day:02}", amount, **facts)


def known(scope: Scope | None = None) -> Known:
    return Known(scope or Scope(), WEEKS, Names.load())


@pytest.mark.parametrize(
    ("first", "last", "without", "reason"),
    [
        (1, 14, (), ""),
        (8, 14, (), "no cost before"),
        (1, 7, (), "no cost now"),
        (3, 14, (), "no cost on 2 of 7 days before"),
        (1, 14, (10,), "no cost on 1 of 7 days"),
    ],
)
def test_a_day_without_a_row_is_missing(db, first, last, without, reason):
    make_days(make_cost, first, last, without=without)
    assert known().why_not("cost") == reason


def test_a_gap_of_one_provider_is_missing_though_others_have_rows(db):
    make_days(make_cost, 1, 14)
    make_days(make_cost, 1, 14, provider="GCP", without=(5,))
    assert known().why_not("cost") == "no cost of GCP on 1 of 7 days before"
    assert known(Scope(providers=("AWS",))).why_not("cost") == ""


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        ((13, 14), "no cost of GCP on 2 of 7 days"),
        ((1,), "no cost of GCP on 1 of 7 days before"),
        ((6, 7), "no cost of GCP on 2 of 7 days before"),
        ((8,), "no cost of GCP on 1 of 7 days"),
        (tuple(range(8, 15)), "no cost of GCP now"),
        (tuple(range(1, 15)), "no cost of GCP before"),
    ],
)
def test_a_gap_at_the_edge_of_a_side_is_missing_while_the_provider_bills_before_and_after(
    db, without, reason
):
    make_days(make_cost, 1, 16)
    make_cost("2025-02-28", "10.00", provider="GCP")
    make_days(make_cost, 1, 16, provider="GCP", without=without)
    assert known().why_not("cost") == reason
    assert known(Scope(providers=("AWS",))).why_not("cost") == ""


def test_a_gap_of_a_provider_that_has_never_had_the_gpu_type_is_none_of_its(db):
    make_days(make_cost, 1, 16, gpu_type="L4")
    make_days(make_cost, 1, 16, provider="GCP", without=(13, 14))
    assert known(Scope(gpu_types=("L4",))).why_not("cost") == ""
    assert known(Scope(gpu_types=("A100-80GB",))).why_not("cost") == "no cost of GCP on 2 of 7 days"


def test_metered_hours_are_missing_where_their_provider_bills_and_has_some(db):
    """GCP is billed from the 1st and metered on the 15th alone; what Lambda sells is never metered."""
    make_days(make_cost, 1, 16)
    make_days(make_usage, 1, 16)
    make_days(make_cost, 1, 16, provider="Lambda")
    assert known().why_not("cost", "metered") == ""
    make_days(make_cost, 1, 16, provider="GCP")
    make_usage("2025-03-15", "10.00", provider="GCP")
    assert known().why_not("cost", "metered") == "no metered hours of GCP before"
    assert known().why_not("metered", provider="AWS") == ""


def test_a_log_that_lags_behind_another_is_missing(db, as_of):
    as_of("2025-03-20")
    make_log("2025-02-20 00:00", "2025-03-15 12:00")
    make_log("2025-03-03 00:00", "2025-03-12 12:00", cluster="GCP")
    assert known().why_not("jobs") == "no job log of GCP on 2 of 7 days"
    assert known().why_not("jobs", provider="AWS") == ""
    make_log("2025-03-12 00:00", "2025-03-14 12:00", cluster="GCP")
    assert known().why_not("jobs") == ""


def test_a_provider_that_begins_or_ends_has_no_gap(db):
    """Lambda has ended: the others have billed on for more than 35 days."""
    make_days(make_cost, 1, 14)
    make_days(make_cost, 10, 14, provider="GCP")
    make_days(make_cost, 1, 3, provider="Lambda")
    assert known().why_not("cost") == "no cost of Lambda on 4 of 7 days before"
    make_cost("2025-04-30", "10.00")
    make_cost("2025-04-30", "10.00", provider="GCP")
    assert known().why_not("cost") == ""
    assert known().why_not("cost", provider="GCP") == "no cost before"
    assert known().why_not("cost", provider="Lambda") == "no cost on 4 of 7 days before"


def test_open_days_of_a_provider_without_a_closed_one_are_no_side_of_a_comparison(db):
    """AWS is closed through the 15th, GCP, which began on the 12th, through no day: its bill lags by 5."""
    Provider.objects.create(name="GCP", lag_days=5)
    make_days(make_cost, 1, 16)
    make_days(make_cost, 12, 16, "1000.00", provider="GCP")
    assert known().why_not("cost") == "no day of GCP is closed yet"
    assert known(Scope(providers=("AWS",))).why_not("cost") == ""
    assert known().why_not("cost", provider="AWS") == ""
    Provider.objects.filter(name="GCP").update(lag_days=2)
    assert known().why_not("cost") == ""


def test_a_bill_that_knows_the_day_knows_that_a_gpu_type_cost_nothing(db):
    make_days(make_cost, 1, 14)
    make_cost("2025-03-02", "5.00", gpu_type="L4")
    make_cost("2025-03-09", "6.00", gpu_type="L4")
    scope = Scope(gpu_types=("L4",))
    assert known(scope).why_not("cost") == ""
    found = Changes.of(scope.over(WEEKS.now), cells(scope.over(WEEKS.now), Names.load()), WEEKS, Names.load())
    assert found.spend.by == Decimal("0.2")


def test_a_period_entry_makes_its_days_known(db):
    PeriodEntry.objects.create(
        provider="Lambda",
        gpu_type="GH200",
        first_day=date(2025, 3, 1),
        last_day=date(2025, 3, 31),
        cost_usd=Decimal(310),
    )
    assert known().why_not("cost") == ""
    assert known().why_not("metered") == "no metered hours before"


def make_log(first: str, last: str, cluster: str = "AWS") -> None:
    run = ImportRun.objects.create(format="slurm", files=[], written_at=at("2025-03-31 00:00"))
    LogSpan.objects.create(run=run, cluster=cluster, first=at(first), last=at(last))


def test_hours_of_jobs_are_known_where_a_log_speaks_of_the_day(db, as_of):
    as_of("2025-03-20")
    make_job("2025-03-10 00:00", "2025-03-10 01:00")
    make_log("2025-03-01 00:00", "2025-03-11 12:00")
    assert known().why_not("jobs") == "no job log on 3 of 7 days"
    make_log("2025-03-12 00:00", "2025-03-14 23:00")
    assert known().why_not("jobs") == ""


def test_without_any_log_the_days_from_the_first_to_the_last_job_are_known(db, as_of):
    as_of("2025-03-20")
    make_job("2025-03-03 00:00", "2025-03-03 01:00")
    make_job("2025-03-15 00:00", "2025-03-15 01:00")
    assert known().why_not("jobs") == "no job log on 2 of 7 days before"
    make_job("2025-02-03 00:00", "2025-02-03 01:00")
    assert known().why_not("jobs") == ""


def test_utilisation_needs_both_and_says_what_is_missing_first(db, as_of):
    as_of("2025-03-20")
    make_days(make_usage, 1, 14)
    assert known().why_not("metered", "jobs") == "no job log before"
    assert known().why_not("jobs", "metered") == "no job log before"


# On the pages


@pytest.fixture
def fortnight(db, as_of):
    """AWS: $100, 50 metered and 16 job hours a day in the first week; $150, 60 and 20 in the second."""
    as_of("2025-03-16 12:00")
    make_days(make_cost, 1, 7, "100.00")
    make_days(make_cost, 8, 15, "150.00")
    make_cost("2025-03-02", "-35.00", gpu_type="H100-80GB")
    make_cost("2025-03-09", "-70.00", gpu_type="H100-80GB")
    make_days(make_usage, 1, 7, "50.00")
    make_days(make_usage, 8, 15, "60.00")
    for day in range(1, 16):
        hours = 16 if day < 8 else 20
        make_job(f"2025-03-{day:02} 00:00", f"2025-03-{day:02} {hours}:00")
    make_log("2025-03-01 00:00", "2025-03-15 23:00")


def told(client, url: str, **query: str) -> dict[str, str]:
    response = client.get(url, {"preset": "last7"} | query)
    return {f["label"]: (f["delta"] or {}).get("text") for f in response.context["figures"]}


def test_the_overview_compares_all_its_figures(client, finance, fortnight):
    client.force_login(finance)
    assert told(client, "/") == {
        "Spend": "47.4 %",  # $980 against $665
        "Metered GPU-hours": "20.0 %",
        "Job GPU-hours": "25.0 %",
        "Utilisation": "1.3 points",  # 33.3 % against 32.0 %
        "Average price": "25.0 %",  # $1,050 ÷ 420 h against $700 ÷ 350 h: no H100 is metered
        "Forecast to month end": None,
        "Running jobs now": None,
    }


def test_both_spans_stand_beside_a_figure(client, finance, fortnight):
    client.force_login(finance)
    utilisation = client.get("/usage/", {"preset": "last7"}).context["figures"][3]["delta"]
    assert utilisation["spans"] == "8–14 Mar 2025 33.3 % against 1–7 Mar 2025 32.0 %"
    assert (utilisation["direction"], utilisation["good"]) == ("up", True)


def test_more_spend_is_neither_good_nor_bad(client, finance, fortnight):
    client.force_login(finance)
    spend = client.get("/", {"preset": "last7"}).context["figures"][0]["delta"]
    assert (spend["direction"], spend["good"]) == ("up", None)


def test_gross_credits_and_net_are_compared(client, finance, fortnight):
    client.force_login(finance)
    response = client.get("/costs/", {"preset": "last7"})
    deltas = {f["label"]: f["delta"] for f in response.context["figures"]}
    assert {label: delta["text"] for label, delta in deltas.items()} == {
        "Gross": "50.0 %",
        "Credits": "100.0 %",
        "Net": "47.4 %",
    }
    assert deltas["Credits"]["spans"] == "8–14 Mar 2025 −$70.00 against 1–7 Mar 2025 −$35.00"
    [aws] = response.context["by_provider"]
    assert aws["change"]["text"] == "47.4 %"


def test_a_provider_s_row_tells_its_own_change(client, finance, fortnight):
    make_days(make_cost, 10, 15, provider="GCP", gpu_type="L4")
    client.force_login(finance)
    rows = client.get("/usage/", {"preset": "last7"}).context["by_provider"]
    assert [(row["provider"], row["changed"]["usd"]["text"]) for row in rows] == [
        ("AWS", "47.4 %"),
        ("GCP", "no cost before"),
    ]


def test_the_same_days_of_last_year_have_no_data_here(client, finance, fortnight):
    client.force_login(finance)
    response = client.get("/", {"preset": "last7", "compare": "last_year"})
    spend = response.context["figures"][0]["delta"]
    assert spend["text"] == "No percentage: no cost before"
    assert spend["spans"] == "8–14 Mar 2025 $980.00 against 8–14 Mar 2024 n/a"
    assert told(client, "/", compare="last_year")["Utilisation"].startswith("No difference: no metered hours")


def test_teams_are_compared_by_their_job_hours(client, finance, fortnight):
    make_job("2025-03-10 00:00", "2025-03-10 10:00", team="speech", status="failed")
    client.force_login(finance)
    response = client.get("/teams/", {"preset": "last7"})
    assert {f["label"]: f["delta"] and f["delta"]["text"] for f in response.context["figures"]} == {
        "Job GPU-hours": "33.9 %",  # 150 h against 112 h
        "Jobs": "14.3 %",  # 8 against 7
        "Teams": None,
    }
    rows = {row.record.name: row.record for row in response.context["table"].rows}
    assert {name: row.change["text"] for name, row in rows.items()} == {
        "vision": "25.0 %",
        "speech": "less than 0.01 h before",
    }
    assert {name: row.usd_change["text"] for name, row in rows.items()} == {
        "vision": "56.3 %",  # 7 × $50 against 7 × $32
        "speech": "none before",
    }
    assert "8–14 Mar 2025 against 1–7 Mar 2025" in response.context["changed"]


def test_a_team_is_compared_by_hours_jobs_and_success(client, finance, fortnight):
    job = make_job("2025-03-10 00:00", "2025-03-10 10:00", status="failed")
    client.force_login(finance)
    assert told(client, job.team.get_absolute_url()) == {
        "Cost": "67.4 %",  # 6 × $50 + $75 against 7 × $32
        "Job GPU-hours": "33.9 %",
        "Jobs": "14.3 %",
        "Success rate": "12.5 points",  # 7 of 8 against 7 of 7
        "Running now": None,
        "Models": None,
    }


def test_cost_is_compared_on_days_that_bill_and_log_have_closed(client, finance, fortnight):
    make_log("2025-03-15 00:00", "2025-03-16 11:00")
    make_cost("2025-03-16", "1.00")
    client.force_login(finance)
    response = client.get("/teams/", {"start": "2025-03-10", "end": "2025-03-16"})
    assert response.context["changed"] == "Change: 10–15 Mar 2025 against 4–9 Mar 2025, closed days only."
    CostSnapshot.objects.filter(date__gt="2025-03-14").delete()
    UsageSnapshot.objects.filter(date__gt="2025-03-14").delete()
    response = client.get("/teams/", {"start": "2025-03-10", "end": "2025-03-16"})
    assert response.context["changed"] == (
        "Change of cost: 10–13 Mar 2025 against 6–9 Mar 2025, closed days only. "
        "Change of hours: 10–15 Mar 2025 against 4–9 Mar 2025, closed days only."
    )


def test_a_choice_that_there_is_not_compares_with_the_period_before(client, finance, fortnight):
    client.force_login(finance)
    assert told(client, "/", compare="moon")["Spend"] == "47.4 %"


@pytest.mark.parametrize(
    ("url", "most", "again"), [("/", 58, 48), ("/costs/", 23, 23), ("/usage/", 37, 31), ("/teams/", 51, 51)]
)
def test_a_comparison_asks_the_database_a_fixed_number_of_times(
    client, finance, fortnight, url, most, again, django_assert_max_num_queries
):
    """again: by a process that remembers what the months came to."""
    for n in range(20):
        make_days(make_cost, 1, 15, "1.00", provider=f"cloud {n}")
        make_job("2025-03-05 00:00", "2025-03-05 01:00", team=f"team {n}", provider=f"cloud {n}")
    client.force_login(finance)
    for number in (most, again):
        with django_assert_max_num_queries(number):
            client.get(url, {"preset": "last7"})


# Shares of the bill


def two_weeks(unmetered: range) -> tuple[Scope, Sides]:
    """$100, a job of 10 h and 20 metered hours on each of the first fourteen days, but for some."""
    for day in range(1, 15):
        make_cost(f"2025-03-{day:02}", "100.00")
        make_job(f"2025-03-{day:02} 00:00", f"2025-03-{day:02} 10:00")
        if day not in unmetered:
            make_usage(f"2025-03-{day:02}", "20.00")
    now, before = inclusive("2025-03-08", "2025-03-14"), inclusive("2025-03-01", "2025-03-07")
    return Scope(now), Sides(now, before)


def shares_compared(scope: Scope, both: Sides) -> dict[str, Decimal | None]:
    names = Names.load()
    shares = AllocationChanges.of(scope, allocate(scope, names), both, names, by_model=False)
    costs = TeamCostChanges.of(scope, both, names)
    return {
        "teams": shares.part("teams").by,
        "idle": shares.part("idle").by,
        "a team": costs.of_team(next(iter(costs.now))).by,
        "waste": changed(Waste.of(scope, names), scope, both, names).by,
    }


def test_shares_are_not_compared_where_metered_hours_are_missing_on_one_side(db, as_of):
    """Without them teams bear all of the bill, and nothing is idle."""
    as_of("2025-03-20 12:00")
    assert set(shares_compared(*two_weeks(unmetered=range(3, 8))).values()) == {None}


@pytest.mark.parametrize("unmetered", [range(0), range(1, 15)])
def test_shares_are_compared_where_all_or_none_of_the_days_are_metered(db, as_of, unmetered):
    as_of("2025-03-20 12:00")
    by = shares_compared(*two_weeks(unmetered))
    assert (by["teams"], by["a team"]) == (0, 0)
