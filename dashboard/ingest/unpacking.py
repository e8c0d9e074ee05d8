"""The bytes of a file, unpacked where they are gzipped, and no bomb: memory stays flat."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import BinaryIO

from dashboard.ingest.records import FileRefused

CHUNK = 256 * 1024
MOST_BYTES = 16 * 1024**3  # unpacked
MOST_RATIO = 100  # bills and logs pack 5 to 30 times; a bomb about 1,000 times
WINDOW = 8 * 1024**2  # unpacked bytes that are judged together; less may pack as well as it likes
SLICE = 16 * 1024
SMALLEST_MEMBER = 512  # packed bytes, on average; an empty one has 20 and takes as long as a full one
MEMBERS_FROM = 1000

Progress = Callable[[int], None]


def counted_bytes(stream: BinaryIO, progress: Progress) -> Iterator[bytes]:
    read = 0
    while chunk := stream.read(CHUNK):
        read += len(chunk)
        progress(read)
        yield chunk


def unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """What is not gzipped stays as it is."""
    first = filled(chunks)
    chunks = chain([first], chunks)
    return _unzipped(chunks) if first.startswith(b"\x1f\x8b") else chunks


def filled(chunks: Iterator[bytes]) -> bytes:
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
