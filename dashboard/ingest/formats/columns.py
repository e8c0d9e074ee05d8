"""The columns of a table by name: which are missing, which are not read, and one row's cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Generic, TypeVar

from dashboard.ingest.records import FileRefused, Ignored, Refused
from dashboard.ingest.table import Table
from dashboard.ingest.values import BadValue, listed, shortened

T = TypeVar("T")
Picked = tuple[str, ...]
Mend = Callable[[int, list[str]], list[str] | Refused]
EMPTY_ROW = "empty row"
MOST_REMEMBERED = 20_000


def lowered(header: Iterable[str]) -> tuple[str, ...]:
    """Column names of our own formats: capitals and blanks do not tell them apart."""
    return tuple(name.strip().casefold().replace(" ", "_") for name in header)


def refuse_what_heliox_exports(header: Iterable[str], why: str) -> None:
    """Figures that were worked out would come back as if they were a bill's or a log's own."""
    if "job_gpu_hours" in lowered(header):
        raise FileRefused(f"This is a file that Heliox exports for reading: {why}")


class Columns:
    """Where each column stands. `mandatory` ones that are missing refuse the file."""

    def __init__(self, header: tuple[str, ...], label: str, mandatory: Iterable[str]):
        self.width = len(header)
        self.position = {name: index for index, name in enumerate(header)}
        missing = [name for name in mandatory if name not in self.position]
        if missing:
            raise FileRefused(
                f"This looks like {label}, but its header lacks {listed(missing, most=20)}. "
                f"It has {listed(header)}."
            )

    def __contains__(self, name: str) -> bool:
        return name in self.position

    def unread(self, known: Iterable[str]) -> list[str]:
        known = frozenset(known)
        return [name for name in self.position if name not in known]

    def rows(self, table: Table) -> Iterator[tuple[int, Cells | Refused | Ignored]]:
        for line, row in table.rows:
            if len(row) == self.width:
                yield line, Cells(self.position, row) if any(row) else Ignored(line, EMPTY_ROW)
            else:
                yield line, wrong_width(line, row, self.width)

    def picked(
        self, table: Table, names: Sequence[str], mend: Mend | None = None
    ) -> Iterator[tuple[int, Picked | Refused | Ignored]]:
        """The cells of these columns, in this order; empty where the file has no such column.

        mend is asked for the cells of a row that has too many.
        """
        width = self.width
        pick = itemgetter(*(self.position.get(name, width) for name in names))
        for line, row in table.rows:
            if mend and len(row) > width:
                mended = mend(line, row)
                if isinstance(mended, Refused):
                    yield line, mended
                    continue
                row = mended
            if len(row) == width and (row[0] or any(row)):
                row.append("")
                yield line, pick(row)
            else:
                yield line, wrong_width(line, row, width)


class Cells:
    __slots__ = ("position", "row")

    def __init__(self, position: dict[str, int], row: list[str]):
        self.position = position
        self.row = row

    def raw(self, name: str) -> str:
        """Empty where the file has no such column."""
        index = self.position.get(name)
        return "" if index is None else self.row[index].strip(" ")

    def get(self, name: str, parse: Callable[[str], T]) -> T:
        index = self.position.get(name)
        return in_column(name, parse, "" if index is None else self.row[index])

    def optional(self, name: str, parse: Callable[[str], T]) -> T | None:
        return self.get(name, parse) if self.raw(name) else None


class Memo(dict[str, T], Generic[T]):
    """What a column's texts mean: each is parsed once, as most columns hold few different ones."""

    def __init__(self, column: str, parse: Callable[[str], T]):
        self.column, self.parse = column, parse

    def __missing__(self, text: str) -> T:
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        value = self[text] = in_column(self.column, self.parse, text)
        return value


def optional(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """The same for cells that may be empty."""
    return lambda text: parse(text) if text.strip(" ") else None


def in_column(name: str, parse: Callable[[str], T], value: str) -> T:
    try:
        return parse(value)
    except BadValue as bad:
        bad.column = name
        raise


def refusal(line: int, bad: BadValue) -> Refused:
    return Refused(line, bad.column, bad.value, bad.expected)


def wrong_width(line: int, row: list[str], width: int) -> Refused | Ignored:
    if not any(row):
        return Ignored(line, EMPTY_ROW)
    found = f"{len(row)} field" + ("s" if len(row) != 1 else "")
    expected = f"{width} as in the header; the row begins {shortened(', '.join(row[:3]), 60)!r}"
    return Refused(line, "", found, expected)
