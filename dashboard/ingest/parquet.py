"""Rows of a Parquet file, as texts. Reading them takes an extra package."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import Any

from dashboard.ingest.records import FileRefused
from dashboard.ingest.table import MOST_RECORD, Header, Rows, checked, too_long
from dashboard.ingest.unpacking import MOST_RATIO, WINDOW

MOST_TEXT = 32 * 1024  # of a row
MOST_NESTED = 8  # levels of a column
ROWS_AT_ONCE = 100  # which may be long

PARQUET_EXTRA = "Reading Parquet needs an extra package: pip install -r requirements-parquet.txt"

_DUCKDB: dict[str, Any] = {
    "threads": 1,
    "memory_limit": "512MB",
    "autoinstall_known_extensions": False,
    "TimeZone": "UTC",
}


# What its pages hold once they are unpacked, as its footer says: a page is unpacked as a whole.
UNPACKED = "SELECT CAST(sum(total_uncompressed_size) AS BIGINT) FROM parquet_metadata('{path}')"


def parquet_table(chunks: Iterator[bytes], opened: ExitStack) -> tuple[Header, Rows]:
    try:
        import duckdb
    except ImportError:
        raise FileRefused(PARQUET_EXTRA) from None
    path = Path(opened.enter_context(tempfile.TemporaryDirectory())) / "bill.parquet"
    with path.open("wb") as copy:
        copy.writelines(chunks)
    source = f"read_parquet('{path}')"  # a path that tempfile made up
    try:
        connection = opened.enter_context(duckdb.connect(config=_DUCKDB))
        [(unpacked,)] = connection.execute(UNPACKED.format(path=path)).fetchall()
        if (unpacked or 0) > _most_unpacked(path.stat().st_size):
            raise _packed_too_well(1)
        columns = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        header = checked(tuple(column[0] for column in columns), 1)
        _check_nesting((str(name), str(kind)) for name, kind, *_ in columns)
        _check_lengths(connection, source, [name for name, kind, *_ in columns if kind == "VARCHAR"])
        picked = ", ".join(_as_text(column[0], column[1]) for column in columns)
        answer = connection.execute(f"SELECT {picked} FROM {source}")
    except duckdb.Error as error:
        raise FileRefused(f"The Parquet file cannot be read: {_first_line(error)}") from None
    return header, _parquet_rows(answer, path.stat().st_size, duckdb.Error)


def _most_unpacked(packed: int) -> int:
    """Of a file of that many bytes: wider than for gzip, since a value that is repeated is packed once."""
    return 10 * MOST_RATIO * max(packed, WINDOW // 100)


def _packed_too_well(line: int) -> FileRefused:
    return FileRefused(
        f"Line {line:,}: the file unpacks to more than {10 * MOST_RATIO:,} times its size: no bill does."
    )


def _check_nesting(columns: Iterable[tuple[str, str]]) -> None:
    """What duckdb takes to write a value as JSON doubles with each level."""
    for name, kind in columns:
        brackets = accumulate({"(": 1, ")": -1}.get(letter, 0) for letter in kind)
        if kind.count("[]") + max(brackets, default=0) > MOST_NESTED:
            raise FileRefused(f"Column {name[:50]!r} is nested more than {MOST_NESTED} levels deep.")


def _check_lengths(connection: Any, source: str, texts: list[str]) -> None:
    """Of a text that is repeated the file has one, and duckdb as many as rows that it reads at once."""
    if not texts:
        return
    longest = " + ".join(f"coalesce(max(strlen({_quoted(name)})), 0)" for name in texts)
    [(length,)] = connection.execute(f"SELECT {longest} FROM {source}").fetchall()
    if length > MOST_TEXT:
        raise FileRefused(f"The texts of a row are longer than {MOST_TEXT:,} characters: no bill's are.")


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _as_text(column: str, kind: str) -> str:
    quoted = _quoted(column)
    if re.match(r"(MAP|STRUCT|.*\[\])", kind):
        return f"CAST(to_json({quoted}) AS VARCHAR)"
    return f"CAST({quoted} AS VARCHAR)"


def _parquet_rows(answer, packed: int, duckdb_error: type[Exception]) -> Rows:
    """Rows count as if the header were line 1, so that line numbers match the same file as CSV."""
    number, unpacked, most = 1, 0, _most_unpacked(packed)
    try:
        while rows := answer.fetchmany(ROWS_AT_ONCE):
            for row in rows:
                number += 1
                values = ["" if value is None else value for value in row]
                length = sum(map(len, values))
                unpacked += length
                if length > MOST_RECORD:
                    raise too_long(number)
                if unpacked > most:
                    raise _packed_too_well(number)
                yield number, values
    except duckdb_error as error:
        raise FileRefused(f"The Parquet file cannot be read: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    """duckdb's reason without our own temporary path."""
    return re.sub(r"'?/\S*bill\.parquet'?", "the file", str(error).split("\n")[0])[:200]
