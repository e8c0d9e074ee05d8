"""What a digest tells, worked out by hand, and that names in it are only names."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from dashboard.digests import told
from dashboard.digests.telling import Message
from dashboard.models import DismissedAnomaly, Provider
from dashboard.naming import Names
from dashboard.reports.digest import Digest, digest

from .conftest import at, make_cost, make_job, make_team, make_usage
from .contracts import make_entry
from .loading import bill, load_rows
from .test_budgets import budget

pytestmark = pytest.mark.django_db
THE_19TH = date(2025, 3, 19)


@pytest.fixture(autouse=True)
def morning(as_of):
    as_of("2025-03-20 07:00")


def found(day: date = THE_19TH) -> Digest:
    return digest(day, Names.load())


def message(day: date = THE_19TH) -> Message:
    return told(found(day), Names.load())


def lines(title: str) -> list[str]:
    return next(one.lines for one in message().sections if one.title == title)


def test_each_provider_is_told_by_its_last_closed_day():
    """With a lag of one day, rows of the 19th close the 18th; GCP's reach the 17th only, so both the 16th."""
    for day, usd in (("11", "100"), ("16", "90"), ("18", "110"), ("19", "50")):
        make_cost(f"2025-03-{day}", usd)
    make_cost("2025-03-09", "10", provider="GCP")
    make_cost("2025-03-17", "30", provider="GCP")
    told_of = [(one.provider, one.day.day, one.usd, one.change.by) for one in found().providers]
    assert told_of == [("AWS", 18, 110, Decimal("0.1")), ("GCP", 16, None, None)]
    assert lines("Last closed day") == [
        "AWS, Tue 18 Mar 2025: $110.00; 10.0 % more than the Tuesday before ($100.00)",
        "GCP, Sun 16 Mar 2025: no cost is stored; not compared with the Sunday before: none now",
    ]
    assert message().subject == (
        "Heliox digest of 19 Mar 2025: $90.00 on 16 Mar 2025, the last day closed at every provider"
    )


def test_the_subject_tells_one_day_however_far_a_bill_lags_behind():
    """Lambda is closed through 9 March, Gone has ended, no day of HandCo is closed."""
    Provider.objects.create(name="Lambda", lag_days=10)
    for day in range(1, 20):
        make_cost(f"2025-03-{day:02}", "100")
        make_cost(f"2025-03-{day:02}", "7", provider="Lambda")
    make_cost("2025-03-09", "1000", provider="HandCo")
    make_cost("2025-01-09", "50", provider="Gone")
    assert (found().through, found().total, found().month.usd) == (date(2025, 3, 9), 107, 963)
    assert message().subject == (
        "Heliox digest of 19 Mar 2025: $107.00 on 9 Mar 2025, the last day closed at every provider"
    )
    assert [line.split(";")[0] for line in lines("Last closed day")] == [
        "AWS, Tue 18 Mar 2025: $100.00",
        "Lambda, Sun 9 Mar 2025: $7.00",
    ]


def test_the_month_so_far_is_held_against_the_same_days_of_the_last():
    """1–18 March at $3 against 1–18 February at $4; what lies outside counts on neither side."""
    for day in range(1, 19):
        make_cost(f"2025-02-{day:02}", "4")
        make_cost(f"2025-03-{day:02}", "3")
    make_cost("2025-02-19", "999")
    make_cost("2025-03-19", "7")
    month = found().month
    assert (month.usd, month.span.last.day, month.before.last, month.change.by) == (
        *(54, 18, date(2025, 2, 18), Decimal("-0.25")),
    )
    assert lines("Month to date") == ["1–18 Mar 2025: $54.00; 25.0 % less than 1–18 Feb 2025 ($72.00)"]


def test_however_far_behind_the_last_closed_day_lies_it_is_told_with_the_month_before(as_of):
    """December and January of HandCo are typed in, $310 each, and AWS goes on at $1 a day into March."""
    as_of("2025-03-03 07:00")
    make_entry("2024-12-01", "2025-01-31", "620.00", provider="HandCo")
    for n in range(92):
        make_cost(str(date(2024, 12, 1) + timedelta(days=n)), "1")
    told_of = message(date(2025, 3, 2)).sections[1].lines
    assert told_of == ["1–31 Jan 2025: $341.00; as much as 1–31 Dec 2024 ($341.00)"]


def test_a_lag_of_months_leaves_the_last_closed_day_its_cost(as_of):
    """Of 1 December to 2 March all but the last 70 days are closed, up to 22 December."""
    as_of("2025-03-03 07:00")
    Provider.objects.create(name="AWS", lag_days=70)
    for n in range(92):
        make_cost(str(date(2024, 12, 1) + timedelta(days=n)), "7")
    sent = message(date(2025, 3, 2))
    assert sent.subject.endswith(": $7.00 on 22 Dec 2024, the last day closed at every provider")
    assert sent.sections[0].lines == ["AWS, Sun 22 Dec 2024: $7.00; as much as the Sunday before ($7.00)"]


def test_the_month_so_far_has_no_percentage_where_days_are_missing():
    for day in range(1, 20):
        make_cost(f"2025-03-{day:02}", "10")
    make_cost("2025-02-08", "10")
    change = found().month.change
    assert (change.by, change.reason) == (None, "no cost on 17 of 18 days before")


def test_a_past_day_is_told_again_as_it_is_known_now():
    for day, usd in (("03", "10"), ("10", "30"), ("19", "7")):
        make_cost(f"2025-03-{day}", usd)
    [one] = found(date(2025, 3, 10)).providers
    assert (one.day, one.usd, one.change.by) == (date(2025, 3, 10), 30, 2)


def test_a_past_day_is_told_with_its_budgets_and_what_was_expected_then():
    """As it was closed on the 10th: 10 of 31 days at $10; today 18 of 31 are."""
    for day in range(1, 20):
        make_cost(f"2025-03-{day:02}", "10" if day <= 10 else "100")
    budget("315")
    [state] = found(date(2025, 3, 10)).budgets
    assert (state.booked, state.forecast, state.status) == (100, 310, "on-pace")
    [state] = found().budgets
    assert (state.booked, state.status) == (900, "over")


def test_a_day_that_nobody_knows_is_not_nought():
    make_cost("2025-03-09", "10")
    make_cost("2025-03-19", "10")
    assert ": no cost is stored on 18 Mar 2025, the last day closed at every provider" in message().subject
    assert message(date(2025, 1, 2)).subject == "Heliox digest of 2 Jan 2025: no day is closed yet"


def test_data_that_is_late_is_told_with_its_days():
    """On the 19th bills with a lag of one day should be complete through the 18th."""
    make_cost("2025-03-17", "10", provider="Azure")  # closed through the 16th: 2 days behind
    make_cost("2025-03-18", "10", provider="AWS")  # the 17th: a day's grace
    make_cost("2025-03-10", "10", provider="GCP")
    make_cost("2025-01-10", "10", provider="Gone")
    make_job("2025-03-12 00:00", "2025-03-12 01:00")
    assert [(one.what, one.through.day, one.days) for one in found().late] == [
        ("Bill of Azure", 16, 2),
        ("Job logs", 11, 8),
        ("Bill of GCP", 9, 9),
    ]
    assert lines("Late data")[0] == "Bill of Azure: complete through 16 Mar 2025, 2 days fewer than usual"


def test_what_was_typed_in_is_complete_to_its_end():
    make_entry("2025-03-01", "2025-03-31", "310.00")
    [one] = found().providers
    assert (one.day, one.usd) == (THE_19TH, 10)


def test_without_data_the_digest_says_so():
    assert lines("Last closed day") == ["No day is closed yet: import a bill, or wait until one is complete."]
    assert lines("Month to date") == ["No day of the month is closed yet."]
    assert lines("Late data") == ["All bills and job logs are as complete as their lag allows."]


def test_a_budget_is_not_denied_where_nothing_is_closed():
    budget("100")
    assert lines("Budgets") == ["No day of the month is closed yet."]


def test_budgets_are_told_the_broken_ones_first():
    make_cost("2025-03-18", "60.00")
    make_cost("2025-03-18", "20.00", provider="GCP")
    make_cost("2025-03-19", "1.00")
    make_cost("2025-03-19", "1.00", provider="GCP")
    budget("1000", provider="AWS")
    budget("10", provider="GCP")
    told_of = lines("Budgets")
    assert told_of[0].startswith("GCP: over budget; $20.00 of $10.00 (200.0 %)")
    assert told_of[1].startswith("AWS: within budget; $60.00 of $1,000.00 (6.0 %)")


def test_a_budget_that_counts_otherwise_than_the_digest_says_so():
    """On 18 March AWS bills $50, which is $60 effective, for 10 hours; jobs of vision hold 6 of them."""
    load_rows(bill(18, "50", "10", effective="60"), bill(19, "1", "1"))
    make_job("2025-03-18 01:00", "2025-03-18 07:00")
    budget("100", provider="AWS", basis="billed")
    budget("100", gpu_type="A100-80GB")
    budget("200", team=make_team("vision"), idle="by_use")
    assert [line.partition(" (")[0] for line in lines("Budgets")] == [
        "A100-80GB: ahead of pace; $60.00 of $100.00",
        "AWS, at billed cost: within budget; $50.00 of $100.00",
        "vision, idle spread by use: within budget; $60.00 of $200.00",
    ]


def test_days_that_stand_out_are_told_until_somebody_dismisses_them():
    """$100 a day for two months, and $400 on 18 March."""
    for back in range(1, 61):
        make_cost(str(date(2025, 3, 18) - timedelta(days=back)), "100.00")
        make_usage(str(date(2025, 3, 18) - timedelta(days=back)), "10.00")
    make_cost("2025-03-18", "400.00")
    make_usage("2025-03-18", "40.00")
    make_cost("2025-03-19", "1.00")
    title = "Anomalies of the last 7 days"
    said = "AWS A100-80GB, 18 Mar 2025: $400.00 where $100.00 is usual, mostly by hours"
    assert lines(title) == [said]
    DismissedAnomaly.objects.create(
        day=date(2025, 3, 18), provider="AWS", gpu_type="A100-80GB", reason="a test"
    )
    assert lines(title) == ["No day stands out."]


def test_stuck_jobs_are_told_with_why():
    make_job("2025-03-02 03:00", None, model_name="open")
    first, one = lines("Stuck jobs now")
    assert first.startswith("1 job, $0.00 each further hour")
    assert one == "open of vision on AWS A100-80GB, since 2025-03-02 03:00 UTC: finished, and has no end"


def test_long_lists_are_cut_and_say_so():
    for n in range(30):
        make_job("2025-03-02 03:00", None, model_name=f"m{n}")
    assert lines("Stuck jobs now")[-1] == "… and 21 more." and len(lines("Stuck jobs now")) == 11


def test_links_lead_to_the_site_where_its_address_is_known(settings):
    assert "http" not in message().text
    settings.HELIOX_SITE_URL = "https://heliox.example.com"
    make_cost("2025-03-17", "10")
    make_cost("2025-03-18", "10")
    text = message().text
    assert "  https://heliox.example.com/waste/#stuck\n" in text
    assert "https://heliox.example.com/costs/?start=2025-03-01&end=2025-03-17\n" in text
    assert 'href="https://heliox.example.com/costs/?start=2025-03-01&amp;end=2025-03-17"' in message().html


HOSTILE = "x\r\nBcc: all@example.com\n- AWS: $0.00\u202e <script>alert(1)</script> <!channel> <http://e|e>"


def test_names_are_only_names():
    make_cost("2025-03-18", "10", provider=HOSTILE[:100])
    make_job("2025-03-02 03:00", None, model_name=HOSTILE, team=HOSTILE, provider=HOSTILE[:100])
    sent = message()
    assert "\r" not in sent.text and "\u202e" not in sent.text + sent.html
    assert not [line for line in sent.text.splitlines() if line.startswith(("Bcc", "- AWS"))]
    assert "<script>" not in sent.html and "&lt;script&gt;" in sent.html
    assert "<" not in sent.chat and "&lt;!channel&gt;" in sent.chat
    assert "\n" not in sent.subject


def test_what_a_digest_asks_does_not_grow(django_assert_max_num_queries):
    for n in range(20):
        make_cost("2025-03-18", "10", provider=f"p{n}")
        make_job("2025-03-02 03:00", None, model_name=f"m{n}", team=f"t{n}", status="running")
    assert at("2025-03-20 07:00")
    with django_assert_max_num_queries(60):
        found()
