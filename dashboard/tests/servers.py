"""PostgreSQL servers of a test's own, and this process connected to them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from time import monotonic, sleep
from types import ModuleType
from typing import Any

from asgiref.local import Local
from django.db import connections, router

from heliox_site import settings as site

from .conftest import PROJECT


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
        {alias: site.database(url) for alias, url in urls.items()}
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
