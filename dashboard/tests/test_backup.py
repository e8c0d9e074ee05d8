"""manage.py backup and restore: nothing that was acknowledged is missing, and nothing is half restored."""

from __future__ import annotations

import json
import shutil
import stat
import threading
import zipfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from .. import backups, rollups
from ..backups import CannotBackUp, programs, saying
from ..models import AuditEvent, CostSnapshot, Job, SignInTry, Team
from .conftest import make_cost, make_job
from .servers import ask, connected_to, new_database, private_postgresql

POSTGRESQL = connection.vendor == "postgresql"
OWN_PAGE = "/accounts/second-factor/"


@pytest.fixture(scope="module", autouse=True)
def unblocked(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Every test here has databases of its own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="module", autouse=True)
def its_programs(unblocked: None) -> Iterator[None]:
    """pg_dump of the server that the tests run on, which may be that of a wheel."""
    with pytest.MonkeyPatch.context() as patch:
        if POSTGRESQL:
            server = connection.pg_version // 10_000
            for folder in private_postgresql().candidate_binaries():
                if programs.version_of(folder / "pg_dump") >= server:
                    patch.setenv("HELIOX_PG_BIN", str(folder))
                    break
        yield


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two teams, three jobs, $12.34 and somebody who may sign in."""
    with new_database(tmp_path_factory.mktemp("filled")) as url:
        with connected_to(default=url):
            call_command("migrate", verbosity=0)
            make_job("2025-03-01 00:00", "2025-03-01 02:00", team="vision", model_name="té\t\\N\n'x'")
            make_job("2025-03-02 00:00", "2025-03-02 03:00", team="speech")
            make_job("2025-03-02 00:00", None, status="running")
            make_cost("2025-03-01", "12.34")
            User.objects.create_user("vera", password="correct horse")
        yield url


@pytest.fixture
def database(filled: str, tmp_path: Path) -> Iterator[str]:
    """A copy of it that the test may spoil."""
    with new_database(tmp_path, like=filled) as url, connected_to(default=url):
        yield url


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "empty").mkdir()
    with new_database(tmp_path / "empty") as url:
        yield url


@pytest.fixture(scope="module")
def made(filled: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("made") / "heliox.backup"
    with connected_to(default=filled):
        backups.backup(file)
    return file


@pytest.fixture
def file(database: str, made: Path, tmp_path: Path) -> Path:
    """A backup of what is stored, which the test may spoil."""
    return Path(shutil.copy2(made, tmp_path))


def command(name: str, *args: Any) -> str:
    out = StringIO()
    call_command(name, *map(str, args), stdout=out)
    return out.getvalue()


def state() -> dict[str, str]:
    return {what: value for what, value in saying.totals("default").items() if what != "audit_events"}


def test_what_was_backed_up_is_there_again(file, empty):
    before, manifest = state(), saying.read_manifest(zipfile.ZipFile(file))
    assert manifest.totals["cost_snapshots.cost_usd"] == "12.34"
    assert manifest.totals["jobs"] == "3"
    with connected_to(default=empty):
        said = command("restore", file)
        assert "totals agree" in said and "roll-ups agree" in said
        assert state() == before
        assert Job.objects.filter(model_name="té\t\\N\n'x'").exists()
        assert User.objects.get().check_password("correct horse")
        assert AuditEvent.objects.latest("pk").action == "restored"
        make_job()
        assert not list(rollups.verify()) and ask("default", "SELECT COUNT(*) FROM gpu_time_changes") > 0
        call_command("migrate", verbosity=0)


def signed_in() -> Client:
    client = Client()
    answer = client.post("/accounts/login/", {"username": "vera", "password": "correct horse"})
    assert answer.status_code == 302
    return client


def test_a_cookie_that_was_signed_out_stays_dead_after_a_restore(database, tmp_path):
    client = signed_in()
    cookie = client.cookies["sessionid"].value
    SignInTry.objects.create(at=timezone.now(), account="a", address="192.0.2.1")
    file = tmp_path / "beside_people.backup"
    assert backups.backup(file).totals["django_session"] == "1"
    client.post("/accounts/logout/")
    before = signed_in()
    assert "Everybody signs in anew" in command("restore", file, "--replace")
    client.cookies["sessionid"] = cookie
    assert [one.get(OWN_PAGE).status_code for one in (client, before)] == [302, 302]
    assert not Session.objects.exists() and not SignInTry.objects.exists()
    assert signed_in().get(OWN_PAGE).status_code == 200


def test_the_file_is_for_nobody_else(file):
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir() if "heliox-" in path.name] == []


def test_a_file_is_not_overwritten_unasked(file):
    with pytest.raises(CommandError, match="There is a file"):
        command("backup", file)
    assert "as of" in command("backup", file, "--replace")


def test_a_filled_database_is_refused_unless_it_may_go(file):
    make_cost("2025-03-05", "1.00")
    with pytest.raises(CommandError, match="not empty.*cost_snapshots.*--replace.*Nothing was changed"):
        command("restore", file)
    assert CostSnapshot.objects.count() == 2
    command("restore", file, "--replace")
    assert CostSnapshot.objects.get().cost_usd == Decimal("12.34")


def spoiled(file: Path, **changes: Any) -> Path:
    """The same backup, telling something else."""
    other = file.with_name("spoiled.backup")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(other, "w") as new:
        told = json.loads(old.read("manifest.json"))
        told |= {key: value(told[key]) if callable(value) else value for key, value in changes.items()}
        new.writestr("database", old.read("database"))
        new.writestr("manifest.json", json.dumps(told))
    return other


OTHERS = "sqlite" if POSTGRESQL else "postgresql"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"totals": lambda said: said | {"jobs": "4"}}, "jobs is 3, the backup says 4"),
        ({"totals": lambda said: said | {"cost_snapshots.cost_usd": "12.35"}}, "the backup says 12.35"),
        ({"vendor": OTHERS}, "move_from"),
        ({"migrations": lambda said: [*said, "dashboard.9999_later"]}, "later version.*9999_later"),
        ({"migrations": lambda said: said[:-1]}, "its migrations are not"),
        ({"sha256": "0" * 64}, "damaged"),
        ({"size": 7}, "larger than it says"),
        ({"format": 99}, "format 99"),
        ({"colour": "red"}, "is no backup"),
        ({"migrations": None}, "is no backup"),
        ({"migrations": [7]}, "is no backup"),
        ({"totals": []}, "is no backup"),
    ],
)
def test_a_backup_that_is_not_what_it_says_changes_nothing(file, changes, words):
    make_cost("2025-03-05", "1.00")
    before = state()
    with pytest.raises(CannotBackUp, match=words):
        backups.restore(spoiled(file, **changes), replace=True)
    assert state() == before
    assert not list(rollups.verify())
    make_job()
    assert ask("default", "SELECT COUNT(*) FROM gpu_time_changes") > 0


def test_half_a_file_changes_nothing(file):
    before = state()
    half = file.with_name("half.backup")
    half.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(CannotBackUp, match="a part of one only"):
        backups.restore(half, replace=True)
    with pytest.raises(CannotBackUp, match="cannot be read: No such file"):
        backups.restore(file.with_name("nowhere"), replace=True)
    assert state() == before


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_wherever_a_byte_is_damaged_it_is_told_in_words(file, method):
    whole = file.with_name("packed.backup")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(whole, "w", method) as new:
        for name in ("database", "manifest.json"):
            new.writestr(name, old.read(name))
    copy = file.with_name("copy")
    told, content, refused = saying.unpack(whole, copy), whole.read_bytes(), 0
    within, directory = range(0, len(content), len(content) // 10), range(len(content) - 190, len(content), 3)
    for place in (*within, *directory):
        whole.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            assert saying.unpack(whole, copy) == told, "a byte that says nothing"
        except CannotBackUp:
            refused += 1
    assert refused > len(within)


def test_a_backup_of_an_earlier_version_is_restored_and_then_migrated(database, tmp_path, empty):
    call_command("migrate", "dashboard", "0011", verbosity=0)
    file = tmp_path / "old.backup"
    with pytest.MonkeyPatch.context() as patch:  # that version knew no audit
        patch.setattr("dashboard.audit.record", lambda *args, **how: None)
        backups.backup(file)
    call_command("migrate", verbosity=0)
    with connected_to(default=empty):
        assert "run manage.py migrate now" in command("restore", file)
        call_command("migrate", verbosity=0)
        assert Job.objects.count() == 3 and not list(rollups.verify())


class Writer(threading.Thread):
    """Commits one cost after another; `acknowledged` of them are certain."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.acknowledged, self.is_over = 0, threading.Event()

    def run(self) -> None:
        team = Team.objects.create(name=f"writer {id(self)}")
        while not self.is_over.wait(0.002):
            day = date.fromordinal(date(2025, 6, 1).toordinal() + self.acknowledged)
            CostSnapshot.objects.create(date=day, provider="W", gpu_type="L4", cost_usd=1)
            Job.objects.create(team=team, model_name="m", provider="W", gpu_type="L4")
            self.acknowledged += 1
        connections.close_all()


def test_a_backup_beside_a_writer_holds_all_that_was_acknowledged(database, tmp_path, empty):
    writer = Writer()
    writer.start()
    made = []
    try:
        for number in range(4):
            before = writer.acknowledged
            file = tmp_path / f"{number}.backup"
            made.append((before, backups.backup(file).totals, file))
    finally:
        writer.is_over.set()
        writer.join()
    assert writer.acknowledged > 4
    for before, totals, _ in made:
        costs, jobs = int(totals["cost_snapshots"]) - 1, int(totals["jobs"]) - 3
        assert before <= jobs <= costs <= jobs + 1
        assert Decimal(totals["cost_snapshots.cost_usd"]) == costs + Decimal("12.34")
    with connected_to(default=empty):
        backups.restore(made[-1][2])
        assert saying.compared(made[-1][1], state() | {"audit_events": made[-1][1]["audit_events"]}) == []


if POSTGRESQL:

    def test_programs_that_are_missing_or_too_old_are_said_in_words(database, tmp_path, monkeypatch):
        monkeypatch.setenv("HELIOX_PG_BIN", "")
        monkeypatch.setattr(programs, "PLACES", str(tmp_path))
        monkeypatch.setattr(shutil, "which", lambda name: None)
        with pytest.raises(CannotBackUp, match="no pg_dump of PostgreSQL .* or newer here"):
            backups.backup(tmp_path / "x.backup")
        old = tmp_path / "pg_dump"
        old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
        old.chmod(0o755)
        monkeypatch.setenv("HELIOX_PG_BIN", str(tmp_path))
        with pytest.raises(CannotBackUp, match="is of version 9"):
            backups.backup(tmp_path / "x.backup")
        assert not (tmp_path / "x.backup").exists()

    def test_what_others_have_hung_on_the_tables_is_not_torn_off(file):
        ask("default", "CREATE VIEW theirs AS SELECT name FROM teams")
        with pytest.raises(CannotBackUp, match="view theirs depends on table teams"):
            backups.restore(file, replace=True)
        assert ask("default", "SELECT COUNT(*) FROM theirs") == 2

    def test_rights_of_other_roles_come_back(database, tmp_path):
        ask("default", "DROP ROLE IF EXISTS heliox_reader")
        ask("default", "CREATE ROLE heliox_reader")
        ask("default", "GRANT SELECT ON jobs TO heliox_reader")
        file = tmp_path / "granted.backup"
        backups.backup(file)
        may = "SELECT has_table_privilege('heliox_reader', 'jobs', 'SELECT')"
        ask("default", "REVOKE SELECT ON jobs FROM heliox_reader")
        backups.restore(file, replace=True)
        assert ask("default", may) is True
        ask("default", "DROP OWNED BY heliox_reader; DROP ROLE heliox_reader")
        assert any("Rights of other roles" in line for line in backups.restore(file, replace=True))
