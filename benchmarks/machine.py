"""What the bench ran on."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
from importlib.metadata import version
from pathlib import Path

from .cluster import Cluster

LIBRARIES = ("Django", "psycopg", "django-tables2", "django-filter", "granian")


def machine() -> dict[str, str]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3
    return {
        "CPU": cpu_model(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}, {platform.machine()}",
    }


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return " ".join(value.split())
    return "unknown"


def versions(cluster: Cluster) -> dict[str, str]:
    return {
        "Python": platform.python_version(),
        "PostgreSQL": cluster.ask("SHOW server_version").split()[0],
        "SQLite": sqlite3.sqlite_version,
        "sqlite3 shell": shell_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def shell_version() -> str:
    shell = shutil.which("sqlite3")
    if not shell:
        return "not installed"
    said = subprocess.run([shell, "--version"], capture_output=True, text=True).stdout.split()
    return said[0] if said else "unknown"
