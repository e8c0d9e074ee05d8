"""Daily metered GPU-hours per provider and GPU type."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from dashboard.ingest import values
from dashboard.ingest.formats.columns import Cells, lowered, refuse_what_heliox_exports
from dashboard.ingest.formats.snapshots import read_cells
from dashboard.ingest.records import Options, Record, UsageRow
from dashboard.ingest.table import Table

NAME = "usage"
LABEL = "daily usage CSV (date,provider,gpu_type,gpu_hours)"
MOST = Decimal("9999999999.99")


def recognises(header: tuple[str, ...]) -> bool:
    names = set(lowered(header))
    return not names.isdisjoint({"gpu_hours", "metered_gpu_hours"}) or {"date", "job_gpu_hours"} <= names


def read(table: Table, options: Options, notes: list[str]) -> Iterator[Record]:
    refuse_what_heliox_exports(
        table.header,
        "its job GPU-hours are worked out from the jobs. Import the jobs, and metered hours as "
        "date,provider,gpu_type,gpu_hours.",
    )
    return read_cells(table, LABEL, "gpu_hours", _row, notes)


def _row(line: int, day, provider: str, gpu_type: str, cells: Cells) -> UsageRow:
    return UsageRow(line, day, provider, gpu_type, cells.get("gpu_hours", _hours))


def _hours(value: str) -> Decimal:
    return values.decimal(value, places=2, low=Decimal(0), high=MOST)
