"""A private PostgreSQL whose data may outlive the run."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

from .beside import ROOT, Failed, Psql

MEGABYTE = 1024**2


def settings() -> dict[str, str]:
    """What is not PostgreSQL's default, beside what bin/with_postgres sets; a quarter of memory is cache."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MEGABYTE
    return {
        "shared_buffers": f"{min(memory // 4, 2048)}MB",
        "maintenance_work_mem": "512MB",
        "work_mem": "64MB",
        "max_wal_size": "8GB",
    }


def script(name: str) -> ModuleType:
    """A program of bin/ as a module."""
    loader = SourceFileLoader(name, str(ROOT / "bin" / name))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = sys.modules[loader.name] = module_from_spec(spec)
    loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Cluster:
    """url: of its first database. pid: of the process that starts all others. given: settings of ours."""

    url: str
    programs: Path
    pid: int
    given: dict[str, str]

    def url_of(self, name: str) -> str:
        return f"{self.url.rpartition('/')[0]}/{name}"

    @property
    def psql(self) -> Path:
        beside_server = self.programs / "psql"
        found = beside_server if beside_server.exists() else shutil.which("psql")
        if not found:
            raise Failed("psql is not installed")
        return Path(found)

    def session(self, name: str) -> Psql:
        return Psql(self.psql, self.url_of(name))

    def has(self, name: str) -> bool:
        return bool(self.ask(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"))

    def create(self, name: str, like: str = "template1") -> None:
        """Nobody may be connected to the one that it is like."""
        files = " STRATEGY file_copy" if self.version >= 15 else ""
        self.ask(f'CREATE DATABASE "{name}" TEMPLATE "{like}"{files}')

    def rename(self, name: str, to: str) -> None:
        self.ask(f'ALTER DATABASE "{name}" RENAME TO "{to}"')

    def drop(self, name: str) -> None:
        self.ask(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def ended_cpu(self) -> float:
        """Seconds of CPU of all backends that have ended, to a hundredth."""
        time.sleep(0.1)  # for one that is about to
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    @property
    def version(self) -> int:
        return int(self.ask("SHOW server_version_num")) // 10_000

    def ask(self, sql: str) -> str:
        """The first value, as text; nothing where there is none."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql)
            row = cursor.fetchone() if cursor.description else None
        return str(row[0]) if row else ""


@contextmanager
def started(data: Path) -> Iterator[Cluster]:
    """A server for as long as the block runs; what it holds stays in `data`."""
    postgres = script("with_postgres")
    account = postgres.server_account()
    folder = postgres.temporary_folder(account)  # of the socket
    server = None
    try:
        binaries = postgres.usable_binaries(folder, account)
        given = settings()
        server = postgres.Server(folder, data, binaries, account, postgres.SETTINGS | given)
        if not (data / "PG_VERSION").exists():
            prepare(data, account)
            postgres.create_cluster(server)
        server.start()
        yield Cluster(server.url, binaries, server.process.pid, given)
    except postgres.Trouble as trouble:
        raise SystemExit(f"PostgreSQL: {trouble}") from None
    finally:
        if server:
            server.stop(kept=True)
        shutil.rmtree(folder, ignore_errors=True)


def prepare(data: Path, account: object) -> None:
    data.mkdir(parents=True, exist_ok=True)
    if account:
        os.chown(data, account.pw_uid, account.pw_gid)  # type: ignore[attr-defined]
