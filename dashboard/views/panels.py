"""What the three views of the reconciliation share: their tabs, and the filters that keep the view."""

from __future__ import annotations

from typing import Any

from ..filters import query
from .asked import Asked

PRESET = "last_month"
TABS = {"invoice": "Invoices", "match": "Three-way match", "gaps": "Gaps"}


def panel(asked: Asked, view: str, **kept: str) -> dict[str, Any]:
    """kept: parameters beside the view that the filter form hands on."""
    other = {"state": "", "sort": "", "page": "", "_export": ""}
    kept = {"view": view} | {name: value for name, value in kept.items() if value}
    return {
        "tabs": [
            {"label": label, "url": asked.here(**other | {"view": name}), "current": name == view}
            for name, label in TABS.items()
        ],
        "view": view,
        "kept": list(kept.items()),
        "cleared": query(view=view),
    }
