"""Teams by name."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.formulas import unguarded
from dashboard.ingest import values
from dashboard.ingest.formats.columns import Cells, Columns, lowered, refusal
from dashboard.ingest.records import Options, Record, TeamRow
from dashboard.ingest.table import Table

NAME = "teams"
LABEL = "teams CSV (name)"
KNOWN = ("name", "id", "created_at", "updated_at")


def recognises(header: tuple[str, ...]) -> bool:
    names = set(lowered(header))
    return "name" in names and names <= set(KNOWN)


def read(table: Table, options: Options, notes: list[str]) -> Iterator[Record]:
    columns = Columns(lowered(table.header), LABEL, ["name"])
    first_line: dict[str, int] = {}
    for line, cells in columns.rows(table):
        if not isinstance(cells, Cells):
            yield cells
            continue
        try:
            row = _team(line, cells)
            earlier = first_line.setdefault(row.name, line)
            if earlier != line:
                raise values.BadValue(row.name, f"a new team: line {earlier} names it already", "name")
        except values.BadValue as bad:
            yield refusal(line, bad)
        else:
            yield row


def _team(line: int, cells: Cells) -> TeamRow:
    return TeamRow(
        line,
        cells.get("name", lambda value: values.text(unguarded(value), what="a team's name")),
        cells.optional("id", values.uuid),
    )
