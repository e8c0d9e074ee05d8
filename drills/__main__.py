"""python -m drills: each drill prints one line. ONLY=backup,kills runs these.

Ends with 1 when any failed, with 3 when none did but a part of one could not be tried here.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from importlib import import_module
from time import perf_counter

from . import ALL, ONLY_POSTGRESQL, ONLY_SQLITE, Outcome

WORDS = {True: "ok", False: "FAILED", None: "PARTLY"}


def main() -> int:
    if len(sys.argv) > 1:
        print(f"{__doc__}\nThere are: {', '.join(ALL)}.", file=sys.stderr)
        return 2
    chosen = [name for name in os.environ.get("ONLY", "").split(",") if name] or list(ALL)
    if unknown := [name for name in chosen if name not in ALL]:
        print(f"There is no drill {', '.join(unknown)}. There are: {', '.join(ALL)}.", file=sys.stderr)
        return 2
    begin()
    chosen = [name for name in chosen if fits(name)]
    told = [tell(name) for name in chosen]
    return 1 if False in told else 3 if None in told else 0


def begin() -> None:
    """Django as the tests have it: no pool of connections, no secrets to set."""
    os.environ.setdefault("PYTEST_VERSION", "drills")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "heliox_site.settings")
    import django
    import pytest  # noqa: F401 (without it the settings are those of production)

    django.setup()
    logging.disable(logging.WARNING)


def fits(name: str) -> bool:
    from django.db import connection

    return name not in (ONLY_SQLITE if connection.vendor == "postgresql" else ONLY_POSTGRESQL)


def tell(name: str) -> bool | None:
    from django.db import connection

    began = perf_counter()
    try:
        outcome: Outcome = import_module(f"drills.{name}").drill()
    except Exception:
        traceback.print_exc()
        outcome = Outcome(False, "it broke off")
    word, took = WORDS[outcome.ok], perf_counter() - began
    print(f"{word:6}  {name:12}  {connection.vendor:10}  {outcome.figure}  ({took:.0f} s)", flush=True)
    return outcome.ok


if __name__ == "__main__":
    sys.exit(main())
