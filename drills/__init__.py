"""What takes long to try: faults, kills and crowds. One module for each drill; `make drill` runs them all.

A module has `drill() -> Outcome` and is listed in ALL; its first sentence says what it tries. It runs on
whatever database DATABASE_URL names, in databases of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

ALL = (
    *("backup", "frozen", "restarted", "locked", "full_disk", "kills", "writers", "beside_import"),
    *("slow_clients", "crowd", "million", "soak"),
    *("bodies", "bombs", "cents", "extremes", "filters", "fuzz", "migrations", "properties", "same_figures"),
    "spreadsheet",
)
ONLY_SQLITE = ("beside_import",)  # which has one writer at a time
# Those about a server of PostgreSQL: they bring their own.
ONLY_POSTGRESQL = ("frozen", "restarted", "locked", "slow_clients", "crowd", "same_figures")


@dataclass(frozen=True)
class Outcome:
    """figure: what was measured, in words, such as "20 of 20 backups held all that was acknowledged".

    ok: None where a part of it could not be tried here.
    """

    ok: bool | None
    figure: str
