"""A table's rows as lines of PostgreSQL's COPY text format, out of either database and into either.

SQLite writes the lines in SQL, so that a row costs Python next to nothing on its way to PostgreSQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

LINES = 2000
BARE = ("UUIDField", "BooleanField", "DecimalField", "DateField", "DateTimeField")
ESCAPED = (("'\\'", "\\\\"), ("char(9)", "\\t"), ("char(10)", "\\n"), ("char(13)", "\\r"))
Fields = list[Any]
Pieces = Iterable[bytes]


def lines_of(connection: Any, table: str, fields: Fields) -> Iterator[bytes]:
    """Pieces of some lines, or of parts of them."""
    lines = lines_of_postgresql if connection.vendor == "postgresql" else lines_of_sqlite
    return lines(connection, table, fields)


def write(connection: Any, table: str, fields: Fields, pieces: Pieces) -> None:
    into = write_to_postgresql if connection.vendor == "postgresql" else write_to_sqlite
    into(connection, table, fields, pieces)


def kind_of(field: Any) -> str:
    """That of the key where the field refers to one."""
    while field.remote_field:
        field = field.target_field
    return field.get_internal_type()


def quoted(fields: Fields) -> str:
    return ", ".join(f'"{field.column}"' for field in fields)


def lines_of_postgresql(connection: Any, table: str, fields: Fields) -> Iterator[bytes]:
    told = f"COPY (SELECT {quoted(fields)} FROM {table}) TO STDOUT"
    with connection.cursor() as cursor, cursor.cursor.copy(told) as copy:
        yield from map(bytes, copy)


def lines_of_sqlite(connection: Any, table: str, fields: Fields) -> Iterator[bytes]:
    line = " || char(9) || ".join(f"coalesce({as_copied(field)}, '\\N')" for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {line} || char(10) FROM {table}")
        while rows := cursor.fetchmany(LINES):
            yield "".join(line for (line,) in rows).encode()


def as_copied(field: Any) -> str:
    """SQL: the column's value as COPY writes it."""
    column, kind = f'"{field.column}"', kind_of(field)
    if kind == "BinaryField":
        return f"CASE WHEN {column} IS NOT NULL THEN '\\\\x' || hex({column}) END"
    if kind in BARE or "Integer" in kind or "AutoField" in kind:
        return column
    for character, escaped in ESCAPED:
        column = f"replace({column}, {character}, '{escaped}')"
    return column


def write_to_postgresql(connection: Any, table: str, fields: Fields, pieces: Pieces) -> None:
    told = f"COPY {table} ({quoted(fields)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.cursor.copy(told) as copy:
        for piece in pieces:
            copy.write(piece)


def write_to_sqlite(connection: Any, table: str, fields: Fields, pieces: Pieces) -> None:
    marks = ", ".join("?" * len(fields))
    insert = f"INSERT INTO {table} ({quoted(fields)}) VALUES ({marks})"
    kinds = [kind_of(field) for field in fields]
    with connection.cursor() as cursor:
        rows = (row_of(line, kinds) for line in whole_lines(pieces))
        while some := list(islice(rows, LINES)):
            cursor.cursor.connection.executemany(insert, some)


def whole_lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in lines)


def row_of(line: str, kinds: list[str]) -> list[Any]:
    return [as_stored(text, kind) for text, kind in zip(line.split("\t"), kinds, strict=True)]


ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}


def as_stored(text: str, kind: str) -> Any:
    """A value of COPY as Django's SQLite backend stores it."""
    if text == "\\N":
        return None
    if "\\" in text:
        text = re.sub(r"\\(.)", lambda escape: ESCAPES.get(escape[1], escape[1]), text)
    match kind:
        case "UUIDField":
            return text.replace("-", "")
        case "BooleanField":
            return int(text in ("t", "1"))
        case "DateTimeField":
            moment, dot, fraction = text.removesuffix("+00").partition(".")
            return f"{moment}.{fraction:0<6}" if dot else moment
        case "BinaryField":
            return bytes.fromhex(text[2:])
    return text
