"""Files of exactly a page's rows: CSV as it streams, Excel spooled with an About sheet."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import xlsxwriter
from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse

from .clock import now
from .formulas import guarded

FORMATS = {"csv": "CSV", "xlsx": "Excel"}
BOM = "\ufeff"
ROWS_AT_ONCE = 500
ROWS_A_SHEET = 1_048_576


@dataclass(frozen=True)
class Export:
    """rows: tuples in the order of columns. about: what the page prints, for the file's About sheet.

    lines: the rows as lines of CSV already, many at a time, where there is a quicker way to them.
    told: is called once with the number of rows that left, and whether these are all of them.
    """

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]
    about: Sequence[tuple[str, str]] = ()
    lines: Iterator[bytes] | None = None
    told: Callable[[int, bool], None] = lambda rows, whole: None

    def response(self, kind: str) -> HttpResponseBase:
        response = self.as_csv() if kind == "csv" else self.as_xlsx()
        response["Content-Disposition"] = f'attachment; filename="{file_name(self.name)}.{kind}"'
        response["Cache-Control"] = "no-store"
        return response

    def as_csv(self) -> StreamingHttpResponse:
        lines = self.lines or lines_of_values(self.rows)
        pieces = Counted(csv_file(self.columns, lines), self.told)
        return StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8")

    def as_xlsx(self) -> FileResponse:
        spool = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
        self.told(write_workbook(spool, self), True)
        spool.seek(0)
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        return FileResponse(spool, content_type=kind)


def file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")[:150]


# CSV


def csv_file(columns: Sequence[str], lines: Iterator[bytes]) -> Iterator[bytes]:
    """The header leaves with the first lines, so a query that fails at once is an error and no file."""
    with closing(lines):  # type: ignore[type-var]
        yield BOM.encode() + written([columns]) + next(lines, b"")
        yield from lines


class Counted:
    """The pieces of a CSV file on their way out; told once how many rows left, also when a client goes away.

    No generator: closing one that has not begun runs nothing of it.
    """

    def __init__(self, pieces: Iterator[bytes], told: Callable[[int, bool], None]) -> None:
        self.pieces, self.told = pieces, told
        self.rows, self.is_over = -1, False  # the header is none

    def __iter__(self) -> Counted:
        return self

    def __next__(self) -> bytes:
        piece = next(self.pieces, None)
        if piece is None:
            self.finish(whole=True)
            raise StopIteration
        self.rows += rows_in(piece)
        return piece

    def close(self) -> None:
        self.pieces.close()  # type: ignore[attr-defined]
        self.finish(whole=False)

    def finish(self, whole: bool) -> None:
        if not self.is_over:
            self.is_over = True
            self.told(max(self.rows, 0), whole)


def rows_in(lines: bytes) -> int:
    """Of whole lines: a line break between quotes is part of a cell."""
    if b'"' not in lines:
        return lines.count(b"\n")
    return sum(outside.count(b"\n") for outside in lines.split(b'"')[::2])


def written(rows: Iterable[Sequence[Any]]) -> bytes:
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\r\n").writerows(rows)
    return lines.getvalue().encode()


def lines_of_values(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    rows = iter(rows)
    while some := [[csv_cell(value) for value in row] for row in islice(rows, ROWS_AT_ONCE)]:
        yield written(some)


# Bytes at the beginning of a cell that call for a closer look: a sign, an apostrophe, a blank or a control
# character, what begins a blank of Unicode, and the quotes around an empty cell or one with a comma, a quote
# or a line break.
CLOSER_LOOK = frozenset(b"-=+@|%'\" \x7f\xc2\xe1\xe2\xe3") | frozenset(range(32))
KINDS = bytes(44 if byte in b",\n" else 33 if byte in CLOSER_LOOK else 46 for byte in range(256))
BEGINS_UNUSUALLY = re.compile(b",!").search  # twice as quick as `in`


def guarded_lines(lines: bytes, texts: Sequence[int]) -> bytes:
    """Lines as PostgreSQL writes them in those that our files hold; the first column is no text."""
    if BEGINS_UNUSUALLY(lines.translate(KINDS)):
        return written(with_guard(csv.reader(io.StringIO(lines.decode(), newline="")), texts))
    return lines.replace(b"\n", b"\r\n")


def lines_of(rows: Sequence[Sequence[str]], texts: Sequence[int]) -> bytes:
    """Lines of rows whose cells are spelled already; texts are the columns to guard, never the first."""
    lines = b"".join([("\r\n".join(map(",".join, rows))).encode(), b"\r\n"])
    if is_plain(lines, len(rows), len(rows[0])):
        return lines
    return written(with_guard(map(list, rows), texts))


def is_plain(lines: bytes, rows: int, columns: int) -> bool:
    """Whether every comma and line break stands between cells, and none of them begins unusually."""
    return (
        lines.count(b",") == rows * (columns - 1)
        and lines.count(b"\n") == lines.count(b"\r") == rows
        and b'"' not in lines
        and not BEGINS_UNUSUALLY(lines.translate(KINDS))
    )


def with_guard(rows: Iterable[list[str]], texts: Sequence[int]) -> Iterator[list[str]]:
    for row in rows:
        for place in texts:
            row[place] = guarded(row[place])
        yield row


def csv_cell(value: Any) -> Any:
    """Numbers stay numbers; only text is guarded against being run as a formula."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    return guarded(value) if isinstance(value, str) else value


def plain_number(number: Decimal) -> Decimal:
    """2.500000 as 2.5, 100 as 100 and never 1E+2."""
    short = number.normalize()
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short


def instant(value: datetime) -> str:
    """ISO 8601 in UTC with Z; fractions of a second only where there are any."""
    return value.isoformat().replace("+00:00", "Z")


# Excel


def write_workbook(spool: Any, export: Export) -> int:
    """The number of rows."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(spool, {**options, "default_date_format": "yyyy-mm-dd"}) as book:
        bold = book.add_format({"bold": True})
        count = write_rows(book, export, bold)
        about = book.add_worksheet("About")
        about.set_column(0, 0, 24)
        about.set_column(1, 1, 80)
        facts = [*export.about, ("Rows", str(count)), ("Made", instant(now()))]
        for place, (label, text) in enumerate(facts):
            about.write_string(place, 0, label, bold)
            about.write_string(place, 1, text)
    return count


def write_rows(book: Any, export: Export, bold: Any) -> int:
    sheet, at, count = None, ROWS_A_SHEET, 0
    for row in export.rows:
        if at >= ROWS_A_SHEET:
            sheet, at = new_sheet(book, export.columns, bold), 1
        for place, value in enumerate(row):
            write_cell(sheet, at, place, value)
        at, count = at + 1, count + 1
    if sheet is None:
        new_sheet(book, export.columns, bold)
    return count


def new_sheet(book: Any, columns: Sequence[str], bold: Any) -> Any:
    sheet = book.add_worksheet(f"Rows {len(book.worksheets()) + 1}" if book.worksheets() else "Rows")
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(columns) - 1, 16)
    for place, column in enumerate(columns):
        sheet.write_string(0, place, column, bold)
    return sheet


def write_cell(sheet: Any, row: int, place: int, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, Decimal | int | float) and not isinstance(value, bool):
        sheet.write_number(row, place, value)
    elif isinstance(value, datetime):
        sheet.write_string(row, place, instant(value))
    elif isinstance(value, date):
        sheet.write_datetime(row, place, value)
    else:
        sheet.write_string(row, place, str(value))
