"""manage.py doctor: what is wrong is said, with what to do, and one thing that fails hides no other."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import timedelta
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.core.management import call_command, get_commands, load_command_class
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from .. import audit, doctor, workers, writes
from ..doctor import examine
from ..models import AuditEvent, GpuTimeChange, SentDigest
from ..rollups import triggers
from .conftest import PROJECT, at, make_job
from .servers import connected_to

pytestmark = pytest.mark.django_db


def found(what: str, thorough: bool = False) -> list[tuple[str, str]]:
    return [(one.level, one.found) for one in examine(thorough) if one.what == what]


def run(*options: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("doctor", *options, stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_all_is_well():
    audit.record("backup", "x")
    status, said = run("--thorough")
    assert status == 0
    assert {line[:4].strip() for line in said.splitlines() if line[0] != " "} <= {"ok", "look"}
    assert "equal to the jobs, all recounted" in said


def test_a_machine_reads_it_too():
    status, said = run("--json")
    assert status == 0
    assert {"level", "what", "found", "todo"} == json.loads(said)[0].keys()


def test_a_database_that_is_away_is_one_finding_with_its_reason_and_what_to_do():
    """What is stored cannot be looked at then, and each look would wait."""
    away = ["postgres://heliox:hunter2@127.0.0.1:1/away", "sqlite:////nowhere/at/all.sqlite3"]
    for url, reason in zip(away, ("refused", "unable to open"), strict=True):
        with connected_to(default=url):
            status, said = run("--thorough")
        assert status == 1 and "hunter2" not in said
        [bad] = [line for line in said.splitlines() if line.startswith("bad")]
        assert bad.startswith("bad   database") and reason in bad
        assert "Start it, or mend DATABASE_URL." in said and "migrations" not in said


def test_a_migration_that_is_missing_is_bad_and_says_what_to_do():
    MigrationRecorder(connection).record_unapplied("dashboard", "0006_roles")
    status, said = run()
    assert status == 1
    assert "bad   migrations    1 is not applied\n                    Run manage.py migrate." in said


def test_an_index_that_is_missing_is_bad_and_made_by_what_it_says():
    name = "jobs_by_team_idx"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {name}")
    assert found("indexes") == [("bad", f"{name} missing")]
    call_command("roll_up", stdout=StringIO())
    (level, said), *more = found("indexes")
    assert level == "ok" and said.startswith("all ") and not more


def test_triggers_that_are_missing_and_sums_that_differ_are_bad():
    make_job()
    triggers.drop(connection)
    make_job()
    assert found("triggers") == [("bad", "are missing")]
    assert ("bad", "4 of the sums differ from the jobs") in found("roll-ups", thorough=True)


def test_it_says_whether_pages_are_kept(settings, monkeypatch):
    assert found("pages") == [("ok", "are made at each visit: HELIOX_PAGES_MB is 0")]
    settings.HELIOX_PAGES_MB = 32

    def on_one_machine(state: int | None) -> tuple[str, str]:
        monkeypatch.setattr(writes, "state", lambda connection: state)
        one = doctor.pages_kept(spread=False)
        return one.level, one.found

    assert on_one_machine(state=1) == ("ok", "are kept until something is written")
    assert on_one_machine(state=None) == ("look", "are made at each visit: not every write is noted")
    monkeypatch.setattr(workers, "hold_jobs", lambda connection: True)
    assert found("pages") == [("ok", "are made at each visit: workers hold the jobs")]


def test_triggers_cannot_be_where_workers_hold_the_jobs(monkeypatch):
    if not workers.hold_jobs(connection):
        triggers.drop(connection)
    monkeypatch.setattr(workers, "hold_jobs", lambda connection: True)
    assert found("triggers") == [("ok", "cannot be: workers hold the jobs")]


def test_many_unsettled_changes_are_worth_a_look(monkeypatch):
    monkeypatch.setattr(doctor, "MOST_UNSETTLED", 10)
    for _ in range(3):
        make_job()
    noted = GpuTimeChange.objects.count()
    assert noted > 1
    assert found("roll-ups") == [("look", f"{noted} changes are not settled")]


def test_a_backup_is_missed_after_two_days(monkeypatch):
    assert found("backup") == [("look", "none is known")]
    audit.record("backup", "x")
    assert found("backup") == [("ok", "made today")]
    for days, said in ((1, ("ok", "made 1 day ago")), (3, ("look", "made 3 days ago"))):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE audit_events SET at = %s", [timezone.now() - timedelta(days=days)])
        assert found("backup") == [said]


def test_what_is_wrong_with_the_data_is_counted():
    make_job("2025-03-02 00:00", "2025-03-01 00:00")
    assert any(level == "look" and said.endswith(": 1") for level, said in found("data"))


def test_a_mail_server_is_asked(settings, monkeypatch):
    settings.HELIOX_MAIL_URL = "smtp://127.0.0.1:9"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    ((level, said),) = found("mail")
    assert level == "bad" and "refused" in said


def test_static_files_that_are_not_collected_are_bad(settings, monkeypatch):
    settings.PLAIN_STATIC = False
    ((level, said),) = found("static files")
    assert level == "bad" and "missing" in said


def test_a_clock_that_was_never_set_is_bad(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: at("1970-01-01 00:07"))
    assert found("time zone") == [("bad", "UTC, where it is 1970-01-01 00:07")]
    monkeypatch.undo()
    assert [level for level, _ in found("time zone")] == ["ok"]


def test_a_full_disk_is_bad(monkeypatch):
    class Usage:
        free = 1024**2

    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage)
    assert found("uploads")[0][0] == "look"
    if connection.vendor == "sqlite":
        assert found("size")[0][0] == "bad"


def test_one_check_that_fails_hides_no_other(monkeypatch):
    def broken() -> Any:
        raise RuntimeError("no such\n thing")
        yield

    monkeypatch.setattr(doctor, "OF_THIS_MACHINE", [broken, doctor.time_zone])
    told = list(examine())
    assert (told[0].level, told[0].what, told[0].found) == ("bad", "broken", "no such thing")
    assert told[1].what == "time zone"


def test_looking_changes_nothing():
    before = AuditEvent.objects.count()
    run()
    assert AuditEvent.objects.count() == before


def test_digests_without_recipients_or_for_long_are_told(settings):
    assert found("digest") == [("ok", "not set up, so none is sent")]
    settings.HELIOX_MAIL_URL = "smtp://127.0.0.1"
    assert found("digest") == [("look", "mail is set up, but no recipient; none was sent yet")]
    settings.HELIOX_DIGEST_TO = ["fiona@example.com"]
    sent = SentDigest.objects.create(day=timezone.now().date(), to="fiona@example.com")
    assert [level for level, _ in found("digest")] == ["ok"]
    SentDigest.objects.update(at=sent.at - timedelta(days=4))
    [(level, said)] = found("digest")
    assert level == "look" and said.startswith("1 recipient; last sent on ")


CRON_LINE = re.compile(r"\n    (?:[\d*]+ +){5}cd /srv/heliox && \.venv/bin/python manage\.py (.+)")


def test_what_cron_is_told_to_run_is_written_as_cron_and_the_commands_read_it():
    """To cron a bare % is the end of the line."""
    lines = CRON_LINE.findall((PROJECT / "docs" / "operations.md").read_text())
    assert not [line for line in lines if re.search(r"(?<!\\)%", line)]
    told = set()
    for line in lines:
        words = ["sh", "-c", f"printf '%s\\n' {line.replace(chr(92) + '%', '%')}"]
        name, *options = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
        load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(options)
        told.add(name)
    assert told == {"backup", "clearsessions", "doctor", "prune_audit", "send_digest"}


if connection.vendor == "sqlite":

    def test_a_file_that_others_may_read_is_told():
        with TemporaryDirectory() as folder:
            file = Path(folder, "heliox.sqlite3")
            file.touch()
            for of_file, of_folder, level in (
                (0o644, 0o755, "look"),
                (0o640, 0o755, "ok"),
                (0o600, 0o755, "ok"),
                (0o644, 0o700, "ok"),
            ):
                file.chmod(of_file)
                Path(folder).chmod(of_folder)
                [finding] = doctor.who_may_read(file)
                assert finding.level == level and f"{of_file:o}" in finding.found
