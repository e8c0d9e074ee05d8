"""The rows of a table as HTML: what renders a column is found once, where tables2 finds it for each cell."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from operator import attrgetter, itemgetter
from typing import Any

import django_tables2 as tables
from django.templatetags.l10n import unlocalize
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

Cell = Callable[[Any], str]  # the HTML of a record's cell


class FigureTable(tables.Table):
    """Columns, headings, sorting and pages are those of tables2; `render_…` may ask for record and value."""

    def html_rows(self) -> SafeString:
        cells = [self.cell_of(column) for column in self.columns]
        rows = ("".join([cell(row.record) for cell in cells]) for row in self.paginated_rows)
        return mark_safe("".join(f"<tr>{row}</tr>\n" for row in rows))

    def cell_of(self, column: Any) -> Cell:
        opens, default = f"<td {column.attrs['td'].as_html()}>", conditional_escape(column.default)
        resolve, render = value_of(column.accessor), rendered_by(self, column)
        empty = column.column.empty_values

        def cell(record: Any) -> str:
            value = resolve(record)
            return f"{opens}{default if value in empty else as_html(render(record, value))}</td>"

        return cell


def value_of(accessor: Any) -> Callable[[Any], Any]:
    """None where a record has no such value."""
    path = accessor.bits
    from_key, from_attribute = itemgetter(path[0]), attrgetter(".".join(path))

    def resolve(record: Any) -> Any:
        try:
            value = from_key(record) if isinstance(record, dict) else from_attribute(record)
        except (AttributeError, KeyError):
            return None
        return value() if callable(value) else value

    return resolve


def rendered_by(table: tables.Table, column: Any) -> Callable[[Any, Any], Any]:
    render = getattr(table, f"render_{column.name}", None)
    if render is None:
        return lambda record, value: value
    wants = [name for name in signature(render).parameters if name in ("record", "value")]
    if wants == ["value"]:
        return lambda record, value: render(value)
    if wants == ["record"]:
        return lambda record, value: render(record)
    return lambda record, value: render(record=record, value=value)


def as_html(cell: Any) -> str:
    return conditional_escape(cell if isinstance(cell, str) else unlocalize(cell))
