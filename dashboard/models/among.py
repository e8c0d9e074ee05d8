"""One of a list of values, however long it is: databases take only so many parameters in a statement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db.models.lookups import In

MANY = 400


def among(column: str, values: Sequence[Any], vendor: str) -> tuple[str, list[Any]]:
    """SQL and parameters; many values are one parameter, and must be texts."""
    if len(values) <= MANY:
        return f"{column} IN ({', '.join(['%s'] * len(values))})", list(values)
    if vendor == "postgresql":
        return f"{column} = ANY(%s)", [list(values)]
    return f"{column} IN (SELECT value FROM json_each(%s))", [json.dumps(list(values))]


class Among(In):
    """`in` for a list of texts of any length."""

    lookup_name = "among"

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        if len(self.rhs) <= MANY:
            return super().as_sql(compiler, connection)
        column, before = self.process_lhs(compiler, connection)
        sql, params = among(column, self.rhs, connection.vendor)
        return sql, [*before, *params]
