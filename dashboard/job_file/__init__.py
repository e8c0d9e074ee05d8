"""The file of jobs: every job of the list with its display names, duration and GPU-hours."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from ..databases import reading
from ..exports import guarded_lines, lines_of
from ..formulas import unguarded
from ..models import Job
from ..naming import Names
from ..scope import Span
from . import postgresql, sqlite

COLUMNS = (
    "id",
    "job_id",
    "team",
    "model_name",
    "gpu_type",
    "gpu_count",
    "provider",
    "status",
    "start_time",
    "end_time",
    "duration_seconds",
    "job_gpu_hours",
)
NUMBERS = frozenset(map(COLUMNS.index, ("gpu_count", "duration_seconds", "job_gpu_hours")))
TEXTS = tuple(map(COLUMNS.index, ("job_id", "team", "model_name", "gpu_type", "provider", "status")))


@dataclass(frozen=True)
class JobFile:
    """parts: the jobs in the order of the file, those of the first part before those of the second.

    Running ones are measured at `at`, hours are clipped to the span.
    """

    parts: Sequence[QuerySet[Job]]
    names: Names
    span: Span | None
    at: datetime

    def lines(self) -> Iterator[bytes]:
        """Lines of CSV, many at a time, the same on both databases."""
        if reading().vendor == "postgresql":
            for lines in postgresql.lines(self.parts, self.names, self.span, self.at):
                yield guarded_lines(lines, TEXTS)
        else:
            for rows in sqlite.rows(self.parts, self.names, self.span, self.at):
                yield lines_of(rows, TEXTS)

    def rows(self) -> Iterator[list[Any]]:
        """The values of the lines, for a workbook: numbers as numbers, text without its guard."""
        for lines in self.lines():
            for cells in csv.reader(io.StringIO(lines.decode(), newline="")):
                yield [value(place, cell) for place, cell in enumerate(cells)]


def value(place: int, cell: str) -> Any:
    if place in NUMBERS:
        return Decimal(cell) if cell else None
    return unguarded(cell) if place in TEXTS else cell
