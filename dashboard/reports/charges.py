"""What a cell's cost is made of: by kind of purchase, and by the team that a mapping lets pay directly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import reduce
from typing import NamedTuple
from uuid import UUID

from ..credits import CREDIT, spread_credits
from ..models import BillLine, SpendMapping
from ..models.exact import PreciseSum
from ..money import WIDE, cents, settle
from ..naming import Names
from ..placing import Placing
from ..scope import Scope
from .spend import Row, cell_of, narrowed, rows

UNUSED_COMMITMENT = BillLine.Kind.UNUSED_COMMITMENT.value
Cell = tuple[date, str, str]  # day, provider, GPU type
Part = tuple[str, UUID | None]  # kind, and the team that pays for it directly


class Charge(NamedTuple):
    """A part of a cell, under display names; the parts of a cell add up to its cost to the cent.

    kind: a BillLine.Kind, or the source of a figure that no bill line brought. team: who pays for it
    directly, None where it is shared. gpu_hours: metered, at full precision; None where no line tells.
    """

    day: date
    provider: str
    gpu_type: str
    kind: str
    team: UUID | None
    cents: int
    gpu_hours: Decimal | None = None


@dataclass(slots=True)
class Sums:
    usd: Decimal = Decimal(0)
    gpu_hours: Decimal | None = None

    def add(self, usd: Decimal, gpu_hours: Decimal | None) -> None:
        self.usd += usd
        if gpu_hours is not None:
            self.gpu_hours = (self.gpu_hours or Decimal(0)) + gpu_hours


def charges(scope: Scope, names: Names) -> list[Charge]:
    """The parts of every cell within the scope that has a cost."""
    return charges_in(rows(scope, names), scope, names)


def charges_in(found: list[Row], scope: Scope, names: Names) -> list[Charge]:
    """The same of rows that were read already."""
    parts = parts_of_lines(scope, names) if any(row.source == "lines" for row in found) else {}
    return [charge for row in found for charge in charges_of(row, parts, names)]


def charges_of(row: Row, parts: dict[Cell, dict[Part, Sums]], names: Names) -> Iterable[Charge]:
    cell = cell_of(row, names)
    lines = parts.get((row.day, row.provider, row.gpu_type)) if row.source == "lines" else None
    if not lines:
        return [Charge(*cell, row.source, None, cents(row.usd))]
    return [Charge(*cell, *part, cents, lines[part].gpu_hours) for part, cents in settled(row.usd, lines)]


def settled(total: Decimal, lines: dict[Part, Sums]) -> Iterator[tuple[Part, int]]:
    """Each part in cents: first the kinds, then within a kind who pays, so that a mapping moves no kind."""
    if len(lines) == 1:
        yield next(iter(lines)), cents(total)
        return
    kinds: defaultdict[str, list[Part]] = defaultdict(list)
    for part in sorted(lines, key=lambda part: (part[0], str(part[1] or ""))):
        kinds[part[0]].append(part)
    exact = {kind: [lines[part].usd for part in parts] for kind, parts in kinds.items()}
    sums = [reduce(WIDE.add, amounts) for amounts in exact.values()]
    for kind, amount in zip(kinds, settle(cents(total), sums), strict=True):
        yield from zip(kinds[kind], settle(amount, exact[kind]), strict=True)


def parts_of_lines(scope: Scope, names: Names) -> dict[Cell, dict[Part, Sums]]:
    """Sums of current GPU lines by stored cell, kind and paying team, at full precision."""
    payer = Payer.load(names)
    lines = narrowed(BillLine.objects.current().gpu(), scope, names)
    if scope.span:
        lines = lines.filter(day__gte=scope.span.start, day__lt=scope.span.end)
    keys = ["day", "provider", "gpu_type", "kind", *(["sub_account", "tag"] if payer else [])]
    sums = lines.order_by().values_list(*keys).annotate(PreciseSum(scope.basis), PreciseSum("gpu_hours"))
    cells: defaultdict[Cell, defaultdict[Part, Sums]] = defaultdict(lambda: defaultdict(Sums))
    for day, provider, gpu_type, kind, *subject, usd, gpu_hours in sums:
        team = payer.team(provider, subject[0], subject[1], day) if subject else None
        cells[day, provider, gpu_type][kind, team].add(usd, gpu_hours)
    for (day, provider, gpu_type, _, *subject), usd in spread_credits(lines, keys, scope.basis).items():
        team = payer.team(provider, subject[0], subject[1], day) if subject else None
        cells[day, provider, gpu_type][CREDIT, team].add(usd, None)
    return {cell: dict(parts) for cell, parts in cells.items()}


class Payer:
    """Which team a sub-account or a tag belongs to, whatever spelling of its provider a bill uses."""

    def __init__(self, placing: Placing, names: Names) -> None:
        self.placing, self.names = placing, names

    def __bool__(self) -> bool:
        return bool(self.placing.spend)

    @classmethod
    def load(cls, names: Names) -> Payer:
        return cls(Placing(spend=[shown(mapping, names) for mapping in SpendMapping.objects.all()]), names)

    def team(self, provider: str, sub_account: str, tag: str, day: date) -> UUID | None:
        if not (sub_account or tag):
            return None
        return self.placing.team_paying(self.names.provider(provider), sub_account, tag, day)


def shown(mapping: SpendMapping, names: Names) -> SpendMapping:
    under_display_name = copy(mapping)
    under_display_name.provider = names.provider(mapping.provider)
    return under_display_name
