"""Thousands of hostile addresses at every page, file and list, and valid ones that must stay right."""

from __future__ import annotations

import os

from . import Outcome
from .suites import longer

REQUESTS = int(os.environ.get("FUZZ", 10_000))


def drill() -> Outcome:
    figure = f"{REQUESTS:,} addresses, none ≥ 500, none over 2 s; {REQUESTS // 50} valid ones as the ORM says"
    return longer(figure, "test_fuzz.py", FUZZ=str(REQUESTS))
