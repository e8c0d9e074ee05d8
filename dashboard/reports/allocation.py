"""The bill shared among the teams that used it; what nobody used or nobody can tell stays in sight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property, partial
from operator import attrgetter
from typing import Any, NamedTuple, Self
from uuid import UUID

from .. import gpu_time
from ..money import cents, usd
from ..naming import Names
from ..remembered import in_months
from ..remembered.days_over import remembered_when_over
from ..scope import Scope, Span
from . import shared_months, spend
from .billed import Billed
from .charges import UNUSED_COMMITMENT, Cell, Charge, charges_in
from .coverage import Coverage
from .job_time import pieces
from .shared_months import Sums
from .sharing import Pool, Shares, share, spread

USE, DIRECT, IDLE, UNUSED, UNALLOCATED, UNBILLED = (
    "use",
    "direct",
    "idle",
    "unused",
    "unallocated",
    "unbilled",
)
TEAMS = "teams"
# What stands where a team would, for money that is no team's.
NOBODY = {IDLE: "(idle)", UNUSED: "(unused commitment)", UNALLOCATED: "(unallocated)"}
NO_MODEL = {DIRECT: "(direct)", IDLE: "(idle)"} | {line: NOBODY[line] for line in (UNUSED, UNALLOCATED)}
OVER_REPORTED = gpu_time.HOUR / 100
BLENDED, UNMETERED, OVER, OUTRUN = "blended", "no metered usage", "over-reported", "jobs on direct hours"
# (day, provider and GPU type as stored, team, the model where it is asked for, …, GPU microseconds)
Times = list[tuple[Any, ...]]


class Share(NamedTuple):
    """A part of one day, provider and GPU type.

    line: by which rule it falls to the team. team: None where it is nobody's. model: empty unless asked
    for. microseconds: job GPU time; only on the lines use and unbilled. cents: None where nothing is billed.
    """

    day: date
    provider: str
    gpu_type: str
    team: UUID | None
    line: str
    microseconds: int = 0
    cents: int | None = None
    model: str = ""


@dataclass(slots=True)
class Use:
    """Job GPU microseconds of one cell, by team and by model."""

    teams: defaultdict[UUID, int] = field(default_factory=lambda: defaultdict(int))
    models: defaultdict[UUID, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))


NO_USE = Use()


@dataclass(frozen=True)
class CellPool:
    """One cell as it is shared: what goes straight to teams, what is unused, and the pool of the rest.

    metered: GPU microseconds of the whole cell. kinds: cents of the pool by BillLine.Kind or source.
    """

    cell: Cell
    pool: Pool
    direct: dict[UUID, int]
    unused: int
    kinds: dict[str, int]
    metered: int | None

    @cached_property
    def shares(self) -> Shares:
        return share(self.pool)

    @property
    def is_unmetered(self) -> bool:
        """Job hours share the cost alone, and not since an internal rate priced just them."""
        return self.pool.metered is None and self.pool.used_in_all > 0 and self.kinds.keys() != {"rate"}

    @property
    def is_over_reported(self) -> bool:
        return self.metered is not None and self.pool.used_in_all > self.metered + OVER_REPORTED

    @property
    def outruns_direct(self) -> bool:
        """Jobs hold more than direct cost left over: some likely ran on what a team pays for directly."""
        if self.pool.metered is None or not self.pool.cents or self.is_over_reported:
            return False
        return self.pool.used_in_all > self.pool.metered + OVER_REPORTED

    @property
    def is_blended(self) -> bool:
        return len(self.kinds.keys() & {"on_demand", "spot", "committed"}) > 1

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """What makes the shares of this cell less sure, in words."""
        said = {
            BLENDED: self.is_blended,
            UNMETERED: self.is_unmetered,
            OVER: self.is_over_reported,
            OUTRUN: self.outruns_direct,
        }
        return tuple(words for words, true in said.items() if true)


@dataclass(frozen=True)
class Allocation:
    """shares: those of the scope's teams and models. bill and parts: cents of all, each summed on its own.

    parts: what falls to teams and what to nobody, by line.
    """

    shares: list[Share]
    bill: int
    parts: dict[str, int]
    pools: list[CellPool]

    @classmethod
    def of(cls, months: Iterable[Shared], scope: Scope) -> Self:
        """Of whoever's shares those that are the scope's."""
        months = list(months)
        shares = [one for month in months for one in month.shares]
        return cls(
            [one for one in shares if wanted(one, scope)],
            sum(month.bill for month in months),
            parts_of(shares),
            [pool for month in months for pool in month.pools],
        )

    @property
    def difference(self) -> Decimal:
        return usd(self.bill - sum(self.parts.values()))

    @property
    def total(self) -> Decimal:
        """Of the shares within the scope."""
        return usd(sum(one.cents or 0 for one in self.shares))

    @property
    def microseconds(self) -> int:
        return sum(one.microseconds for one in self.shares)

    @cached_property
    def unbilled(self) -> int:
        """Job microseconds of the shares where nothing is billed."""
        return sum(one.microseconds for one in self.shares if one.line == UNBILLED)

    def part(self, name: str) -> Decimal:
        return usd(self.parts.get(name, 0))


def parts_of(shares: Iterable[Share]) -> dict[str, int]:
    parts: defaultdict[str, int] = defaultdict(int)
    for one in shares:
        parts[TEAMS if one.team is not None else one.line] += one.cents or 0
    return dict(parts)


def allocate(scope: Scope, names: Names, by_model: bool = False) -> Allocation:
    """Shares first and narrows to teams and models after, so that a team's figure is its share."""
    by_model = by_model or bool(scope.models)
    share = partial(shared_by_month, names, by_model)
    months = shared_months.by_month(("shares", by_model), scope, names, share, Shared.size)
    return Allocation.of(months, scope)


class Shared(NamedTuple):
    """Whoever's shares of some days; bill: cents of all."""

    shares: list[Share]
    pools: list[CellPool]
    bill: int

    @classmethod
    def of(cls, to_be: ToBeShared, by_model: bool) -> Shared:
        return cls(list(to_be.lines(by_model)), to_be.pools, sum(cents(row.usd) for row in to_be.rows))

    def size(self) -> int:
        return len(self.shares) + len(self.pools)


def shared_by_month(names: Names, by_model: bool, scope: Scope, billed: Billed) -> dict[date, Shared]:
    to_be = ToBeShared.of(scope, names, by_model, billed)
    return {month: Shared.of(part, by_model) for month, part in to_be.by_month(scope.span).items()}


def allocate_in_sum(scope: Scope, names: Names) -> list[Share]:
    """The cents of the same shares, added up by team and line: years of them in half the time.

    Of no day and hardware, and without microseconds; but where the scope names models, as they are.
    """
    if scope.models:
        return allocate(scope, names).shares
    if scope.span is None:
        return read_in_sum(scope, names)
    asked = "sums", scope.span, scope.providers, scope.gpu_types, scope.teams, scope.basis, scope.idle
    days = shared_months.days_of(scope)
    return remembered_when_over(asked, days, names, lambda: read_in_sum(scope, names))


def read_in_sum(scope: Scope, names: Names) -> list[Share]:
    sums: Sums = defaultdict(dict)
    for month in shared_months.by_month("sums", scope, names, partial(sums_by_month, names)):
        for line, owners in month.items():
            add(sums[line], owners)
    shares = [
        Share(date.min, "", "", team, line, 0, amount)
        for line, owners in sums.items()
        for team, amount in owners.items()
    ]
    return [one for one in shares if wanted(one, scope)]


def sums_by_month(names: Names, scope: Scope, billed: Billed) -> dict[date, Sums]:
    to_be = ToBeShared.of(scope, names, by_model=False, billed=billed)
    return {month: part.in_sum() for month, part in to_be.by_month(scope.span).items()}


def add(total: dict[Any, int], owners: Mapping[Any, int]) -> None:
    for owner, amount in owners.items():
        total[owner] = total.get(owner, 0) + amount


@dataclass(frozen=True)
class ToBeShared:
    """rows: of the bill. pools: its cells. use: job time of these and of other cells."""

    rows: list[spend.Row]
    pools: list[CellPool]
    use: dict[Cell, Use]
    spreading: Spreading

    @classmethod
    def of(
        cls,
        scope: Scope,
        names: Names,
        by_model: bool,
        billed: Billed | None = None,
        times: Times | None = None,
    ) -> ToBeShared:
        """billed, times: of the scope, where they are read already."""
        billed = billed or Billed.read(scope, names)
        use, month_use = used(scope, names, by_model, times)
        pools = pools_of(billed, charges_in(billed.rows, scope, names), use)
        return cls(billed.rows, pools, use, Spreading(scope.idle, month_use))

    def by_month(self, span: Span | None) -> dict[date, ToBeShared]:
        rows = in_months(span, self.rows, attrgetter("day"))
        pools = in_months(span, self.pools, lambda pool: pool.cell[0])
        use = in_months(span, self.use.items(), lambda one: one[0][0])
        return {
            one: ToBeShared(rows.get(one, []), pools.get(one, []), dict(use.get(one, [])), self.spreading)
            for one in sorted({*rows, *pools, *use})
        }

    def in_sum(self) -> Sums:
        sums: Sums = defaultdict(dict)
        for pool, use in self.billed():
            for line, owners in parts_of_cell(pool, use, self.spreading):
                add(sums[line], owners)
        return sums

    def billed(self) -> Iterator[tuple[CellPool, Use]]:
        return ((pool, self.use.get(pool.cell, NO_USE)) for pool in self.pools)

    def lines(self, by_model: bool) -> Iterator[Share]:
        for pool, use in self.billed():
            yield from lines_of(pool, use, self.spreading, by_model)
        billed = {pool.cell for pool in self.pools}
        for cell, use in self.use.items():
            if cell not in billed:
                yield from unbilled(cell, use, by_model)


def team_costs(scope: Scope, names: Names) -> dict[UUID, Decimal]:
    """USD of each team that a bill speaks of."""
    cents: defaultdict[UUID, int] = defaultdict(int)
    for one in allocate_in_sum(scope, names):
        if one.team is not None and one.cents is not None:
            cents[one.team] += one.cents
    return {team: usd(amount) for team, amount in cents.items()}


def wanted(one: Any, scope: Scope) -> bool:
    """one: something of a team and a model."""
    of_team = not scope.teams or one.team in scope.teams
    return of_team and (not scope.models or one.model in scope.models)


def everybody(scope: Scope) -> Scope:
    """The days and hardware of the scope, whoever used them."""
    return scope.but(teams=(), statuses=(), models=(), q="")


# Hours


def used(
    scope: Scope, names: Names, by_model: bool, times: Times | None = None
) -> tuple[dict[Cell, Use], dict[Cell, Use]]:
    """Job time by cell, and by provider, GPU type and whole month where idle cost is to be spread.

    times: of the scope's days alone, where they are read already.
    """
    spreads = scope.idle != "apart"
    span = scope.span.in_months if spreads and scope.span else scope.span
    rows = job_times(scope, names, ["model"] if by_model else [], span) if times is None else times
    cells: defaultdict[Cell, Use] = defaultdict(Use)
    months: defaultdict[Cell, Use] = defaultdict(Use)
    first, end = (scope.span.start, scope.span.end) if scope.span else (date.min, date.max)
    for row in rows:
        day, team, microseconds = row[0], row[3], row[-1]
        if not microseconds:
            continue
        shown = names.hardware(row[1:3])
        if first <= day < end:
            use = cells[day, *shown]
            use.teams[team] += microseconds
            if by_model:
                use.models[team][row[4]] = use.models[team].get(row[4], 0) + microseconds
        if spreads:
            months[day.replace(day=1), *shown].teams[team] += microseconds
    return with_time(cells), with_time(months)


def job_times(scope: Scope, names: Names, more: Sequence[str], span: Span | None) -> Times:
    """Everybody's on the scope's hardware within the span, by day, provider, GPU type, team and more keys."""
    return pieces(["day", "provider", "gpu_type", "team", *more], everybody(scope), names, span)


def with_time(cells: dict[Cell, Use]) -> dict[Cell, Use]:
    """Without teams and models whose time was noted and taken away again."""
    for use in cells.values():
        if 0 in use.teams.values():
            use.teams = defaultdict(int, {team: spent for team, spent in use.teams.items() if spent})
        for team, models in use.models.items():
            if 0 in models.values():
                use.models[team] = {model: spent for model, spent in models.items() if spent}
    return {cell: use for cell, use in cells.items() if use.teams}


# Cells


def cell_pools(scope: Scope, names: Names, billed: Billed | None = None) -> list[CellPool]:
    """Every cell with a cost, as it is shared. billed: of the scope, where it is read already."""
    billed = billed or Billed.read(scope, names)
    use, _ = used(scope.but(idle="apart"), names, by_model=False)
    return pools_of(billed, charges_in(billed.rows, scope, names), use)


def pools_of(billed: Billed, found: Iterable[Charge], use: dict[Cell, Use]) -> list[CellPool]:
    """Every cell with a cost: what is taken out before sharing, and the rest beside its hours."""
    metered = {hour[:3]: hour.metered for hour in billed.hours}
    cells: defaultdict[Cell, list[Charge]] = defaultdict(list)
    for charge in found:
        cells[charge[:3]].append(charge)
    return [
        pool_of(cell, cells[cell], metered.get(cell), use.get(cell, NO_USE).teams, billed.coverage)
        for cell in sorted(cells)
    ]


def pool_of(
    cell: Cell, parts: list[Charge], metered: Decimal | None, teams: dict[UUID, int], coverage: Coverage
) -> CellPool:
    direct: defaultdict[UUID, int] = defaultdict(int)
    unused = 0
    attributed = Decimal(0)
    kinds: defaultdict[str, int] = defaultdict(int)
    for part in parts:
        if part.team is not None:
            direct[part.team] += part.cents
            attributed += part.gpu_hours or 0
        elif part.kind == UNUSED_COMMITMENT:
            unused += part.cents
        else:
            kinds[part.kind] += part.cents
    left = None if metered is None else metered - attributed
    covered, turn = coverage.covers(cell[1], cell[0]), cell[0].toordinal()
    pool = Pool(sum(kinds.values()), microseconds(left), teams, covered, turn)
    return CellPool(cell, pool, dict(direct), unused, dict(kinds), microseconds(metered))


def microseconds(hours: Decimal | None) -> int | None:
    return None if hours is None else max(int(hours * gpu_time.HOUR), 0)


# Shares


@dataclass(frozen=True)
class Spreading:
    """How idle cost is shown: apart, or upon those who used the cell, else the same GPUs that month."""

    view: str
    month_use: dict[Cell, Use]

    def of(self, cell: Cell, idle: int, teams: dict[UUID, int]) -> dict[UUID, int]:
        if self.view == "apart" or not idle:
            return {}
        month = cell[0].replace(day=1), *cell[1:]
        users = teams if any(teams.values()) else self.month_use.get(month, NO_USE).teams
        return spread(idle, users, self.view, cell[0].toordinal())


def parts_of_cell(pool: CellPool, use: Use, spreading: Spreading) -> Iterator[tuple[str, Mapping[Any, int]]]:
    """(line, cents by team); what is nobody's is that of None."""
    shared = pool.shares
    upon = spreading.of(pool.cell, shared.idle, use.teams)
    yield DIRECT, pool.direct
    yield USE, shared.owners
    yield IDLE, upon
    left = {IDLE: 0 if upon else shared.idle, UNUSED: pool.unused, UNALLOCATED: shared.unallocated}
    yield from ((line, {None: amount}) for line, amount in left.items() if amount)


def lines_of(pool: CellPool, use: Use, spreading: Spreading, by_model: bool) -> Iterator[Share]:
    for line, owners in parts_of_cell(pool, use, spreading):
        for team, amount in owners.items():
            if by_model and team is not None and line != DIRECT:
                yield from by_models(pool.cell, team, line, amount, use.models.get(team, {}))
            else:
                worked = use.teams[team] if line == USE else 0
                yield Share(*pool.cell, team, line, worked, amount, NO_MODEL[line] if by_model else "")


def by_models(cell: Cell, team: UUID, line: str, cents: int, models: dict[str, int]) -> Iterator[Share]:
    """A team's share of a cell upon its models, by their hours; the cents add up to the team's."""
    parts = spread(cents, models, "by_use", cell[0].toordinal())
    if not parts:
        yield Share(*cell, team, line, 0, cents, NO_MODEL[line])
    for model, amount in parts.items():
        yield Share(*cell, team, line, models[model] if line == USE else 0, amount, model)


def unbilled(cell: Cell, use: Use, by_model: bool) -> Iterator[Share]:
    """Hours that jobs used and nobody has billed (yet)."""
    for team, microseconds in use.teams.items():
        models = use.models[team] if by_model else {"": microseconds}
        for model, part in models.items():
            yield Share(*cell, team, UNBILLED, part, None, model)
