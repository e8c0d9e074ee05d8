"""Daily cost per provider and GPU type."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from dashboard.ingest import values
from dashboard.ingest.formats.columns import Cells, lowered, refuse_what_heliox_exports
from dashboard.ingest.formats.snapshots import read_cells
from dashboard.ingest.records import CostRow, Options, Record
from dashboard.ingest.table import Table
from dashboard.ingest.values import BadValue

NAME = "costs"
LABEL = "daily cost CSV (date,provider,gpu_type,cost_usd)"
MOST = Decimal("9999999999.99")
CURRENCY = ("currency", "billing_currency", "billingcurrency")


def recognises(header: tuple[str, ...]) -> bool:
    names = set(lowered(header))
    return "cost_usd" in names and "metered_gpu_hours" not in names


def read(table: Table, options: Options, notes: list[str]) -> Iterator[Record]:
    refuse_what_heliox_exports(
        table.header,
        "it shares the cost out. Import the bill itself, or costs as date,provider,gpu_type,cost_usd.",
    )
    return read_cells(table, LABEL, "cost_usd", _row, notes, CURRENCY)


def _row(line: int, day, provider: str, gpu_type: str, cells: Cells) -> CostRow:
    for column in CURRENCY:
        cells.optional(column, usd_only)
    return CostRow(line, day, provider, gpu_type, cells.get("cost_usd", _cost))


def _cost(value: str) -> Decimal:
    return values.decimal(value, places=2, low=-MOST, high=MOST)


def usd_only(value: str) -> None:
    if value.strip().upper() != "USD":
        raise BadValue(value, "USD, the only currency that Heliox keeps")
