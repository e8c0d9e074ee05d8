"""manage.py send_digest: to each recipient once a day, whatever happens on the way."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from dashboard.digests import sending
from dashboard.digests.channels import CertainlyNotSent, PerhapsSent, in_words, post
from dashboard.digests.telling import Message
from dashboard.models import AuditEvent, SentDigest

from .conftest import PROJECT, make_cost
from .receivers import HANGS_UP, REFUSES_DATA, REFUSES_RECIPIENT, mail_server, webhook

pytestmark = pytest.mark.django_db
FIONA, MAX = "fiona@example.com", "max@example.com"
A_MESSAGE = Message("Subject", "Lead")


@pytest.fixture(autouse=True)
def morning(as_of):
    as_of("2025-03-20 07:00")


@pytest.fixture
def set_up(settings):
    """`set_up(mail=port, hook=port, to=[…])` says where digests go."""

    def point(mail: int = 0, hook: int = 0, to: list[str] | None = None) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", mail, 5
        settings.HELIOX_MAIL_URL = "smtp://127.0.0.1" if mail else ""
        settings.HELIOX_DIGEST_TO = to or []
        settings.HELIOX_DIGEST_WEBHOOK = f"http://127.0.0.1:{hook}/services/secret" if hook else ""

    point()
    return point


def run(*options: str) -> tuple[int, str, str]:
    """Exit code and what is said."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("send_digest", *options, stdout=out, stderr=err)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue(), err.getvalue()
    except CommandError as refused:
        return refused.returncode, out.getvalue(), str(refused)
    return 0, out.getvalue(), err.getvalue()


def noted() -> list[tuple[date, str]]:
    return list(SentDigest.objects.order_by("day", "to").values_list("day", "to"))


def test_a_digest_is_mailed_in_two_forms(set_up):
    make_cost("2025-03-18", "12.34")
    make_cost("2025-03-19", "1.00")
    with mail_server() as server:
        set_up(server.port)
        assert run("--to", FIONA, MAX)[:2] == (0, f"{FIONA}: sent\n{MAX}: sent\n")
    first, second = server.got
    assert (first["To"], second["To"]) == (FIONA, MAX)
    assert first["Subject"] == (
        "Heliox digest of 19 Mar 2025: $12.34 on 18 Mar 2025, the last day closed at every provider"
    )
    assert "AWS, Tue 18 Mar 2025: $12.34" in first.get_body(("plain",)).get_content()
    assert "<li>AWS, Tue 18 Mar 2025: $12.34" in first.get_body(("html",)).get_content()
    assert first["Auto-Submitted"] == "auto-generated"
    assert noted() == [(date(2025, 3, 19), FIONA), (date(2025, 3, 19), MAX)]
    assert AuditEvent.objects.filter(action="digest").count() == 2


def test_it_is_never_sent_twice_for_the_same_day(set_up):
    with mail_server() as server:
        set_up(server.port, to=[FIONA])
        run()
        assert run()[:2] == (0, f"{FIONA}: already sent\n")
        assert run("--to", FIONA.upper())[:2] == (0, f"{FIONA}: already sent\n")
        assert run("--day", "2025-03-18")[:2] == (0, f"{FIONA}: sent\n")
    assert len(server.got) == 2


@pytest.mark.parametrize("how", [REFUSES_RECIPIENT, REFUSES_DATA])
def test_what_was_refused_is_tried_again(set_up, how):
    with mail_server(how) as server:
        set_up(server.port, to=[FIONA])
        status, _, said = run()
        assert status == 1 and "not sent, and will be tried again" in said and noted() == []
        server.how = "takes"
        assert run()[0] == 0
    assert len(server.got) == 1


def test_a_server_that_is_not_there_is_told_and_tried_again(set_up):
    with mail_server() as gone:
        pass
    set_up(gone.port, to=[FIONA])
    status, _, said = run()
    assert status == 1 and "not sent, and will be tried again" in said and noted() == []


def test_what_was_perhaps_sent_is_not_sent_again(set_up):
    with mail_server(HANGS_UP) as server:
        set_up(server.port, to=[FIONA])
        status, _, said = run()
        assert status == 1 and "perhaps sent, so it is not tried again" in said
        server.how = "takes"
        assert run()[:2] == (0, f"{FIONA}: already sent\n")
    assert server.got == []


def test_one_that_fails_keeps_no_other_waiting(set_up):
    with mail_server() as server, webhook(404) as hook:
        set_up(server.port, hook.port, to=[FIONA])
        status, out, said = run()
    assert (status, out) == (1, f"{FIONA}: sent\n") and "127.0.0.1: not sent" in said
    assert noted() == [(date(2025, 3, 19), FIONA)]


def test_a_chat_is_told_by_its_webhook(set_up):
    make_cost("2025-03-18", "12.34")
    with webhook() as hook:
        set_up(hook=hook.port)
        assert run()[:2] == (0, "127.0.0.1: sent\n")
        assert run()[:2] == (0, "127.0.0.1: already sent\n")
    [(path, kind, body)] = hook.got
    assert (path, kind, list(body)) == ("/services/secret", "application/json", ["text"])
    assert body["text"].startswith("Heliox digest of 19 Mar 2025: no day is closed yet")


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, CertainlyNotSent), (302, CertainlyNotSent), (500, PerhapsSent), (0, PerhapsSent)],
)
def test_how_sure_a_webhook_s_failure_is(status, error):
    with webhook(status) as hook, pytest.raises(error) as told:
        post(A_MESSAGE, f"http://127.0.0.1:{hook.port}/secret")
    assert "secret" not in str(told.value)
    assert [path for path, *_ in hook.got] == ["/secret"]  # and nowhere else


def test_a_webhook_that_is_not_there_got_nothing():
    with webhook() as gone:
        pass
    with pytest.raises(CertainlyNotSent):
        post(A_MESSAGE, f"http://127.0.0.1:{gone.port}/secret")


def test_a_dry_run_prints_and_stores_nothing(set_up):
    with mail_server() as server:
        set_up(server.port, to=[FIONA])
        status, out, _ = run("--dry-run")
    assert status == 0 and "Last closed day" in out
    assert (server.got, noted()) == ([], [])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "Nobody to send it to: give --to, or set HELIOX_DIGEST_TO"),
        (["--to", FIONA], "No mail leaves from here: set HELIOX_MAIL_URL"),
        (["--to", "fiona"], "'fiona' is no mail address"),
        (["--to", f"{FIONA}\nBcc: {MAX}"], "is no mail address"),
        (["--day", "yesterday", "--dry-run"], "'yesterday' is no day such as 2025-03-31"),
        (["--day", "2025-03-20", "--dry-run"], "2025-03-20 is not over"),
    ],
)
def test_a_wrong_question_is_refused_in_words(set_up, options, words):
    status, _, said = run(*options)
    assert words in said and status in (1, 2) and noted() == []


def test_errors_are_one_line():
    assert in_words(OSError("a\nb " + "x" * 500)) == "a b " + "x" * 196


# At the same moment


@pytest.mark.django_db(transaction=True)
def test_threads_that_start_at_once_send_one():
    sent: list[str] = []

    def start(number: int) -> str:
        try:
            return sending.send_once(A_MESSAGE, date(2025, 3, 19), FIONA, lambda message: sent.append("once"))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(start, range(8)))
    assert sorted(said) == ["already sent"] * 7 + ["sent"] and sent == ["once"]


@pytest.mark.django_db(transaction=True)
def test_two_hosts_that_start_at_once_send_one(transactional_db: Any):
    with mail_server() as server:
        environment = os.environ | {
            "DATABASE_URL": url_of_tests(),
            "HELIOX_DEBUG": "1",
            "HELIOX_MAIL_URL": f"smtp://127.0.0.1:{server.port}",
            "HELIOX_DIGEST_TO": FIONA,
            "HELIOX_AS_OF": "2025-03-20T07:00+00:00",
        }
        command = [sys.executable, str(PROJECT / "manage.py"), "send_digest"]
        hosts = [
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        said = sorted(host.communicate(timeout=120)[0] for host in hosts)
    assert said == [f"{FIONA}: already sent\n", f"{FIONA}: sent\n"]
    assert len(server.got) == 1 and [host.returncode for host in hosts] == [0, 0]


def url_of_tests() -> str:
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
