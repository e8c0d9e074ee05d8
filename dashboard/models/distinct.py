"""The distinct values of an index's first columns: one probe for each, however many rows carry it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SQL = """
WITH RECURSIVE found({columns}) AS (
    SELECT {columns} FROM (SELECT {columns} FROM {table} ORDER BY {columns} LIMIT 1) AS least
    UNION ALL
    SELECT {next_values} FROM found WHERE found.{first} IS NOT NULL
)
SELECT {columns} FROM found WHERE {first} IS NOT NULL
"""
NEXT = "(SELECT {column} FROM {table} WHERE ({columns}) > ({last}) ORDER BY {columns} LIMIT 1)"


def distinct(
    connection: Any, table: str, columns: Sequence[str], most: int | None = None
) -> list[tuple[Any, ...]]:
    """In the order of an index that begins with these columns; at most so many. No value may be null."""
    names = {"table": table, "columns": ", ".join(columns), "first": columns[0]}
    last = ", ".join(f"found.{column}" for column in columns)
    next_values = ", ".join(NEXT.format(column=column, last=last, **names) for column in columns)
    sql = SQL.format(next_values=next_values, **names) + ("LIMIT %s" if most is not None else "")
    with connection.cursor() as cursor:
        cursor.execute(sql, [most] if most is not None else None)
        return cursor.fetchall()
