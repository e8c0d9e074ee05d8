"""What a GPU-hour cost on each day, by provider and GPU type: the pool of a cell by its base."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import NamedTuple, Self

from .. import gpu_time
from ..money import usd
from ..naming import Names
from ..remembered import in_months
from ..remembered.days_over import remembered_when_over
from ..scope import Scope
from . import shared_months
from .allocation import CellPool, cell_pools
from .billed import Billed
from .freshness import Freshness

# A price that nobody has paid for this long says nothing about today.
PRICE_AGE = timedelta(days=35)
Hardware = tuple[str, str]  # provider, GPU type


class Priced(NamedTuple):
    """A cell with its pool in cents and what these are divided by, in GPU microseconds."""

    day: date
    hardware: Hardware
    cents: int
    base: int

    @classmethod
    def of(cls, pool: CellPool) -> Self:
        day, provider, gpu_type = pool.cell
        return cls(day, (provider, gpu_type), pool.pool.cents, pool.pool.base)


def priced_cells(scope: Scope, names: Names) -> list[Priced]:
    """Every cell of the scope's days and hardware that has a price; whole months may be remembered."""

    def read() -> list[Priced]:
        months = shared_months.by_month("prices", scope, names, partial(cells_by_month, names), len)
        return [cell for month in months for cell in month]

    if scope.span is None:
        return read()
    asked = "prices", scope.span, scope.providers, scope.gpu_types, scope.basis, scope.idle
    return remembered_when_over(asked, shared_months.days_of(scope), names, read)


def cells_by_month(names: Names, scope: Scope, billed: Billed) -> dict[date, list[Priced]]:
    cells = (Priced.of(pool) for pool in cell_pools(scope, names, billed) if pool.pool.base > 0)
    return in_months(scope.span, cells, attrgetter("day"))


@dataclass(frozen=True)
class Prices:
    """USD per GPU-hour of the base, by provider and GPU type, on each closed day."""

    by_day: dict[Hardware, dict[date, Decimal]]
    newest: dict[tuple[Hardware, date], Decimal | None] = field(default_factory=dict)

    @classmethod
    def of(cls, cells: Iterable[Priced], freshness: Freshness) -> Prices:
        by_day: defaultdict[Hardware, dict[date, Decimal]] = defaultdict(dict)
        closed: dict[str, date | None] = {}
        for day, hardware, cents, base in cells:
            provider = hardware[0]
            if provider not in closed:
                closed[provider] = freshness.through((provider,))
            if base > 0 and (through := closed[provider]) and day <= through:
                by_day[hardware][day] = usd(cents) / gpu_time.hours(base)
        return cls(dict(by_day))

    def on(self, hardware: Hardware, day: date) -> Decimal | None:
        return self.by_day.get(hardware, {}).get(day)

    def latest(self, hardware: Hardware, day: date) -> Decimal | None:
        """The newest price above zero up to that day that is not too old; looked for once, for many jobs."""
        if (hardware, day) not in self.newest:
            self.newest[hardware, day] = self.found(hardware, day)
        return self.newest[hardware, day]

    def found(self, hardware: Hardware, day: date) -> Decimal | None:
        known = self.by_day.get(hardware, {})
        days = [d for d, price in known.items() if day - PRICE_AGE <= d <= day and price > 0]
        return known[max(days)] if days else None
