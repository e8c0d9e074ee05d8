"""Pages are read from a replica while it can be trusted. PostgreSQL only: a real replica runs here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from time import monotonic, sleep
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError, ProgrammingError, connections
from django.test import Client

from heliox_site.databases import WITHOUT_POOL

from .. import databases, replica
from ..databases import PRIMARY, REPLICA, ReadsFollowTheRequest, reading, reading_from
from ..models import ImportRun, Job, Team
from ..trouble import frozen, outages
from ..urls import urlpatterns
from ..views import costs
from .conftest import make_team, make_user
from .servers import ask, connected_to, private_postgresql, standing_still, wait_for

NOTE = b"This page was read from the primary database."
WHO_IS_SIGNED_IN = {
    "django_session",
    "auth_user",
    "auth_group",
    "auth_permission",
    "auth_user_groups",
    "auth_user_user_permissions",
    "auth_group_permissions",
    "team_limits",
    "team_limits_teams",
    *("data_writes", "pg_trigger"),  # whether any of that was written
}
WHAT_THEY_TOOK = {"audit_events"}
ON_PRIMARY = {"imports", "import_review", "import", "import_undo", "theme"}


@pytest.fixture(scope="module")
def servers(django_db_blocker: Any) -> Iterator[Any]:
    postgresql = private_postgresql()
    with ExitStack() as opened:
        opened.enter_context(django_db_blocker.unblock())
        primary = opened.enter_context(postgresql.server(postgresql.FOLLOWED))
        follower = postgresql.replica_of(primary)
        urls = {PRIMARY: primary.url, REPLICA: follower.url}
        opened.enter_context(connected_to([ReadsFollowTheRequest()], **urls))
        connections.settings[REPLICA]["ENGINE"] = WITHOUT_POOL
        call_command("migrate", verbosity=0)
        call_command("seed_demo", days=40, jobs=60, verbosity=0)
        make_user("ada", "Admin", is_staff=True)
        yield follower


@pytest.fixture
def follower(servers: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The replica, caught up; what a process knows of it is not remembered."""
    monkeypatch.setattr(replica, "REMEMBERED", 0)
    monkeypatch.setattr(replica, "SPARED", 0)
    catch_up()
    return servers


@pytest.fixture
def reader(follower: Any) -> Client:
    return signed_in()


def signed_in() -> Client:
    """Like one web process with one reader; nothing was written in this session."""
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    return client


def catch_up() -> None:
    wait_for(lambda: ask(REPLICA, "SELECT pg_is_in_recovery()"))
    if ask(REPLICA, "SELECT pg_is_wal_replay_paused()"):
        ask(REPLICA, "SELECT pg_wal_replay_resume()")
    wait_for_replay()


def wait_for_replay() -> None:
    written = ask(PRIMARY, "SELECT pg_current_wal_insert_lsn()::text")
    replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    wait_for(lambda: ask(REPLICA, replayed, [written]))


@pytest.fixture
def paused(follower: Any) -> Iterator[None]:
    """The replica answers, and stays as it is."""
    ask(REPLICA, "SELECT pg_wal_replay_pause()")
    wait_for(lambda: ask(REPLICA, "SELECT pg_get_wal_replay_pause_state()") == "paused")
    yield
    catch_up()


@pytest.fixture
def stopped(follower: Any) -> Iterator[Callable[[], None]]:
    yield follower.stop
    if follower.process.poll() is not None:
        follower.start()


def shows(client: Client, team: str, path: str = "/jobs/") -> bool:
    return team.encode() in page(client, path).content


def page(client: Client, path: str = "/jobs/") -> Any:
    response = client.get(path)
    assert response.status_code == 200
    return response


def write_as(client: Client, team: str) -> None:
    """A team is typed in on a page, as this reader."""
    response = client.post("/admin/dashboard/team/add/", {"name": team}, follow=True)
    assert b"was added" in response.content  # said once, and on no page after this one


def test_pages_are_read_from_the_replica(reader, paused):
    make_team("written by somebody else")
    assert not shows(reader, "written by somebody else")
    catch_up()
    assert shows(reader, "written by somebody else")
    assert NOTE not in page(reader).content


def test_a_replica_that_stands_still_holds_up_nobody_for_long(reader, follower):
    assert NOTE not in page(reader).content
    began = monotonic()
    with standing_still(follower):
        assert NOTE in page(reader).content
        assert monotonic() - began < frozen.LONG + frozen.PATIENCE + 2
        assert not outages.gone.is_known(), "the primary is well"
    wait_for(lambda: NOTE not in page(reader).content)


def test_what_a_session_wrote_it_reads_at_once(reader, paused):
    write_as(reader, "my own team")
    assert shows(reader, "my own team")
    assert NOTE not in page(reader).content, "the replica is well, it only lacks what this reader knows of"
    assert not shows(signed_in(), "my own team")


def test_a_session_reads_the_replica_again_once_that_has_replayed_its_write(reader, follower):
    write_as(reader, "replayed by now")
    wait_for_replay()
    with asked(PRIMARY) as primary, asked(REPLICA) as secondary:
        assert shows(reader, "replayed by now")
    assert tables(primary) <= WHO_IS_SIGNED_IN
    assert "jobs" in tables(secondary)


def test_without_positions_in_the_log_the_primary_is_read_for_some_time(
    reader, paused, monkeypatch, settings
):
    settings.HELIOX_REPLICA_LAG = 3600
    monkeypatch.setattr(replica, "WRITTEN", "SELECT pg_no_such_function()")
    monkeypatch.setattr(replica, "SENT", "SELECT pg_no_such_function()")
    write_as(reader, "written a moment ago")
    assert shows(reader, "written a moment ago")
    settings.HELIOX_REPLICA_LAG = 0
    assert not shows(reader, "written a moment ago")


def test_a_forged_mark_is_none(reader, paused):
    write_as(reader, "of the forger")
    reader.cookies["written"] = "FF/0:1:forged"
    assert not shows(reader, "of the forger")


def test_a_replica_too_far_behind_is_not_read(reader, paused, settings):
    settings.HELIOX_REPLICA_LAG = 0.2
    make_team("news")
    page(reader)
    sleep(0.3)
    response = page(reader)
    assert b"news" in response.content
    assert re.search(rb"The read replica may be \d+ seconds behind. " + NOTE, response.content)


def test_a_replica_behind_by_less_is_read(reader, paused, settings):
    settings.HELIOX_REPLICA_LAG = 30
    make_team("newest")
    assert not shows(reader, "newest")


def test_a_long_import_without_commits_is_no_lag(follower, monkeypatch):
    """While rows stream in and nothing is committed, the time of the last commit says nothing."""
    monkeypatch.setattr(replica, "since", lambda last_commit, now: 3600.0)
    monkeypatch.setattr(replica, "monotonic", lambda: float(next(seconds)))
    seconds, known = count(1), replica.Replica()
    log_grows()
    known.seconds_behind()
    wait_for_replay()
    ask(REPLICA, "SELECT pg_wal_replay_pause()")
    wait_for(lambda: ask(REPLICA, "SELECT pg_get_wal_replay_pause_state()") == "paused")
    log_grows()
    assert known.seconds_behind() == 1, "it stands where the primary was at the last look, a second ago"
    assert known.seconds_behind() == 2
    catch_up()
    assert known.seconds_behind() == 0


def log_grows() -> None:
    """By rows that nobody has committed, as far as the primary has sent them."""
    grown = ask(PRIMARY, "SELECT pg_logical_emit_message(false, 'test', 'rows')::text")
    wait_for(lambda: ask(PRIMARY, "SELECT pg_current_wal_lsn() >= %s::pg_lsn", [grown]))


def test_a_replica_that_is_gone_costs_nobody_a_page(reader, stopped):
    stopped()
    response = page(reader)
    assert b"The read replica does not answer. " + NOTE in response.content


def test_a_replica_that_breaks_off_costs_nobody_a_page(reader, stopped, monkeypatch):
    page(reader)
    monkeypatch.setattr(replica, "REMEMBERED", 60)
    page(reader)
    stopped()
    assert b"The read replica broke off. " + NOTE in page(reader).content
    assert b"The read replica does not answer. " + NOTE in page(reader).content


LIMIT = "SELECT current_setting('statement_timeout')"


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """Where the costs of a page are read, and how long its queries may take there; 7 s are usual here."""
    found = []
    totals = costs.spend.totals

    def looked(cells: Any) -> Any:
        found.append((reading().alias, ask(reading().alias, LIMIT)))
        return totals(cells)

    monkeypatch.setattr(costs.spend, "totals", looked)
    for alias in (PRIMARY, REPLICA):
        ask(alias, "SET statement_timeout = '7s'")
    yield found
    for alias in (PRIMARY, REPLICA):
        connections[alias].close()


def test_a_file_is_made_at_leisure_on_the_replica(reader, limits):
    b"".join(page(reader, "/costs/?sort=usd&_export=csv").streaming_content)
    assert limits == [(REPLICA, "0")]
    assert (ask(REPLICA, LIMIT), ask(PRIMARY, LIMIT)) == ("7s", "7s")
    page(reader, "/costs/?sort=usd")
    assert limits[1:] and set(limits[1:]) == {(REPLICA, "7s")}


def test_a_file_is_made_at_leisure_where_the_replica_breaks_off(reader, limits, stopped, monkeypatch):
    monkeypatch.setattr(replica, "REMEMBERED", 60)
    page(reader, "/jobs/")
    stopped()
    b"".join(page(reader, "/costs/?sort=usd&_export=csv").streaming_content)
    assert limits == [(PRIMARY, "0")]
    assert ask(PRIMARY, LIMIT) == "7s"


def test_a_replica_that_is_back_is_read_again(reader, stopped, follower):
    stopped()
    assert NOTE in page(reader).content
    follower.start()
    catch_up()
    with asked(PRIMARY) as primary:
        assert NOTE not in page(reader).content
    assert tables(primary) <= WHO_IS_SIGNED_IN


def test_a_page_that_takes_too_long_is_not_read_twice():
    cancelled = OperationalError("canceling statement due to statement timeout")
    cancelled.__cause__ = databases.QueryCanceled()
    assert not databases.broke_off(cancelled)
    assert databases.broke_off(OperationalError("server closed the connection unexpectedly"))
    assert not databases.broke_off(ProgrammingError("no such table"))


def test_the_state_of_the_replica_is_remembered(reader, stopped, monkeypatch):
    stopped()
    monkeypatch.setattr(replica, "SPARED", 60)
    tried = []
    look = replica.Replica.found
    monkeypatch.setattr(replica.Replica, "found", lambda self: tried.append(1) or look(self))
    for _ in range(3):
        assert NOTE in page(reader).content
    assert len(tried) == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("{primary}?application_name=x", "leads to no replica, but to a server of its own"),
        ("{elsewhere}", "leads to another database, not to a replica"),
    ],
)
def test_a_database_that_is_no_replica_is_not_read(servers, url, words):
    primary = connections.settings[PRIMARY]["HOST"]
    root = f"postgres://heliox@{primary.replace('/', '%2F')}"
    wrong = url.format(primary=f"{root}/postgres", elsewhere=f"{root}:5433/template1")
    with connected_to([ReadsFollowTheRequest()], default=f"{root}/postgres", replica=wrong):
        assert words in page(signed_in()).content.decode()


def test_every_page_takes_its_figures_from_one_database(reader, servers):
    """And every file. Whatever page is added to the addresses is looked at here."""
    for path in [*paths(), *(f"{path}?_export={kind}" for path in paths() for kind in ("csv", "xlsx"))]:
        with asked(PRIMARY) as primary, asked(REPLICA) as secondary:
            response = reader.get(path)
            assert response.status_code in (200, 404), path
            if response.streaming:
                b"".join(response.streaming_content)
        assert tables(primary) <= WHO_IS_SIGNED_IN | WHAT_THEY_TOOK, path
        assert not tables(secondary) & {"django_session"}, path


def paths() -> list[str]:
    keys = {
        "job": Job.objects.values_list("pk", flat=True)[0],
        "team": Team.objects.filter(jobs__isnull=False).values_list("pk", flat=True)[0],
    }
    found = []
    for pattern in urlpatterns:
        if pattern.name not in ON_PRIMARY:
            key = keys["job" if pattern.name == "job" else "team"]
            found.append("/" + re.sub("<[^>]+>", str(key), str(pattern.pattern)))
    return found


def test_imports_and_the_admin_stay_on_the_primary(reader, servers):
    run = ImportRun.objects.latest("pk")
    for path in ("/imports/", f"/imports/{run.pk}/", f"/imports/{run.pk}/undo/", "/admin/dashboard/job/"):
        with asked(REPLICA) as secondary:
            assert reader.get(path).status_code == 200
        assert not tables(secondary), path


def test_outside_of_requests_the_primary_is_read(servers):
    assert reading() is connections[PRIMARY]
    with reading_from(REPLICA):
        assert reading() is connections[REPLICA]
        assert Team.objects.all().db == REPLICA
    assert Team.objects.all().db == PRIMARY


class asked:
    """The SQL that one database is asked within the block."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.sql: list[str] = []

    def __enter__(self) -> list[str]:
        self.wrapper = connections[self.alias].execute_wrapper(self.keep)
        self.wrapper.__enter__()
        return self.sql

    def __exit__(self, *how: Any) -> None:
        self.wrapper.__exit__(*how)

    def keep(self, execute: Any, sql: str, *rest: Any) -> Any:
        self.sql.append(sql)
        return execute(sql, *rest)


def tables(statements: list[str]) -> set[str]:
    named = re.compile(r'(?:FROM|JOIN|INTO|UPDATE)\s+"?([a-z_]+)"?')
    return {name for sql in statements for name in named.findall(sql)} - {
        "pg_control_system",
        "django_content_type",
    }
