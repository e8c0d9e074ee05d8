from __future__ import annotations

import os
import runpy
import secrets
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http.request import split_domain_port, validate_host
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..trouble.frozen import Watched
from .conftest import PROJECT

BY_CHANCE = "Zk3v-9QmW7xTt_2bR4uJf8PnYc6HsLd0aGq5VwEiX1o"
SECRET = "correct-horse-battery-staple-and-twelve-more-random-words"
REPLICA = "postgres://me:hunter2@replica.example.com/heliox"
PRODUCTION = {"HELIOX_SECRET_KEY": SECRET, "HELIOX_ALLOWED_HOSTS": "heliox.example.com"}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The settings as they come out of an environment with nothing else set, in a program without pytest."""
    monkeypatch.delitem(sys.modules, "pytest")

    def read(**environment: str) -> dict[str, Any]:
        for name in list(os.environ):
            if name.startswith("HELIOX_") or name in {
                "DATABASE_URL",
                "DATABASE_REPLICA_URL",
                "PYTEST_VERSION",
            }:
                monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(PROJECT / "heliox_site" / "settings.py"))

    return read


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"HELIOX_SECRET_KEY": ""}, "HELIOX_SECRET_KEY is missing"),
        ({"HELIOX_SECRET_KEY": "short"}, "HELIOX_SECRET_KEY is too short"),
        ({"HELIOX_SECRET_KEY": "x" * 64}, "HELIOX_SECRET_KEY is not random"),
        ({"HELIOX_SECRET_KEY": "0123456789abcdef" * 4}, "HELIOX_SECRET_KEY is not random"),
        ({"HELIOX_SECRET_KEY": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEF"}, "is not random"),
        ({"HELIOX_SECRET_KEY": "django-insecure-4k!x8w#q2z@v7m5n9b3c6l1p"}, "somebody published"),
        ({"HELIOX_SECRET_KEY": "change-me-to-fifty-random-characters-or-more"}, "somebody published"),
        ({"HELIOX_SECRET_KEY": "", "PYTEST_VERSION": "8.4"}, "HELIOX_SECRET_KEY is missing"),
        ({"HELIOX_SECRET_KEY": "your-secret-here-and-some-more-letters"}, "somebody published"),
        ({"HELIOX_SECRET_KEY": "thisisthepasswordofourheliox!2026"}, "somebody published"),
        ({"HELIOX_SECRET_KEY": "changeit-before-you-go-into-production"}, "somebody published"),
        ({"HELIOX_SECRET_KEY": "qwertyuiopasdfghjklzxcvbnm1234567890"}, "somebody published"),
        ({"HELIOX_SECRET_KEY": "django-insecure-" + BY_CHANCE}, "somebody published"),
        ({"HELIOX_SECRET_KEY": "my-own-Secret-of-2026-please-replace-me-in-january"}, "somebody published"),
        ({"HELIOX_SECRET_KEY": "password1234567890" * 3}, "somebody published"),
        ({"HELIOX_SECRET_KEY": "my_secret_password_1234567890_my_company_1234567890"}, "somebody published"),
        ({"HELIOX_SECRET_KEY": "super-secret-key-for-heliox-2024-v1-do-not-share-9"}, "somebody published"),
        ({"HELIOX_SECRET_KEY": "secret" + BY_CHANCE[:31]}, "somebody published"),
        ({"HELIOX_ALLOWED_HOSTS": "*"}, "lets in every name"),
        ({"HELIOX_ALLOWED_HOSTS": "heliox.example.com,*.example.com"}, "lets in every name"),
        ({"HELIOX_ALLOWED_HOSTS": "."}, "lets in every name"),
        ({"HELIOX_DEBUG": "1"}, "it is for this machine only"),
        ({"HELIOX_DEBUG": "1", "PYTEST_VERSION": "8.4"}, "it is for this machine only"),
        ({"HELIOX_DEMO": "1"}, "sign-ins that everybody knows"),
        ({"HELIOX_SITE_URL": "heliox.example.com"}, "HELIOX_SITE_URL is not understood"),
        ({"HELIOX_SITE_URL": "http://heliox.example.com"}, "HELIOX_SITE_URL is not understood"),
        ({"HELIOX_SITE_URL": "https://heliox.example.com/x"}, "HELIOX_SITE_URL is not understood"),
        ({"HELIOX_SITE_URL": "https://heliox.example.com:99999"}, "HELIOX_SITE_URL is not understood"),
        ({"HELIOX_DIGEST_WEBHOOK": "http://hooks.example.com/x"}, "HELIOX_DIGEST_WEBHOOK is not understood"),
        ({"HELIOX_DIGEST_WEBHOOK": "https:///x"}, "HELIOX_DIGEST_WEBHOOK is not understood"),
        ({"HELIOX_DIGEST_TO": "fiona"}, "HELIOX_DIGEST_TO holds 'fiona'"),
        ({"HELIOX_IDLE_MINUTES": "0"}, "HELIOX_IDLE_MINUTES is '0', expected a whole number"),
        ({"HELIOX_SIGNED_IN_DAYS": "400"}, "HELIOX_SIGNED_IN_DAYS is '400', expected a whole number"),
        ({"HELIOX_REQUIRE_SECOND_FACTOR": "some"}, "HELIOX_REQUIRE_SECOND_FACTOR is 'some'"),
        ({"HELIOX_ALLOWED_HOSTS": ""}, "HELIOX_ALLOWED_HOSTS is missing"),
        ({"HELIOX_ALLOWED_HOSTS": "http://a"}, "'http://a', expected names"),
        ({"HELIOX_ALLOWED_HOSTS": "heliox.example.com:443"}, "expected names"),
        ({"HELIOX_ALLOWED_HOSTS": "::1"}, "expected names"),
        ({"HELIOX_ALLOWED_HOSTS": "heliox.example.com;b.example.com"}, "expected names"),
        ({"HELIOX_ALLOWED_HOSTS": "gpu_costs.example.com"}, "'gpu_costs.example.com', expected names"),
        ({"HELIOX_ALLOWED_HOSTS": "heliox.example.com."}, "without a port and a dot at the end"),
        ({"HELIOX_ALLOWED_HOSTS": "[17]"}, "expected names"),
        ({"HELIOX_AS_OF": "2025-01-01"}, "unset it in production"),
        ({"HELIOX_DEBUG": "maybe"}, "HELIOX_DEBUG is 'maybe', expected 1 or 0"),
        ({"HELIOX_TIME_ZONE": "Mars/Base"}, "HELIOX_TIME_ZONE is 'Mars/Base', expected a zone"),
        ({"HELIOX_TIME_ZONE": "../etc/passwd"}, "expected a zone"),
        ({"HELIOX_COST_BASIS": "list"}, "HELIOX_COST_BASIS is 'list', expected one of: effective, billed"),
        ({"HELIOX_FISCAL_MONTH": "13"}, "HELIOX_FISCAL_MONTH is '13'"),
        ({"DATABASE_URL": "mysql://u@h/d"}, "DATABASE_URL is not understood"),
        ({"DATABASE_URL": "sqlite://:memory:"}, "DATABASE_URL is not understood"),
        ({"DATABASE_URL": "sqlite:///"}, "DATABASE_URL is not understood"),
        ({"DATABASE_URL": "postgres://me:hunter2@db.example.com/"}, "DATABASE_URL is not understood"),
        ({"DATABASE_URL": "sqlite:////tmp/x?colour=red"}, "has an option that is not known, 'colour'"),
        ({"DATABASE_URL": "postgres://me:hunter2@h/d?colour=red"}, "an option that is not known, 'colour'"),
        ({"DATABASE_URL": "postgres://me@h/d?pool=true"}, "an option that is not known, 'pool'"),
        ({"DATABASE_REPLICA_URL": REPLICA}, "is set, but DATABASE_URL is not a PostgreSQL database"),
        ({"DATABASE_REPLICA_URL": "replica.example.com"}, "DATABASE_REPLICA_URL is not understood"),
        ({"DATABASE_URL": REPLICA, "DATABASE_REPLICA_URL": REPLICA}, "is the same as DATABASE_URL"),
        ({"DATABASE_URL": REPLICA, "DATABASE_REPLICA_URL": "sqlite:///x"}, "is not a PostgreSQL database"),
        ({"HELIOX_MAIL_URL": "me:hunter2@mail"}, "HELIOX_MAIL_URL is not understood"),
        ({"HELIOX_MAIL_URL": "smtp://me:hunter2@mail:port"}, "HELIOX_MAIL_URL is not understood"),
        ({"HELIOX_MAIL_FROM": "fiona@@example.com"}, "HELIOX_MAIL_FROM is 'fiona@@example.com', expected"),
        ({"HELIOX_MAIL_FROM": "Heliox"}, "HELIOX_MAIL_FROM is 'Heliox', expected"),
        ({"HELIOX_MAIL_FROM": "heliox@"}, "HELIOX_MAIL_FROM is 'heliox@', expected"),
        ({"HELIOX_MAIL_FROM": "Heliox, GPUs <h@example.com>"}, "a name with a comma stands in quotes"),
        ({"HELIOX_MAIL_FROM": "<>"}, "HELIOX_MAIL_FROM is '<>', expected"),
        ({"HELIOX_METRICS_TOKEN": "short"}, "HELIOX_METRICS_TOKEN is too short"),
        ({"HELIOX_ERRORS_DSN": "errors.example.com"}, "HELIOX_ERRORS_DSN is not understood"),
        ({"HELIOX_ERRORS_DSN": "https://hunter2@errors.example.com/"}, "HELIOX_ERRORS_DSN is not understood"),
        ({"HELIOX_ERRORS_DSN": "https://hunter2@host:port/7"}, "HELIOX_ERRORS_DSN is not understood"),
        ({"HELIOX_ERRORS_DSN": "https://hunter2@[::1/7"}, "HELIOX_ERRORS_DSN is not understood"),
        ({"HELIOX_REPLICA_LAG": "0"}, "HELIOX_REPLICA_LAG is '0', expected a whole number"),
    ],
)
def test_a_bad_value_stops_the_start_with_a_sentence(read: Any, changes: dict, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured) as stopped:
        read(**PRODUCTION | changes)
    assert sentence in str(stopped.value)
    assert "hunter2" not in str(stopped.value)


def of_this_project(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"]} | PRODUCTION | environment,
        capture_output=True,
        text=True,
    )


def test_a_web_server_is_told_in_one_line_too() -> None:
    done = of_this_project("-c", "import heliox_site.wsgi", HELIOX_SECRET_KEY="short")
    assert done.returncode == 3
    assert done.stderr.startswith("Heliox cannot start: HELIOX_SECRET_KEY is too short")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("url", ["postgres://me:hunter2@127.0.0.1:1/heliox", "sqlite:////nowhere/at/all"])
def test_a_command_that_cannot_reach_its_database_says_so(url: str) -> None:
    done = of_this_project("manage.py", "migrate", DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Heliox cannot reach its database: ")
    assert "Traceback" not in done.stderr and "hunter2" not in done.stderr


def test_a_command_before_migrate_says_so(tmp_path: Path) -> None:
    new = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    done = of_this_project("manage.py", "roll_up", DATABASE_URL=new)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("The database is not up to date: ")
    assert "Run manage.py migrate." in done.stderr and "Traceback" not in done.stderr


def test_a_bad_database_url_does_not_show_its_password(read: Any) -> None:
    with pytest.raises(ImproperlyConfigured) as stopped:
        read(**PRODUCTION, DATABASE_URL="postgres://me:hunter2@host:port/name")
    assert "hunter2" not in str(stopped.value)


def test_production_is_strict(read: Any) -> None:
    settings = read(**PRODUCTION)
    assert settings["ALLOWED_HOSTS"] == ["heliox.example.com"]
    assert settings["SESSION_COOKIE_NAME"] == "__Host-sessionid"
    assert settings["AUTHENTICATION_BACKENDS"] == ["dashboard.people.backend.Backend"]
    assert not settings["DEBUG"]
    assert settings["PASSWORD_HASHERS"][0].endswith(".Argon2PasswordHasher")
    assert settings["SESSION_COOKIE_AGE"] == 8 * 3600


@pytest.mark.parametrize("bytes_of_it", [24, 32, 48])
def test_a_random_secret_is_taken(read: Any, bytes_of_it: int) -> None:
    for make in (secrets.token_urlsafe, secrets.token_hex):
        secret = make(bytes_of_it)
        assert read(**PRODUCTION | {"HELIOX_SECRET_KEY": secret})["SECRET_KEY"] == secret


@pytest.mark.parametrize("word", ["secret", "Password", "QWERTY", "default", "change-me", "example"])
@pytest.mark.parametrize("place", [0, 17, len(BY_CHANCE)])
def test_a_long_random_secret_may_happen_to_hold_a_word(read: Any, word: str, place: int) -> None:
    for by_chance in (BY_CHANCE, "h7$k(2m^q9=x4w!b6@r1p)c8z_5n-3v&t0j#s*dfg+l%y"):
        secret = by_chance[:place] + word + by_chance[place:]
        assert read(**PRODUCTION | {"HELIOX_SECRET_KEY": secret})["SECRET_KEY"] == secret


@pytest.mark.parametrize("hosts", ["Heliox.example.com", ".example.com", "10.0.0.7,[::1],localhost", "a--b"])
def test_names_and_addresses_are_hosts(read: Any, hosts: str) -> None:
    allowed = read(**PRODUCTION | {"HELIOX_ALLOWED_HOSTS": hosts})["ALLOWED_HOSTS"]
    assert allowed == hosts.split(",")
    for host in allowed:
        domain, _ = split_domain_port(f"{host.removeprefix('.')}:443")
        assert domain and validate_host(domain, [host])


def test_a_proxy_is_trusted_only_where_there_is_one(read: Any) -> None:
    assert "SECURE_PROXY_SSL_HEADER" not in read(**PRODUCTION)
    assert "SECURE_PROXY_SSL_HEADER" in read(**PRODUCTION, HELIOX_BEHIND_PROXY="1")


def test_a_fixed_now_is_a_moment(read: Any) -> None:
    berlin = {"HELIOX_DEBUG": "1", "HELIOX_SECRET_KEY": SECRET, "HELIOX_TIME_ZONE": "Europe/Berlin"}
    midnight = read(**berlin, HELIOX_AS_OF="2025-01-31")["HELIOX_AS_OF"]
    assert midnight == datetime(2025, 1, 30, 23, tzinfo=UTC)
    noon = read(**berlin, HELIOX_AS_OF="2025-01-31T12:00Z")["HELIOX_AS_OF"]
    assert noon == datetime(2025, 1, 31, 12, tzinfo=UTC)
    with pytest.raises(ImproperlyConfigured, match="a time with its zone"):
        read(**berlin, HELIOX_AS_OF="2025-01-31T12:00")


def test_sqlite_writers_wait_for_each_other(read: Any) -> None:
    options = read(**PRODUCTION)["DATABASES"]["default"]["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]


def test_postgresql_is_pooled_in_service(read: Any) -> None:
    url = "postgres://me@%2Ftmp%2FSocket/heliox?sslmode=disable"
    database = read(**PRODUCTION, DATABASE_URL=url)["DATABASES"]["default"]
    assert database["OPTIONS"]["pool"]["max_size"] == 8
    assert database["OPTIONS"]["pool"]["connection_class"] is Watched
    assert database["OPTIONS"]["sslmode"] == "disable"
    assert database["CONN_HEALTH_CHECKS"]
    assert database["HOST"] == "/tmp/Socket"


def test_a_replica_is_asked_without_waiting_for_it_long(read: Any) -> None:
    primary = "postgres://me@db.example.com/heliox"
    settings = read(**PRODUCTION, DATABASE_URL=primary, DATABASE_REPLICA_URL=REPLICA)
    assert settings["DATABASES"]["replica"]["OPTIONS"]["connect_timeout"] == 2
    assert settings["DATABASE_ROUTERS"]
    assert not read(**PRODUCTION, DATABASE_URL=primary, DATABASE_REPLICA_URL="")["DATABASE_ROUTERS"]


@pytest.mark.parametrize("bytes_of_it", [24, 48])
def test_djangos_deployment_check_finds_nothing(bytes_of_it: int) -> None:
    secret = secrets.token_urlsafe(bytes_of_it)
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"]} | PRODUCTION | {"HELIOX_SECRET_KEY": secret},
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr
    said = checked.stdout + checked.stderr
    assert said.startswith("System check identified no issues (") and "WARNING" not in said


@pytest.mark.parametrize("name", [file.name for file in PROJECT.glob("requirements*.txt")])
def test_a_lock_file_names_no_host_and_hashes_everything(name: str) -> None:
    lines = (PROJECT / name).read_text().splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    assert all(
        following.lstrip().startswith("--hash=sha256:")
        for line, following in zip(lines, lines[1:], strict=False)
        if "==" in line
    )


def test_an_extra_that_another_package_wants_is_locked_with_it() -> None:
    """pip before 23.3 takes the newest of `name[extra]` where only `name` is pinned, and then refuses it."""
    locked = [Requirement(line.rstrip(" \\")) for line in lock_lines("requirements-dev.txt")]
    extras = {canonicalize_name(one.name): one.extras for one in locked}
    wanted = [
        Requirement(line)
        for name in extras
        for line in (requires(name) if installed(name) else None) or []
        if "extra ==" not in line
    ]
    assert len(wanted) > 30
    assert not [one for one in wanted if one.extras - extras.get(canonicalize_name(one.name), set())]


def lock_lines(name: str) -> list[str]:
    return [line for line in (PROJECT / name).read_text().splitlines() if "==" in line]


def installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def test_a_private_postgresql_lives_as_long_as_its_command() -> None:
    show = "import os; print(os.environ['DATABASE_URL']); raise SystemExit(7)"
    done = subprocess.run(
        [sys.executable, "bin/with_postgres", sys.executable, "-c", show],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 7, done.stderr
    folder = done.stdout.strip().partition("@")[2].partition("/")[0].replace("%2F", "/")
    assert folder.startswith("/")
    assert not os.path.exists(folder)


@pytest.mark.parametrize(
    "told", ["heliox@localhost", "h@relay", "heliox@my_host", "Größe & Co <heliox@example.com>"]
)
def test_a_sender_of_mail_is_an_address(read: Any, told: str) -> None:
    assert read(**PRODUCTION, HELIOX_MAIL_FROM=told)["DEFAULT_FROM_EMAIL"] == told


def test_where_digests_go_is_read(read):
    found = read(
        **PRODUCTION,
        HELIOX_SITE_URL="https://heliox.example.com/",
        HELIOX_DIGEST_TO="fiona@example.com, max@example.com",
        HELIOX_DIGEST_WEBHOOK="http://127.0.0.1:8080/services/secret?x=1",
    )
    assert found["HELIOX_SITE_URL"] == "https://heliox.example.com"
    assert found["HELIOX_DIGEST_TO"] == ["fiona@example.com", "max@example.com"]
    assert found["HELIOX_DIGEST_WEBHOOK"] == "http://127.0.0.1:8080/services/secret?x=1"
    assert read(**PRODUCTION)["HELIOX_DIGEST_TO"] == []


def test_a_webhook_s_secret_is_not_repeated(read):
    with pytest.raises(ImproperlyConfigured) as refused:
        read(**PRODUCTION, HELIOX_DIGEST_WEBHOOK="http://hooks.example.com/services/secret")
    assert "secret" not in str(refused.value)
