"""manage.py move_from: another database's rows into a new one, of either kind."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection, connections, models, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from heliox_site.databases import database

from .. import moving, rollups, row_lines
from ..models import BillDay, ImportRun, Job, Provider, ProviderClock, Team, Upload, UploadPart
from ..moving import SOURCE, source_at
from .conftest import examples, make_job, make_team, make_user
from .servers import connected_to, new_database

AWKWARD = "tab\t line\n return\r back\\slash \\N \\t 'quote' \"double\" é 訓練 \u2028 \x01 🚀"


@pytest.fixture(scope="module", autouse=True)
def unblocked(django_db_blocker: Any) -> Iterator[None]:
    """Every test here has databases of its own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="module")
def full(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small company in an SQLite file, and whatever is awkward."""
    file = shutil.copy(migrated_file, tmp_path_factory.mktemp("full") / "full.sqlite3")
    with connected_to(default=f"sqlite:///{file}"):
        fill()
    return file


def fill() -> None:
    call_command("seed_demo", days=30, jobs=40, verbosity=0)
    ada = make_user("ada", "Admin", is_staff=True)
    aws = Provider.objects.get(key="aws")
    aws.bill_clock = "America/Los_Angeles"
    aws.save()
    run = ImportRun.objects.create(
        format="csv", files=[{"name": AWKWARD}], user=ada, written_at=datetime(2025, 3, 1, tzinfo=UTC)
    )
    make_job(team=AWKWARD[:40], model_name=AWKWARD, gpu_count=Decimal("0.142857"), imported_by=run)
    start = datetime(2025, 3, 30, 0, 59, 59, 999_999, tzinfo=UTC)
    make_job(start_time=start, end_time=start + timedelta(microseconds=1_500_000), team_set_by_hand=True)
    upload = Upload.objects.create(user=ada, options={"cluster": AWKWARD})
    UploadPart.objects.create(upload=upload, file=0, name="f", number=0, data=bytes(range(256)))
    Session.objects.create(session_key="k", session_data="d", expire_date=datetime(2035, 1, 1, tzinfo=UTC))


@pytest.fixture
def into(migrated: str, tmp_path: Path) -> Iterator[None]:
    """The default connection is that of a new database."""
    with new_database(tmp_path, like=migrated) as url, connected_to(default=url):
        yield


@pytest.fixture
def spoilt(full: Path, tmp_path: Path) -> Path:
    """A copy of the full file, for the test to spoil."""
    return shutil.copy(full, tmp_path / "spoilt.sqlite3")


@pytest.fixture(scope="module")
def moved(migrated: str, full: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What the command said, after the full file has moved into the default connection's database."""
    folder, said = tmp_path_factory.mktemp("moved"), StringIO()
    with new_database(folder, like=migrated) as url, connected_to(default=url):
        move_from(full, stdout=said)
        yield said.getvalue()


def move_from(place: Any, **options: Any) -> None:
    call_command("move_from", place if "://" in str(place) else f"sqlite:///{place}", **options)


def refusal(place: Any) -> str:
    with pytest.raises(CommandError) as refused:
        move_from(place)
    return str(refused.value)


def rows(alias: str, model: Any) -> list[dict[str, Any]]:
    return [
        {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
        for row in model._base_manager.using(alias).order_by("pk").values()
    ]


def test_everything_arrives_and_both_sides_agree(moved, full):
    assert "Everything is moved, and both sides agree." in moved
    assert [line.split()[1:] for line in moved.splitlines() if line.startswith("jobs ")] == [["42", "42"]]
    with source_at(database(f"sqlite:///{full}")):
        for model in moving.tables(sessions=False):
            assert rows("default", model) == rows(SOURCE, model), model


def test_totals_of_before_jobs_had_a_number_of_gpus_are_their_rows(migrated):
    with connected_to(default=migrated):
        assert moving.totals("default", Job, {"id", "team_id", "start_time", "end_time"}) == {"jobs": 0}


def test_it_goes_back_again(moved, full, migrated_file, tmp_path):
    """Into a PostgreSQL where the tests run on one, and out of it into SQLite."""
    place = dict(connection.settings_dict)
    back = shutil.copy(migrated_file, tmp_path / "back.sqlite3")
    with connected_to(default=f"sqlite:///{back}"), source_at(place):
        moving.move()
    with closing(sqlite3.connect(back)) as ours, closing(sqlite3.connect(full)) as theirs:
        for model in moving.tables(sessions=False):
            assert stored(ours, model) == stored(theirs, model), model


def stored(file: sqlite3.Connection, model: type[models.Model]) -> list[Any]:
    """As SQLite holds it, but for the last noughts of a full precision and the order within JSON."""
    columns = ", ".join(f'"{field.column}"' for field in model._meta.concrete_fields)
    found = file.execute(
        f"SELECT {columns} FROM {model._meta.db_table} ORDER BY {model._meta.pk.column}"
    ).fetchall()
    kinds = [type(field).__name__ for field in model._meta.concrete_fields]
    return [tuple(map(comparable, row, kinds)) for row in found]


def comparable(value: Any, kind: str) -> Any:
    if kind == "FullPrecisionField" and value is not None:
        return Decimal(value)
    return json.loads(value) if kind == "JSONField" and value else value


def test_what_can_be_derived_is_made_anew(moved):
    assert list(rollups.verify()) == []
    assert BillDay.objects.filter(clock="America/Los_Angeles").count() == 36_525
    assert ProviderClock.objects.get(provider="AWS").clock == "America/Los_Angeles"
    with transaction.atomic():
        make_job(team="written afterwards")
        assert list(rollups.verify()) == [], "the triggers are there as before"
        transaction.set_rollback(True)


def test_new_rows_take_new_keys(moved):
    last = ImportRun.objects.latest("pk").pk
    run = ImportRun.objects.create(format="csv", files=[], written_at=datetime(2025, 3, 1, tzinfo=UTC))
    assert run.pk == last + 1
    run.delete()


def test_people_keep_their_roles_and_sign_in_anew(moved):
    ada = User.objects.get(username="ada")
    assert ada.check_password("correct horse")
    assert ada.has_perm("dashboard.import_files")
    assert not Session.objects.exists()


def test_people_stay_signed_in_where_that_is_asked_for(into, full):
    move_from(full, sessions=True)
    assert Session.objects.get().session_key == "k"


def test_a_waiting_upload_moves_along(moved):
    assert bytes(UploadPart.objects.get().data) == bytes(range(256))


def test_rows_go_into_an_empty_database_only(into, full):
    make_team("here before")
    assert "is not empty: it has rows in teams." in refusal(full)
    assert [team.name for team in Team.objects.all()] == ["here before"]


def test_a_source_that_is_not_there_is_not_made(into, tmp_path):
    assert "There is no file" in refusal(tmp_path / "other.sqlite3")
    assert not (tmp_path / "other.sqlite3").exists()


def test_a_source_must_be_of_the_same_version(into, spoilt, tmp_path):
    sqlite3.connect(tmp_path / "old.sqlite3").close()
    assert "is not up to date: run manage.py migrate on it first" in refusal(tmp_path / "old.sqlite3")
    later = "SELECT max(id) + 1, 'dashboard', '9999_later', '2035-01-01' FROM django_migrations"
    spoil(spoilt, f"INSERT INTO django_migrations (id, app, name, applied) {later}")
    assert "of a later version than this one: it has 9999_later" in refusal(spoilt)


def spoil(file: Path, sql: str) -> None:
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute(sql)


def test_an_address_that_is_none_is_refused(into):
    assert "URL is not understood" in refusal("mysql://me:hunter2@host/name")
    assert "hunter2" not in refusal("mysql://me:hunter2@host/name")


def test_totals_that_differ_take_everything_back(into, full, monkeypatch):
    known = moving.totals

    def one_cent_less(alias: str, model: Any) -> dict[str, Any]:
        found = known(alias, model)
        if alias == "default" and "cost_snapshots" in found:
            found["cost_snapshots.cost_usd"] -= Decimal("0.01")
        return found

    monkeypatch.setattr(moving, "totals", one_cent_less)
    assert "The totals differ, so nothing was written: cost_snapshots.cost_usd is" in refusal(full)
    assert not Team.objects.exists() and not User.objects.exists()
    make_job()
    assert list(rollups.verify()) == [], "the triggers are there as before"


def test_a_key_that_leads_nowhere_takes_everything_back(into, spoilt):
    spoil(spoilt, f"UPDATE jobs SET team_id = '{'0' * 32}' WHERE id = (SELECT MIN(id) FROM jobs)")
    assert "A row refers to one that is not there" in refusal(spoilt)
    assert not Team.objects.exists()


def test_the_totals_are_those_of_the_rows(into):
    """Worked by hand: 2 GPUs for 1.5 h and half a GPU for 1 h are 3.5 GPU-hours."""
    make_job("2025-03-01 00:00", "2025-03-01 01:30", gpu_count=2)
    make_job("2025-03-01 00:00", "2025-03-01 01:00", gpu_count=Decimal("0.5"))
    make_job("2025-03-01 00:00", None, status="running")
    found = moving.totals("default", Job)
    assert found["GPU microseconds of jobs"] == 3.5 * 3_600_000_000
    assert found["jobs.gpu_count"] == Decimal("3.5")
    assert found["jobs"] == 3


def test_a_column_that_is_not_ours_is_named(into, spoilt):
    """An adopted table may have some."""
    spoil(spoilt, "ALTER TABLE teams ADD COLUMN cost_center text")
    said = StringIO()
    move_from(spoilt, stdout=said)
    assert "Left behind, for Heliox does not know it: teams.cost_center." in said.getvalue()


def test_each_table_comes_after_those_it_refers_to():
    seen: set[Any] = set()
    for model in moving.tables(sessions=True):
        seen.add(model)
        assert {f.related_model for f in model._meta.concrete_fields if f.related_model} <= seen


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@settings(max_examples=examples(100))
@given(st.lists(TEXT | st.none(), min_size=1))
def test_any_text_survives_the_way_through_lines(texts):
    pieces = list(row_lines.lines_of_sqlite(Memory(texts), "t", [TextColumn]))
    lines = list(row_lines.whole_lines(pieces))
    assert [row_lines.row_of(line, ["CharField"]) for line in lines] == [[text] for text in texts]


class TextColumn:
    column = "c"
    remote_field = None

    @staticmethod
    def get_internal_type() -> str:
        return "CharField"


class Memory:
    """A table of one text column in SQLite's memory."""

    def __init__(self, texts: Any) -> None:
        self.file = sqlite3.connect(":memory:")
        self.file.execute("CREATE TABLE t (c text)")
        self.file.executemany("INSERT INTO t VALUES (?)", ((text,) for text in texts))

    def cursor(self) -> Any:
        return closing(self.file.cursor())


def test_rows_are_not_held():
    table = Memory("x" * 100 for _ in range(50_000))
    tracemalloc.start()
    read = sum(piece.count(b"\n") for piece in row_lines.lines_of_sqlite(table, "t", [TextColumn]))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == 50_000
    assert most < 2_000_000


def test_the_connection_to_the_source_is_closed(moved):
    assert SOURCE not in connections
