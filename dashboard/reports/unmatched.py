"""What no mapping and no alias places yet: each with the jobs, GPU-hours and dollars that wait for it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

from .. import gpu_time, rollups
from ..models import BillLine, CostSnapshot, Team, UsageSnapshot
from ..models.exact import CentSum, PreciseSum
from ..models.names import name_key
from ..naming import Names
from ..placing import Placing
from ..posted.spreading import hardware_of
from ..scope import Scope
from .spend import posted_alone

ZERO = Decimal(0)
Cell = tuple[str, str]  # provider and GPU type, as they are shown


@dataclass(frozen=True, slots=True)
class Billed:
    usd: Decimal = ZERO
    gpu_hours: Decimal = ZERO

    @property
    def rate(self) -> Decimal | None:
        """USD per GPU-hour; None where hours or net cost are not above zero."""
        return self.usd / self.gpu_hours if self.usd > 0 and self.gpu_hours > 0 else None


@dataclass(frozen=True, slots=True)
class Hardware:
    """GPUs of a log that stand on no bill. usd: what the hours cost at the target's average price."""

    cluster: str
    partition: str
    raw_gpu_type: str
    jobs: int
    gpu_hours: Decimal
    target: Cell | None
    usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Account:
    """team: the one that the jobs are in for want of a mapping."""

    cluster: str
    account: str
    jobs: int
    gpu_hours: Decimal
    team: UUID
    team_name: str


@dataclass(frozen=True, slots=True)
class Spend:
    """GPU lines of current bills whose sub-account or tag is no team's. team: one of that very name."""

    provider: str
    sub_account: str
    tag: str
    gpu_hours: Decimal
    usd: Decimal
    team: UUID | None
    team_name: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name that only jobs use, or only bills. gpu_hours: the jobs' or the metered ones.

    same_as: the one name on bills that a name of jobs may mean.
    """

    kind: str
    name: str
    on_bills: bool
    jobs: int
    gpu_hours: Decimal
    usd: Decimal
    same_as: str | None


@dataclass(frozen=True, slots=True)
class Unmatched:
    hardware: list[Hardware]
    accounts: list[Account]
    spend: list[Spend]
    names: list[Name]

    @property
    def is_empty(self) -> bool:
        return not (self.hardware or self.accounts or self.spend or self.names)


def unmatched(names: Names, basis: str) -> Unmatched:
    placing, bill = Placing.load(), billed(names)
    teams = dict(Team.objects.values_list("pk", "name"))
    logged = [Logged(*row) for row in rollups.by_log(names)]
    return Unmatched(
        hardware(names, placing, bill, logged),
        accounts(placing, teams, logged),
        spend(placing, teams, basis),
        unknown_names(names, bill, logged),
    )


@dataclass(frozen=True, slots=True)
class Logged:
    """Jobs of which the scheduler's log said the same; what it did not say is empty."""

    cluster: str
    partition: str
    raw_gpu_type: str
    account: str
    team: UUID
    provider: str
    gpu_type: str
    team_set_by_hand: bool
    microseconds: int
    jobs: int

    @property
    def is_unplaced(self) -> bool:
        """Without a mapping a job stands under its cluster's and its GPU's own names."""
        if not self.cluster or not self.raw_gpu_type:
            return False
        return (self.provider, self.gpu_type) == (self.cluster[:100], self.raw_gpu_type[:100])


@dataclass
class Work:
    jobs: int = 0
    microseconds: int = 0

    @property
    def gpu_hours(self) -> Decimal:
        return gpu_time.hours(self.microseconds)


def grouped(logged: Iterable[Logged], *keys: str) -> dict[Any, Work]:
    """By the values of the keys; of one key by its value."""
    found: defaultdict[Any, Work] = defaultdict(Work)
    subject = attrgetter(*keys)
    for row in logged:
        work = found[subject(row)]
        work.jobs, work.microseconds = work.jobs + row.jobs, work.microseconds + row.microseconds
    return found


def billed(names: Names) -> dict[Cell, Billed]:
    """What bills and contracts tell of each provider and GPU type; a rate counts before any job meets it."""
    usd: defaultdict[Cell, Decimal] = defaultdict(lambda: ZERO)
    metered: defaultdict[Cell, Decimal] = defaultdict(lambda: ZERO)
    for sums, model, column in ((usd, CostSnapshot, "cost_usd"), (metered, UsageSnapshot, "gpu_hours")):
        rows = model.objects.order_by().values_list("provider", "gpu_type").annotate(CentSum(column))
        for provider, gpu_type, amount in rows:
            sums[names.provider(provider), names.gpu_type(gpu_type)] += amount
    found = posted_alone(Scope(), names)
    for posting in found.postings:
        usd[posting.hardware] += posting.usd
        metered[posting.hardware] += posting.gpu_hours or ZERO
    priced = {hardware_of(rate, names) for rate in found.rates}
    return {cell: Billed(usd[cell], metered[cell]) for cell in usd.keys() | metered.keys() | priced}


# Hardware


def hardware(
    names: Names, placing: Placing, bill: Mapping[Cell, Billed], logged: Iterable[Logged]
) -> list[Hardware]:
    unplaced = (row for row in logged if row.is_unplaced)
    found = []
    for (cluster, partition, raw), work in grouped(unplaced, "cluster", "partition", "raw_gpu_type").items():
        if is_own_name(placing, cluster, partition, raw) or own_cell(names, cluster, raw) in bill:
            continue
        target = likely_cell(raw, bill, used_providers(placing, cluster))
        rate = bill[target].rate if target else None
        usd = None if rate is None else work.gpu_hours * rate
        found.append(Hardware(cluster, partition, raw, work.jobs, work.gpu_hours, target, usd))
    return sorted(found, key=lambda row: (-row.gpu_hours, -row.jobs, row.cluster, row.raw_gpu_type))


def own_cell(names: Names, cluster: str, raw: str) -> Cell:
    """Under the log's own names, which are those of a bill where an own cluster has a price."""
    return names.provider(cluster), names.gpu_type(raw)


def is_own_name(placing: Placing, cluster: str, partition: str, raw: str) -> bool:
    """A mapping says that log and bill use the same names, as they may for an own cluster."""
    return any(
        speaks_of(mapping, cluster, partition, raw)
        and name_key(mapping.provider) == name_key(cluster)
        and name_key(mapping.gpu_type) == name_key(raw)
        for mapping in placing.clusters
    )


def used_providers(placing: Placing, cluster: str) -> set[str]:
    return {name_key(m.provider) for m in placing.clusters if name_key(m.cluster) == name_key(cluster)}


def likely_cell(raw: str, bill: Iterable[Cell], providers: set[str]) -> Cell | None:
    """The one cell of the bill that a log's GPU name can mean; None where there is none, or a choice."""
    cells = [cell for cell in bill if may_be_same(raw, cell[1])]
    cells = [cell for cell in cells if name_key(cell[0]) in providers] or cells
    return cells[0] if len(cells) == 1 else None


# Accounts


def accounts(placing: Placing, teams: Mapping[UUID, str], logged: Iterable[Logged]) -> list[Account]:
    told = (row for row in logged if row.cluster and row.account and not row.team_set_by_hand)
    found = [
        Account(cluster, account, work.jobs, work.gpu_hours, team, teams[team])
        for (cluster, account, team), work in grouped(told, "cluster", "account", "team").items()
        if not is_owned(placing, cluster, account, team, teams[team])
    ]
    return sorted(found, key=lambda row: (-row.gpu_hours, -row.jobs, row.cluster, row.account))


def is_owned(placing: Placing, cluster: str, account: str, team: UUID, team_name: str) -> bool:
    mapped = [mapping for mapping in placing.accounts if speaks_of(mapping, cluster, account)]
    # Outside the days of a dated mapping the account's own team is left.
    fell_back = name_key(team_name) == name_key(account)
    return any(mapping.team_id == team for mapping in mapped) or bool(mapped and not fell_back)


# Spend


def spend(placing: Placing, teams: Mapping[UUID, str], basis: str) -> list[Spend]:
    by_name = {name_key(name): (pk, name) for pk, name in teams.items()}
    found = []
    for provider, sub_account, tag, usd, gpu_hours in unowned_spend(placing, basis):
        team = by_name.get(name_key(tag)) or by_name.get(name_key(sub_account)) or (None, "")
        found.append(Spend(provider, sub_account, tag, gpu_hours, usd, *team))
    return sorted(found, key=lambda row: (-row.gpu_hours, -row.usd, row.provider, row.sub_account, row.tag))


def unowned_spend(placing: Placing, basis: str) -> Iterable[tuple[str, str, str, Decimal, Decimal]]:
    keys = ("provider", "sub_account", "tag")
    lines = BillLine.objects.current().gpu().exclude(sub_account="", tag="").order_by()
    sums = PreciseSum(basis), PreciseSum("gpu_hours")
    for *subject, usd, gpu_hours in lines.values_list(*keys).annotate(*sums):
        mapped = [mapping for mapping in placing.spend if speaks_of(mapping, *subject)]
        if any(mapping.valid_from is None and mapping.valid_to is None for mapping in mapped):
            continue
        if mapped:
            by_day = lines.filter(**dict(zip(keys, subject, strict=True))).values_list("day").annotate(*sums)
            left = [row for row in by_day if not any(mapping.covers(row[0]) for mapping in mapped)]
            usd, gpu_hours = sum(row[1] for row in left), sum(row[2] or ZERO for row in left)
        if usd or gpu_hours:
            provider, sub_account, tag = subject
            yield provider, sub_account, tag, usd, gpu_hours or ZERO


# Names


def unknown_names(names: Names, bill: Mapping[Cell, Billed], logged: Iterable[Logged]) -> list[Name]:
    """Unplaced hardware is listed as such, unless a bill knows it by these names."""
    of_jobs = [row for row in logged if not row.is_unplaced or own_cell(names, *cell_of(row)) in bill]
    kinds = enumerate(("provider", "gpu_type"))
    return [row for place, kind in kinds for row in one_sided(kind, place, names, of_jobs, bill)]


def cell_of(row: Logged) -> Cell:
    return row.provider, row.gpu_type


def one_sided(
    kind: str, place: int, names: Names, logged: Iterable[Logged], bill: Mapping[Cell, Billed]
) -> list[Name]:
    shown, used = getattr(names, kind), defaultdict[str, Work](Work)
    for stored, work in grouped(logged, kind).items():
        same = used[shown(stored)]
        same.jobs, same.microseconds = same.jobs + work.jobs, same.microseconds + work.microseconds
    billed_names = {cell[place] for cell in bill}
    rows = [
        Name(kind, name, False, work.jobs, work.gpu_hours, ZERO, only(name, billed_names))
        for name, work in used.items()
        if name not in billed_names
    ]
    for name in billed_names - used.keys():
        amounts = [amount for cell, amount in bill.items() if cell[place] == name]
        metered = sum((amount.gpu_hours for amount in amounts), ZERO)
        rows.append(Name(kind, name, True, 0, metered, sum((a.usd for a in amounts), ZERO), None))
    return sorted(rows, key=lambda row: (row.on_bills, -row.gpu_hours, -row.usd, row.name))


def only(name: str, others: Iterable[str]) -> str | None:
    same = [other for other in others if other != name and may_be_same(name, other)]
    return same[0] if len(same) == 1 else None


# Shared


def speaks_of(mapping: Any, *subject: str) -> bool:
    """The mapping's names are these, on whatever days; what it leaves empty stands for any."""
    said = [name_key(getattr(mapping, field)) for field in mapping.identity]
    first, *others = map(name_key, subject)
    return said[0] == first and all(name in ("", other) for name, other in zip(said[1:], others, strict=True))


def may_be_same(one: str, other: str) -> bool:
    """All words of one are among those of the other, or one is the initials of the other. A guess."""
    words, others = words_of(one), words_of(other)
    if not words or not others:
        return False
    nested = set(words) <= set(others) or set(others) <= set(words)
    return nested or [initials(words)] == others or [initials(others)] == words


def words_of(name: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", name.casefold())


def initials(words: list[str]) -> str:
    return "".join(word[0] for word in words)
