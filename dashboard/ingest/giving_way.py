"""An import goes on piece by piece, and rests between two while others wait for the processor.

Linux tells how long they waited (pressure stall information); where it does not, nobody rests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

from django.conf import settings
from django.db import connection

from .. import workers

# Of the container, where there is one, and of the machine.
PRESSURE = (Path("/sys/fs/cgroup/cpu.pressure"), Path("/proc/pressure/cpu"))
WAITED = re.compile(r"^some .*\btotal=(\d+)$", re.MULTILINE)
CROWDED = 0.2  # of the time somebody waits
GLANCE, LONGEST = 0.05, 10.0  # seconds

Progress = Callable[[str, int, int], None]  # what is done, how far, and of how much


def nobody(what: str, done: int, total: int) -> None:
    """Hears of the progress."""


class GivingWay:
    """Rests for as long as it is crowded, at most HELIOX_IMPORT_RESTS times as long as was worked before."""

    def __init__(self) -> None:
        self.resumed, self.waited = monotonic(), waited()

    def rest(self) -> None:
        worked = monotonic() - self.resumed
        if may_rest() and worked and is_crowded(self.waited, worked):
            until = monotonic() + min(worked * settings.HELIOX_IMPORT_RESTS, LONGEST)
            while monotonic() < until and is_crowded_now():
                pass
        self.resumed, self.waited = monotonic(), waited()


def may_rest() -> bool:
    """Not in a transaction that keeps all others from writing: on SQLite, and where workers hold the jobs."""
    alone = connection.vendor == "sqlite" or workers.hold_jobs(connection)
    held = alone and connection.in_atomic_block
    return settings.HELIOX_IMPORT_RESTS > 0 and not held


def is_crowded_now() -> bool:
    began, before = monotonic(), waited()
    sleep(GLANCE)
    return is_crowded(before, monotonic() - began)


def is_crowded(before: tuple[float, ...], seconds: float) -> bool:
    """Anywhere, of that many seconds, with what had been waited before them."""
    return any(now - then > CROWDED * seconds for now, then in zip(waited(), before, strict=True))


def waited() -> tuple[float, ...]:
    """Seconds in which somebody was ready to run and had no processor, by file; 0 where one is silent."""
    return tuple(map(read, PRESSURE))


def read(file: Path) -> float:
    try:
        found = WAITED.search(file.read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1e6 if found else 0.0
