"""What the daily cost and the daily usage CSV share: a day, a provider, a GPU type, and each of them once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import TypeVar

from dashboard.formulas import unguarded
from dashboard.ingest import values
from dashboard.ingest.formats.columns import Cells, Columns, lowered, refusal
from dashboard.ingest.records import CostRow, Record, UsageRow
from dashboard.ingest.table import Table
from dashboard.ingest.values import BadValue

Snapshot = TypeVar("Snapshot", CostRow, UsageRow)
Make = Callable[[int, date, str, str, Cells], Snapshot]


def read_cells(
    table: Table, label: str, amount: str, make: Make, notes: list[str], optional: tuple[str, ...] = ()
) -> Iterator[Record]:
    mandatory = ("date", "provider", "gpu_type", amount)
    columns = Columns(lowered(table.header), f"a {label}", mandatory)
    if unread := columns.unread(mandatory + optional):
        notes.append(f"Columns that are not read: {values.listed(unread)}.")
    return _records(table, columns, make)


def _records(table: Table, columns: Columns, make: Make) -> Iterator[Record]:
    first_line: dict[tuple[date, str, str], int] = {}
    for line, cells in columns.rows(table):
        if not isinstance(cells, Cells):
            yield cells
            continue
        try:
            day = cells.get("date", values.iso_day)
            provider, gpu_type = cells.get("provider", hardware_name), cells.get("gpu_type", hardware_name)
            row = make(line, day, provider, gpu_type, cells)
            earlier = first_line.setdefault((day, values.key(provider), values.key(gpu_type)), line)
            if earlier != line:
                said = f"{day} {provider} {gpu_type}"
                raise BadValue(said, f"said once in the file: line {earlier} says it already", "date")
        except BadValue as bad:
            yield refusal(line, bad)
        else:
            yield row


def hardware_name(value: str) -> str:
    return values.text(unguarded(value), values.LABEL_LENGTH)
