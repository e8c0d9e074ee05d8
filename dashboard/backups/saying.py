"""What a backup says of itself, and how it is packed: a zip file of the database and a manifest."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from django.apps import apps
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from .. import moving, workers
from ..models import DataWrite

FORMAT = 1
DATABASE, MANIFEST = "database", "manifest.json"
PIECE = 1024**2
LARGEST_MANIFEST = 16 * 1024**2
# What zipfile and a manifest that is none come to where bytes are damaged or are somebody else's.
UNREADABLE = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, EOFError, RuntimeError)


class CannotBackUp(Exception):
    """The text is for the one who runs the command; the database is as it was before."""


def refuse_many_servers() -> None:
    if workers.hold_jobs(connection):
        raise CannotBackUp("Jobs are spread over several servers here: use those servers' own backup tools.")


@dataclass(frozen=True)
class Manifest:
    """totals: rows per table and the sum of every decimal column, as text."""

    vendor: str
    server: str
    made_at: str
    migrations: list[str]
    totals: dict[str, str]
    sha256: str = ""
    size: int = 0
    format: int = FORMAT

    @property
    def is_of_this_version(self) -> bool:
        return set(self.migrations) == known_migrations()


# Totals


def totals(alias: str) -> dict[str, str]:
    """Of everything that is there, also where the tables are those of an earlier version.

    But of what notes writes: to restore is to write.
    """
    found: dict[str, Any] = {}
    with connections[alias].cursor() as cursor:
        there = set(connections[alias].introspection.table_names(cursor))
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            if table not in there or not model._meta.managed or model._meta.proxy or model is DataWrite:
                continue
            columns = connections[alias].introspection.get_table_description(cursor, table)
            found |= moving.totals(alias, model, {column.name for column in columns})
    return {what: plain(value) for what, value in found.items()}


def plain(value: Any) -> str:
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def compared(said: dict[str, str], found: dict[str, str]) -> list[str]:
    """Where the two differ, in words."""
    return [
        f"{what} is {found.get(what, 'missing')}, the backup says {value}"
        for what, value in said.items()
        if found.get(what) != value
    ]


def known_migrations() -> set[str]:
    return {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}


def applied_migrations(alias: str) -> list[str]:
    applied = MigrationRecorder(connections[alias]).applied_migrations()
    return sorted(f"{app}.{name}" for app, name in applied)


# Packing


@contextmanager
def folder_beside(file: Path) -> Iterator[Path]:
    """Where there is room for the file, there is for its parts; nobody else may look inside."""
    try:
        with TemporaryDirectory(prefix=".heliox-", dir=file.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise CannotBackUp(f"{file.parent} cannot be written to: {error.strerror}.") from None


def pack(file: Path, database: Path, manifest: Manifest) -> Manifest:
    """All of the file, or none: it takes its name when it is whole and on disk."""
    part = database.with_name("packed")
    with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
            entry = zipfile.ZipInfo(DATABASE)
            # PostgreSQL has compressed its own already.
            compressed = manifest.vendor == "postgresql"
            entry.compress_type = zipfile.ZIP_STORED if compressed else zipfile.ZIP_DEFLATED
            with database.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                digest, size = copy(source, target)  # type: ignore[arg-type]
            whole = Manifest(**asdict(manifest) | {"sha256": digest, "size": size})
            archive.writestr(MANIFEST, json.dumps(asdict(whole), indent=1))
        packed.flush()
        os.fsync(packed.fileno())
    os.replace(part, file)
    keep_name(file.parent)
    return whole


def keep_name(folder: Path) -> None:
    """The file's name is on disk, too."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def unpack(file: Path, database: Path) -> Manifest:
    """The manifest; the database it tells of is in the other file, and is what it says."""
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = read_manifest(archive)
            with archive.open(DATABASE) as source, database.open("wb") as target:
                found = copy(source, target, most=manifest.size)  # type: ignore[arg-type]
    except UNREADABLE as error:
        raise CannotBackUp(f"{file} is no backup, or a part of one only: {error}") from None
    except OSError as error:
        raise CannotBackUp(f"{file} cannot be read: {error.strerror or error}.") from None
    if found != (manifest.sha256, manifest.size):
        raise CannotBackUp(f"{file} is damaged: its checksum is not the one that it was made with.")
    return manifest


def read_manifest(archive: zipfile.ZipFile) -> Manifest:
    if archive.getinfo(MANIFEST).file_size > LARGEST_MANIFEST:
        raise ValueError("its manifest is too large")
    manifest = Manifest(**json.loads(archive.read(MANIFEST)))
    if manifest.format != FORMAT:
        raise ValueError(f"it is of format {manifest.format}, which this version does not know")
    if not (isinstance(manifest.totals, dict) and names(manifest.migrations)):
        raise ValueError("its manifest cannot be read")
    return manifest


def names(listed: Any) -> bool:
    return isinstance(listed, list) and all(isinstance(one, str) for one in listed)


def copy(source: BinaryIO, target: BinaryIO, most: int | None = None) -> tuple[str, int]:
    """SHA-256 and size."""
    digest, size = hashlib.sha256(), 0
    while piece := source.read(PIECE):
        size += len(piece)
        if most is not None and size > most:
            raise ValueError("it is larger than it says")
        digest.update(piece)
        target.write(piece)
    return digest.hexdigest(), size
