"""Files of exactly a page's rows: CSV as it streams, Excel spooled with an About sheet."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import xlsxwriter
from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse

from .clock import now
from .ingest.values import guarded

FORMATS = {"csv": "CSV", "xlsx": "Excel"}
BOM = "\ufeff"
ROWS_A_CHUNK = 500
ROWS_A_SHEET = 1_048_576


@dataclass(frozen=True)
class Export:
    """rows: tuples in the order of columns. about: what the page prints, for the file's About sheet."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Sequence[Any]]
    about: Sequence[tuple[str, str]] = field(default=())

    def response(self, kind: str) -> HttpResponseBase:
        response = self.as_csv() if kind == "csv" else self.as_xlsx()
        response["Content-Disposition"] = f'attachment; filename="{file_name(self.name)}.{kind}"'
        response["Cache-Control"] = "no-store"
        return response

    def as_csv(self) -> StreamingHttpResponse:
        return StreamingHttpResponse(
            csv_chunks(self.columns, self.rows), content_type="text/csv; charset=utf-8"
        )

    def as_xlsx(self) -> FileResponse:
        spool = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
        write_workbook(spool, self)
        spool.seek(0)
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        return FileResponse(spool, content_type=kind)


def file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")[:150]


class Line:
    """What csv.writer writes to, kept instead of written."""

    def write(self, text: str) -> str:
        return text


def csv_chunks(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    write = csv.writer(Line(), lineterminator="\r\n").writerow
    chunk = [BOM + write(columns)]
    for row in rows:
        chunk.append(write([csv_cell(value) for value in row]))
        if len(chunk) >= ROWS_A_CHUNK:
            yield "".join(chunk)
            chunk = []
    yield "".join(chunk)


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


def instant(value: datetime) -> str:
    """ISO 8601 in UTC with Z; fractions of a second only where there are any."""
    return value.isoformat().replace("+00:00", "Z")


def write_workbook(spool: Any, export: Export) -> None:
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
