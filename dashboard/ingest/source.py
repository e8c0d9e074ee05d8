"""From the bytes that somebody sent to a header and lazy rows, with every limit that a hostile file needs.

Memory stays flat: one chunk, one record. What cannot be read is refused with a sentence.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, BinaryIO

from dashboard.ingest.records import FileRefused
from dashboard.ingest.values import listed

CHUNK = 256 * 1024
MOST_BYTES = 16 * 1024**3  # unpacked
MOST_RATIO = 100  # bills and logs pack 5 to 30 times; a bomb about 1,000 times
WINDOW = 8 * 1024**2  # unpacked bytes that are judged together; less may pack as well as it likes
SLICE = 16 * 1024
SMALLEST_MEMBER = 512  # packed bytes, on average; an empty one has 20 and takes as long as a full one
MEMBERS_FROM = 1000
MOST_RECORD = 1024**2  # characters of one row, line breaks in quotes included
MOST_COLUMNS = 1000
MOST_TEXT = 32 * 1024  # of a row of a Parquet file
MOST_NESTED = 8  # levels of a Parquet column
ROWS_AT_ONCE = 100  # of a Parquet file, whose rows may be long

# Columns of sacct in which anything may stand.
FREE_TEXTS = frozenset(
    {"JobName", "SubmitLine", "Comment", "AdminComment", "SystemComment", "WorkDir", "Extra"}
    | {"Constraints", "Container", "Licenses", "StdErr", "StdIn", "StdOut"}
)

Progress = Callable[[int], None]
Header = tuple[str, ...]
Rows = Iterator[tuple[int, list[str]]]

PARQUET_EXTRA = "Reading Parquet needs an extra package: pip install -r requirements-parquet.txt"


@dataclass
class Table:
    """A header and rows that are read as they are asked for, each with the line on which it begins."""

    name: str
    header: Header
    rows: Rows
    close: Callable[[], None] = field(default=lambda: None, repr=False)

    def __enter__(self) -> Table:
        return self

    def __exit__(self, *exc) -> None:
        self.close()


def open_table(file: BinaryIO | Path, name: str, progress: Progress | None = None) -> Table:
    """The table in a CSV, a sacct log or a Parquet file, gzipped or not.

    progress is called with the bytes of the file, as it was sent, that have been read so far.
    """
    with ExitStack() as opened:
        stream = opened.enter_context(file.open("rb")) if isinstance(file, Path) else file
        header, rows = _read(stream, progress or (lambda read: None), opened)
        return Table(name, header, rows, opened.pop_all().close)


def _read(stream: BinaryIO, progress: Progress, opened: ExitStack) -> tuple[Header, Rows]:
    chunks = unpacked(_counted(stream, progress))
    first = _filled(chunks)
    if first.startswith(b"PAR1"):
        return _parquet(chain([first], chunks), opened)
    _refuse_binary(first)
    return _text_table(_blocks(chain([first.removeprefix(b"\xef\xbb\xbf")], chunks)))


# Bytes


def _counted(stream: BinaryIO, progress: Progress) -> Iterator[bytes]:
    read = 0
    while chunk := stream.read(CHUNK):
        read += len(chunk)
        progress(read)
        yield chunk


def unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """What is not gzipped stays as it is."""
    first = _filled(chunks)
    chunks = chain([first], chunks)
    return _unzipped(chunks) if first.startswith(b"\x1f\x8b") else chunks


def _filled(chunks: Iterator[bytes]) -> bytes:
    """The first bytes, enough of them to tell what the file is."""
    first = b""
    while len(first) < 512 and (chunk := next(chunks, b"")):
        first += chunk
    return first


def _unzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """What is unpacked waits here until its window is known to be no bomb: rows cost far more than bytes."""
    held: list[bytes] = []
    total = size = begun = 0
    for part, packed in _inflated(chunks):
        held.append(part)
        size += len(part)
        if size >= WINDOW:
            total += size
            _refuse_bomb(packed - begun, size, total)
            yield from held
            held, size, begun = [], 0, packed
    yield from held


def _inflated(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Each part with the number of packed bytes that have been read for it and those before it."""
    member = zlib.decompressobj(wbits=31)
    packed, members = 0, 1
    for rest in _slices(chunks):
        packed += len(rest)
        while rest:
            if member.eof:
                rest = rest.lstrip(b"\0")  # padding between members
                if not rest:
                    break
                member, members = zlib.decompressobj(wbits=31), members + 1
                _refuse_crumbs(members, packed)
            try:
                part = member.decompress(rest, CHUNK)
            except zlib.error:
                raise FileRefused("The gzip file is damaged: what it holds cannot be unpacked.") from None
            rest = member.unconsumed_tail or member.unused_data
            if part:
                yield part, packed - len(rest)
    if not member.eof:
        raise FileRefused("The gzip file is cut off: its end is missing. Send it again, whole.")


def _slices(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Small ones: whenever a member ends, zlib copies what is left of the slice."""
    for chunk in chunks:
        for begin in range(0, len(chunk), SLICE):
            yield chunk[begin : begin + SLICE]


def _refuse_bomb(packed: int, unpacked: int, total: int) -> None:
    if total > MOST_BYTES:
        raise FileRefused(f"The file unpacks to more than {MOST_BYTES // 1024**3} GiB. Split it.")
    if unpacked > MOST_RATIO * packed:
        raise FileRefused(f"The file unpacks to more than {MOST_RATIO} times its size: no bill or log does.")


def _refuse_crumbs(members: int, packed: int) -> None:
    if members > MEMBERS_FROM and packed < members * SMALLEST_MEMBER:
        raise FileRefused("The gzip file is made of very many tiny pieces. Pack it as one.")


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
    if not first.removeprefix(b"\xef\xbb\xbf").strip():
        raise FileRefused("The file is empty.")
    for magic, words in _OTHER_FILES:
        if first.startswith(magic):
            raise FileRefused(f"The file is {words}.")
    head = first[:4096]
    unprinted = len(head) - len(head.translate(None, _UNPRINTED))
    if unprinted > 8 + len(head) // 20 or head.count(b"\0") > len(head) // 5:
        raise FileRefused("The file is binary: expected text, that is CSV or a sacct log, or Parquet.")


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
                raise _too_long(number)
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


def _too_long(line: int) -> FileRefused:
    return FileRefused(
        f"Line {line}: the row is longer than {MOST_RECORD:,} characters. Is a quotation mark not closed?"
    )


def _longest(lines: list[str]) -> int:
    return max(map(len, lines))


# Records


def _text_table(blocks: Iterator[_Block]) -> tuple[Header, Rows]:
    top = _from_first_row(blocks)
    blocks = chain([top], blocks)
    first = top.text.partition("\n")[0]
    if first.count("|") > first.count(","):
        header = tuple(first.rstrip("\r").split("|"))
        rows = _pipe_rows(blocks, header)
        next(rows)
        header = header[:-1] if header[-1] == "" else header  # sacct --parsable ends lines with |
    else:
        rows = _csv_rows(blocks)
        header = tuple(next(rows)[1])
    return _checked(header, top.begin), rows


def _from_first_row(blocks: Iterator[_Block]) -> _Block:
    """The first block that is not blank, from its first line that is not."""
    for block in blocks:
        if text := block.text.lstrip():
            blank = block.text[: len(block.text) - len(text)]
            begins = blank.rfind("\n") + 1
            return _Block(block.begin + blank.count("\n"), block.text[begins:])
    raise FileRefused("The file is empty.")


def _checked(header: Header, line: int) -> Header:
    names = tuple(column.strip() for column in header)
    if len(names) > MOST_COLUMNS:
        raise FileRefused(f"Line {line}: the header has {len(names):,} columns, more than {MOST_COLUMNS:,}.")
    if "" in names:
        raise FileRefused(f"Line {line}: column {names.index('') + 1} of the header has no name.")
    times = Counter(column.casefold() for column in names)
    if twice := list(dict.fromkeys(column for column in names if times[column.casefold()] > 1)):
        raise FileRefused(f"Line {line}: the header names {listed(twice)} more than once.")
    return names


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
            raise _too_long(self.begin)
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
    """The header comes as the first row. sacct quotes nothing: a text may hold the delimiter.

    Of several texts nobody here knows in which it is: such a row keeps its surplus fields.
    """
    width, trailing = len(header), header[-1] == ""
    texts = [place for place, name in enumerate(header) if name.strip() in FREE_TEXTS]
    for block in blocks:
        for number, line in enumerate(_short_lines(block), block.begin):
            fields = line.split("|")
            surplus = len(fields) - width
            if surplus > 0 and len(texts) == 1:
                fields = with_text_at(texts[0], fields, surplus)
            if trailing and len(fields) >= width:
                del fields[-1]
            if line and not line.isspace():
                yield number, fields


def with_text_at(place: int, fields: list[str], surplus: int) -> list[str]:
    """The fields when those that are too many belong to the text at this place."""
    end = place + surplus + 1
    return [*fields[:place], "|".join(fields[place:end]), *fields[end:]]


def _short_lines(block: _Block) -> list[str]:
    lines = block.text.split("\n")
    if "\r" in block.text:
        lines = [line.rstrip("\r") for line in lines]
    if _longest(lines) > MOST_RECORD:
        raise _too_long(block.begin + next(n for n, line in enumerate(lines) if len(line) > MOST_RECORD))
    return lines


# Parquet


_DUCKDB: dict[str, Any] = {
    "threads": 1,
    "memory_limit": "512MB",
    "autoinstall_known_extensions": False,
    "TimeZone": "UTC",
}


# What its pages hold once they are unpacked, as its footer says: a page is unpacked as a whole.
UNPACKED = "SELECT CAST(sum(total_uncompressed_size) AS BIGINT) FROM parquet_metadata('{path}')"


def _parquet(chunks: Iterator[bytes], opened: ExitStack) -> tuple[Header, Rows]:
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
        header = _checked(tuple(column[0] for column in columns), 1)
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
                    raise _too_long(number)
                if unpacked > most:
                    raise _packed_too_well(number)
                yield number, values
    except duckdb_error as error:
        raise FileRefused(f"The Parquet file cannot be read: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    """duckdb's reason without our own temporary path."""
    return re.sub(r"'?/\S*bill\.parquet'?", "the file", str(error).split("\n")[0])[:200]
