"""PostgreSQL's own programs, which read and write its dumps."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.apps import apps
from django.db import connection
from psycopg.conninfo import make_conninfo

from .saying import CannotBackUp

PLACES = "/usr/lib/postgresql"
RECORDER = "django_migrations"
TOLD_TO_LIBPQ = (
    "host",
    "port",
    "user",
    "dbname",
    "service",
    "passfile",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "connect_timeout",
)
MISSING = (
    "There is no {} of PostgreSQL {} or newer here. Install the Debian package postgresql-client, "
    "or set HELIOX_PG_BIN to the folder that holds it.{}"
)


def our_tables() -> list[str]:
    models = apps.get_models(include_auto_created=True)
    return [RECORDER, *(m._meta.db_table for m in models if m._meta.managed and not m._meta.proxy)]


@dataclass(frozen=True)
class Dump:
    """lines: one for everything that it holds. reader: the least pg_restore that can read it."""

    file: Path
    reader: Path
    lines: list[str]

    @classmethod
    def at(cls, file: Path) -> Dump:
        said = MISSING.format("pg_restore", 10, "")
        for _, reader in by_version("pg_restore"):
            done = subprocess.run([reader, "--list", file], capture_output=True, text=True, check=False)
            if not done.returncode:
                lines = [line for line in done.stdout.splitlines() if line and not line.startswith(";")]
                return cls(file, reader, lines)
            said = f"pg_restore cannot read this backup: {done.stderr.strip()}"
        raise CannotBackUp(said)


def find(name: str, at_least: int) -> Path:
    """The program of the least version that will do: a later one speaks of what the server does not know."""
    known = by_version(name)
    for major, path in known:
        if major >= at_least:
            return path
    older = f" The one in {known[-1][1]} is of version {known[-1][0]}." if known else ""
    raise CannotBackUp(MISSING.format(name, at_least, older))


def by_version(name: str) -> list[tuple[int, Path]]:
    return sorted((major, path) for path in candidates(name) if (major := version_of(path)))


def candidates(name: str) -> Iterator[Path]:
    if folder := os.environ.get("HELIOX_PG_BIN"):
        if not (Path(folder) / name).is_file():
            raise CannotBackUp(f"HELIOX_PG_BIN is {folder}, where there is no {name}.")
        yield Path(folder) / name
        return
    yield from (path for path in sorted(Path(PLACES).glob(f"*/bin/{name}")) if path.is_file())
    if on_path := shutil.which(name):
        yield Path(on_path)


def version_of(program: Path) -> int:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r"(\d+)", said)
    return int(found[1]) if found else 0


def place() -> tuple[str, dict[str, str]]:
    """Where the database is, and its password apart: a command line can be read by others."""
    given = connection.get_connection_params()
    environment = {name: value for name, value in os.environ.items() if name != "PGOPTIONS"}
    if given.get("password"):
        environment["PGPASSWORD"] = str(given["password"])
    said = {name: given[name] for name in TOLD_TO_LIBPQ if given.get(name)}
    return make_conninfo(**said), environment


def start_dump(dump: Path, snapshot: str, tables: Sequence[str], server: int) -> subprocess.Popen:
    where, environment = place()
    command = [str(find("pg_dump", server)), "--format=custom", "--no-owner", f"--snapshot={snapshot}"]
    command += [f'--table="{schema()}"."{name}"' for name in tables]
    command += [f"--file={dump}", f"--dbname={where}"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def schema() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        return cursor.fetchone()[0]


def trouble_of(running: subprocess.Popen) -> str:
    """What it said against itself; empty where it did all that it was asked."""
    _, said = running.communicate()
    return (said.strip() or f"it ended with {running.returncode}") if running.returncode else ""


@contextmanager
def script_of(dump: Dump, section: str, lines: Sequence[str]) -> Iterator[IO[bytes]]:
    """The SQL that makes these of its lines."""
    listing = dump.file.with_name("listing")
    listing.write_text("\n".join(lines))
    command = [str(dump.reader), "--no-owner", f"--section={section}"]
    command += [f"--use-list={listing}", "--file=-", str(dump.file)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout and running.stderr
    try:
        yield running.stdout
    finally:
        running.stdout.close()
        said = running.stderr.read().decode(errors="replace").strip()
        running.stderr.close()
        status = running.wait()
    if status:
        raise CannotBackUp(f"pg_restore did not finish: {said}")
