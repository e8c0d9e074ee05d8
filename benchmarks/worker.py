"""One process beside one database: answers requests as the server would and says what CPU they took.

It reads a line of JSON, {"get": "/jobs/"} or {"sql": "SELECT 1"} or {"call": "module:function"}, and writes
one. It knows Django only, so that others' projects can be measured by it too.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import django

OURS = "heliox_site.settings"


def backend_cpu(pid: int) -> float:
    """Seconds that a PostgreSQL backend has spent on a CPU; to the nanosecond, unlike its ticks."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


class Worker:
    def __init__(self) -> None:
        if os.environ.setdefault("DJANGO_SETTINGS_MODULE", OURS) == OURS:
            importlib.import_module("heliox_site.wsgi")  # with what it sets for web processes
        else:
            django.setup()
        from django.apps import apps
        from django.conf import settings
        from django.db import connection
        from django.test import Client

        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
        self.connection, self.client = connection, Client()
        if apps.is_installed("django.contrib.auth"):
            self.sign_in()
        connection.ensure_connection()

    def sign_in(self) -> None:
        from django.contrib.auth.models import User

        rights = {"is_staff": True, "is_superuser": True}
        user, _ = User.objects.get_or_create(username="bench", defaults=rights)
        self.client.force_login(user)

    @property
    def backend(self) -> int | None:
        """The process that works for the connection in use; SQLite works in this one.

        The end of a file gives the connection back to the pool, where it stays alive.
        """
        if self.connection.vendor != "postgresql":
            return None
        self.connection.ensure_connection()
        return self.connection.connection.info.backend_pid

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        backend = self.backend
        before_db = backend_cpu(backend) if backend else 0.0
        before, started = time.process_time(), time.perf_counter()
        told = self.perform(asked)
        wall, app = time.perf_counter() - started, time.process_time() - before
        return {"app": app, "db": backend_cpu(backend) - before_db if backend else 0.0, "wall": wall, **told}

    def perform(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "get" in asked:
            return self.get(asked["get"])
        if "sql" in asked:
            return self.query(asked["sql"])
        module, _, function = asked["call"].partition(":")
        called = getattr(importlib.import_module(module), function)
        return called(self, **asked.get("with", {})) or {}

    def get(self, url: str) -> dict[str, Any]:
        response: Any = self.client.get(url, secure=True)
        parts = response.streaming_content if response.streaming else [response.content]
        return {"status": response.status_code, "bytes": sum(map(len, parts))}

    def query(self, sql: str) -> dict[str, Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return {"rows": len(cursor.fetchall()) if cursor.description else cursor.rowcount}


def main() -> None:
    worker = Worker()
    answers, sys.stdout = sys.stdout, sys.stderr  # what a command prints is no answer
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        try:
            told = worker.answer(json.loads(line))
        except Exception as error:  # told to the one who asked, who stops the row
            told = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(told, default=str), file=answers, flush=True)


if __name__ == "__main__":
    main()
