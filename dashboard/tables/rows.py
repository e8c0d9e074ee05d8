"""A table as HTML: what renders a column is found once, where tables2 finds it for each cell."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property, lru_cache, partial
from html import escape
from inspect import signature
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode

import django_tables2 as tables
from django.http import QueryDict
from django.templatetags.l10n import unlocalize
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django_tables2.data import TableData, TableListData
from django_tables2.utils import AttributeDict, OrderBy

from ..templatetags import ui

HEADING = """
          <th scope="col" {attrs}{sorted}>
            {text}
          </th>
        """
SORTED = {True: ' aria-sort="descending"', False: ' aria-sort="ascending"'}
Cell = Callable[[Any], str]  # the HTML of a record's cell


class Records(TableListData):
    """Sorted column by column, the least important first: tables2 looks up both values at each comparison."""

    def order_by(self, aliases: Iterable[str]) -> None:
        orders = [order for alias in aliases for order in self.orders(alias)]
        for order in reversed(orders):
            value = value_of(tables.A(order.bare))
            self.data.sort(key=partial(nothing_first, value), reverse=order.is_descending)

    def orders(self, alias: str) -> Any:
        """By the columns that stand behind the one of that name, in the direction that is asked for."""
        column = self.table.columns[OrderBy(alias).bare]
        turned = alias[0] != column.order_by_alias[0]
        return column.order_by.opposite if turned else column.order_by


class Made(Records):
    """Rows that are made where they are looked at: those of a page, or all where a column sorts them.

    make: a row of one of what is listed.
    """

    def __init__(self, listed: Sequence[Any], make: Callable[[Any], Any]) -> None:
        super().__init__(listed)
        self.make = make

    def __getitem__(self, key: Any) -> Any:
        found = self.data[key]
        return [self.make(one) for one in found] if isinstance(key, slice) else self.make(found)

    def __iter__(self) -> Iterator[Any]:
        return map(self.make, self.data)

    def order_by(self, aliases: Iterable[str]) -> None:
        if aliases:
            self.data, self.make = list(self), shown
            super().order_by(aliases)


class Columns(OrderedDict[str, Any]):
    """Each table has copies of its class's columns; what these hold nobody changes, and it is not copied."""

    def __deepcopy__(self, memo: Any) -> Columns:
        return Columns((name, copy(column)) for name, column in self.items())


class FigureTable(tables.Table):
    """Columns, headings and pages are those of tables2; `render_…` may ask for record and value."""

    def __init_subclass__(cls) -> None:
        cls.base_columns = Columns(cls.base_columns)

    def __init__(self, data: Any = (), **kwargs: Any) -> None:
        super().__init__(data if isinstance(data, TableData) else Records(list(data)), **kwargs)

    def html_headings(self, given: QueryDict) -> SafeString:
        """given: the address, which each heading's link changes to sort by it."""
        turned = {"after", "before", self.prefixed_page_field}
        kept = {name: values for name, values in given.lists() if name not in turned}
        return mark_safe("".join([self.heading(column, kept) for column in self.columns]))

    def heading(self, column: Any, kept: dict[str, list[str]]) -> str:
        alias = column.order_by_alias
        text: str = conditional_escape(column.header)
        if column.orderable:
            address = urlencode(kept | {self.prefixed_order_by_field: alias.next}, doseq=True)
            text = f'<a href="?{escape(address)}">{text}</a>'
        sorted_by = SORTED[alias.is_descending] if column.is_ordered else ""
        return HEADING.format(attrs=self.attrs_of[column.name]["th"], sorted=sorted_by, text=text)

    @cached_property
    def attrs_of(self) -> dict[str, dict[str, str]]:
        """Of each column's th and td, as HTML. tables2 works them out anew each time it is asked."""
        return {column.name: in_html(column.attrs) for column in self.columns}

    def html_rows(self) -> SafeString:
        cells = [self.cell_of(column) for column in self.columns]
        rows = ("".join([cell(record) for cell in cells]) for record in self.paginated_rows.data)
        return mark_safe("".join(f"<tr>{row}</tr>\n" for row in rows))

    def in_html(self, rows: Iterable[Mapping[str, str]]) -> SafeString:
        """rows: what stands in their cells, as HTML by column, where these are made all at once."""
        columns = [(name, f"<td {attrs['td']}>") for name, attrs in self.attrs_of.items()]
        cells = ("".join([f"{opens}{row[name]}</td>" for name, opens in columns]) for row in rows)
        return mark_safe("".join(f"<tr>{row}</tr>\n" for row in cells))

    def cell_of(self, column: Any) -> Cell:
        opens = f"<td {self.attrs_of[column.name]['td']}>"
        given = getattr(self, f"render_{column.name}", shown)
        wants = asked_for(getattr(given, "__func__", given))
        render = CALLED[wants](given)
        empty, nothing = column.column.empty_values, f"{opens}{conditional_escape(column.default)}</td>"
        resolve = value_of(column.accessor) if empty or "value" in wants else unasked

        def cell(record: Any) -> str:
            value = resolve(record)
            return nothing if value in empty else f"{opens}{as_html(render(record, value))}</td>"

        return cell


@lru_cache(maxsize=500)
def asked_for(render: Callable[..., Any]) -> frozenset[str]:
    return frozenset(signature(render).parameters.keys() & {"record", "value"})


# By what a `render_…` asks for, how it is called with both.
CALLED: dict[frozenset[str], Callable[[Any], Callable[[Any, Any], Any]]] = {
    frozenset(): lambda render: lambda record, value: render(),
    frozenset({"record"}): lambda render: lambda record, value: render(record=record),
    frozenset({"value"}): lambda render: lambda record, value: render(value=value),
    frozenset({"record", "value"}): lambda render: lambda record, value: render(record=record, value=value),
}


def in_html(attrs: dict[str, Any]) -> dict[str, str]:
    return {cell: written(tuple(attrs[cell].items())) for cell in ("th", "td")}


@lru_cache(maxsize=1_000)
def written(attrs: tuple[tuple[str, Any], ...]) -> str:
    """Columns have but a few."""
    return AttributeDict(attrs).as_html()


def shown(value: Any) -> Any:
    return value


def unasked(record: Any) -> None:
    """The value of a column that is made of the whole record."""


def value_of(accessor: Any) -> Callable[[Any], Any]:
    path = accessor.bits
    from_attribute = attrgetter(".".join(path))
    return lambda record: record.get(path[0]) if isinstance(record, dict) else from_attribute(record)


def nothing_first(value: Callable[[Any], Any], record: Any) -> tuple[bool, Any]:
    found = value(record)
    return found is not None, found


def as_html(cell: Any) -> str:
    if isinstance(cell, SafeString):
        return cell
    return ui.name(cell) if isinstance(cell, str) else conditional_escape(unlocalize(cell))
