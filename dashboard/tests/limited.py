"""Two teams on one bill, vision and covert, and who is limited to some: what the pages tell them."""

from __future__ import annotations

import io
import re
import zipfile
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.test import Client

from dashboard import rollups
from dashboard.models import Team, TeamLimit

from .conftest import make_cost, make_job, make_team, make_usage, make_user
from .test_allocation import a_log_speaks_of

PAGES = ("teams", "allocation", "jobs", "running", "help")
FURTHER_FILES = ("entries", "runs", "idle", "stuck", "restated")
NOW = "2025-03-10 12:00"
MARCH = "start=2025-03-01&end=2025-03-09"


def make_two_teams() -> None:
    """On 3 March $1,103.40 for 100 metered hours: 30 of vision for $331.02, 69.79 of covert for $770.06.

    What is left, 0.21 hours for $2.32, and $666.66 of L4s are idle. Of the $2.32 vision would bear $0.70 by
    use and $1.16 evenly. Since six o’clock 2 GPUs of vision and 5.7 of covert run: 12 hours and 34.2.
    """
    make_cost("2025-03-03", "1103.40")
    make_usage("2025-03-03", "100.00")
    make_job("2025-03-03 00:00", "2025-03-03 10:00", gpu_count=Decimal(3))
    covert = {"team": "covert", "model_name": "whisper"}
    make_job("2025-03-03 00:00", "2025-03-03 10:00", gpu_count=Decimal("6.979"), **covert)
    make_job("2025-03-10 06:00", None, status="running", gpu_count=Decimal(2))
    make_job("2025-03-10 06:00", None, status="running", gpu_count=Decimal("5.7"), **covert)
    make_cost("2025-03-04", "333.33", gpu_type="L4")
    make_cost("2025-03-09", "333.33", gpu_type="L4")
    a_log_speaks_of("2025-03-01 00:00", "2025-03-09 23:00", "AWS")
    rollups.settle()


def limited(name: str, *teams: str, role: str = "Manager") -> User:
    user = make_user(name, role, is_staff=role == "Admin")
    TeamLimit.objects.create(user=user).teams.set([make_team(team) for team in teams])
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def team(name: str) -> UUID:
    return Team.objects.get(name=name).pk


def text_of(answer: Any) -> str:
    """Of a workbook: all that its sheets hold and are called, but not when it was made."""
    content = b"".join(answer.streaming_content if answer.streaming else [answer.content])
    if not content.startswith(b"PK"):
        return content.decode()
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        names = sorted(name for name in book.namelist() if name != "docProps/core.xml")
        return "\n".join(f"{name}\n{book.read(name).decode()}" for name in names)


def without_tokens(answer: Any) -> str:
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", text_of(answer))
    return re.sub(r"Request [0-9a-f-]+", "", text)
