"""Whatever is written, by whomever and however, what is stored is in another state than it ever was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import RequestFactory

from dashboard import rollups, writes
from dashboard.models import DataWrite, Team

from .conftest import make_job, make_team

# A group is its permissions and its users; its name is on no page.
OF_NO_PAGE = {
    *("auth_group", "django_admin_log", "django_content_type", "django_session"),
    *("otp_totp_totpdevice", "otp_static_staticdevice", "otp_static_statictoken"),
    *("audit_events", "sign_in_tries", "sent_digests", "uploads", "upload_parts", "data_writes"),
}
# Change with jobs, and when they are summed anew, their stamps do.
SUMS = {"gpu_time_changes", "gpu_days", "gpu_days_of_models", "gpu_months", "logged_gpu_time"}


def state() -> Any:
    return writes.state(connection)


def test_every_table_is_either_watched_or_on_no_page():
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    assert tables - set(writes.watched()) == OF_NO_PAGE | SUMS


def test_a_request_that_changes_nothing_goes_by_one_state_and_another_by_none(monkeypatch):
    states = iter(range(9))
    monkeypatch.setattr(writes, "present_state", lambda connection: next(states))
    found = []

    def answer(request: Any) -> HttpResponse:
        found.append((state(), state()))
        return HttpResponse()

    ask = writes.ask_once(answer)
    for request in (RequestFactory().get("/"), RequestFactory().post("/"), RequestFactory().head("/")):
        ask(request)
    assert found == [(0, 0), (None, None), (1, 1)]
    assert (state(), state()) == (2, 3), "outside of requests each look is a new one"


if connection.vendor == "postgresql":
    pytestmark = pytest.mark.django_db

    def execute(sql: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)

    @pytest.mark.parametrize("table", sorted(set(writes.watched()) - {"auth_user"}))
    def test_each_statement_of_plain_sql_is_noted(table):
        seen = [state()]
        for statement in (
            f"INSERT INTO {table} SELECT * FROM {table} LIMIT 0",
            f"DELETE FROM {table} WHERE false",
            f"TRUNCATE {table} CASCADE",
        ):
            execute(statement)
            seen.append(state())
        [column, *_] = connection.introspection.get_table_description(connection.cursor(), table)
        execute(f'UPDATE {table} SET "{column.name}" = "{column.name}" WHERE false')
        seen.append(state())
        assert len(set(seen)) == len(seen) and None not in seen

    def test_sums_that_are_made_anew_are_noted():
        before = state()
        rollups.rebuild()
        assert state() not in (before, None)

    def test_settling_what_nobody_has_noted_writes_nothing():
        make_job()
        before = state()
        call_command("roll_up", stdout=StringIO())
        settled = state()
        call_command("roll_up", stdout=StringIO())
        assert before != settled == state()

    def test_another_name_of_a_user_is_noted_but_no_sign_in():
        user = User.objects.create_user("ada")
        before = state()
        user.last_login = user.date_joined
        user.save(update_fields=["last_login"])
        assert state() == before
        user.username = "adah"
        user.save()
        assert state() != before

    def test_what_is_taken_back_leaves_the_state_as_it_was():
        before = state()
        with transaction.atomic():
            make_team("vision")
            assert state() != before
            transaction.set_rollback(True)
        assert state() == before

    def test_many_rows_become_one_that_stands_for_another_state(monkeypatch):
        monkeypatch.setattr(writes, "MANY", 3)
        seen = [state()]
        for number in range(5):
            make_team(f"team {number}")
            seen.append(state())
        writes.fold(connection)
        seen.append(state())
        assert DataWrite.objects.count() == 1
        writes.fold(connection)
        assert state() == seen[-1], "few rows stay"
        assert len(set(seen)) == len(seen)

    @pytest.mark.parametrize(
        "unnoticed",
        [
            "DROP TRIGGER note_data_write ON teams",
            "ALTER TABLE jobs DISABLE TRIGGER note_data_write",
            "TRUNCATE data_writes",
        ],
    )
    def test_where_something_could_be_written_unnoticed_nothing_is_known(unnoticed):
        execute(unnoticed)
        assert state() is None

    def test_triggers_that_are_missing_are_made_again():
        before = state()
        execute("DROP TRIGGER note_data_write ON teams")
        writes.install(connection)
        assert state() not in (None, before)
        before = state()
        writes.install(connection)
        assert state() == before

    def test_without_its_triggers_nothing_is_known():
        writes.drop(connection)
        assert state() is None
        make_team("vision")
        assert state() is None

else:

    @pytest.fixture
    def somebody_else(transactional_db: None) -> Any:
        """Another program that writes to the same file."""
        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
            yield other

    def test_whoever_commits_changes_the_state(somebody_else):
        seen = [state()]
        make_team("vision")
        seen.append(state())
        with transaction.atomic():
            Team.objects.update(name="speech")
        seen.append(state())
        somebody_else.execute("UPDATE teams SET name = 'research'")
        seen.append(state())
        assert len(set(seen)) == len(seen) and None not in seen
        assert state() == seen[-1]
        assert Team.objects.get().name == "research"

    def test_what_is_not_committed_is_not_told_of(somebody_else):
        before = state()
        somebody_else.execute("BEGIN IMMEDIATE")
        somebody_else.execute("DELETE FROM teams")
        assert state() == before
        somebody_else.execute("COMMIT")
        assert state() != before

    def test_within_a_transaction_nothing_is_known(transactional_db):
        with transaction.atomic():
            assert state() is None

    def test_a_file_in_the_place_of_another_is_another_state(tmp_path):
        one, other = tmp_path / "one.sqlite3", tmp_path / "other.sqlite3"
        for path in (one, other):
            with closing(sqlite3.connect(path)) as made:
                made.execute("CREATE TABLE teams (name)")
        watcher = writes.Watcher()
        before = watcher.state(one)
        assert before is not None and watcher.state(one) == before
        other.replace(one)
        assert watcher.state(one) not in (None, before)
        one.unlink()
        assert watcher.state(one) is None
