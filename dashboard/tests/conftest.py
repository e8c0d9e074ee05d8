from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from dashboard.models import CostSnapshot, Job, Team, UsageSnapshot

PROJECT = Path(__file__).resolve().parents[2]
SAMPLES = Path(__file__).parent / "samples"
REAL = PROJECT.parent / "shared" / "data"
numbers = count(1)


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


@pytest.fixture
def viewer(db: None) -> User:
    return make_user("vera", "Viewer")


@pytest.fixture
def finance(db: None) -> User:
    return make_user("fiona", "Finance")


@pytest.fixture
def manager(db: None) -> User:
    return make_user("max", "Manager")


@pytest.fixture
def admin(db: None) -> User:
    return make_user("ada", "Admin", is_staff=True)


@pytest.fixture
def as_of(settings: Any) -> Any:
    """`as_of("2025-03-10 12:00")` holds Heliox' clock still."""

    def hold(text: str) -> datetime:
        settings.HELIOX_AS_OF = at(text)
        return settings.HELIOX_AS_OF

    return hold
