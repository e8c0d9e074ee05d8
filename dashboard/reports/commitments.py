"""How far commitments were used, what the rest of them cost, and when they end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from uuid import UUID

from django.db.models import Max

from ..models import BillLine, Commitment
from ..models.calendar import midnight
from ..naming import Names
from ..scope import ONE_DAY, Scope, Span
from .freshness import Freshness
from .kinds import COMMITTED, UNUSED_COMMITMENT
from .spend import narrowed
from .unit_prices import Priced, Rates, rates

SOON, LATER = 30, 90  # days
SECOND = timedelta(seconds=1)
Hardware = tuple[str, str]  # provider, GPU type
Place = tuple[date, str, str]  # first day of the bucket, provider, GPU type


@dataclass(frozen=True, slots=True)
class Contract:
    """A commitment as typed in, under display names."""

    pk: UUID
    provider: str
    gpu_type: str
    gpus: Decimal
    days: Span
    note: str = ""

    @property
    def hardware(self) -> Hardware:
        return self.provider, self.gpu_type

    def is_followed_by(self, other: Contract) -> bool:
        """By one that begins later: what began with it, or before, stands beside it."""
        follows = self.days.start < other.days.start <= self.days.end < other.days.end
        return other.hardware == self.hardware and follows


@dataclass(frozen=True, slots=True)
class Use:
    """What commitments covered of one place, and what of them nobody used, at effective cost.

    contracted: GPUs × elapsed hours; None where no contract is typed in for these days.
    """

    covered: Rates
    unused: Decimal
    contracted: Decimal | None = None

    @property
    def utilisation(self) -> Decimal | None:
        """By cost: of $10 paid for, $6 covered are 60 %."""
        paid = self.covered.effective + self.unused
        return self.covered.effective / paid if paid > 0 else None

    @property
    def of_contract(self) -> Decimal | None:
        return (self.covered.gpu_hours or Decimal(0)) / self.contracted if self.contracted else None


@dataclass(frozen=True, slots=True)
class Expiry:
    """covered_last: the last day on which the bill shows committed hours of this hardware.

    outlived: the bill shows some after the end, and no other contract speaks of that day.
    """

    contract: Contract
    days_left: int
    renewed: bool
    covered_last: date | None
    outlived: bool

    @property
    def is_over(self) -> bool:
        return self.days_left < 0

    @property
    def ends_within(self) -> int:
        """30 or 90 days; 0 where it is over, renewed or ends later."""
        if self.is_over or self.renewed:
            return 0
        return next((days for days in (SOON, LATER) if self.days_left <= days), 0)


@dataclass(frozen=True)
class Commitments:
    """contracts: every one of the scope's hardware, whenever it runs. hours: contracted ones by day."""

    cells: Sequence[Priced]
    contracts: Sequence[Contract]
    covered_last: dict[Hardware, date]
    hours: dict[tuple[UUID, date], Decimal]
    today: date

    @classmethod
    def load(
        cls, scope: Scope, cells: Sequence[Priced], names: Names, freshness: Freshness, now: datetime
    ) -> Commitments:
        contracts = contracts_of(scope, names)
        hours = {
            (contract.pk, day): hours
            for contract in contracts
            for day, hours in contracted(contract, scope.span, names, freshness, now)
        }
        return cls(cells, contracts, last_covered(scope, names), hours, now.astimezone(UTC).date())

    def by(self, bucket_of: Callable[[date], date]) -> dict[Place, Use]:
        """Per bucket, provider and GPU type that has covered, unused or contracted hours."""
        groups: defaultdict[Place, list[Priced]] = defaultdict(list)
        for cell in self.cells:
            if cell.kind in (COMMITTED, UNUSED_COMMITMENT):
                groups[bucket_of(cell.day), cell.provider, cell.gpu_type].append(cell)
        promised = self.promised(bucket_of)
        places = sorted(groups.keys() | promised.keys())
        return {place: use(groups.get(place, []), promised.get(place)) for place in places}

    def promised(self, bucket_of: Callable[[date], date]) -> dict[Place, Decimal]:
        hours: defaultdict[Place, Decimal] = defaultdict(Decimal)
        for contract in self.contracts:
            for day in contract.days:
                if (contract.pk, day) in self.hours:
                    hours[bucket_of(day), *contract.hardware] += self.hours[contract.pk, day]
        return dict(hours)

    @cached_property
    def total(self) -> Use:
        promised = sum(self.hours.values(), Decimal(0)) if self.hours else None
        return use(self.cells, promised)

    def contracted_hours(self, contract: Contract) -> Decimal:
        return sum((self.hours.get((contract.pk, day), Decimal(0)) for day in contract.days), Decimal(0))

    @cached_property
    def expiries(self) -> list[Expiry]:
        """The first to end first, without those that were over before the range and do not outlive it."""
        found = [self.expiry(contract) for contract in self.contracts]
        return [
            one for one in found if not one.is_over or one.outlived or self.contracted_hours(one.contract)
        ]

    def expiry(self, contract: Contract) -> Expiry:
        others = [other for other in self.contracts if other.pk != contract.pk]
        last = self.covered_last.get(contract.hardware)
        spoken_of = any(other.hardware == contract.hardware and last in other.days for other in others)
        return Expiry(
            contract,
            (contract.days.last - self.today).days,
            any(contract.is_followed_by(other) for other in others),
            last,
            last is not None and last >= contract.days.end and not spoken_of,
        )

    @property
    def untold(self) -> list[Hardware]:
        """Covered hours on the bill for which no contract is typed in."""
        told = {contract.hardware for contract in self.contracts}
        billed = {(c.provider, c.gpu_type) for c in self.cells if c.kind == COMMITTED and c.gpu_hours}
        return sorted(billed - told)


def use(cells: Iterable[Priced], promised: Decimal | None) -> Use:
    found = list(cells)
    covered = rates(cell for cell in found if cell.kind == COMMITTED)
    unused = rates(cell for cell in found if cell.kind == UNUSED_COMMITMENT)
    return Use(covered, unused.effective, promised)


def contracts_of(scope: Scope, names: Names) -> list[Contract]:
    found = [
        Contract(
            one.pk,
            names.provider(one.provider),
            names.gpu_type(one.gpu_type),
            one.gpus,
            Span.inclusive(one.first_day, one.last_day),
            one.note,
        )
        for one in Commitment.objects.all()
    ]
    providers = {names.provider(name) for name in scope.providers}
    gpu_types = {names.gpu_type(name) for name in scope.gpu_types}
    return [
        one
        for one in found
        if (not providers or one.provider in providers) and (not gpu_types or one.gpu_type in gpu_types)
    ]


def contracted(
    contract: Contract, span: Span | None, names: Names, freshness: Freshness, now: datetime
) -> Iterable[tuple[date, Decimal]]:
    """(day, GPUs × elapsed hours) of the contract's days in the range that the bill has reached."""
    last = {one.provider: one.last for one in freshness.providers}.get(contract.provider)
    if last is None or last < contract.days.start:
        return
    days = Span(contract.days.start, min(contract.days.end, last + ONE_DAY))
    clock = names.clock(contract.provider)
    for day in days.clipped(span) if span else days:
        elapsed = min(midnight(day + ONE_DAY, clock), now) - midnight(day, clock)
        yield day, contract.gpus * Decimal(max(elapsed // SECOND, 0)) / 3600


def last_covered(scope: Scope, names: Names) -> dict[Hardware, date]:
    """Whatever the range: whether a bill goes on after a contract's end is not a matter of the range."""
    lines = narrowed(BillLine.objects.current().gpu(), scope, names).filter(kind=COMMITTED)
    found: dict[Hardware, date] = {}
    for provider, gpu_type, day in lines.order_by().values_list("provider", "gpu_type").annotate(Max("day")):
        hardware = names.provider(provider), names.gpu_type(gpu_type)
        found[hardware] = max(day, found.get(hardware, day))
    return found
