from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.template.backends.django import Template
from django.test import Client, override_settings

from dashboard import audit, remembered
from dashboard.models import BillDay, CostSnapshot, Job, Team, UsageSnapshot

from .servers import PROJECT, migrate, new_database

SAMPLES = Path(__file__).parent / "samples"
REAL = PROJECT.parent / "shared" / "data"
OWN_DATABASE = connection.settings_dict["NAME"]  # until the tests have made theirs
numbers = count(1)
# What only PostgreSQL has is no test that SQLite skips.
ONLY_POSTGRESQL = [
    "test_doctor_postgresql.py",
    "test_frozen_postgresql.py",
    "test_import_plans.py",
    "test_late_indexes_postgresql.py",
    "test_limits_postgresql.py",
    "test_migrating_postgresql.py",
    "test_plans.py",
    "test_replica.py",
    "test_same_figures.py",
    "test_two_processes.py",
]
# What a browser makes of a page hangs on no database: test_same_figures holds that both give the same page.
ONLY_SQLITE = [
    *("test_browser_barriers.py", "test_browser_how.py", "test_browser_reading.py"),
    "test_late_indexes_sqlite.py",
    "test_plans_sqlite.py",
    "test_typed_sqlite.py",
]
collect_ignore = ONLY_SQLITE if connection.vendor == "postgresql" else ONLY_POSTGRESQL


def examples(few: int) -> int:
    """How many a property is held to: few in the suite, many times more in `make drill ONLY=properties`."""
    return few * int(os.environ.get("EXAMPLES", 1))


def at(text: str) -> datetime:
    """`2025-03-01 12:00` as an aware UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def make_team(name: str = "") -> Team:
    return Team.objects.get_or_create(name=name or f"team {next(numbers)}")[0]


def make_job(start: str = "2025-03-01 00:00", end: str | None = "2025-03-01 01:00", **facts: Any) -> Job:
    """A completed one-hour job of team vision on an AWS A100-80GB, but for what is named."""
    team = facts.pop("team", "vision")
    facts = {
        "team": make_team(team) if isinstance(team, str) else team,
        "model_name": "resnet",
        "provider": "AWS",
        "gpu_type": "A100-80GB",
        "status": "completed",
        "start_time": at(start) if start else None,
        "end_time": at(end) if end else None,
    } | facts
    return Job.objects.create(**facts)


def make_cost(day: str, usd: str, provider: str = "AWS", gpu_type: str = "A100-80GB") -> CostSnapshot:
    return CostSnapshot.objects.create(
        date=date.fromisoformat(day), provider=provider, gpu_type=gpu_type, cost_usd=Decimal(usd)
    )


def make_usage(day: str, hours: str, provider: str = "AWS", gpu_type: str = "A100-80GB") -> UsageSnapshot:
    return UsageSnapshot.objects.create(
        date=date.fromisoformat(day), provider=provider, gpu_type=gpu_type, gpu_hours=Decimal(hours)
    )


def make_user(name: str, group: str, **flags: Any) -> User:
    user = User.objects.create_user(name, password="correct horse", **flags)
    user.groups.add(Group.objects.get(name=group))
    return user


@contextmanager
def written_once(blocker: Any, moment: str, write: Callable[[], Any]) -> Iterator[Any]:
    """For all tests of a class or module: each finds what was written then, and takes back what it adds."""
    with blocker.unblock(), transaction.atomic():
        with override_settings(HELIOX_AS_OF=at(moment)):
            written = write()
        yield written
        transaction.set_rollback(True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """A hundred years of days take half a second: the clocks that many tests set have theirs beforehand."""
    if connection.settings_dict["NAME"] == OWN_DATABASE:  # no test asks for one
        return
    with django_db_blocker.unblock():
        for clock in ("America/Los_Angeles", "Asia/Kolkata"):
            BillDay.objects.ensure(clock)


@pytest.fixture(scope="session")
def migrated(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any
) -> Iterator[str]:
    """The URL of a database on which only migrate has run, of the kind of the tests’ own; to be copied."""
    with ExitStack() as opened:
        with django_db_blocker.unblock():
            url = opened.enter_context(new_database(tmp_path_factory.mktemp("migrated")))
            migrate(url)
        yield url
        with django_db_blocker.unblock():
            opened.close()


@pytest.fixture(scope="session")
def migrated_file(migrated: str, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Path:
    """The same as an SQLite file."""
    if migrated.startswith("sqlite"):
        return Path(migrated.removeprefix("sqlite:///"))
    file = tmp_path_factory.mktemp("migrated_file") / "migrated.sqlite3"
    with django_db_blocker.unblock():
        migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: Any) -> None:
    """Tests that are rolled back give one number to different bills; each has its own strangers."""
    remembered.forget()
    monkeypatch.setattr(audit, "strangers", audit.Strangers())


@pytest.fixture
def viewer(db: None) -> User:
    return make_user("vera", "Viewer")


@pytest.fixture
def finance(db: None) -> User:
    return make_user("fiona", "Finance")


@pytest.fixture
def two_teams(db: None, as_of: Any) -> None:
    from .limited import NOW, make_two_teams

    as_of(NOW)
    make_two_teams()


@pytest.fixture
def own(two_teams: None) -> Client:
    """Of a manager who is limited to vision, one of two teams."""
    from .limited import client_of, limited

    return client_of(limited("lena", "vision"))


@pytest.fixture
def manager(db: None) -> User:
    return make_user("max", "Manager")


@pytest.fixture
def admin(db: None) -> User:
    return make_user("ada", "Admin", is_staff=True)


@pytest.fixture
def admin_client(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


@pytest.fixture
def root(db: None) -> Client:
    """The client of a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def as_of(settings: Any) -> Any:
    """`as_of("2025-03-10 12:00")` holds Heliox' clock still."""

    def hold(text: str) -> datetime:
        settings.HELIOX_AS_OF = at(text)
        return settings.HELIOX_AS_OF

    return hold


@pytest.fixture
def in_april(db: None, as_of: Any) -> None:
    """It is 10 April 2025, noon: March is over, and all its days are closed."""
    as_of("2025-04-10 12:00")


@pytest.fixture
def week(db: None, as_of: Any) -> None:
    """AWS and GCP over 1–7 March; 7 March is open, 4 March has no GCP row."""
    as_of("2025-03-08 12:00")
    for day in range(1, 8):
        make_cost(f"2025-03-0{day}", "100.00")
        make_usage(f"2025-03-0{day}", "50.00")
        if day != 4:
            make_cost(f"2025-03-0{day}", "10.50", provider="GCP", gpu_type="L4")
            make_usage(f"2025-03-0{day}", "20.00", provider="GCP", gpu_type="L4")
    make_cost("2025-03-02", "-25.00", gpu_type="H100-80GB")
    make_job("2025-03-01 20:00", "2025-03-02 04:00", gpu_count=4)
    make_job(
        "2025-03-03 00:00", "2025-03-03 06:00", team="speech", provider="GCP", gpu_type="L4", status="failed"
    )
    make_job("2025-03-08 10:00", None, team="speech", status="running", model_name="whisper")


DAILY_USD = {
    ("AWS", "H100-80GB"): 400,
    ("AWS", "A100-80GB"): 300,
    ("AWS", "L4"): 20,
    ("GCP", "A100-40GB"): 150,
    ("GCP", "T4"): 8,
    ("GCP", "L4"): 16,
    ("Azure", "V100-16GB"): 60,
    ("Azure", "A10"): 12,
    ("Lambda", "GH200"): 90,
    ("Lambda", "RTX A6000"): 5,
}
MODELS = ["resnet", "whisper", "llama-3-8b", "bert-base"]
LAST_OF_MARCH = "2025-03-31 12:00"


@pytest.fixture
def company(db: None, as_of: Any) -> None:
    as_of(LAST_OF_MARCH)
    make_company()


def make_company() -> None:
    """February and March 2025 of four providers and three teams; it is the 31st, noon.

    AWS costs $720 a day. GCP has no rows on 12 March, and a credit of $1,000 on the 20th.
    """
    days = [date(2025, 2, 1) + timedelta(days=n) for n in range(58)]
    cells = [
        (day, provider, gpu_type, Decimal(usd))
        for day in days
        for (provider, gpu_type), usd in DAILY_USD.items()
        if (provider, day) != ("GCP", date(2025, 3, 12))
    ]
    CostSnapshot.objects.bulk_create(
        CostSnapshot(date=day, provider=provider, gpu_type=gpu_type, cost_usd=usd)
        for day, provider, gpu_type, usd in cells
    )
    UsageSnapshot.objects.bulk_create(
        UsageSnapshot(date=day, provider=provider, gpu_type=gpu_type, gpu_hours=usd / 2)
        for day, provider, gpu_type, usd in cells
    )
    make_cost("2025-03-20", "-1000.00", provider="GCP", gpu_type="Credits")
    teams = [make_team(name) for name in ("vision", "speech", "research")]
    Job.objects.bulk_create(job_of_the_company(n, teams, at(LAST_OF_MARCH)) for n in range(60))


def job_of_the_company(n: int, teams: list[Team], now: datetime) -> Job:
    """The newest two run; every seventh failed; every fifth came from a cluster that no mapping knows."""
    provider, gpu_type = list(DAILY_USD)[n % len(DAILY_USD)]
    start = now - timedelta(hours=20 * n + 1)
    return Job(
        team=teams[n % 3],
        model_name=MODELS[n % 4],
        provider="fox" if n % 5 == 0 else provider,
        gpu_type="a100" if n % 5 == 0 else gpu_type,
        cluster="fox" if n % 5 == 0 else None,
        account="nn1234k" if n % 5 == 0 else None,
        raw_gpu_type="a100" if n % 5 == 0 else None,
        raw_gpu_count=Decimal(2) if n % 5 == 0 else None,
        gpu_count=Decimal(n % 8 + 1),
        status="running" if n < 2 else "failed" if n % 7 == 0 else "completed",
        submit_time=start - timedelta(minutes=7),
        start_time=start,
        end_time=None if n < 2 else start + timedelta(hours=n % 30, minutes=37, seconds=n),
    )


@pytest.fixture
def partly_metered(db: None, as_of: Any) -> None:
    """1–3 March: AWS costs $100 and meters 50 h a day. Lambda costs $30 a day, runs 30 h on the 1st and
    is unused then; OCI costs $20 a day and meters nothing; GCP meters 20 h on the 2nd that nobody bills."""
    as_of("2025-03-08 12:00")
    for day in ("2025-03-01", "2025-03-02", "2025-03-03"):
        make_cost(day, "100.00")
        make_usage(day, "50.00")
        make_cost(day, "30.00", provider="Lambda", gpu_type="H100-80GB")
        make_cost(day, "20.00", provider="OCI", gpu_type="A10G")
    make_usage("2025-03-01", "30.00", provider="Lambda", gpu_type="H100-80GB")
    make_usage("2025-03-02", "20.00", provider="GCP", gpu_type="L4")


@pytest.fixture
def contexts(monkeypatch: Any) -> list[Any]:
    """What pages would show: to draw them takes ten times as long."""
    held: list[Any] = []
    monkeypatch.setattr(
        Template, "render", lambda self, context=None, request=None: held.append(context) or ""
    )
    return held
