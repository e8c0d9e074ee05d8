"""The names of models that jobs have: found without looking at the jobs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from . import workers
from .databases import database_id, reading

# Those of jobs that no settling has seen yet are few. A name may outlive its jobs.
NAMES = "(SELECT name, folded FROM model_names UNION SELECT model_name, NULL FROM gpu_time_changes) AS known"
KNOWN = f"""
    SELECT known.name FROM {NAMES}
    WHERE EXISTS (SELECT 1 FROM {{jobs}} AS jobs WHERE jobs.model_name = known.name)
"""
# Citus asks no question about the jobs of each name; the sums on the coordinator know as well.
SUMS = "(SELECT model_name FROM gpu_days_of_models UNION ALL SELECT model_name FROM gpu_time_changes)"
OF_TEAMS = """
    SELECT model_name FROM gpu_days_of_models WHERE team_id IN ({teams})
    UNION SELECT model_name FROM gpu_time_changes WHERE team_id IN ({teams})
"""
HOLDS = {"postgresql": "strpos(known.folded, %s) > 0", "sqlite": "instr(known.folded, %s) > 0"}


def first(most: int, teams: Collection[UUID] | None = None) -> list[str]:
    """teams: whose jobs alone; None for all."""
    if teams is None:
        return asked(f"{known()} ORDER BY known.name LIMIT %s", [most])
    marks, ids = ", ".join(["%s"] * len(teams)), [database_id(team) for team in teams]
    return asked(f"{OF_TEAMS.format(teams=marks)} ORDER BY 1 LIMIT %s", [*ids, *ids, most]) if ids else []


def holding(text: str) -> list[str]:
    """All names that hold the text, whatever its case; SQLite would fold the case of ASCII letters only.

    Also those whose jobs are gone.
    """
    folded, condition = text.casefold(), HOLDS[reading().vendor]
    sql = f"SELECT known.name FROM {NAMES} WHERE {condition} OR known.folded IS NULL ORDER BY known.name"
    found = asked(sql, [folded])
    return [name for name in found if folded in name.casefold()]


def known() -> str:
    return KNOWN.format(jobs=SUMS if workers.hold_jobs(reading()) else "jobs")


def asked(sql: str, params: list[Any]) -> list[str]:
    with reading().cursor() as cursor:
        cursor.execute(sql, params)
        return list(dict.fromkeys(name for (name,) in cursor.fetchall()))
