"""How the unmatched are listed: a table for each kind, and what one click on a row would map."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.urls import reverse

from ..filters import query
from ..models import AccountMapping, ClusterMapping, NameAlias, SpendMapping
from ..reports.unmatched import Unmatched
from ..templatetags import ui

MAPPINGS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "hardware": (ClusterMapping, ("cluster", "partition", "raw_gpu_type", "provider", "gpu_type")),
    "account": (AccountMapping, ("cluster", "account", "team")),
    "spend": (SpendMapping, ("provider", "sub_account", "tag", "team")),
    "alias": (NameAlias, ("kind", "alias", "name")),
}
KINDS = {"provider": "provider", "gpu_type": "GPU type"}
NUMBERS = {"Jobs", "Job GPU-hours", "Metered GPU-hours", "Cost", "Cost, about"}


@dataclass(frozen=True, slots=True)
class Row:
    """One unmatched name. known: what a mapping of it says already; target: the rest, where it is likely."""

    what: str
    name: str
    cells: tuple[str, ...]
    known: dict[str, Any]
    target: dict[str, Any] = field(default_factory=dict)
    button: str = ""
    jobs: int | None = None
    gpu_hours: Decimal | None = None
    usd: Decimal | None = None

    @property
    def one_click(self) -> dict[str, Any]:
        return {"what": self.what} | self.known | self.target

    @property
    def other_url(self) -> str:
        return address(self.what, "add") + query(**self.known, **self.target)


@dataclass(frozen=True, slots=True)
class Table:
    id: str
    title: str
    note: str
    headers: tuple[str, ...]
    rows: list[Row]

    @property
    def columns(self) -> list[tuple[str, bool]]:
        return [(header, header in NUMBERS) for header in self.headers]

    @property
    def lines(self) -> list[tuple[Row, list[tuple[str, bool]]]]:
        """Each row beside its cells; True where a cell is a number."""
        numeric = [header in NUMBERS for header in self.headers]
        return [(row, list(zip(row.cells, numeric, strict=True))) for row in self.rows]


def address(what: str, page: str) -> str:
    model, _ = MAPPINGS[what]
    return reverse(f"admin:dashboard_{model._meta.model_name}_{page}")


def tables_of(found: Unmatched) -> list[Table]:
    return [
        Table(
            "hardware",
            "GPUs of a cluster that stand on no bill",
            "Until they are mapped these jobs stand under their cluster's name, beside the bill. "
            "Cost is what the hours come to at the average price of the suggested GPU type.",
            ("Cluster", "Partition", "GPU type in the log", "Jobs", "Job GPU-hours", "Cost, about"),
            hardware_rows(found),
        ),
        Table(
            "accounts",
            "Accounts that no mapping gives to a team",
            "Each is a team of its own name until a mapping says otherwise, or confirms it.",
            ("Cluster", "Account", "Team now", "Jobs", "Job GPU-hours"),
            account_rows(found),
        ),
        Table(
            "spend",
            "Sub-accounts and tags on GPU bills that are no team's own",
            "Map one only where a single team pays for all of it, such as a shared inference account.",
            ("Provider", "Sub-account", "Tag", "Metered GPU-hours", "Cost"),
            spend_rows(found),
        ),
        Table(
            "used",
            "Names that jobs use and no bill knows",
            "Another spelling of a name on the bill becomes its alias. A GPU that nobody bills stays.",
            ("Name", "Of a", "Jobs", "Job GPU-hours"),
            used_rows(found),
        ),
        Table(
            "billed",
            "Names on bills that no job uses",
            "Paid for, and no job log speaks of it: a log is missing, or it spells the name otherwise.",
            ("Name", "Of a", "Metered GPU-hours", "Cost"),
            billed_rows(found),
        ),
    ]


def hardware_rows(found: Unmatched) -> list[Row]:
    return [
        Row(
            "hardware",
            " / ".join((row.cluster, row.partition or "no partition", row.raw_gpu_type)),
            (
                row.cluster,
                row.partition or "none",
                row.raw_gpu_type,
                ui.count(row.jobs),
                ui.hours(row.gpu_hours),
                ui.usd(row.usd),
            ),
            {"cluster": row.cluster, "partition": row.partition, "raw_gpu_type": row.raw_gpu_type},
            dict(zip(("provider", "gpu_type"), row.target, strict=True)) if row.target else {},
            f"Map to {' '.join(row.target)}" if row.target else "",
            row.jobs,
            row.gpu_hours,
            row.usd,
        )
        for row in found.hardware
    ]


def account_rows(found: Unmatched) -> list[Row]:
    return [
        Row(
            "account",
            f"{row.cluster} / {row.account}",
            (row.cluster, row.account, row.team_name, ui.count(row.jobs), ui.hours(row.gpu_hours)),
            {"cluster": row.cluster, "account": row.account},
            {"team": row.team},
            f"Keep as {row.team_name}",
            row.jobs,
            row.gpu_hours,
        )
        for row in found.accounts
    ]


def spend_rows(found: Unmatched) -> list[Row]:
    return [
        Row(
            "spend",
            " / ".join(filter(None, (row.provider, row.sub_account, row.tag))),
            (
                row.provider,
                row.sub_account or "none",
                row.tag or "none",
                ui.hours(row.gpu_hours),
                ui.usd(row.usd),
            ),
            {"provider": row.provider, "sub_account": row.sub_account, "tag": row.tag},
            {"team": row.team} if row.team else {},
            f"Map to {row.team_name}" if row.team else "",
            None,
            row.gpu_hours,
            row.usd,
        )
        for row in found.spend
    ]


def used_rows(found: Unmatched) -> list[Row]:
    return [
        Row(
            "alias",
            row.name,
            (row.name, KINDS[row.kind], ui.count(row.jobs), ui.hours(row.gpu_hours)),
            {"kind": row.kind, "alias": row.name},
            {"name": row.same_as} if row.same_as else {},
            f"Same as {row.same_as}" if row.same_as else "",
            row.jobs,
            row.gpu_hours,
        )
        for row in found.names
        if not row.on_bills
    ]


def billed_rows(found: Unmatched) -> list[Row]:
    return [
        Row(
            "alias",
            row.name,
            (row.name, KINDS[row.kind], ui.hours(row.gpu_hours), ui.usd(row.usd)),
            {"kind": row.kind, "alias": row.name},
            gpu_hours=row.gpu_hours,
            usd=row.usd,
        )
        for row in found.names
        if row.on_bills
    ]
