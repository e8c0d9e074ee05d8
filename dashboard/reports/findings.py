"""Where what is stored is impossible, incomplete, unmatched or doubtful: one function for each check."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import combinations
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q

from ..clock import today
from ..counted import counted
from ..models import BillLine, CostSnapshot, PeriodEntry, Rate
from ..models.exact import PreciseSum
from ..money import dollars
from ..naming import Names
from ..periods import day_in_words, in_words
from ..scope import Scope, Span
from . import oddities, usage
from .freshness import Freshness
from .gaps import Gaps, gaps
from .job_time import jobs_of, jobs_within
from .oddities import ODDITIES
from .spend import narrowed
from .three_way import excess
from .unmatched import Unmatched, unmatched

STALE_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Finding:
    """So many of what the check counts, at one place; note: amounts and dates in words."""

    where: str
    count: int = 1
    note: str = ""
    days: Span | None = None
    provider: str = ""
    gpu_type: str = ""
    team: UUID | None = None


@dataclass(frozen=True)
class Stored:
    """What the checks look at; each is asked of the database once, when a check needs it first."""

    scope: Scope
    names: Names
    freshness: Freshness

    @cached_property
    def odd_jobs(self) -> list[oddities.Group]:
        jobs, within = jobs_of(self.scope, self.names), jobs_within(self.scope, self.names)
        unusual = jobs.unusual_within(self.scope.span, self.names.spellings_by_clock())
        undated = [one for one in ODDITIES if one.undated]
        compared = within.filter(oddities.among(oddities.FOUND_BY_COMPARING))
        dated = [one for one in ODDITIES if not one.undated and one.key != oddities.FOUND_BY_COMPARING]
        return [
            *oddities.counted(unusual, dated),
            *oddities.counted(oddities.odd(jobs, [one.key for one in undated]), undated),
            *oddities.counted(compared, [oddities.BY_KEY[oddities.FOUND_BY_COMPARING]]),
        ]

    @cached_property
    def cells(self) -> list[usage.Hours]:
        """Those of closed days: the hours of an open one may come before its bill."""
        closed = {one.provider: one.through for one in self.freshness.providers}
        cells = usage.cells(self.scope.but(teams=()), self.names)
        return [cell for cell in cells if cell.day <= closed.get(cell.provider, date.min)]

    @cached_property
    def gaps(self) -> Gaps:
        return gaps(self.scope, self.names, self.freshness)

    @cached_property
    def unmatched(self) -> Unmatched:
        return unmatched(self.names, self.scope.basis)

    @cached_property
    def billed(self) -> dict[tuple[str, str], set[date]]:
        """The days of each cell that have a stored cost, by provider and GPU type."""
        return self.days_of(CostSnapshot.objects.within(self.scope.span))

    @cached_property
    def entered(self) -> dict[tuple[str, str], set[date]]:
        return self.days_of(CostSnapshot.objects.within(self.scope.span).filter(from_lines=False))

    @cached_property
    def lined(self) -> dict[tuple[str, str], set[date]]:
        return self.days_of(self.lines.gpu(), "day")

    @property
    def bill_lines(self) -> Any:
        return narrowed(self.lines, self.scope, self.names)

    @property
    def lines(self) -> Any:
        lines, span = BillLine.objects.current(), self.scope.span
        return lines.filter(day__gte=span.start, day__lt=span.end) if span else lines

    def days_of(self, rows: Any, day: str = "date") -> dict[tuple[str, str], set[date]]:
        found: defaultdict[tuple[str, str], set[date]] = defaultdict(set)
        distinct = narrowed(rows, self.scope, self.names).order_by().distinct()
        for when, provider, gpu_type in distinct.values_list(day, "provider", "gpu_type"):
            found[self.names.provider(provider), self.names.gpu_type(gpu_type)].add(when)
        return found

    @cached_property
    def entries(self) -> list[Contract]:
        return self.contracts(PeriodEntry)

    @cached_property
    def rates(self) -> list[Contract]:
        return self.contracts(Rate)

    def contracts(self, model: Any) -> list[Contract]:
        found = [self.contract(row) for row in model.objects.during(self.scope.span)]
        return [one for one in found if self.asked_for(one)]

    def contract(self, row: Any) -> Contract:
        span = Span.inclusive(row.first_day, row.last_day or max(today(), row.first_day))
        hardware = self.names.provider(row.provider), self.names.gpu_type(row.gpu_type)
        return Contract(str(row), *hardware, span, getattr(row, "per", ""))

    def asked_for(self, contract: Contract) -> bool:
        providers = {self.names.provider(name) for name in self.scope.providers}
        gpu_types = {self.names.gpu_type(name) for name in self.scope.gpu_types}
        return (not providers or contract.provider in providers) and (
            not gpu_types or contract.gpu_type in gpu_types
        )


@dataclass(frozen=True, slots=True)
class Contract:
    """A period entry or a rate under display names; an open one ends today."""

    text: str
    provider: str
    gpu_type: str
    span: Span
    per: str = ""  # of a rate


# Jobs


def odd_jobs(key: str, stored: Stored) -> Iterator[Finding]:
    counts: defaultdict[tuple[UUID, str, str, str], int] = defaultdict(int)
    for group in stored.odd_jobs:
        hardware = stored.names.provider(group.provider), stored.names.gpu_type(group.gpu_type)
        counts[group.team, group.team_name, *hardware] += group.counts.get(key, 0)
    for (team, team_name, provider, gpu_type), count in counts.items():
        if count:
            where = f"{team_name}, {provider} {gpu_type}"
            yield Finding(where, count, provider=provider, gpu_type=gpu_type, team=team)


# Names


def unmatched_hardware(stored: Stored) -> Iterator[Finding]:
    for row in stored.unmatched.hardware:
        where = " / ".join((row.cluster, row.partition or "no partition", row.raw_gpu_type))
        yield Finding(where, note=f"{counted(row.jobs, 'job')}, {row.gpu_hours:,.1f} GPU-hours")


def unmatched_accounts(stored: Stored) -> Iterator[Finding]:
    for row in stored.unmatched.accounts:
        note = f"{counted(row.jobs, 'job')}, now of team {row.team_name}"
        yield Finding(f"{row.cluster} / {row.account}", note=note)


def unmatched_spend(stored: Stored) -> Iterator[Finding]:
    for row in stored.unmatched.spend:
        where = " / ".join(filter(None, (row.provider, row.sub_account, row.tag)))
        yield Finding(where, note=dollars(row.usd), provider=row.provider)


def unknown_names(on_bills: bool, stored: Stored) -> Iterator[Finding]:
    for row in stored.unmatched.names:
        if row.on_bills == on_bills:
            note = dollars(row.usd) if on_bills else counted(row.jobs, "job")
            yield Finding(f"{KINDS[row.kind]} {row.name}", note=note)


KINDS = {"provider": "provider", "gpu_type": "GPU type"}


def similar_names(stored: Stored) -> Iterator[Finding]:
    choices = stored.names.provider_choices(), stored.names.gpu_choices()
    for kind, shown in zip(KINDS.values(), choices, strict=True):
        alike: defaultdict[str, list[str]] = defaultdict(list)
        for name in shown:
            alike[re.sub(r"[\W_]+", "", name.casefold())].append(name)
        for names in alike.values():
            if len(names) > 1:
                yield Finding(f"{kind} {' = '.join(names)}?", len(names))


# Days


def missing_days(kind: str, stored: Stored) -> Iterator[Finding]:
    for gap in stored.gaps.gaps:
        if gap.kind == kind:
            where = f"{gap.provider}, {in_words(gap.span)}"
            yield Finding(where, gap.span.length, days=gap.span, provider=gap.provider)


def stale(stored: Stored) -> Iterator[Finding]:
    for one in stored.freshness.providers:
        silent = today() - one.last
        if silent > STALE_AFTER:
            note = f"last row {day_in_words(one.last)}, {counted(silent.days, 'day')} ago"
            yield Finding(one.provider, note=note, provider=one.provider)


# Cells


def by_hardware(cells: Iterable[usage.Hours], note: Callable[[list[usage.Hours]], str]) -> Iterator[Finding]:
    groups: defaultdict[tuple[str, str], list[usage.Hours]] = defaultdict(list)
    for cell in cells:
        groups[cell.provider, cell.gpu_type].append(cell)
    for hardware, found in groups.items():
        yield of_days(*hardware, {cell.day for cell in found}, note(found))


def of_days(provider: str, gpu_type: str, days: set[date], note: str) -> Finding:
    span = Span.inclusive(min(days), max(days))
    where = f"{provider} {gpu_type}, {in_words(span)}"
    return Finding(where, len(days), note, span, provider, gpu_type)


def over_reported(stored: Stored) -> Iterator[Finding]:
    def beyond(cells: list[usage.Hours]) -> str:
        return f"{sum((excess(cell) or Decimal(0) for cell in cells), Decimal(0)):,.2f} h more than metered"

    return by_hardware((cell for cell in stored.cells if excess(cell) is not None), beyond)


def negative_hours(stored: Stored) -> Iterator[Finding]:
    def metered(cells: list[usage.Hours]) -> str:
        return f"{sum((cell.metered or Decimal(0) for cell in cells), Decimal(0)):,.2f} h"

    return by_hardware((cell for cell in stored.cells if cell.metered and cell.metered < 0), metered)


def cost_without_hours(stored: Stored) -> Iterator[Finding]:
    def cost(cells: list[usage.Hours]) -> str:
        return dollars(sum((cell.usd or Decimal(0) for cell in cells), Decimal(0)))

    unmetered = (cell for cell in stored.cells if cell.usd and cell.usd > 0 and cell.metered is None)
    return by_hardware(unmetered, cost)


# Bills and contracts


def other_months(stored: Stored) -> Iterator[Finding]:
    early_or_late = Q(day__lt=F("delivery__period_start")) | Q(day__gte=F("delivery__period_end"))
    lines = narrowed(stored.lines.filter(early_or_late), stored.scope, stored.names)
    keys = ("delivery__provider", "delivery__account", "delivery__period_start")
    sums = Count("pk"), PreciseSum(stored.scope.basis)
    for provider, account, first, count, usd in lines.order_by().values_list(*keys).annotate(*sums):
        shown = stored.names.provider(provider)
        where = " ".join(filter(None, (shown, account, f"{first:%b %Y}")))
        yield Finding(where, count, dollars(usd), provider=shown)


def useless_effective(stored: Stored) -> Iterator[Finding]:
    """Bills whose effective column says nothing: noughts or whole dollars, while the billed one has cents."""
    keys = ("delivery__provider", "delivery__account", "delivery__period_start")
    amounts: defaultdict[tuple[str, str, date], list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for *bill, billed, effective in stored.bill_lines.order_by().values_list(*keys, "billed", "effective"):
        amounts[tuple(bill)].append((billed, effective))
    for (provider, account, first), found in amounts.items():
        billed, effective = ([one[side] for one in found] for side in (0, 1))
        if any(map(has_cents, effective)) or not any(map(has_cents, billed)):
            continue
        shown = stored.names.provider(provider)
        where = " ".join(filter(None, (shown, account, f"{first:%b %Y}")))
        note = f"billed {dollars(sum(billed, Decimal(0)))}, effective {dollars(sum(effective, Decimal(0)))}"
        yield Finding(where, note=note, provider=shown)


def has_cents(amount: Decimal) -> bool:
    return amount != amount.to_integral_value()


def entered_beside_lines(stored: Stored) -> Iterator[Finding]:
    for hardware, days in stored.entered.items():
        if both := days & stored.lined.get(hardware, set()):
            yield of_days(*hardware, both, "")


def overlapping(kind: str, stored: Stored) -> Iterator[Finding]:
    for one, other in combinations(getattr(stored, kind), 2):
        common = one.span.clipped(other.span)
        alike = all(getattr(one, what) == getattr(other, what) for what in ("provider", "gpu_type", "per"))
        if alike and common.length:
            where = f"{one.provider} {one.gpu_type}, {in_words(common)}"
            note = f"{one.text}; {other.text}"
            yield Finding(where, common.length, note, common, one.provider, one.gpu_type)


def beside_bills(kind: str, stored: Stored) -> Iterator[Finding]:
    for one in getattr(stored, kind):
        billed = stored.billed.get((one.provider, one.gpu_type), set())
        if both := {day for day in billed if day in one.span}:
            yield of_days(one.provider, one.gpu_type, both, one.text)
