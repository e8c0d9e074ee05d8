"""What an import does, or would do: counts of rows, of tables and of months, and why rows were refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from .records import Refused

FATES = ("inserted", "updated", "unchanged", "refused", "ignored")
TABLES = (
    *("teams", "jobs", "log_spans"),
    *("deliveries", "bill_lines", "cost_snapshots", "usage_snapshots", "period_entries"),
)
MEASURES = {
    "cost_usd": "Cost in USD",
    "period_usd": "Period entries in USD",
    "metered_gpu_hours": "Metered GPU-hours",
    "job_gpu_hours": "Job GPU-hours",
}
# Why rows were ignored.
KEPT = "kept what was there"
GIVEN_TWICE = "a file that was given twice"
MOST_REFUSALS, MOST_EXAMPLES, MOST_NAMES = 100, 20, 200


@dataclass(frozen=True)
class Summary:
    """read = inserted + updated + unchanged + refused + ignored, as planned, written or not.

    tables: rows created, changed and removed; empty when nothing can be written.
    conflicts: refused figures over which one of the choices on a conflict helps.
    changes: the sum of tables. months: measure → YYYY-MM → before and after, totals of everything stored.
    touched: YYYY-MM of the months with rows that change, whether or not a total does.
    """

    files: list[str]
    format: str
    label: str
    dry_run: bool
    committed: bool = False
    run: int | None = None
    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    ignored: int = 0
    conflicts: int = 0
    changes: int = 0
    tables: dict[str, dict[str, int]] = field(default_factory=dict)
    months: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    touched: list[str] = field(default_factory=list)
    refusals: list[dict[str, Any]] = field(default_factory=list)
    ignored_kinds: dict[str, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)
    unknown_names: list[dict[str, str]] = field(default_factory=list)
    unmatched: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing stands against writing it."""
        return not self.refusals

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Tally:
    """Collects a summary while an import is read and planned."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.conflicts = 0
        self.tables: dict[str, Counter[str]] = {}
        self.months: dict[str, dict[str, dict[str, str]]] = {}
        self.touched: set[str] = set()
        self.refusals: list[dict[str, Any]] = []
        self.ignored: Counter[str] = Counter()
        self.examples: list[dict[str, Any]] = []
        self.unknown: list[dict[str, str]] = []
        self.unmatched: dict[str, list[dict[str, Any]]] = {}
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def count(self, fate: str, rows: int = 1) -> None:
        self.counts[fate] += rows

    def ignore(self, reason: str, rows: int = 1) -> None:
        self.counts["ignored"] += rows
        self.ignored[reason] += rows

    def refuse(self, file: str, why: Refused, rows: int = 1) -> None:
        self.counts["refused"] += rows
        if len(self.refusals) < MOST_REFUSALS:
            self.refusals.append(
                {
                    "file": file,
                    "line": why.line,
                    "column": why.column,
                    "value": why.value,
                    "expected": why.expected,
                    "text": str(why),
                }
            )

    def table(self, name: str, created: int = 0, changed: int = 0, removed: int = 0) -> None:
        rows = self.tables.setdefault(name, Counter())
        rows.update(created=created, changed=changed, removed=removed)

    def month(self, measure: str, month: date, before: Decimal, after: Decimal) -> None:
        months = self.months.setdefault(measure, {})
        months[f"{month:%Y-%m}"] = {"before": format(before, "f"), "after": format(after, "f")}

    def touch(self, months: Iterable[date]) -> None:
        self.touched.update(f"{month:%Y-%m}" for month in months)

    def example(self, row: str, line: int | None, fields: Mapping[str, tuple[Any, Any]]) -> None:
        if len(self.examples) < MOST_EXAMPLES:
            changes = {name: [shown(old), shown(new)] for name, (old, new) in fields.items()}
            self.examples.append({"row": row, "line": line, "changes": changes})

    def unknown_name(self, kind: str, name: str) -> None:
        entry = {"kind": kind, "name": name}
        if entry not in self.unknown and len(self.unknown) < MOST_NAMES:
            self.unknown.append(entry)

    @property
    def blocked(self) -> bool:
        """Something is refused, so nothing is written."""
        return bool(self.refusals)

    @property
    def changes(self) -> int:
        return 0 if self.blocked else sum(sum(rows.values()) for rows in self.tables.values())

    def summary(self, **facts: Any) -> Summary:
        tables = {name: dict(self.tables[name]) for name in TABLES if any(self.tables.get(name, {}).values())}
        return Summary(
            **facts,
            read=self.counts.total(),
            inserted=self.counts["inserted"],
            updated=self.counts["updated"],
            unchanged=self.counts["unchanged"],
            refused=self.counts["refused"],
            ignored=self.counts["ignored"],
            conflicts=self.conflicts,
            changes=self.changes,
            tables={} if self.blocked else tables,
            months={} if self.blocked else self.months,
            touched=[] if self.blocked else sorted(self.touched),
            refusals=sorted(self.refusals, key=lambda refusal: (refusal["file"], refusal["line"])),
            ignored_kinds=dict(self.ignored.most_common()),
            examples=self.examples,
            unknown_names=self.unknown,
            unmatched=self.unmatched,
            notes=list(dict.fromkeys(self.notes)),
            warnings=list(dict.fromkeys(self.warnings)),
        )


def shown(value: Any) -> str:
    if value is None:
        return "—"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    return str(value)
