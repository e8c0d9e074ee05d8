"""Rows of text: CSV, or the log of sacct, whose fields no quotation mark ever holds together."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from dashboard.ingest.records import FileRefused
from dashboard.ingest.table import MOST_RECORD, PIPE, Header, Rows, checked, too_long


def text_table(chunks: Iterator[bytes]) -> tuple[Header, Rows, str]:
    """With the separator of its fields."""
    blocks = _blocks(chunks)
    top = _from_first_row(blocks)
    blocks = chain([top], blocks)
    first = top.text.partition("\n")[0]
    if first.count(PIPE) <= first.count(","):
        rows = _csv_rows(blocks)
        return checked(tuple(next(rows)[1]), top.begin), rows, ","
    header = tuple(first.rstrip("\r").split(PIPE))
    rows = _pipe_rows(blocks, header)
    next(rows)
    header = header[:-1] if header[-1] == "" else header  # sacct --parsable ends lines with |
    return checked(header, top.begin), rows, PIPE


def _from_first_row(blocks: Iterator[_Block]) -> _Block:
    """The first block that is not blank, from its first line that is not."""
    for block in blocks:
        if text := block.text.lstrip():
            blank = block.text[: len(block.text) - len(text)]
            begins = blank.rfind("\n") + 1
            return _Block(block.begin + blank.count("\n"), block.text[begins:])
    raise FileRefused("The file is empty.")


def _csv_rows(blocks: Iterator[_Block]) -> Rows:
    """The header comes as the first row. Blank lines are no rows."""
    for block in blocks:
        if (lines := _unquoted(block.text)) is None:
            yield from _quoted_rows(block, blocks)
            continue
        for number, line in enumerate(lines, block.begin):
            if line:
                yield number, line.split(",")


def _unquoted(text: str) -> list[str] | None:
    """The lines of a block that has nothing for the csv module to do, which costs three times as much."""
    if '"' in text:
        return None
    text = text.replace("\r\n", "\n") if "\r" in text else text
    lines = text.split("\n")
    return None if "\r" in text or _longest(lines) > csv.field_size_limit() else lines


def _quoted_rows(block: _Block, blocks: Iterator[_Block]) -> Rows:
    """From this block up to the first block with whose end a row ends."""
    lines = _Lines(block, blocks)
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            begin = lines.begin
            lines.next_row(block.begin + reader.line_num)
            if row:
                yield begin, row
    except csv.Error as error:
        raise FileRefused(f"Line {lines.begin}: {_csv_words(error)}") from None


class _Lines:
    """Lines of a block for the csv module, and of the next blocks as long as a row goes on there."""

    def __init__(self, block: _Block, blocks: Iterator[_Block]):
        self.lines = _with_ends(block)
        self.blocks = blocks
        self.next_row(block.begin)

    def next_row(self, begin: int) -> None:
        self.begin = begin
        self.length = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self.lines, "")
        if not line and self.length:
            self.lines = _with_ends(next(self.blocks))
            line = next(self.lines)
        if not line:
            raise StopIteration
        self.length += len(line)
        if self.length > MOST_RECORD:
            raise too_long(self.begin)
        return line


def _with_ends(block: _Block) -> Iterator[str]:
    """Only \\n ends a line: str.splitlines knows many more."""
    return io.StringIO(block.text, newline="\n")


def _csv_words(error: csv.Error) -> str:
    words = str(error)
    if "field larger" in words:
        limit = csv.field_size_limit()
        return f"a field is longer than {limit:,} characters. Is a quotation mark not closed?"
    if "unexpected end" in words:
        return "a quotation mark is opened here and never closed. Is the file cut off?"
    if "expected after" in words:
        return "text stands behind a closing quotation mark. Quotation marks inside a field are doubled."
    if "new-line character" in words:
        return "a carriage return stands inside the line. Lines end with LF or CR LF."
    return f"the row cannot be read as CSV ({words})."


def _pipe_rows(blocks: Iterator[_Block], header: Header) -> Rows:
    """The header comes as the first row. sacct quotes nothing: a text that holds | makes too many fields."""
    width, trailing = len(header), header[-1] == ""
    for block in blocks:
        for number, line in enumerate(_short_lines(block), block.begin):
            fields = line.split(PIPE)
            if trailing and len(fields) >= width:
                del fields[-1]
            if line and not line.isspace():
                yield number, fields


def _short_lines(block: _Block) -> list[str]:
    lines = block.text.split("\n")
    if "\r" in block.text:
        lines = [line.rstrip("\r") for line in lines]
    if _longest(lines) > MOST_RECORD:
        raise too_long(block.begin + next(n for n, line in enumerate(lines) if len(line) > MOST_RECORD))
    return lines


# Blocks of whole lines


@dataclass(frozen=True, slots=True)
class _Block:
    """Whole lines, and the number of the first."""

    begin: int
    text: str


def _blocks(chunks: Iterator[bytes]) -> Iterator[_Block]:
    number, rest = 1, b""
    for chunk in chunks:
        whole, newline, rest_of_chunk = chunk.rpartition(b"\n")
        if not newline:
            rest += chunk
            if len(rest) > MOST_RECORD * 4:
                raise too_long(number)
            continue
        block = rest + whole + newline
        yield _Block(number, _decoded(block, number))
        number += block.count(b"\n")
        rest = rest_of_chunk
    if rest:
        yield _Block(number, _decoded(rest, number))


def _decoded(block: bytes, number: int) -> str:
    if (nul := block.find(b"\0")) >= 0:
        raise FileRefused(f"{_place(block, nul, number)} is a NUL byte: the file is damaged or binary.")
    try:
        return block.decode("utf-8")
    except UnicodeDecodeError as error:
        place, byte = _place(block, error.start, number), f"0x{block[error.start]:02X}"
        raise FileRefused(f"{place} is not UTF-8 text (byte {byte}). Save the file as UTF-8.") from None


def _place(block: bytes, byte: int, number: int) -> str:
    """Its line, and its place there as an editor counts: which column it is in, nobody knows yet."""
    begin = block.rfind(b"\n", 0, byte) + 1
    line = number + block.count(b"\n", 0, begin)
    return f"Line {line}, character {len(block[begin:byte].decode(errors='replace')) + 1:,}"


def _longest(lines: list[str]) -> int:
    return max(map(len, lines))
