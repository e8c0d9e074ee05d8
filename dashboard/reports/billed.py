"""What is read before a bill is shared: cost rows, metered hours, and the days that logs cover."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from ..naming import Names
from ..scope import Scope, Span, bucket_end
from . import spend, usage
from .coverage import Coverage


@dataclass(frozen=True)
class Billed:
    rows: list[spend.Row]
    hours: list[usage.Hours]
    coverage: Coverage

    @classmethod
    def read(cls, scope: Scope, names: Names) -> Billed:
        found, posted = spend.rows_and_posted(scope, names)
        return cls(found, usage.metered(scope, names, posted), Coverage.load(names))

    def within(self, span: Span) -> Billed:
        rows = [row for row in self.rows if row.day in span]
        return Billed(rows, [hour for hour in self.hours if hour.day in span], self.coverage)

    def of_months(self, months: Iterable[date]) -> dict[date, tuple[Any, ...]]:
        """All of it by month, in values that are printed alike only where nothing of the month differs."""
        rows, hours = defaultdict[date, list[Any]](list), defaultdict[date, list[Any]](list)
        for day, provider, gpu_type, usd, source in self.rows:
            rows[day.replace(day=1)].append((day.day, provider, gpu_type, str(usd), source))
        for day, provider, gpu_type, metered, *_ in self.hours:
            hours[day.replace(day=1)].append((day.day, provider, gpu_type, str(metered)))
        return {month: (sorted(rows[month]), hours[month], self.covered_in(month)) for month in months}

    def covered_in(self, month: date) -> list[Any]:
        whole = Span(month, bucket_end(month, "month"))
        return [
            (provider, clipped.start.day, clipped.length)
            for provider, spans in sorted(self.coverage.spans.items())
            for span in spans
            if (clipped := span.clipped(whole)).length
        ]
