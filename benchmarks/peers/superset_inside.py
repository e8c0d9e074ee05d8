"""Superset's chart API in one process: asked by lines of JSON, answered with what it took.

It runs in Superset's own environment and knows nothing of Heliox.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

USER, PASSWORD = "bench", "bench-only"


class Charts:
    headers: dict[str, str] = {}

    def __init__(self) -> None:
        from superset.app import create_app

        self.client = create_app().test_client()
        signed_in = {"username": USER, "password": PASSWORD, "provider": "db"}
        token = self.post("/api/v1/security/login", signed_in)["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.client.post(path, json=body, headers=self.headers)
        if answer.status_code >= 400:
            raise RuntimeError(f"{path} answered {answer.status_code}: {answer.get_data(as_text=True)[:300]}")
        return answer.get_json()

    def add(self, url: str, tables: list[str]) -> dict[str, Any]:
        """The number of each table, by which charts are asked for."""
        database = self.post("/api/v1/database/", {"database_name": url, "sqlalchemy_uri": url})["id"]
        about = {"database": database, "schema": "public"}
        return {name: self.post("/api/v1/dataset/", about | {"table_name": name})["id"] for name in tables}

    def chart(self, dataset: int, query: dict[str, Any], form: str) -> dict[str, Any]:
        body = {
            "datasource": {"id": dataset, "type": "table"},
            "queries": [query],
            "result_format": form,
            "result_type": "full",
            "force": True,
        }
        Path("/proc/self/clear_refs").write_text("5")
        before, used, started = memory("VmRSS"), time.process_time(), time.perf_counter()
        answer = self.client.post("/api/v1/chart/data", json=body, headers=self.headers)
        data = answer.get_data()
        wall, app = time.perf_counter() - started, time.process_time() - used
        if answer.status_code != 200:
            raise RuntimeError(f"it answered {answer.status_code}: {data[:300]!r}")
        grown = (memory("VmHWM") - before) / 1024
        return {"app": app, "wall": wall, "rows": data.count(b"\n") - 1, "grown": grown}


def memory(kind: str) -> int:
    """kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    charts = Charts()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            told = getattr(charts, asked.pop("do"))(**asked)
        except Exception as error:
            told = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
