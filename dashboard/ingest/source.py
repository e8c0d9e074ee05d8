"""From the bytes that somebody sent to a header and lazy rows, with every limit that a hostile file needs.

Memory stays flat: one chunk, one record. What cannot be read is refused with a sentence.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from dashboard.ingest.parquet import parquet_table
from dashboard.ingest.records import FileRefused
from dashboard.ingest.table import Header, Rows, Table
from dashboard.ingest.text_rows import text_table
from dashboard.ingest.unpacking import Progress, counted_bytes, filled, unpacked

BOM = b"\xef\xbb\xbf"


def open_table(file: BinaryIO | Path, name: str, progress: Progress | None = None) -> Table:
    """The table in a CSV, a sacct log or a Parquet file, gzipped or not.

    progress is called with the bytes of the file, as it was sent, that have been read so far.
    """
    with ExitStack() as opened:
        stream = opened.enter_context(file.open("rb")) if isinstance(file, Path) else file
        header, rows, separator = _read(stream, progress or (lambda read: None), opened)
        return Table(name, header, rows, separator, opened.pop_all().close)


def _read(stream: BinaryIO, progress: Progress, opened: ExitStack) -> tuple[Header, Rows, str]:
    chunks = unpacked(counted_bytes(stream, progress))
    first = filled(chunks)
    if first.startswith(b"PAR1"):
        return *parquet_table(chain([first], chunks), opened), ""
    _refuse_binary(first)
    return text_table(chain([first.removeprefix(BOM)], chunks))


_OTHER_FILES = (
    (b"PK\x03\x04", "an Excel workbook or another zip file. Save the sheet as CSV (UTF-8)"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook. Save the sheet as CSV (UTF-8)"),
    (b"%PDF", "a PDF. Ask the provider for the CSV"),
    (b"\x1f\x8b", "a gzip file inside a gzip file. Unpack it once"),
    (b"BZh", "a bzip2 file. Unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "an xz file. Unpack it, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "a zstd file. Unpack it, or pack it with gzip"),
    (b"SQLite format 3", "a SQLite database"),
    (b"\xff\xfe", "UTF-16 text. Save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text. Save it as UTF-8"),
)
_UNPRINTED = bytes(set(range(32)) - set(b"\t\n\r\f\0"))


def _refuse_binary(first: bytes) -> None:
    if not first.removeprefix(BOM).strip():
        raise FileRefused("The file is empty.")
    for magic, words in _OTHER_FILES:
        if first.startswith(magic):
            raise FileRefused(f"The file is {words}.")
    head = first[:4096]
    unprinted = len(head) - len(head.translate(None, _UNPRINTED))
    if unprinted > 8 + len(head) // 20 or head.count(b"\0") > len(head) // 5:
        raise FileRefused("The file is binary: expected text, that is CSV or a sacct log, or Parquet.")
