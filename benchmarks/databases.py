"""The databases that are measured: invented companies of several sizes, each built once."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .beside import ROOT, SERIAL, Beside, timed_command
from .cluster import Cluster

THREE_YEARS = 1095
MANAGE = (sys.executable, ROOT / "manage.py")


@dataclass(frozen=True)
class Size:
    jobs: int
    label: str
    short: str


@dataclass(frozen=True)
class Sizes:
    """few and many are compared. middle: of files, of SQLite, and of what many is compared with in search."""

    few: Size
    middle: Size
    many: Size


FEW = Size(10_000, "10 k", "10k")
MILLION = Size(1_000_000, "1 M", "1m")
TEN_MILLION = Size(10_000_000, "10 M", "10m")
USUAL = Sizes(FEW, MILLION, MILLION)
FULL = Sizes(FEW, MILLION, TEN_MILLION)
QUICK = Sizes(Size(2_000, "2 k", "2k"), Size(20_000, "20 k", "20k"), Size(20_000, "20 k", "20k"))


@dataclass(frozen=True)
class Database:
    name: str
    url: str
    label: str
    jobs: int = 0

    @property
    def is_file(self) -> bool:
        return self.url.startswith("sqlite")

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))


# What a kept database must have been built with: a migration is not run twice when it is edited.
BUILT_WITH = ("dashboard/migrations/*.py", "dashboard/rollups/triggers.py", "dashboard/rollups/cutting.py")


def usable(kept: Path) -> Path:
    """The folder, emptied of databases that other migrations have built."""
    files = sorted(path for pattern in BUILT_WITH for path in ROOT.glob(pattern))
    schema = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    stamp = kept / "schema"
    if not stamp.exists() or stamp.read_text() != schema:
        for folder in ("postgres", "sqlite"):
            shutil.rmtree(kept / folder, ignore_errors=True)
        (kept / "bench.json").unlink(missing_ok=True)
        stamp.write_text(schema)
    return kept


@dataclass
class Databases:
    """kept: a folder that may hold them from a run before."""

    cluster: Cluster
    kept: Path
    say: Callable[[str], None]
    workers: dict[str, Beside] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)

    @property
    def notes(self) -> dict[str, Any]:
        """When the kept databases were begun, and what each took to build."""
        path = self.kept / "bench.json"
        if not path.exists():
            self.note(as_of=f"{datetime.now(UTC):%Y-%m-%d}T12:00+00:00", built={})
        return json.loads(path.read_text())

    def note(self, **facts: Any) -> None:
        (self.kept / "bench.json").write_text(json.dumps(facts, indent=1))

    @property
    def as_of(self) -> str:
        """The moment that counts as now in all of them."""
        return self.notes["as_of"]

    # What there is

    def postgres(self, size: Size) -> Database:
        return self.built(self.on_cluster(f"jobs_{size.short}", size), "seed_demo", "--jobs", str(size.jobs))

    def sqlite(self, size: Size) -> Database:
        folder = self.kept / "sqlite"
        folder.mkdir(exist_ok=True)
        name = f"sqlite_{size.short}"
        database = Database(name, f"sqlite:///{folder / size.short}.sqlite3", size.label, size.jobs)
        return self.built(database, "seed_demo", "--jobs", str(size.jobs))

    def three_years(self, size: Size) -> Database:
        """Of fifty teams."""
        database = self.on_cluster(f"years_{size.short}", size)
        asked = ("seed_demo", "--jobs", str(size.jobs), "--days", str(THREE_YEARS))
        return self.built(database, *asked, before="split_teams", after="keep_teams")

    def without_jobs(self) -> Database:
        """Of a company that has told its providers and their clocks, and nothing more."""
        return self.built(self.on_cluster("without_jobs", Size(0, "no jobs", "0")), before="name_providers")

    def on_cluster(self, name: str, size: Size) -> Database:
        return Database(name, self.cluster.url_of(name), size.label, size.jobs)

    # How it comes about

    def built(self, database: Database, *seed: str, before: str = "", after: str = "") -> Database:
        if database.name in self.ready:
            return database
        if self.is_there(database):
            self.manage(database, "migrate", "--verbosity", "0")
        else:
            self.build(database, *seed, before=before, after=after)
        self.ready.add(database.name)
        return database

    def is_there(self, database: Database) -> bool:
        return database.path.exists() if database.is_file else self.cluster.has(database.name)

    def build(self, database: Database, *seed: str, before: str, after: str) -> None:
        """Under another name until it is whole, so that a run that was stopped leaves no half of one."""
        making = self.half_made(database)
        self.manage(making, "migrate", "--verbosity", "0")
        self.within(making, before)
        started = time.perf_counter()
        if seed:
            self.manage(making, *seed)
        seconds = time.perf_counter() - started
        self.within(making, after)
        self.within(making, "tidy")
        if database.is_file:
            making.path.rename(database.path)
        else:
            self.cluster.rename(making.name, database.name)
        notes = self.notes
        self.note(**notes | {"built": notes["built"] | {database.name: round(seconds, 1)}})
        if seed:
            self.say(f"built {database.name} in {seconds:.0f} s")

    def half_made(self, database: Database) -> Database:
        name = f"{database.name}_half_made"
        if database.is_file:
            path = database.path.with_suffix(".half_made")
            for old in path.parent.glob(f"{path.name}*"):
                old.unlink()
            return Database(name, f"sqlite:///{path}", database.label)
        self.cluster.drop(name)
        self.cluster.create(name)
        return Database(name, self.cluster.url_of(name), database.label)

    def within(self, database: Database, function: str) -> None:
        if function:
            with Beside(self.settings(database)) as worker:
                worker.call(function)

    def manage(self, database: Database, *command: str) -> None:
        timed_command([*MANAGE, *command], self.settings(database))

    # Who works beside them

    def settings(self, database: Database) -> dict[str, str]:
        """Those of production, but for the clock, which stands still, plain HTTP, and no limit of time.

        Each page is made, also where it is what it was a moment ago.
        """
        return self.as_shipped(database) | {"HELIOX_PAGES_MB": "0", "HELIOX_IMPORT_RESTS": "0"}

    def as_shipped(self, database: Database) -> dict[str, str]:
        """The same, but pages are kept, and imports rest."""
        demo = {"HELIOX_DEMO": "1", "HELIOX_AS_OF": self.as_of}
        return {"DATABASE_URL": database.url} | demo | {"PGOPTIONS": f"{SERIAL['PGOPTIONS']} -c jit=off"}

    def worker(self, database: Database) -> Beside:
        if database.name not in self.workers:
            self.workers[database.name] = Beside(self.settings(database))
        return self.workers[database.name]

    def leave(self, database: Database) -> None:
        if worker := self.workers.pop(database.name, None):
            worker.close()

    def leave_all(self) -> None:
        for worker in self.workers.values():
            worker.close()
        self.workers.clear()

    @contextmanager
    def copy(self, database: Database, name: str = "copy") -> Iterator[Database]:
        """To write to, for as long as the block runs."""
        self.leave(database)
        self.cluster.drop(name)
        self.cluster.create(name, like=database.name)
        copy = Database(name, self.cluster.url_of(name), database.label, database.jobs)
        try:
            yield copy
        finally:
            self.leave(copy)
            self.cluster.drop(name)
