"""Files made to take a server's time and memory, and what reading one takes in a process of its own."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from .conftest import PROJECT, SAMPLES

MEGABYTE = 1024**2
SIZE = int(os.environ.get("BOMB_MB", 12)) * MEGABYTE  # as sent


def packed(head: bytes, block: bytes, size: int = SIZE) -> Iterator[bytes]:
    """One gzip stream of about that size: a block packed once and repeated."""
    packer = zlib.compressobj(wbits=31)
    yield packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(size // len(again)):
        yield again
    yield packer.flush()


def repeated(*parts: bytes, size: int = SIZE) -> Iterator[bytes]:
    head, part = parts
    yield head
    for _ in range(size // len(part)):
        yield part


def nearly_random_line() -> bytes:
    """Packs 50 times, as no bill does and yet no bomb need."""
    return b"".join(os.urandom(300).hex().encode() + b"a" * 31_000 for _ in range(SIZE // 31_600 + 1))


def parquet(select: str) -> Iterator[bytes]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bomb"
        duckdb.execute(f"COPY (SELECT {select}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
        yield path.read_bytes()


DAILY = "DATE '2025-03-01' AS date, {provider} AS provider, 'L4' AS gpu_type, 1.00 AS cost_usd"
LONG_NAMES = DAILY.format(provider="repeat('a', 1000000)") + " FROM range(2000)"
NESTED = "[" * 60 + "1" + "]" * 60 + " AS Tags, " + DAILY.format(provider="'AWS'")
HEAD = b"date,provider,gpu_type,cost_usd\n"
SLURM = (SAMPLES / "slurm.psv").read_bytes().partition(b"\n")[0] + b"\n"
ROW = b"2025-03-01,AWS,L4,1.00\n"
NAMES = b",".join(b"c%d" % n for n in range(1_000_000))
BOMBS: dict[str, Callable[[], Iterator[bytes]]] = {
    "gz of zeros": lambda: packed(b"", b"\0" * MEGABYTE),
    "gz of rows": lambda: packed(HEAD, ROW * 40_000),
    "gz of two-byte rows": lambda: packed(b"name\n", b"a\n" * 500_000),
    "gz of blank lines": lambda: packed(HEAD, b"\n" * MEGABYTE),
    "gz of quotes": lambda: packed(HEAD, b'""' * 500_000),
    "gz that begins well": lambda: packed(
        HEAD + ROW * 1000 + os.urandom(MEGABYTE).hex("\n", 32).encode(), b"\n" * MEGABYTE
    ),
    "gz of empty pieces": lambda: repeated(b"", gzip.compress(b"", mtime=0) * 1000),
    "gz of gz": lambda: iter([gzip.compress(gzip.compress(b"a" * MEGABYTE))]),
    "xlsx": lambda: repeated(b"PK\x03\x04", b"\0" * MEGABYTE),
    "a million columns": lambda: iter([NAMES, b"\n", b",".join([b"1"] * 1_000_000)]),
    "a million columns, packed": lambda: iter([gzip.compress(NAMES + b"\n")]),
    "a row of a million columns": lambda: iter([HEAD, b",".join([b"1"] * 1_000_000)]),
    "a row of a million quoted columns": lambda: iter([HEAD, b",".join([b'"1"'] * 1_000_000)]),
    "a line without end": lambda: repeated(HEAD, b"a" * MEGABYTE),
    "gz of a line without end": lambda: iter([gzip.compress(HEAD + nearly_random_line(), 1)]),
    "a first line without end": lambda: repeated(b"", b"a" * MEGABYTE),
    "a line without end for sacct": lambda: repeated(SLURM, b"1" * MEGABYTE),
    "a quoted line without end": lambda: repeated(HEAD + b'"', b"a" * MEGABYTE),
    "a quotation mark that is never closed": lambda: repeated(HEAD + b'"', b"a,b\n" * 1000),
    "Parquet of long names": lambda: parquet(LONG_NAMES),
    "Parquet of nested lists": lambda: parquet(NESTED),
    "carriage returns alone": lambda: repeated(HEAD, b"2025-03-01,AWS,L4,1.00\r" * 1000),
}

# Forked, so that each file is measured by itself and Django is loaded once.
READER = """
import json, os, resource, sys, time
import django
django.setup()
from pathlib import Path
from dashboard.ingest.giving_way import nobody
from dashboard.ingest.load import Source, readings
from dashboard.ingest.records import FileRefused, Options

def read(path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, words = time.process_time(), ""
    try:
        for reading in readings([Source("file", Path(path))], Options(cluster="fox"), None, nobody):
            for record in reading.records:
                pass
    except FileRefused as refused:
        words = str(refused)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": time.process_time() - began, "mb": (most - before) / 1024, "words": words}

for path in sys.stdin.read().splitlines():
    if (pid := os.fork()) == 0:
        print(json.dumps(read(path)), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
"""


def taken(paths: list[Path]) -> list[dict[str, Any]]:
    """Seconds of CPU, megabytes beyond those of the idle process, and the words of the refusal."""
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "heliox_site.settings", "HELIOX_DEBUG": "1"}
    listed = "\n".join(map(str, paths))
    told = subprocess.run(
        [sys.executable, "-c", READER], input=listed, capture_output=True, text=True, env=environ, cwd=PROJECT
    )
    assert told.returncode == 0, told.stderr
    return [json.loads(line) for line in told.stdout.splitlines()]
