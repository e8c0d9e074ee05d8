"""python -m drills: each drill prints one line; 1 when any failed. ONLY=backup,kills runs these."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from importlib import import_module
from time import perf_counter

from . import ALL, ONLY_POSTGRESQL, ONLY_SQLITE, Outcome


def main() -> int:
    chosen = [name for name in os.environ.get("ONLY", "").split(",") if name] or list(ALL)
    if unknown := [name for name in chosen if name not in ALL]:
        print(f"There is no drill {', '.join(unknown)}. There are: {', '.join(ALL)}.", file=sys.stderr)
        return 2
    begin()
    chosen = [name for name in chosen if fits(name)]
    return 0 if all([tell(name) for name in chosen]) else 1


def begin() -> None:
    """Django as the tests have it: no pool of connections, no secrets to set."""
    os.environ.setdefault("PYTEST_VERSION", "drills")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "heliox_site.settings")
    import django

    django.setup()
    logging.disable(logging.WARNING)


def fits(name: str) -> bool:
    from django.db import connection

    return name not in (ONLY_SQLITE if connection.vendor == "postgresql" else ONLY_POSTGRESQL)


def tell(name: str) -> bool:
    from django.db import connection

    began = perf_counter()
    try:
        outcome: Outcome = import_module(f"drills.{name}").drill()
    except Exception:
        traceback.print_exc()
        outcome = Outcome(False, "it broke off")
    word, took = "ok" if outcome.ok else "FAILED", perf_counter() - began
    print(f"{word:6}  {name:12}  {connection.vendor:10}  {outcome.figure}  ({took:.0f} s)", flush=True)
    return outcome.ok


if __name__ == "__main__":
    sys.exit(main())
