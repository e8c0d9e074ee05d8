"""Stored snapshots within a scope; what the text of a month says is remembered for as long as it stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from sys import intern
from typing import Any, TypeVar

from .. import remembered
from ..models.month_texts import month_texts
from ..money import CENT

Row = TypeVar("Row")
day_of = lru_cache(maxsize=10_000)(date.fromisoformat)  # one object, however many rows are of the day
COLUMNS = "provider", "gpu_type", "from_lines"


def rows_of(snapshots: Any, column: str, as_row: Callable[[date, str, str, Decimal, bool], Row]) -> list[Row]:
    """One of each snapshot; the amounts of the column come with two decimals, names as stored."""

    def read(text: str) -> list[Row]:
        return [
            as_row(
                day_of(day),
                intern(provider),
                intern(gpu_type),
                Decimal(amount).quantize(CENT),
                bool(of_lines),
            )
            for day, provider, gpu_type, of_lines, amount in sorted(json.loads(text, parse_float=Decimal))
        ]

    texts = month_texts(snapshots, "date", *COLUMNS, column)
    return list(chain.from_iterable(remembered.once(column, read, text) for text in texts))
