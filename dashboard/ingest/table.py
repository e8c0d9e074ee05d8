"""A header and rows that are read as they are asked for, whatever kind of file they stand in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dashboard.ingest.records import FileRefused
from dashboard.ingest.values import listed

MOST_RECORD = 1024**2  # characters of one row, line breaks in quotes included
MOST_COLUMNS = 1000
PIPE = "|"

Header = tuple[str, ...]
Rows = Iterator[tuple[int, list[str]]]


@dataclass
class Table:
    """Each row comes with the line on which it begins. separator: what stood between its fields."""

    name: str
    header: Header
    rows: Rows
    separator: str = ","
    close: Callable[[], None] = field(default=lambda: None, repr=False)

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *exc) -> None:
        self.close()


def checked(header: Header, line: int) -> Header:
    names = tuple(column.strip() for column in header)
    if len(names) > MOST_COLUMNS:
        raise FileRefused(f"Line {line}: the header has {len(names):,} columns, more than {MOST_COLUMNS:,}.")
    if "" in names:
        raise FileRefused(f"Line {line}: column {names.index('') + 1} of the header has no name.")
    times = Counter(column.casefold() for column in names)
    if twice := list(dict.fromkeys(column for column in names if times[column.casefold()] > 1)):
        raise FileRefused(f"Line {line}: the header names {listed(twice)} more than once.")
    return names


def too_long(line: int) -> FileRefused:
    return FileRefused(
        f"Line {line}: the row is longer than {MOST_RECORD:,} characters. Is a quotation mark not closed?"
    )
