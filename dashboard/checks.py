"""Warns when the stored snapshots were derived for another cost basis than the one that is set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DatabaseError

from .models import CostSnapshot


@register(Tags.database)
def stored_basis(databases: Iterable[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    if not databases:
        return []
    basis = settings.HELIOX_COST_BASIS
    try:
        others = CostSnapshot.objects.filter(from_lines=True).exclude(basis=basis).exists()
    except DatabaseError:  # not migrated yet
        return []
    words = f"HELIOX_COST_BASIS is {basis}, but stored daily costs are of another basis."
    return [Warning(words, hint="Run: manage.py rebuild_snapshots", id="dashboard.W001")] if others else []
