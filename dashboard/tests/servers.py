"""PostgreSQL servers of a test's own, and this process connected to them."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from time import monotonic, sleep
from types import ModuleType
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from asgiref.local import Local
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections, router

from heliox_site.databases import database

PROJECT = Path(__file__).resolve().parents[2]


def private_postgresql() -> ModuleType:
    """The functions of bin/with_postgres."""
    loader = SourceFileLoader("with_postgres", str(PROJECT / "bin" / "with_postgres"))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = sys.modules[loader.name] = module_from_spec(spec)
    loader.exec_module(module)
    return module


@contextmanager
def connected_to(routers: Any = (), **urls: str) -> Iterator[None]:
    """Django's connections are those of the URLs; the tests' own database is as it was afterwards."""
    before = connections._connections, connections.settings, router.routers
    connections._connections = Local(connections.thread_critical)
    connections.settings = connections.configure_settings(
        {alias: database(url) for alias, url in urls.items()}
    )
    router.routers = list(routers)
    try:
        yield
    finally:
        connections.close_all()
        connections._connections, connections.settings, router.routers = before


def wait_for(happened: Callable[[], Any], seconds: float = 20) -> None:
    deadline = monotonic() + seconds
    while not happened():
        assert monotonic() < deadline, "it did not happen"
        sleep(0.01)


def ask(alias: str, sql: str, parameters: Any = None) -> Any:
    """The first value of the first row."""
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()[0] if cursor.description else None


@contextmanager
def new_database(folder: Path, like: str = "") -> Iterator[str]:
    """The URL of a database of the kind that the tests run on: empty, or a copy of the one at `like`."""
    name = f"heliox_{uuid4().hex}"
    if connections[DEFAULT_DB_ALIAS].vendor != "postgresql":
        if like:
            shutil.copy(like.removeprefix("sqlite:///"), folder / name)
        yield f"sqlite:///{folder / name}"
        return
    place = connections.settings[DEFAULT_DB_ALIAS]
    template = f"TEMPLATE {like.rpartition('/')[2]}" if like else ""
    ask(DEFAULT_DB_ALIAS, f"CREATE DATABASE {name} {template}")
    sign_in = ":".join(quote(place[key], safe="") for key in ("USER", "PASSWORD") if place[key])
    port = f":{place['PORT']}" if place["PORT"] else ""
    try:
        yield f"postgres://{sign_in}@{quote(place['HOST'], safe='')}{port}/{name}"
    finally:
        ask(DEFAULT_DB_ALIAS, f"DROP DATABASE {name} WITH (FORCE)")


def migrate(url: str) -> None:
    with connected_to(default=url):
        call_command("migrate", verbosity=0)


@contextmanager
def standing_still(server: Any) -> Iterator[None]:
    """A PostgreSQL with all its processes, as on a machine that hangs."""
    parent = server.process.pid
    family = [parent, *map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())]
    for one in family:
        os.kill(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in family:
            os.kill(one, signal.SIGCONT)
