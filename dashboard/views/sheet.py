"""What a statement has on its sheet, whether it is closed or as of now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from django.urls import reverse

from ..access import may_export
from ..clock import today
from ..filters import query
from ..gpu_time import hours
from ..models import Team
from ..money import usd
from ..scope import Span
from ..templatetags import ui
from .asked import Asked
from .months import beside

COLUMNS = (
    "month",
    "team",
    "provider",
    "gpu_type",
    "job_gpu_hours",
    "shared_usd",
    "idle_usd",
    "direct_usd",
    "cost_usd",
)
MOST_MODELS = 10
MOST_MAILED = 20  # lines; mail programs take only so long an address


def crumbs(team: Team, month: date) -> list[dict[str, Any]]:
    return [
        {"label": "Teams", "url": reverse("teams")},
        {"label": team.name, "url": team.get_absolute_url()},
        {"label": f"Statement for {month:%B %Y}", "url": None},
    ]


def neighbours(asked: Asked, month: Span) -> dict[str, Any]:
    named = asked.request.GET.get("month", "")
    return beside(month.start, lambda first: asked.here(month=f"{first:%Y-%m}"), last=today(), asked=named)


def days(month: Span) -> dict[str, str]:
    return {"start": month.start.isoformat(), "end": month.last.isoformat()}


def jobs(asked: Asked, team: Team, **more: Any) -> str:
    span = asked.scope.span
    return reverse("jobs") + query(team=team.pk, **(days(span) if span else {}), **more)


def models(asked: Asked, of: list[tuple[str, int, int | None]], team: Team) -> list[dict[str, Any]]:
    rows = [
        {
            "name": name,
            "hours": hours(microseconds),
            "usd": None if cents is None else usd(cents),
            "url": "" if name.startswith("(") else jobs(asked, team, model=name),
        }
        for name, microseconds, cents in of[:MOST_MODELS]
    ]
    if rest := of[MOST_MODELS:]:
        spent, costs = sum(row[1] for row in rest), [row[2] for row in rest if row[2] is not None]
        cost = usd(sum(costs)) if costs else None
        rows.append({"name": f"{len(rest)} more", "hours": hours(spent), "usd": cost, "url": ""})
    return rows


def mail(asked: Asked, team: Team, month: Span, total: Decimal | None, rows: Iterable[Any]) -> str:
    """Opens the reader's own mail program; nothing is sent from here. rows: with hardware and USD."""
    if not may_export(asked.request.user):
        return ""
    title = f"GPU cost of {team.name}, {month.start:%B %Y}"
    billed = [row for row in rows if row.is_billed]
    lines = [f"{row.provider} {row.gpu_type}: {ui.usd(row.usd)}" for row in billed[:MOST_MAILED]]
    if rest := billed[MOST_MAILED:]:
        lines.append(f"{len(rest)} more: {ui.usd(sum((row.usd for row in rest), Decimal(0)))}")
    page = asked.request.build_absolute_uri()
    text = "\n".join([f"{title}: {ui.usd(total)}", "", *lines, "", page])
    return f"mailto:?subject={quote(title)}&body={quote(text)}"
