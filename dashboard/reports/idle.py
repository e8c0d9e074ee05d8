"""What idle GPUs cost by provider and GPU type, and how they were bought: who pays for them either way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from ..gpu_time import hours
from ..money import share_out, usd
from .allocation import CellPool

RELEASABLE, EITHER_WAY, UNKNOWN = "releasable", "either_way", "unknown"
BOUGHT = {
    "on_demand": RELEASABLE,
    "spot": RELEASABLE,
    "committed": EITHER_WAY,
    "purchase": EITHER_WAY,
    "period": EITHER_WAY,
    "rate": EITHER_WAY,
}
WAYS = (RELEASABLE, EITHER_WAY, UNKNOWN)


@dataclass(slots=True)
class Idle:
    """Cells with idle cost, and what a commitment cost that nobody used. Times are GPU microseconds.

    cents: idle cost by how it was bought. metered, used: of cells where a job log or jobs tell that hours
    are idle. days: those on which something was idle. unlogged: cents that nobody can tell from use.
    """

    provider: str
    gpu_type: str
    metered: int = 0
    used: int = 0
    idle: int = 0
    cents: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    unused: int = 0
    unlogged: int = 0
    days: set[date] = field(default_factory=set)

    @property
    def usd(self) -> Decimal:
        return usd(sum(self.cents.values()))

    @property
    def releasable_usd(self) -> Decimal:
        return usd(self.cents[RELEASABLE])

    @property
    def either_way_usd(self) -> Decimal:
        return usd(self.cents[EITHER_WAY])

    @property
    def unknown_usd(self) -> Decimal:
        return usd(self.cents[UNKNOWN])

    @property
    def unused_usd(self) -> Decimal:
        return usd(self.unused)

    @property
    def metered_hours(self) -> Decimal:
        return hours(self.metered)

    @property
    def used_hours(self) -> Decimal:
        return hours(self.used)

    @property
    def idle_hours(self) -> Decimal:
        return hours(self.idle)

    @property
    def utilisation(self) -> Decimal | None:
        return Decimal(self.used) / self.metered if self.metered > 0 else None

    @property
    def usd_per_hour(self) -> Decimal | None:
        """The price of an idle hour, which is that of the used ones beside it."""
        return self.usd / self.idle_hours if self.idle and self.usd > 0 else None

    def add(self, one: CellPool) -> None:
        self.unused += one.unused
        self.unlogged += one.shares.unallocated
        if not tells_idle(one):
            return
        assert one.pool.metered is not None
        self.metered += one.pool.metered
        self.used += one.pool.used_in_all
        self.idle += one.pool.idle
        for way, cents in by_purchase(idle_cents(one), one.kinds).items():
            self.cents[way] += cents
        if one.pool.idle:
            self.days.add(one.cell[0])


def tells_idle(one: CellPool) -> bool:
    """Whether hours that nobody used are known to be idle."""
    return one.pool.metered is not None and bool(one.pool.covered or one.pool.used_in_all)


def idle_cents(one: CellPool) -> int:
    return one.shares.idle if tells_idle(one) else 0


def idle_gpus(pools: Iterable[CellPool]) -> list[Idle]:
    """Of all teams, the dearest first; without what has neither idle hours nor unused commitment."""
    found: dict[tuple[str, str], Idle] = {}
    for pool in pools:
        hardware = pool.cell[1], pool.cell[2]
        found.setdefault(hardware, Idle(*hardware)).add(pool)
    wasted = [one for one in found.values() if one.idle or one.unused or one.usd]
    return sorted(wasted, key=lambda one: (-one.usd - one.unused_usd, one.provider, one.gpu_type))


def by_purchase(cents: int, kinds: dict[str, int]) -> dict[str, int]:
    """Idle cents in proportion to what was paid each way: which of the GPUs stood idle, no bill tells."""
    paid = Counter[str]()
    for kind, amount in kinds.items():
        paid[BOUGHT.get(kind, UNKNOWN)] += amount
    ways = [way for way in WAYS if paid[way] > 0] or [UNKNOWN]
    if len(ways) == 1:
        return {ways[0]: cents}
    return dict(zip(ways, share_out(cents, [paid[way] for way in ways]), strict=True))
