"""Costs of periods that no daily bill tells: one total from one day to another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from dashboard.formulas import unguarded
from dashboard.ingest import values
from dashboard.ingest.formats.columns import Cells, Columns, lowered, refusal
from dashboard.ingest.formats.costs import CURRENCY, usd_only
from dashboard.ingest.formats.snapshots import hardware_name
from dashboard.ingest.records import Options, PeriodRow, Record
from dashboard.ingest.table import Table
from dashboard.ingest.values import BadValue

NAME = "periods"
LABEL = "period entries CSV (from,to,provider,gpu_type,cost_usd)"
MANDATORY = ("from", "to", "provider", "gpu_type", "cost_usd")
SAYS = {"gpu_hours": "gpu_hours", "note": "note"}
MOST = Decimal("999999999999.99")


def recognises(header: tuple[str, ...]) -> bool:
    names = set(lowered(header))
    return {"from", "to"} <= names and not names.isdisjoint({"cost_usd", "gpu_hours"})


def read(table: Table, options: Options, notes: list[str]) -> Iterator[Record]:
    columns = Columns(lowered(table.header), f"a {LABEL}", MANDATORY)
    if unread := columns.unread((*MANDATORY, *SAYS, *CURRENCY)):
        notes.append(f"Columns that are not read: {values.listed(unread)}.")
    return _records(table, columns)


def _records(table: Table, columns: Columns) -> Iterator[Record]:
    first_line: dict[tuple[date, date, str, str], int] = {}
    for line, cells in columns.rows(table):
        if not isinstance(cells, Cells):
            yield cells
            continue
        try:
            row = _row(line, cells)
            key = row.first_day, row.last_day, values.key(row.provider), values.key(row.gpu_type)
            earlier = first_line.setdefault(key, line)
            if earlier != line:
                said = f"{row.first_day} {row.last_day} {row.provider} {row.gpu_type}"
                raise BadValue(said, f"said once in the file: line {earlier} says it already", "from")
        except BadValue as bad:
            yield refusal(line, bad)
        else:
            yield row


def _row(line: int, cells: Cells) -> PeriodRow:
    for column in CURRENCY:
        cells.optional(column, usd_only)
    first = cells.get("from", values.iso_day)
    last = cells.get("to", values.iso_day)
    if last < first:
        raise BadValue(cells.raw("to"), f"a day on or after {first}, the first of the period", "to")
    return PeriodRow(
        line,
        first,
        last,
        cells.get("provider", hardware_name),
        cells.get("gpu_type", hardware_name),
        cells.get("cost_usd", _cost),
        cells.optional("gpu_hours", _hours),
        values.tidied(unguarded(cells.raw("note"))),
    )


def _cost(value: str) -> Decimal:
    return values.decimal(value, places=2, low=-MOST, high=MOST)


def _hours(value: str) -> Decimal:
    return values.decimal(value, places=2, low=Decimal(0), high=MOST)
