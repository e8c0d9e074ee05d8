"""A summary of an import as the tables of a page."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ..counted import counted
from ..ingest.summary import FATES, MEASURES
from ..money import MINUS
from ..templatetags.ui import count, usd

TABLE_NAMES = {
    "teams": "Teams",
    "jobs": "Jobs",
    "log_spans": "Time that logs cover",
    "deliveries": "Bills (deliveries)",
    "bill_lines": "Bill lines",
    "cost_snapshots": "Daily cost",
    "usage_snapshots": "Daily usage",
    "period_entries": "Period entries",
}


def page_of(summary: dict[str, Any], *, planned: bool = False) -> dict[str, Any]:
    """What `_import_summary.html` shows; a summary of an older version may lack parts."""
    return {
        "summary": summary,
        "title": ", ".join(summary.get("files", [])),
        "tiles": [
            ((PLANNED if planned else {}).get(fate, fate).capitalize(), count(summary.get(fate, 0)))
            for fate in ("read", *FATES)
        ],
        "tables": [
            (TABLE_NAMES.get(name, name), [count(rows.get(what, 0)) for what in CHANGES])
            for name, rows in in_order(summary.get("tables", {}), TABLE_NAMES)
        ],
        "months": [
            row
            for measure, _ in in_order(summary.get("months", {}), MEASURES)
            for row in months(summary, measure)
        ],
        "ignored": in_order(summary.get("ignored_kinds", {}), {}),
        "unmatched": unmatched(summary.get("unmatched", {})),
        "file_refusals": [
            refusal["text"].replace("--cluster", "the option Cluster")
            for refusal in summary.get("refusals", [])
            if refusal["line"] is None
        ],
        "more_refused": max(summary.get("refused", 0) - len(summary.get("refusals", [])), 0),
    }


CHANGES = ("created", "changed", "removed")
PLANNED = {"inserted": "to insert", "updated": "to update"}  # nothing is written yet


def in_order(told: dict[str, Any], known: dict[str, str]) -> list[tuple[str, Any]]:
    """As the known ones stand there, others by name: PostgreSQL keeps no order of what it stores as JSON."""
    places = {name: place for place, name in enumerate(known)}
    return sorted(told.items(), key=lambda item: (places.get(item[0], len(places)), item[0]))


def months(summary: dict[str, Any], measure: str) -> list[tuple[str, str, str, str]]:
    show = shown(measure)
    return [
        (MEASURES.get(measure, measure), month, show(Decimal(was["before"])), show(Decimal(was["after"])))
        for month, was in sorted(summary["months"][measure].items())
    ]


def taken_back(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(measure, month, change) of the totals that an undo gives back as they were."""
    return [
        (MEASURES.get(measure, measure), month, shown(measure)(change_back(was)))
        for measure, months in in_order(summary.get("months", {}), MEASURES)
        for month, was in sorted(months.items())
    ]


def change_back(was: dict[str, str]) -> Decimal:
    return Decimal(was["before"]) - Decimal(was["after"])


def shown(measure: str) -> Callable[[Decimal], str]:
    return usd if measure.endswith("_usd") else exact_hours


def exact_hours(hours: Decimal) -> str:
    return f"{hours.normalize():,f} h".replace("-", MINUS) if hours else "0 h"


def unmatched(found: dict[str, list[dict[str, Any]]]) -> list[tuple[str, str, str]]:
    """(what, its names, its jobs) of all that no mapping matched."""
    clusters = [
        ("Cluster", " / ".join(row[part] or "any" for part in ("cluster", "partition", "raw_gpu_type")), row)
        for row in found.get("clusters", [])
    ]
    accounts = [("Account", f"{row['cluster']} / {row['account']}", row) for row in found.get("accounts", [])]
    return [(what, names, counted(row["jobs"], "job")) for what, names, row in [*clusters, *accounts]]
