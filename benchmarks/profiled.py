"""Where a page's CPU goes, by part of the program."""

from __future__ import annotations

import cProfile
import time
from collections import Counter
from pathlib import PurePath
from typing import Any

from .beside import ROOT, Beside
from .measuring import Table

TIMES, LEAST = 20, 0.01
OF_DJANGO = {
    "template": "Django's templates",
    "forms": "Django's forms",
    "db": "Django's models and queries",
    "utils": "Django's escaping, formats and translations",
}
BUILT_IN = "~"


def where_it_goes(worker: Beside, url: str, label: str) -> Table:
    spent: dict[str, float] = worker.call("benchmarks.profiled:profile", url=url).said["spent"]
    everything = sum(spent.values())
    shares = {part: seconds / everything for part, seconds in spent.items()}
    told = sorted((part for part in shares if shares[part] >= LEAST), key=lambda part: -shares[part])
    rest = 1 - sum(shares[part] for part in told)
    lines = [(part, f"{shares[part]:.0%}") for part in told] + [("all others", f"{rest:.0%}")]
    return Table((f"where the application's CPU goes: {label}", "share"), lines)


def profile(worker: Any, url: str) -> dict[str, Any]:
    """Seconds in the functions of each part themselves; those of built-ins count for who called them."""
    worker.get(url)
    profiler = cProfile.Profile(time.process_time)
    profiler.enable()
    for _ in range(TIMES):
        worker.get(url)
    profiler.disable()
    profiler.create_stats()
    spent: Counter[str] = Counter()
    for (file, _, _), (_, _, own, _, callers) in profiler.stats.items():  # type: ignore[attr-defined]
        if file != BUILT_IN:
            spent[part_of(file)] += own
            continue
        for (caller, _, _), (_, _, of_caller, _) in callers.items():
            spent[part_of(caller)] += of_caller
    return {"spent": dict(spent)}


def part_of(file: str) -> str:
    path = PurePath(file)
    if "site-packages" in path.parts:
        package, *inner = path.parts[path.parts.index("site-packages") + 1 :]
        if package == "django":
            return OF_DJANGO.get(inner[0], "the rest of Django")
        return package
    return "Heliox" if path.is_relative_to(ROOT) else "Python itself"
