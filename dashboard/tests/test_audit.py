"""The audit: who did what, in rows that nobody changes and lines that nobody forges."""

from __future__ import annotations

import json
import logging
import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.core.signals import request_finished
from django.db import close_old_connections, connection, transaction
from django.test import Client
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from .. import audit
from ..admin.base import CarefulAdmin
from ..digests.sending import send_once
from ..digests.telling import Message
from ..exports import Counted, rows_in, written
from ..ingest.load import Source, load
from ..ingest.undo import undo
from ..log_lines import JsonLines, ReadableLines, printable
from ..models import AuditEvent, Job, Team
from ..models.audit import AddOnly
from ..people import signals
from .conftest import PROJECT, examples, make_job, make_team

pytestmark = pytest.mark.django_db
quick = settings(max_examples=examples(100))
FORGED = "vision\n12:00 INFO ada signed in\r\x1b[2J\u2028\u0085\u202e"


def told() -> list[tuple[str, str, str, int | None]]:
    return [(e.action, e.who, e.subject, e.rows) for e in AuditEvent.objects.order_by("pk")]


@pytest.fixture(autouse=True)
def new_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests may have refused many strangers just now."""
    monkeypatch.setattr(audit, "strangers", audit.Strangers())


@pytest.fixture
def signed_in(client: Client) -> Any:
    """The client of that person; what stands in the audit begins after it."""

    def signed_in(user: User) -> Client:
        client.force_login(user)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM audit_events")
        return client

    return signed_in


def test_signing_in_out_and_failing_to(client, viewer):
    client.post("/accounts/login/", {"username": "vera", "password": "my secret"}, REMOTE_ADDR="10.0.0.9")
    client.post("/accounts/login/", {"username": "vera", "password": "correct horse"}, REMOTE_ADDR="10.0.0.9")
    client.post("/accounts/logout/")
    assert told() == [
        ("sign-in failed", "vera", "", None),
        ("sign-in", "vera", "", None),
        ("sign-out", "vera", "", None),
    ]
    failed, done, _ = AuditEvent.objects.order_by("pk")
    assert (failed.user_id, failed.address, done.user_id) == (None, "10.0.0.9", viewer.pk)
    assert len(failed.request_id) == 32


@pytest.mark.parametrize("typed", ["Tr0ub4dor&3", " Tr0ub4dor&3\t", "Tr0ub4dor&3" * 500, "VERA-Tr0ub4dor&3"])
def test_a_password_that_was_typed_as_a_name_is_in_no_row_and_no_line(
    client, viewer, typed, caplog, django_capture_on_commit_callbacks
):
    """Neither where it failed nor where it was tried too often."""
    with caplog.at_level(logging.INFO), django_capture_on_commit_callbacks(execute=True):
        for _ in range(11):
            client.post("/accounts/login/", {"username": typed, "password": "hunter2"})
    said = {(one.action, one.who, one.details.partition(",")[0]) for one in AuditEvent.objects.all()}
    assert said == {(action, "", "by a name that no user has") for action in ("sign-in failed", "throttled")}
    lines = [JsonLines().format(line) for line in caplog.records]
    assert len([line for line in lines if "failed to sign in" in line]) == 10
    for word in ("Tr0ub4dor", "hunter2"):
        assert word not in str([*AuditEvent.objects.values(), *lines])


def test_strangers_of_whom_no_row_is_left_are_not_named_in_lines_either(client, monkeypatch, caplog):
    monkeypatch.setattr(audit, "STRANGERS_A_MINUTE", 0)
    with caplog.at_level(logging.INFO):
        for _ in range(11):
            client.post("/accounts/login/", {"username": "Tr0ub4dor&3", "password": "x"})
    lines = [JsonLines().format(line) for line in caplog.records]
    assert any("Somebody tried to sign in too often" in line for line in lines)
    assert "Tr0ub4dor" not in str(lines)


@pytest.mark.parametrize("typed", ["a\0b", "\0", "x" * 100_000])
def test_any_name_that_is_tried_too_often_gets_an_answer(client, typed):
    answers = [client.post("/accounts/login/", {"username": typed, "password": "x"}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]


def test_a_refusal_is_kept_with_its_reason(signed_in, viewer):
    client = signed_in(viewer)
    client.get("/imports/")
    client.get("/jobs/?_export=csv")
    event, download = AuditEvent.objects.order_by("pk")
    assert (event.action, event.who, event.subject) == ("refused", "vera", "/imports/")
    assert event.details == "Your role may not import files."
    assert download.details == "Your role may look at figures but not download them."


def test_a_form_without_its_token_is_a_refusal(viewer):
    client = Client(enforce_csrf_checks=True)
    assert client.post("/accounts/login/", {"username": "vera", "password": "x"}).status_code == 403
    assert AuditEvent.objects.get().details.startswith("Form: CSRF cookie not set")


def test_strangers_fill_only_so_many_rows(settings, monkeypatch, caplog):
    monkeypatch.setattr(audit, "STRANGERS_A_MINUTE", 3)
    client = Client(enforce_csrf_checks=True)
    with caplog.at_level(logging.INFO, "heliox.audit"):
        for _ in range(9):
            client.post("/accounts/login/", {})
    assert AuditEvent.objects.count() in (3, 6)  # a new minute may have begun
    assert len([line for line in caplog.records if line.message == "Somebody was refused"]) in (6, 3)


def test_what_happens_to_a_second_factor_is_told(viewer, admin):
    told_of = {"request": None, "user": viewer}
    signals.second_factor_set_up.send(User, **told_of)
    signals.second_factor_failed.send(User, **told_of)
    signals.recovery_code_used.send(User, left=7, **told_of)
    signals.second_factor_removed.send(User, by=admin, **told_of)
    assert [(event.who, event.subject, event.details) for event in AuditEvent.objects.order_by("pk")] == [
        ("vera", "vera", "set up"),
        ("vera", "vera", "a wrong code"),
        ("vera", "vera", "a recovery code was used, 7 are left"),
        ("ada", "vera", "removed"),
    ]


def test_who_tries_too_often_is_told(client, viewer):
    for _ in range(30):
        client.post("/accounts/login/", {"username": "vera", "password": "x"}, REMOTE_ADDR="192.0.2.9")
    event = AuditEvent.objects.filter(action="throttled").first()
    assert (event.who, event.address) == ("vera", "192.0.2.9")
    assert event.details.endswith(" seconds")


def test_blanks_around_a_name_are_not_told(client, viewer):
    for blanks in range(12):
        name = " " * blanks + "vera\u3000"
        client.post("/accounts/login/", {"username": name, "password": "x"}, REMOTE_ADDR="192.0.2.9")
    assert {event[:2] for event in told()} == {("sign-in failed", "vera"), ("throttled", "vera")}


def test_an_edit_is_told_from_old_to_new(signed_in, admin):
    team = make_team("vision")
    signed_in(admin).post(f"/admin/dashboard/team/{team.pk}/change/", {"name": "sight"})
    event = AuditEvent.objects.get()
    assert (event.action, event.who, event.subject) == ("changed", "ada", "team sight")
    assert event.details == "name: vision → sight"


def test_adding_and_deleting_are_told(signed_in, admin):
    """Each is one event; what is gone is told by what it was called."""
    client = signed_in(admin)
    client.post("/admin/dashboard/team/add/", {"name": "speech"})
    assert told() == [("added", "ada", "team speech", 1)]
    job = make_job(team="speech")
    client.post(f"/admin/dashboard/job/{job.pk}/delete/", {"post": "yes"})
    assert told()[1:] == [("deleted", "ada", f"job {job}", 1)]
    assert not Job.objects.exists()
    team = Team.objects.get()
    client.post(f"/admin/dashboard/team/{team.pk}/delete/", {"confirm": "1", f"name-{team.pk}": "speech"})
    assert told()[2:] == [("deleted", "ada", "team speech", 1)]
    assert not Team.objects.exists()


def test_a_change_of_many_rows_is_one_event(signed_in, admin):
    jobs = [make_job(status="running", end=None, model_name=f"m{n}") for n in range(12)]
    signed_in(admin).post(
        "/admin/dashboard/job/",
        {"action": "delete_selected", "_selected_action": [str(job.pk) for job in jobs], "post": "yes"},
    )
    assert not Job.objects.exists()
    event = AuditEvent.objects.get()
    assert (event.action, event.who, event.rows) == ("deleted", "ada", 12)
    named = re.fullmatch(r"job (.+); (.+); (.+) and 9 more", event.subject)
    assert named and set(named.groups()) < {str(job) for job in jobs}


def test_an_import_its_refusal_and_its_undoing_are_told(viewer, admin, tmp_path):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("date,provider,gpu_type,cost_usd\n2025-03-01,AWS,L4,5.00\n")
    bad.write_text("date,provider,gpu_type,cost_usd\n2025-03-01,AWS,L4,n/a\n")
    load([Source("good.csv", good)], dry_run=True)
    load([Source("bad.csv", bad)], dry_run=True)
    assert not AuditEvent.objects.exists()
    run = load([Source("good.csv", good)], user=admin).run
    load([Source("bad.csv", bad)], user=admin)
    undo(run, admin)
    assert told() == [
        ("imported", "ada", f"Import {run}: good.csv", 1),
        ("import refused", "ada", "bad.csv", None),
        ("undone", "ada", f"Import {run}: good.csv", None),
    ]
    assert "Line 2" in AuditEvent.objects.get(action="import refused").details


def test_a_password_that_is_set_is_told(signed_in, viewer):
    new = {"new_password1": "battery staple 9", "new_password2": "battery staple 9"}
    signed_in(viewer).post("/accounts/password_change/", {"old_password": "correct horse"} | new)
    assert ("password", "vera", "vera", None) in told()
    viewer.refresh_from_db()
    viewer.first_name = "Vera"
    viewer.save()
    assert [one[0] for one in told()].count("password") == 1


# Files


def test_a_file_is_told_with_its_filter_and_its_rows(signed_in, finance, company):
    response = signed_in(finance).get("/jobs/?preset=all&provider=AWS&_export=csv")
    lines = b"".join(response.streaming_content).count(b"\r\n")
    event = AuditEvent.objects.get()
    assert (event.action, event.who, event.subject) == ("exported", "fiona", "/jobs/")
    assert event.rows == lines - 1 > 5
    assert "csv" in event.details and "AWS" in event.details


def close(response: Any) -> None:
    """As a server does when the client is gone; the test's own connection stays."""
    request_finished.disconnect(close_old_connections)
    response.close()
    request_finished.connect(close_old_connections)


def test_a_workbook_is_told_too(signed_in, finance, company):
    response = signed_in(finance).get("/costs/?preset=all&_export=xlsx")
    assert b"".join(response.streaming_content)
    assert AuditEvent.objects.get().rows > 0


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_whoever_asks_for_no_more_than_headers_takes_nothing_away(signed_in, finance, company, kind):
    reader, path = signed_in(finance), "/costs/?preset=all&_export="
    response = reader.head(path + kind)
    assert response.has_header("Content-Disposition")
    close(response)
    assert not AuditEvent.objects.exists()
    close(reader.generic("head", path + kind))  # which servers answer with the body
    assert AuditEvent.objects.get().action == "exported"


def test_a_reader_who_goes_away_is_told_with_what_left(signed_in, finance):
    team = make_team("vision")
    Job.objects.bulk_create(
        Job(team=team, model_name=f"m{n}", provider="AWS", gpu_type="L4", status="pending")
        for n in range(2_000)
    )
    response = signed_in(finance).get("/jobs/?preset=all&_export=csv")
    pieces = response._iterator  # what a server closes
    left = next(pieces)
    pieces.close()
    event = AuditEvent.objects.get()
    assert event.rows == left.count(b"\r\n") - 1 < 2_000
    assert event.details.endswith("(broken off)")


def test_a_file_that_nobody_began_to_read_is_told(signed_in, finance, company):
    close(signed_in(finance).get("/jobs/?preset=all&_export=csv"))
    assert told() == [("exported", "fiona", "/jobs/", 0)]


@quick
@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_rows_are_counted_as_a_reader_counts_them(rows):
    assert rows_in(written(rows)) == len(rows)


def test_counting_keeps_nothing():
    seen = []
    pieces = Counted(iter([b"head\r\na\r\n", b"b\r\n"]), lambda rows, whole: seen.append((rows, whole)))
    assert list(pieces) == [b"head\r\na\r\n", b"b\r\n"]
    pieces.finish(whole=False)
    assert seen == [(2, True)]


# Nothing is changed


def test_the_audit_is_add_only(viewer):
    audit.record("sign-in", "x")
    event = AuditEvent.objects.latest("pk")
    for attempt in (
        event.delete,
        event.save,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(who="nobody"),
        lambda: AuditEvent.objects.filter(pk=event.pk)._raw_delete("default"),
        lambda: AuditEvent.objects.bulk_update([event], ["who"]),
        lambda: AuditEvent.objects.update_or_create(pk=event.pk, defaults={"who": "nobody"}),
    ):
        with pytest.raises(AddOnly):
            attempt()
    assert AuditEvent.objects.filter(pk=event.pk).exists()


def test_an_edit_that_is_taken_back_leaves_no_event(django_capture_on_commit_callbacks):
    with (
        django_capture_on_commit_callbacks() as lines,
        pytest.raises(KeyError),
        transaction.atomic(),
    ):
        audit.record("changed", "x")
        raise KeyError
    assert not AuditEvent.objects.exists()
    assert lines == []


def test_old_events_are_pruned_by_a_command_that_says_so():
    audit.record("sign-in", "old")
    audit.record("sign-in", "new")
    with connection.cursor() as cursor:
        old = timezone.now() - timedelta(days=100)
        cursor.execute("UPDATE audit_events SET at = %s WHERE subject = 'old'", [old])
    with pytest.raises(CommandError, match="at least 30"):
        call_command("prune_audit", days=1)
    call_command("prune_audit", days=90)
    assert [(e.action, e.rows) for e in AuditEvent.objects.order_by("pk")] == [
        ("sign-in", None),
        ("pruned", 1),
    ]


# Nothing is forged


def test_a_name_forges_no_line(django_capture_on_commit_callbacks, caplog):
    with caplog.at_level(logging.INFO, "heliox.audit"), django_capture_on_commit_callbacks(execute=True):
        audit.record("refused", FORGED, FORGED)
    assert AuditEvent.objects.get().subject.startswith("vision\\n12:00 INFO ada signed in\\r\\x1b[2J\\u2028")
    (record,) = [line for line in caplog.records if line.name == "heliox.audit"]
    record.facts = record.facts | {"who": FORGED}
    for formatter in (JsonLines(), ReadableLines()):
        line = formatter.format(record)
        assert len(line.splitlines()) == 1
        assert line.isprintable()
    assert json.loads(JsonLines().format(record))["who"] == FORGED


@quick
@given(st.text())
def test_whatever_is_typed_is_one_printable_line(text):
    assert len(printable(text).splitlines()) <= 1
    assert printable(text).isprintable()


# Looking at it


def test_only_admins_see_it_and_nobody_changes_it(client, viewer, finance, admin):
    audit.record("sign-in", "x")
    event = AuditEvent.objects.latest("pk")
    page = "/admin/dashboard/auditevent/"
    for user in (viewer, finance):
        client.force_login(user)
        assert client.get(page).status_code in (302, 403)
    client.force_login(admin)
    assert client.get(page).status_code == 200
    assert client.get(f"{page}{event.pk}/change/").status_code == 200
    assert client.get(f"{page}add/").status_code == 403
    assert client.post(f"{page}{event.pk}/change/", {"who": "x"}).status_code == 403
    assert client.post(f"{page}{event.pk}/delete/", {"post": "yes"}).status_code == 403
    assert b'value="delete_selected"' not in client.get(page).content


def test_it_is_filtered_and_searched(client, admin, viewer):
    client.force_login(admin)
    audit.record("exported", "/jobs/", "csv: AWS")
    audit.record("refused", "/imports/")
    page = "/admin/dashboard/auditevent/"

    def found(query: str) -> list[str]:
        return [event.action for event in client.get(f"{page}?{query}").context["cl"].result_list]

    assert found("what=exported") == ["exported"]
    assert found("q=imports") == ["refused"]
    assert found(f"who={admin.pk}") == ["sign-in"]
    assert found("when=1") == ["refused", "exported", "sign-in"]
    assert found("what=%27&who=1e9&when=x") == ["refused", "exported", "sign-in"]


def test_digests_that_left_are_found_among_all_that_is_done(client, admin):
    client.force_login(admin)
    send_once(Message("Heliox", "31 March"), date(2025, 3, 31), "fiona@example.com", lambda message: None)
    page = client.get("/admin/dashboard/auditevent/?what=digest")
    assert [event.subject for event in page.context["cl"].result_list] == ["fiona@example.com"]
    assert "sent a digest" in page.content.decode()


def test_all_that_is_recorded_can_be_found_by_what_it_is():
    said = re.compile(r"\b(?:record|record_of_stranger)\(\s*\"([^\"]+)\"")
    files = (file.read_text() for file in (PROJECT / "dashboard").rglob("*.py"))
    found = {action for text in files for action in said.findall(text)}
    assert len(found) > 15 and found <= audit.ACTIONS.keys()


def test_its_pages_are_bounded(client, admin, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr("dashboard.admin.audit.MOST_LISTED", 60)
    client.force_login(admin)
    for n in range(80):
        audit.record("exported", f"/jobs/{n}")
    with django_assert_max_num_queries(16):
        page = client.get("/admin/dashboard/auditevent/?p=2")
    assert "60+" in page.content.decode()
    assert len(page.context["cl"].result_list) == 10


def test_every_page_of_the_admin_tells_what_many_edits_did():
    """Django sends no signal for those: CarefulAdmin tells them."""
    assert all(isinstance(page, CarefulAdmin) for page in django_admin.site._registry.values())
