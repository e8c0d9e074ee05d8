"""The page of anomalies: what it shows, dismissing and taking back, notes and where charts draw them."""

from __future__ import annotations

import csv
import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from dashboard.models import CostSnapshot, DayNote, DismissedAnomaly, PeriodEntry, UsageSnapshot
from dashboard.models.audit import AuditEvent
from dashboard.naming import Names
from dashboard.reports.anomalies import lately, of_day
from dashboard.reports.freshness import Freshness

from .conftest import make_user

FIRST, SPIKE = date(2025, 1, 6), date(2025, 3, 12)  # a Monday, a Wednesday
HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def weeks(db: None, as_of: Any) -> None:
    """Twelve weeks of an AWS A100-80GB at $2 an hour, $100 a day; $300 on 12 March. Beside it $900 at GCP."""
    as_of("2025-04-01 12:00")
    for n in range(84):
        day = FIRST + timedelta(n)
        usd = Decimal(300 if day == SPIKE else 100)
        for provider, gpu_type, cost in (("AWS", "A100-80GB", usd), ("GCP", "L4", Decimal(900))):
            facts = {"date": day, "provider": provider, "gpu_type": gpu_type}
            CostSnapshot.objects.create(cost_usd=cost, **facts)
            UsageSnapshot.objects.create(gpu_hours=cost / 2, **facts)


def shown(client: Client, query: str = "") -> str:
    return client.get(f"/anomalies/{query}").content.decode()


def dismiss(client: Client, reason: str = "A load test") -> Any:
    sent = {"do": "dismiss", "day": SPIKE, "provider": "AWS", "gpu_type": "A100-80GB", "reason": reason}
    return client.post("/anomalies/?preset=last90", sent)


def leave(client: Client, text: str = "A load test", **facts: Any) -> Any:
    return client.post("/anomalies/?preset=last90", {"do": "note", "day": SPIKE, "text": text, **facts})


def rows_of(client: Client) -> list[dict[str, str]]:
    answer = client.get("/anomalies/?_export=csv")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


def stored() -> tuple[Names, Freshness]:
    names = Names.load()
    return names, Freshness.load(names)


def test_the_page_and_its_file_tell_the_same(client: Client, weeks: None, finance: Any) -> None:
    client.force_login(finance)
    text = shown(client)
    for words in ("12 Mar 2025", "AWS A100-80GB", "$100.00", "$300.00", "$200.00", "cost more"):
        assert words in text
    [row] = rows_of(client)
    assert (row["first_day"], row["provider"], row["gpu_type"]) == ("2025-03-12", "AWS", "A100-80GB")
    assert (row["expected_usd"], row["actual_usd"], row["difference_usd"]) == ("100.00", "300.00", "200.00")
    assert (row["by_hours_usd"], row["by_rate_usd"], row["moved"]) == ("200.00", "0.00", "hours")


def test_filters_choose_among_anomalies(client: Client, weeks: None, viewer: Any) -> None:
    client.force_login(viewer)
    assert "12 Mar 2025" in shown(client, "?provider=AWS")
    assert "12 Mar 2025" not in shown(client, "?provider=GCP")
    assert "12 Mar 2025" not in shown(client, "?start=2025-03-13&end=2025-03-30")


@pytest.mark.parametrize("stored_days", [0, 1])
def test_with_no_day_or_one_it_says_what_to_do(client: Client, viewer: Any, stored_days: int) -> None:
    for _ in range(stored_days):
        CostSnapshot.objects.create(date=FIRST, provider="AWS", gpu_type="L4", cost_usd=5)
    client.force_login(viewer)
    assert ("Choose a longer range" in shown(client)) == bool(stored_days)


def test_what_is_spread_is_no_anomaly(client: Client, weeks: None, finance: Any) -> None:
    day = date(2025, 3, 20)
    PeriodEntry.objects.create(
        provider="AWS", gpu_type="A100-80GB", first_day=day, last_day=day, cost_usd=5000, gpu_hours=None
    )
    client.force_login(finance)
    assert [row["first_day"] for row in rows_of(client)] == ["2025-03-12"]


def test_dismissed_with_a_reason_and_taken_back(client: Client, weeks: None, finance: Any) -> None:
    client.force_login(finance)
    assert dismiss(client).status_code == 302
    assert "Dismissed (1)" in shown(client)
    assert [row["reason"] for row in rows_of(client)] == ["A load test"]
    assert rows_of(client)[0]["dismissed_by"] == "fiona"
    assert lately(*stored()) == []
    assert of_day(SPIKE, *stored()) == []
    client.post("/anomalies/", {"do": "take_back", "id": DismissedAnomaly.objects.get().pk})
    assert "Dismissed (1)" not in shown(client)
    assert [one.found.first for one in lately(*stored())] == [SPIKE]
    assert [one.found.first for one in of_day(SPIKE, *stored())] == [SPIKE]
    told = list(AuditEvent.objects.filter(subject__contains="dismissed").values_list("action", "details"))
    assert sorted(told) == [("added", "A load test"), ("deleted", "A load test")]


def test_a_dismissal_needs_a_reason_and_is_once(client: Client, weeks: None, manager: Any) -> None:
    client.force_login(manager)
    assert dismiss(client, reason=" ").status_code == 200
    assert not DismissedAnomaly.objects.exists()
    dismiss(client)
    dismiss(client, "again")
    assert DismissedAnomaly.objects.get().reason == "A load test"


def test_who_may_only_look_writes_nothing(client: Client, weeks: None, viewer: Any) -> None:
    client.force_login(viewer)
    assert dismiss(client).status_code == 403
    assert leave(client).status_code == 403
    assert "Dismiss<" not in shown(client)
    assert "Leave a note" not in shown(client)


def test_a_note_is_changed_and_deleted_by_its_author_or_an_admin(
    client: Client, weeks: None, finance: Any, manager: Any, admin: Any
) -> None:
    client.force_login(finance)
    leave(client)
    note = DayNote.objects.get()
    assert (note.author, note.day, note.text) == (finance, SPIKE, "A load test")
    client.force_login(manager)
    assert leave(client, "Mine", id=note.pk).status_code == 403
    assert client.post("/anomalies/", {"do": "delete_note", "id": note.pk}).status_code == 403
    client.force_login(admin)
    leave(client, "A second load test", id=note.pk)
    note.refresh_from_db()
    assert (note.author, note.text) == (finance, "A second load test")
    client.post("/anomalies/", {"do": "delete_note", "id": note.pk})
    assert not DayNote.objects.exists()


def test_a_note_is_kept_once_however_often_the_button_is_pressed(
    client: Client, weeks: None, finance: Any, manager: Any
) -> None:
    client.force_login(finance)
    for _ in range(2):
        assert leave(client).status_code == 302
    assert DayNote.objects.count() == 1
    assert AuditEvent.objects.filter(subject__contains="note on a day").count() == 1
    leave(client, "Another load test")
    client.force_login(manager)
    leave(client)
    assert DayNote.objects.count() == 3, "others may say the same"


@pytest.mark.parametrize("wrong", [{"day": "yesterday"}, {"day": "0001-01-01"}, {"text": " "}])
def test_a_note_that_is_wrong_comes_back_as_it_was_sent(
    client: Client, weeks: None, finance: Any, wrong: dict[str, str]
) -> None:
    client.force_login(finance)
    answer = leave(client, **({"text": "Kept in the box"} | wrong))
    assert answer.status_code == 200
    assert not DayNote.objects.exists()
    assert wrong.get("day", "2025-03-12") in answer.content.decode()


@pytest.mark.parametrize("sent", [{}, {"do": "note", "id": "nobody"}, {"do": "take_back", "id": "x"}])
def test_a_form_that_says_nothing_breaks_nothing(
    client: Client, weeks: None, finance: Any, sent: dict[str, str]
) -> None:
    client.force_login(finance)
    assert client.post("/anomalies/", sent).status_code in (200, 302)
    assert not DayNote.objects.exists()


def test_a_note_is_drawn_on_its_day_and_named_in_the_numbers(
    client: Client, weeks: None, finance: Any
) -> None:
    DayNote.objects.create(day=SPIKE, text="A load test", provider="AWS")
    client.force_login(finance)
    [chart] = client.get("/costs/?start=2025-03-01&end=2025-03-31").context["charts"]
    assert chart.as_json["marks"] == [{"label": "2025-03-12", "text": "AWS: A load test"}]
    marked = [(row[0]["text"], row[0]["notes"]) for row in chart.as_table["rows"] if row[0]["notes"]]
    assert marked == [("2025-03-12", ["AWS: A load test"])]
    [chart] = client.get("/costs/?start=2025-03-01&end=2025-03-31&provider=GCP").context["charts"]
    assert chart.as_json["marks"] == []
    [chart] = client.get("/costs/?start=2025-03-01&end=2025-03-31&bucket=month").context["charts"]
    assert chart.as_json["marks"] == [{"label": "Mar 2025", "text": "12 Mar 2025, AWS: A load test"}]


def test_of_many_notes_a_chart_lists_the_first_and_leads_to_all(
    client: Client, weeks: None, finance: Any
) -> None:
    DayNote.objects.bulk_create(DayNote(day=SPIKE, text=f"Load test {n}.") for n in range(60))
    client.force_login(finance)
    where = "start=2025-03-01&end=2025-03-31"
    answer = client.get(f"/costs/?{where}")
    page = answer.content.decode()
    listed = page[page.index('class="chart-marks"') : page.index("figcaption")]
    assert listed.count("<li>") == 10 and "All 60 notes" in listed
    [url] = re.findall(r'href="(/anomalies/[^"]+)#notes"', listed)
    assert client.get(url.replace("&amp;", "&")).context["notes"].paginator.count == 60
    [chart] = answer.context["charts"]
    [notes] = [row[0]["notes"] for row in chart.as_table["rows"] if row[0]["notes"]]
    assert notes == ["Load test 0.", "Load test 1.", "Load test 2.", "and 57 more"]


def test_a_note_is_left_from_the_costs_of_its_day(client: Client, weeks: None, finance: Any) -> None:
    client.force_login(finance)
    there = "/costs/?start=2025-03-12&end=2025-03-12"
    assert 'value="2025-03-12"' in client.get(there).content.decode()
    answer = client.post(there, {"do": "note", "day": SPIKE, "text": "A load test"})
    assert answer["Location"] == there + "#notes"
    assert DayNote.objects.get().text == "A load test"


def test_notes_do_not_reach_who_sees_some_teams_only(client: Client, weeks: None) -> None:
    from dashboard.models import TeamLimit

    from .conftest import make_job

    job = make_job("2025-03-12 00:00", "2025-03-12 05:00")
    DayNote.objects.create(day=SPIKE, text="Secret of the company")
    limited = make_user("lia", "Manager")
    TeamLimit.objects.create(user=limited).teams.add(job.team)
    client.force_login(limited)
    for path in ("/teams/", f"/teams/{job.team_id}/"):
        assert "Secret" not in client.get(f"{path}?start=2025-03-01&end=2025-03-31").content.decode()
    assert client.get("/anomalies/").status_code == 403


def test_markup_in_notes_and_reasons_is_text(client: Client, weeks: None, finance: Any) -> None:
    client.force_login(finance)
    leave(client, HOSTILE, provider=HOSTILE)
    dismiss(client, HOSTILE)
    for path in ("/anomalies/?preset=last90", "/costs/?start=2025-03-01&end=2025-03-31", "/?preset=last30"):
        assert "<script>alert" not in client.get(path).content.decode()


def test_queries_do_not_grow(
    client: Client, weeks: None, finance: Any, django_assert_max_num_queries: Any
) -> None:
    client.force_login(finance)
    for n in range(20):
        DayNote.objects.create(day=SPIKE, text=str(n), author=finance)
    with django_assert_max_num_queries(16):
        shown(client, "?preset=all")
