"""A closed month for the ledger: one signed amount for each team, provider, month and kind of line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from ..models import ClosedLine, MonthClose
from ..money import usd
from .closed_statement import KINDS, kind_of
from .closing import month_of

COLUMNS = (
    "posting_date",
    "month",
    "team",
    "cost_centre",
    "provider",
    "of_month",
    "kind",
    "amount_usd",
)


class Entry(NamedTuple):
    """Costs are positive, credits and what is given back negative."""

    posting_date: date
    month: str
    team: str
    cost_centre: str
    provider: str
    of_month: str
    kind: str
    amount_usd: Decimal


@dataclass(frozen=True)
class Journal:
    close: MonthClose
    entries: list[Entry]

    @property
    def total(self) -> Decimal:
        return sum((entry.amount_usd for entry in self.entries), Decimal("0.00"))

    @property
    def difference(self) -> Decimal:
        """Nought: the entries are what was billed, accrued and of earlier months, each stored on its own."""
        close = self.close
        return self.total - close.bill_usd - close.accrued_usd - close.prior_usd

    @property
    def without_cost_centre(self) -> list[str]:
        return sorted({entry.team for entry in self.entries if not entry.cost_centre})


def journal(close: MonthClose) -> Journal:
    return Journal(close, entries_of(close, ClosedLine.objects.filter(close=close, cents__isnull=False)))


def entries_of(close: MonthClose, lines: Iterable[ClosedLine]) -> list[Entry]:
    """Two teams of one name stay two entries, by their keys; what comes to nothing is left out."""
    sums: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for line in lines:
        whose = str(line.team or ""), line.team_name or line.model, line.cost_centre
        sums[*whose, line.provider, f"{line.of_month:%Y-%m}", KINDS[kind_of(line.line)]] += line.cents or 0
    posted, month = month_of(close.month).last, f"{close.month:%Y-%m}"
    found = (
        Entry._make((posted, month, *key[1:], usd(cents))) for key, cents in sorted(sums.items()) if cents
    )
    return sorted(found, key=lambda entry: (entry.team, entry.provider, entry.of_month, entry.kind))
