"""What this process counts for Prometheus: answers and how long they took.

Every worker process counts for itself, into files of a folder that they share; whichever is asked adds
them up. Nothing is counted where HELIOX_METRICS_TOKEN is not set.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

SHARED = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "heliox-metrics"
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


def answered(view: str, method: str, status: int, seconds: float) -> None:
    """view: its name, never the path that was asked for: whoever asks could invent as many as they like."""
    if not settings.HELIOX_METRICS_TOKEN:
        return
    answers, took = counters()
    verb = method if method in ("GET", "HEAD", "POST") else "other"
    answers.labels(view or "none", verb, str(status)).inc()
    took.labels(view or "none").observe(seconds)


@cache
def counters() -> tuple[Any, Any]:
    share_a_folder()
    from prometheus_client import Counter, Histogram

    return (
        Counter("heliox_requests", "Answers by view, method and status", ["view", "method", "status"]),
        Histogram("heliox_request_seconds", "Time to an answer, by view", ["view"], buckets=SECONDS),
    )


def share_a_folder() -> None:
    """That of the workers of one server: their parent's number is part of its name."""
    if os.environ.get(SHARED):
        return
    own = f"{PREFIX}-{os.getuid()}-"
    for folder in Path(tempfile.gettempdir()).glob(f"{own}*"):
        if not Path("/proc", folder.name.removeprefix(own)).exists() and folder.stat().st_uid == os.getuid():
            shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.gettempdir(), f"{own}{os.getppid()}")
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if found.st_uid != os.getuid() or folder.is_symlink():
        raise PermissionError(f"{folder} belongs to somebody else.")
    os.environ[SHARED] = str(folder)


def page(*more: Any) -> bytes:
    """What all worker processes have counted, and what the collectors `more` find out."""
    counters()
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    for collector in more:
        registry.register(collector)
    return generate_latest(registry)
