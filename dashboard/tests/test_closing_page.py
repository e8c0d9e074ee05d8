"""Closing a month on its page: what would be frozen, who may, what it came to since, and its journal."""

from __future__ import annotations

import csv
from decimal import Decimal

import pytest
from django.urls import reverse

from dashboard.models import (
    Accrual,
    AuditEvent,
    ClosedLine,
    CostCentre,
    CostSnapshot,
    Job,
    MonthClose,
    NameAlias,
    Provider,
    Team,
    TeamLimit,
    UsageSnapshot,
)

from .conftest import make_cost, make_job, make_team, make_usage
from .contracts import make_rate, per_hour

FEBRUARY, MARCH = "/closing/2025/2/", "/closing/2025/3/"


@pytest.fixture(autouse=True)
def in_may(db, as_of):
    """$100 for 10 metered hours on 1 March: vision used 6, speech 2; 3 and 1 on the 31st are unbilled."""
    as_of("2025-05-10 12:00")
    make_cost("2025-03-01", "100.00")
    make_usage("2025-03-01", "10.00")
    make_job("2025-03-01 08:00", "2025-03-01 11:00", gpu_count=2)
    make_job("2025-03-01 09:00", "2025-03-01 11:00", team="speech", model_name="whisper")
    make_job("2025-03-31 08:00", "2025-03-31 11:00")
    make_job("2025-03-31 08:00", "2025-03-31 09:00", team="speech")


@pytest.fixture
def adas(client, admin):
    client.force_login(admin)
    return client


def form_of(client, url=MARCH, *typed):
    """As a browser would send it: the form as it stands, with amounts typed in from its first field on."""
    context = client.get(url).context
    fields = {row["name"]: row["typed"] for row in context["expected"]}
    hidden = {f"was-{row['name']}": str(row["usd"]) for row in context["expected"]}
    hidden |= {name: context[name] for name in ("seen", "proposed")}
    return hidden | fields | dict(zip(fields, typed, strict=False))


def close(client, url=MARCH, *typed, **more):
    return client.post(url, form_of(client, url, *typed) | more, follow=True)


def rows_of(client, url):
    answer = client.get(f"{url}?_export=csv")
    return list(csv.DictReader(b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()))


def test_the_review_shows_what_would_be_frozen(adas):
    page = adas.get(MARCH)
    assert [(row["name"], row["total"]) for row in page.context["owners"]] == [
        ("vision", Decimal("60.00")),
        ("speech", Decimal("20.00")),
        ("(idle)", Decimal("20.00")),
    ]
    assert page.context["without_centre"] == ["speech", "vision"]
    assert "Close March 2025" in page.content.decode()


def test_a_close_freezes_what_the_review_showed(adas):
    make_cost("2025-04-02", "1.00")  # so that the bill of March is complete
    answer = close(adas, note="  reviewed  by Fiona ")
    one = MonthClose.objects.get()
    assert (one.bill_usd, one.accrued_usd, one.note) == (100, 0, "reviewed by Fiona")
    text = answer.content.decode()
    assert "March 2025 is closed: $100.00 billed, $0.00 accrued, $0.00 of earlier months" in text
    assert "difference $0.00" in text
    assert [event.subject for event in AuditEvent.objects.filter(action="closed")] == ["month 2025-03"]


def test_a_closed_month_counts_what_it_was_closed_with(adas):
    NameAlias.objects.create(kind="provider", alias="Amazon Web Services", name="AWS")
    for day in ("2025-03-03", "2025-03-05"):
        make_rate("gpu_hour", "1.50", day, day, provider="fox", gpu_type="A100-80GB")
    text = close(adas).content.decode()
    assert "<summary>1 name alias</summary>" in text
    assert "<summary>2 rates</summary>" in text


UNPRINTABLE = ["a\0b", "a\x1bb", "a\u202eb"]


@pytest.mark.parametrize("text", UNPRINTABLE)
def test_a_note_of_control_characters_closes_nothing(adas, text):
    answer = close(adas, note=text)
    assert "The note cannot be kept. Leave out control characters" in answer.content.decode()
    assert answer.status_code == 400 and not MonthClose.objects.exists()


@pytest.mark.parametrize("text", UNPRINTABLE)
def test_a_reason_of_control_characters_withdraws_nothing(adas, text):
    close(adas)
    answer = adas.post(MARCH, {"what": "withdraw", "reason": text}, follow=True)
    assert "The reason cannot be kept. Leave out control characters" in answer.content.decode()
    assert MonthClose.objects.filter(withdrawn_at=None).exists()


def test_a_note_longer_than_is_kept_closes_nothing_and_stays_typed(adas):
    long = "looked at " * 30 + "the end"
    answer = close(adas, note=long)
    assert "The note has 307 characters, and 255 are kept." in answer.content.decode()
    assert answer.status_code == 400 and not MonthClose.objects.exists()
    assert answer.context["note"] == long and long in answer.content.decode()
    close(adas, note="x" * 255)
    assert MonthClose.objects.get().note == "x" * 255


def test_a_reason_longer_than_is_kept_withdraws_nothing_and_stays_typed(adas):
    close(adas)
    long = "wrong basis " * 30 + "the end"
    answer = adas.post(MARCH, {"what": "withdraw", "reason": long})
    assert "The reason has 367 characters, and 255 are kept." in answer.content.decode()
    assert answer.status_code == 400 and f'value="{long}"' in answer.content.decode()
    assert MonthClose.objects.filter(withdrawn_at=None).exists()
    adas.post(MARCH, {"what": "withdraw", "reason": "x" * 255})
    assert MonthClose.objects.get().withdrawn_reason == AuditEvent.objects.latest("pk").details == "x" * 255


def test_what_is_expected_of_a_late_bill_can_be_typed_in(adas):
    """4 job hours without a cost at $10 an hour are proposed; 30 are typed in: 22.50 and 7.50."""
    make_cost("2025-03-02", "0.00")  # so that the 1st is closed and has a price
    [one] = adas.get(MARCH).context["expected"]
    assert one["usd"] == Decimal("40.00")
    close(adas, MARCH, "$30.00")
    shares = dict(ClosedLine.objects.filter(line="accrual").values_list("team_name", "cents"))
    assert shares == {"vision": 2250, "speech": 750}


@pytest.mark.parametrize("typed", ["much", "1.005", "NaN", "1e999", "٣", "9" * 20, "12,34"])
def test_an_amount_that_is_none_closes_nothing(adas, typed):
    answer = close(adas, f"{MARCH}?basis=billed&idle=evenly", typed, note="looked at")
    assert "is no amount" in answer.content.decode()
    assert not MonthClose.objects.exists()
    assert [row["typed"] for row in answer.context["expected"]] == [typed]
    assert answer.context["note"] == "looked at", "nothing that was typed in is lost"
    assert answer.request["QUERY_STRING"] == "basis=billed&idle=evenly"


def test_an_empty_amount_is_nought(adas):
    make_cost("2025-03-02", "0.00")
    close(adas, MARCH, "")
    assert list(Accrual.objects.values_list("usd", "reason")) == [
        (0, "typed in; 4.00 job GPU-hours without cost × $10.0000, the price of 2025-03-01")
    ]


def test_without_a_price_what_is_frozen_tells_no_one_to_type(adas):
    [one] = adas.get(MARCH).context["expected"]
    assert "Type in what you expect" in adas.get(MARCH).content.decode()
    close(adas)
    assert (
        Accrual.objects.get().reason
        == one["one"].reason
        == "4.00 job GPU-hours without cost, and no price is known"
    )


@pytest.mark.parametrize(
    "came",
    ["a bill of others", "another provider", "a job of another team", "hours that nobody billed", "a price"],
)
def test_what_nobody_has_looked_at_is_not_closed(adas, came):
    form = form_of(adas, MARCH, "700")
    if came == "a bill of others":
        make_cost("2025-03-01", "5.00", gpu_type="L4")
    elif came == "another provider":
        make_job("2025-03-31 08:00", "2025-03-31 11:00", provider="Nebius", gpu_type="H200")
    elif came == "a job of another team":
        make_job("2025-03-01 08:00", "2025-03-01 11:00", team="research")
    elif came == "hours that nobody billed":
        make_job("2025-03-31 12:00", "2025-03-31 13:00")
    else:
        make_cost("2025-02-20", "7.00")
        make_usage("2025-02-20", "1.00")
    answer = adas.post(MARCH, form, follow=True)
    assert "has changed while you looked at it" in answer.content.decode()
    assert not MonthClose.objects.exists()
    typed = {row["one"].provider: row["typed"] for row in answer.context["expected"]}
    assert typed["AWS"] == "700"
    again = form | form_of(adas) | {name: form[name] for name in form if name.startswith("usd-")}
    adas.post(MARCH, again)
    assert Accrual.objects.get(provider="AWS").usd == 700


def test_what_nobody_typed_follows_the_proposal_that_has_changed(adas):
    """4 unbilled hours at $10 were proposed; an hour more comes before the button is pressed."""
    make_cost("2025-03-02", "0.00")
    form = form_of(adas)
    make_job("2025-03-31 12:00", "2025-03-31 13:00")
    answer = adas.post(MARCH, form)
    assert [row["typed"] for row in answer.context["expected"]] == ["50.00"]
    close(adas)
    assert Accrual.objects.get().reason.startswith("5.00 job GPU-hours"), "which nobody typed in"


def test_a_month_is_over_when_it_is_by_every_bill_clock(adas, as_of):
    as_of("2025-04-01 03:00")
    assert not adas.get(MARCH).context["refused"]
    Provider.objects.create(name="AWS", bill_clock="America/Los_Angeles")
    assert "is not over yet" in adas.get(MARCH).context["refused"]
    as_of("2025-04-01 07:00")
    assert not adas.get(MARCH).context["refused"]


def test_a_month_is_closed_once_however_often_the_button_is_pressed(adas):
    form = form_of(adas)
    adas.post(MARCH, form)
    answer = adas.post(MARCH, form, follow=True)
    assert "closed already" in answer.content.decode()
    assert MonthClose.objects.count() == 1


def test_a_month_that_goes_on_is_not_closed(adas):
    answer = adas.post("/closing/2025/5/", follow=True)
    assert "is not over yet" in answer.content.decode()
    assert not MonthClose.objects.exists()


@pytest.mark.parametrize("who", ["viewer", "manager", "finance"])
def test_only_admins_close(client, request, who):
    client.force_login(request.getfixturevalue(who))
    assert client.get(MARCH).status_code == 200
    assert client.post(MARCH).status_code == 403
    assert not MonthClose.objects.exists()


def test_who_may_not_close_is_told_so_and_of_nothing_to_change(client, adas, finance):
    may = adas.get(MARCH).content.decode()
    assert "can be changed below" in may
    assert "admins close months" not in may
    client.force_login(finance)
    may_not = client.get(MARCH).content.decode()
    assert "Your role may look: admins close months." in may_not
    assert "can be changed below" not in may_not


def test_a_late_refund_is_listed_and_the_closed_statement_stays(adas):
    close(adas, MARCH, "0")
    vision = Team.objects.get(name="vision")
    statement = f"/teams/{vision.pk}/statement/?month=2025-03"
    before = adas.get(statement).context["closed"]
    make_cost("2025-03-01", "-50.00", gpu_type="L4")
    page = adas.get(MARCH)
    since = page.context["since"]
    assert since.usd == since.elsewhere == since.waiting_usd == Decimal("-50.00")
    assert [(part.name, part.gpu_type, part.usd) for part in since.waiting] == [
        ("(unallocated)", "L4", Decimal("-50.00"))
    ]
    assert "Written by another program" in page.content.decode()
    after = adas.get(statement).context["closed"]
    assert (after["total"], after["rows"]) == (before["total"], before["rows"])
    assert after["total"] == Decimal("60.00")


def test_the_statement_of_a_closed_month_is_of_closed_lines_alone(adas):
    """Page, file and mail; what the month comes to now is one link away."""
    CostCentre.objects.create(team=make_team("vision"), code="4711")
    close(adas, MARCH, "40")
    CostSnapshot.objects.filter(date="2025-03-01").update(cost_usd=Decimal("1000.00"))
    url = f"/teams/{Team.objects.get(name='vision').pk}/statement/"
    Team.objects.filter(name="vision").update(name="seeing")
    page = adas.get(url, {"month": "2025-03"})
    assert page.context["closed"]["total"] == Decimal("90.00")
    text = page.content.decode()
    assert "vision: statement for March 2025" in text and "cost centre 4711" in text
    assert "%2490.00" in page.context["mail_url"]
    answer = adas.get(url, {"month": "2025-03", "_export": "csv"})
    rows = list(csv.DictReader(b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()))
    told = {(row["of_month"], row["kind"], row["cost_usd"], row["cost_centre"]) for row in rows}
    assert told == {("2025-03", "current", "60.00", "4711"), ("2025-03", "accrual", "30.00", "4711")}
    now = adas.get(url, {"month": "2025-03", "as": "now"})
    assert "March 2025 is closed" in now.content.decode()
    assert now.context["found"].total.usd == Decimal("600.00")


def test_an_open_statement_tells_what_the_next_close_will_carry(adas):
    close(adas, MARCH, "0")
    make_cost("2025-03-31", "44.00")
    vision = Team.objects.get(name="vision")
    april = adas.get(f"/teams/{vision.pk}/statement/?month=2025-04")
    assert april.context["carried"] == Decimal("33.00")
    assert "$33.00 more of months that are closed already" in april.content.decode()
    close(adas, "/closing/2025/4/")
    may = adas.get(f"/teams/{vision.pk}/statement/?month=2025-05")
    assert may.context["carried"] == 0


@pytest.mark.parametrize(("idle", "seen"), [("apart", True), ("by_use", False)])
def test_who_is_limited_sees_the_own_closed_statement_unless_idle_cost_is_in_it(adas, manager, idle, seen):
    close(adas, f"{MARCH}?idle={idle}", "0")
    vision = make_team("vision")
    TeamLimit.objects.create(user=manager).teams.add(vision)
    adas.force_login(manager)
    page = adas.get(f"/teams/{vision.pk}/statement/?month=2025-03")
    assert bool(page.context["closed"]) == seen
    assert adas.get(MARCH).status_code == 403


def test_what_it_came_to_since_stands_on_the_next_close(adas):
    close(adas, MARCH, "40")
    make_cost("2025-03-31", "44.00")
    close(adas, "/closing/2025/4/")
    april = MonthClose.objects.get(month="2025-04-01")
    assert april.prior_usd == Decimal("4.00")
    since = adas.get(MARCH).context["since"]
    assert (since.usd, since.accrued, since.carried, since.waiting_usd) == (44, 40, 4, 0)


def test_the_journal_is_the_file_and_adds_up(adas):
    CostCentre.objects.create(team=make_team("vision"), code="4711")
    close(adas, MARCH, "40")
    rows = rows_of(adas, MARCH)
    assert sum(Decimal(row["amount_usd"]) for row in rows) == Decimal("140.00")
    assert {row["posting_date"] for row in rows} == {"2025-03-31"}
    assert {(row["team"], row["cost_centre"]) for row in rows} >= {("vision", "4711"), ("speech", "")}
    assert {row["kind"] for row in rows} == {"current", "accrual"}


def test_the_newest_close_is_withdrawn_with_a_reason_and_done_anew(adas):
    close(adas, MARCH, "0")
    adas.post(MARCH, {"what": "withdraw", "reason": " "})
    assert MonthClose.objects.get().withdrawn_at is None
    adas.post(MARCH, {"what": "withdraw", "reason": "the wrong basis"})
    assert MonthClose.objects.get().withdrawn_at
    assert "the wrong basis" in adas.get("/closing/").content.decode()
    close(adas, MARCH, "0")
    assert MonthClose.objects.filter(withdrawn_at=None).count() == 1


@pytest.mark.parametrize(
    "url", ["/closing/2025/13/", "/closing/1900/1/", "/closing/99999/1/", "/closing/0/0/"]
)
def test_a_month_that_is_none_is_not_found(adas, url):
    assert adas.get(url).status_code == 404


def test_the_pages_cost_few_queries(adas, django_assert_max_num_queries):
    with django_assert_max_num_queries(40):
        adas.get(MARCH)
    close(adas, MARCH, "0")
    with django_assert_max_num_queries(45):
        adas.get(MARCH)
    with django_assert_max_num_queries(25):
        adas.get("/closing/")


def test_where_nothing_is_stored_the_way_to_an_import_is_shown(client, admin, viewer):
    for model in (CostSnapshot, UsageSnapshot, Job):
        model.objects.all().delete()
    client.force_login(admin)
    assert f'href="{reverse("imports")}">Import a bill' in client.get("/closing/").content.decode()
    client.force_login(viewer)
    assert "Ask an administrator to import" in client.get("/closing/").content.decode()


def test_all_of_a_closed_month_says_what_it_was_closed_by_and_so_does_its_way_to_now(adas):
    """Whatever the address or the setting says."""
    close(adas, f"{MARCH}?basis=billed&idle=evenly", "0")
    vision = Team.objects.get(name="vision")
    statement = f"/teams/{vision.pk}/statement/?month=2025-03"
    for url in (MARCH, f"{MARCH}?file=restated&basis=effective", statement):
        mark = "&" if "?" in url else "?"
        name = adas.get(f"{url}{mark}_export=csv")["Content-Disposition"]
        assert "_billed_idle-spread-evenly_" in name, url
        text = adas.get(url).content.decode()
        assert "Costs: <b>billed</b>" in text and "Costs: <b>effective</b>" not in text, url
    now = adas.get(statement).context["now_url"]
    assert "basis=billed" in now and "idle=evenly" in now
    assert adas.get(f"/teams/{vision.pk}/statement/{now}").context["found"].total.usd == Decimal("70.00")
    assert adas.get(statement).context["closed"]["total"] == Decimal("70.00")


def test_the_teams_lead_to_their_statements_and_add_up(adas):
    close(adas, MARCH, "40")
    page = adas.get(MARCH)
    assert page.context["together"] == {"current": 100, "accrual": 40, "prior": 0, "total": 140}
    [vision, speech, idle] = page.context["owners"]
    assert idle["url"] == ""
    assert adas.get(vision["url"]).context["closed"]["total"] == vision["total"] == 90


def test_the_review_warns_of_days_without_a_bill_and_of_earlier_months(adas):
    make_cost("2025-03-05", "1.00")
    per_hour("1.50", "2025-01-01", provider="fox")  # posts on days with jobs alone
    assert adas.get(MARCH).context["without_bill"] == ["AWS 2–4 Mar 2025"]
    make_cost("2024-05-01", "1.00")
    assert adas.get(MARCH).context["earlier"] == "10 months from May 2024 to February 2025"
    assert adas.get("/closing/2040/1/").context["earlier"] == "12 months from May 2024 to April 2025"
