"""Two web hosts share nothing but the database: whatever begins at one goes on at the other.

PostgreSQL only. Each host is production as README.md starts it, with a directory of its own.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management import call_command
from django.db import connections, models

from ..databases import REPLICA
from .conftest import PROJECT, make_team, make_user
from .servers import ask, connected_to, private_postgresql, wait_for

NAME = "heliox.example.com"
PASSWORD = "correct horse battery staple"
# Of production, but for the static files, which take ten seconds to compress.
SETTINGS = """
from heliox_site.settings import *
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
"""
COSTS = b"date,provider,gpu_type,cost_usd\n2025-03-01,AWS,A100-80GB,1234.56\n"
NOTE = "This page was read from the primary database."


@dataclass(frozen=True)
class Host:
    home: Path
    port: int

    def files(self) -> set[Path]:
        return {path for path in self.home.rglob("*") if "__pycache__" not in path.parts}


@dataclass
class Reader:
    """A browser: its cookies go to whichever host the load balancer chooses."""

    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, host: Host, path: str) -> tuple[int, str]:
        return self.ask(host, "GET", path, None, {})

    def post(self, host: Host, path: str, form: str = "", **values: str) -> str:
        """The address that the answer leads to. form: the page that the form stands on."""
        body = urlencode(values | self.token(host, form or path)).encode()
        return self.send(host, path, body, "application/x-www-form-urlencoded")

    def upload(self, host: Host, path: str, name: str, content: bytes) -> str:
        [(field_name, value)] = self.token(host, path).items()
        parts = [
            f'--edge\r\nContent-Disposition: form-data; name="{field_name}"\r\n\r\n{value}\r\n',
            f'--edge\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n',
        ]
        body = "".join(parts).encode() + content + b"\r\n--edge--\r\n"
        return self.send(host, path, body, "multipart/form-data; boundary=edge")

    def token(self, host: Host, path: str) -> dict[str, str]:
        _, text = self.get(host, path)
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', text)
        assert found, text
        return {"csrfmiddlewaretoken": found[1]}

    def send(self, host: Host, path: str, body: bytes, kind: str) -> str:
        status, text = self.ask(host, "POST", path, body, {"Content-Type": kind})
        assert status == 302, text
        return text

    def ask(
        self, host: Host, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=60)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        behind_proxy = {"Host": NAME, "X-Forwarded-Proto": "https", "Referer": f"https://{NAME}/"}
        connection.request(method, path, body, behind_proxy | {"Cookie": cookies} | headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        for line in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.coded_value
        connection.close()
        return answer.status, answer.headers.get("Location", text)


@pytest.fixture(scope="module")
def databases(django_db_blocker: Any) -> Iterator[Any]:
    postgresql = private_postgresql()
    with ExitStack() as opened:
        opened.enter_context(django_db_blocker.unblock())
        primary = opened.enter_context(postgresql.server(postgresql.FOLLOWED))
        follower = postgresql.replica_of(primary)
        opened.enter_context(connected_to(default=primary.url, replica=follower.url))
        call_command("migrate", verbosity=0)
        ada = make_user("ada", "Admin", is_staff=True)
        ada.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt")
        ada.save()
        yield primary, follower


@pytest.fixture(scope="module")
def hosts(databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Host]]:
    primary, follower = databases
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": primary.url,
        "DATABASE_REPLICA_URL": follower.url,
        "HELIOX_SECRET_KEY": "the-same-on-every-host-of-these-two",
        "HELIOX_ALLOWED_HOSTS": NAME,
        "HELIOX_BEHIND_PROXY": "1",
        "DJANGO_SETTINGS_MODULE": "of_this_test",
    }
    with ExitStack() as opened:
        both = [
            opened.enter_context(host(tmp_path_factory.mktemp(name), environment)) for name in ("one", "two")
        ]
        for one in both:
            wait_for(lambda one=one: answers(one), seconds=60)
        yield both


@contextmanager
def host(home: Path, environment: dict[str, str]) -> Iterator[Host]:
    for part in ("heliox_site", "dashboard", "templates", "static"):
        shutil.copytree(PROJECT / part, home / part, ignore=shutil.ignore_patterns("tests"))
    (home / "of_this_test.py").write_text(SETTINGS)
    (home / "var").mkdir()
    here = Host(home, free_port())
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "heliox_site.wsgi:application"]
    command += ["--port", str(here.port), "--workers", "1", "--blocking-threads", "4"]
    command += ["--workers-kill-timeout", "5"]
    with open(home / "var" / "log", "w") as log:
        process = subprocess.Popen(
            command, cwd=home, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield here
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(host: Host) -> bool:
    log = (host.home / "var" / "log").read_text()
    assert "Traceback" not in log, log
    try:
        return Reader().get(host, "/readyz")[0] == 200
    except OSError:
        return False


def sign_in(host: Host) -> Reader:
    reader = Reader()
    assert reader.post(host, "/accounts/login/", username="ada", password=PASSWORD) == "/"
    return reader


@pytest.fixture(scope="module")
def signed_in(hosts: list[Host]) -> Reader:
    return sign_in(hosts[0])


@pytest.fixture
def reader(signed_in: Reader) -> Reader:
    return Reader(dict(signed_in.cookies))


def test_who_signs_in_at_one_host_is_signed_in_at_the_other(hosts):
    reader = sign_in(hosts[0])
    assert "Sign out" in reader.get(hosts[1], "/")[1]
    reader.post(hosts[1], "/accounts/logout/", form="/")
    assert reader.get(hosts[0], "/")[1].startswith("/accounts/login/")


def test_tries_at_one_host_count_at_the_other(hosts):
    """Whatever the header says that a client may write itself: the proxy has added the last address."""
    guesser, login, statuses = Reader(), "/accounts/login/", []
    for n in range(11):
        here = hosts[n % 2]
        body = urlencode({"username": "ada", "password": "wrong"} | guesser.token(here, login)).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        headers["X-Forwarded-For"] = f"203.0.113.{n}, 198.51.100.7"
        statuses.append(guesser.ask(here, "POST", login, body, headers)[0])
    assert statuses == [200] * 10 + [429]
    assert "Sign out" in sign_in(hosts[0]).get(hosts[1], "/")[1], "from elsewhere the owner signs in"


def test_an_import_begun_at_one_host_is_looked_at_and_confirmed_at_the_other(hosts, reader):
    one, two = hosts
    before = [host.files() for host in hosts]
    review = reader.upload(one, "/imports/", "costs.csv", COSTS)
    assert "1 change would be written" in reader.get(two, review)[1]
    done = reader.post(two, review, do="confirm")
    assert "Imported: costs.csv." in reader.get(one, done)[1]
    assert "Imported: costs.csv." not in reader.get(two, done)[1], "a message is shown once"
    for host in hosts:
        assert "1234.56" in reader.get(host, "/costs/?preset=all&_export=csv")[1]
    assert [host.files() for host in hosts] == before, "nothing lies on a host's disk"


def test_the_theme_chosen_at_one_host_is_that_of_the_other(hosts, reader):
    reader.post(hosts[0], "/theme", form="/", theme="dark")
    assert 'data-bs-theme="dark"' in reader.get(hosts[1], "/")[1]


def test_what_was_written_at_one_host_is_read_at_the_other(hosts, reader):
    """Though the replica, from which both read, does not have it yet."""
    one, two = hosts
    ask(REPLICA, "SELECT pg_wal_replay_pause()")
    try:
        reader.post(one, "/admin/dashboard/team/add/", name="written at the first")
        reader.get(one, "/admin/")  # where the message about it is shown
        assert "written at the first" in reader.get(two, "/jobs/")[1]
        make_team("written by nobody here")
        assert "written by nobody here" in reader.get(two, "/jobs/")[1]
        other = Reader({name: value for name, value in reader.cookies.items() if "written" not in name})
        assert "written by nobody here" not in other.get(two, "/jobs/")[1]
    finally:
        ask(REPLICA, "SELECT pg_wal_replay_resume()")


def test_a_replica_that_goes_costs_no_page(hosts, reader, databases):
    _, follower = databases
    assert NOTE not in reader.get(hosts[0], "/")[1]
    connections[REPLICA].close()
    follower.stop()
    try:
        for _ in range(6):  # more than there are threads, each with a connection that is dead now
            for host in hosts:
                status, text = reader.get(host, "/costs/")
                assert status == 200
                assert NOTE in text
    finally:
        follower.start()


def test_no_type_of_a_body_keeps_a_host_from_answering(hosts):
    for declared in ("text/plain; charset=hex", "text/plain; x*=nowhere''%41"):
        asked = Reader().ask(hosts[0], "GET", "/accounts/login/?next=%2F", None, {"Content-Type": declared})
        assert asked[0] == 200, declared


def test_nothing_is_made_to_be_kept_on_one_host():
    files = [
        f"{model.__name__}.{column.name}"
        for model in apps.get_models()
        for column in model._meta.get_fields()
        if isinstance(column, models.FileField)
    ]
    assert files == []
    code = [path for path in (PROJECT / "dashboard").rglob("*.py") if "tests" not in path.parts]
    for word in ("django.core.cache", "cache_page", "default_storage"):
        assert not [path for path in code if word in path.read_text()], word
