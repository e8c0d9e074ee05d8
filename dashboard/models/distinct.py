"""The distinct values of an index's first columns: a probe for each, however many rows carry it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import workers


def distinct(connection: Any, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """No value may be null. Each worker knows its own part only, and Citus has no recursion over all."""
    everywhere = f"SELECT DISTINCT {', '.join(columns)} FROM {table}"
    one_by_one = f"WITH RECURSIVE {found(table, columns)} SELECT * FROM found"
    with connection.cursor() as cursor:
        cursor.execute(everywhere if workers.hold_jobs(connection) else one_by_one)
        return [row for row in cursor.fetchall() if row[-1] is not None]


def found(table: str, columns: Sequence[str]) -> str:
    """SQL of common table expressions, `found` the last of them; its last column may be null.

    Column by column: SQLite compares rows of two by the first alone, and would read all that share it.
    """
    return ", ".join(step(table, columns, n) for n in range(len(columns)))


def step(table: str, columns: Sequence[str], n: int) -> str:
    """For each of the values before it, the least one of column n, and from each the next one."""
    *known, column = columns[: n + 1]
    before, this = f"values_{n - 1}", "found" if known == list(columns[:-1]) else f"values_{n}"
    listed = "".join(f"s.{one}, " for one in known)
    alike = [f"t.{one} = s.{one}" for one in known]

    def least(*conditions: str) -> str:
        return f"(SELECT MIN(t.{column}) FROM {table} t WHERE {' AND '.join(conditions) or '1 = 1'})"

    first = f"SELECT {listed}{least(*alike)}"
    first += f" FROM {before} s WHERE s.{known[-1]} IS NOT NULL" if known else ""
    again = f"SELECT {listed}{least(*alike, f't.{column} > s.{column}')} FROM {this} s"
    again += f" WHERE s.{column} IS NOT NULL"
    return f"{this}({', '.join([*known, column])}) AS ({first} UNION ALL {again})"
