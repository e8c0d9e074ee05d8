"""A delivery as the files of one call say it, beside the one that it replaces."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings

from ..credits import CREDIT, factor
from ..models import BillLine, Delivery, ImportRun
from ..models.names import name_key
from ..money import WIDE
from ..naming import Names
from .derive import Group, plus
from .records import BillRow
from .snapshots import Cell
from .summary import Tally

LINE_DIGITS = Decimal(1).scaleb(-18)
# Of BillLine.key_fields, what is left where provider and account are the delivery's.
OWN_KEY = tuple(name for name in BillLine.key_fields() if name not in ("provider", "account"))
LineKey = tuple[Any, ...]  # a value for each of OWN_KEY; the day comes first and the GPU type last


@dataclass(slots=True)
class Line:
    """The sum of a file's rows with one key; `line` is the first of them."""

    file: str
    line: int
    billed: Decimal = Decimal(0)
    effective: Decimal = Decimal(0)
    gpu_hours: Decimal | None = None
    rows: int = 0

    def add(self, row: BillRow) -> None:
        self.billed = WIDE.add(self.billed, row.billed)
        self.effective = WIDE.add(self.effective, row.effective)
        self.gpu_hours = plus(self.gpu_hours, row.gpu_hours)
        self.rows += 1

    def take(self, other: Line) -> None:
        self.billed = WIDE.add(self.billed, other.billed)
        self.effective = WIDE.add(self.effective, other.effective)
        self.gpu_hours = plus(self.gpu_hours, other.gpu_hours)
        self.rows += other.rows

    def stored(self) -> tuple[Decimal, Decimal, Decimal | None, int]:
        """As the columns hold them: 18 decimals."""
        hours = None if self.gpu_hours is None else fitted(self.gpu_hours)
        return fitted(self.billed), fitted(self.effective), hours, self.rows

    @property
    def cost(self) -> Decimal:
        """On the basis of the snapshots."""
        billed, effective, _, _ = self.stored()
        return billed if settings.HELIOX_COST_BASIS == "billed" else effective


def fitted(amount: Decimal) -> Decimal:
    return amount.quantize(LINE_DIGITS, context=WIDE)


@dataclass
class Draft:
    """A delivery as the files of one call say it.

    It replaces all of its provider, account and period: several, where an alias has made two providers one.
    """

    provider: str
    account: str
    period_start: date
    period_end: date
    lines: dict[LineKey, Line] = field(default_factory=dict)
    replaces: list[Delivery] = field(default_factory=list)
    old_lines: dict[LineKey, tuple[Any, ...]] = field(default_factory=dict)

    def add(self, file: str, row: BillRow) -> None:
        self.period_end = max(self.period_end, row.period[1])
        key = (row.day, row.sub_account, row.tag, row.kind, row.service_category, row.gpu_type)
        self.lines.setdefault(key, Line(file, row.line)).add(row)

    def take(self, other: Draft) -> None:
        """The same delivery under another name."""
        self.period_end = max(self.period_end, other.period_end)
        for key, line in other.lines.items():
            if key in self.lines:
                self.lines[key].take(line)
            else:
                self.lines[key] = line

    def settle(self, current: list[Delivery]) -> None:
        """Takes the place of these deliveries, and the spelling of the first."""
        if not current:
            return
        self.replaces, self.provider, self.account = current, current[0].provider, current[0].account
        rows = BillLine.objects.filter(delivery__in=current).order_by("pk")
        for row in rows.values_list(*OWN_KEY, "billed", "effective", "gpu_hours", "rows"):
            key, amounts = row[: len(OWN_KEY)], row[len(OWN_KEY) :]
            before = self.old_lines.get(key)
            self.old_lines[key] = tuple(map(plus, before, amounts)) if before else amounts

    @property
    def is_there(self) -> bool:
        return len(self.replaces) == 1 and self.replaces[0].digest == self.digest

    def fates(self) -> dict[LineKey, str]:
        return {key: self.fate(key, line) for key, line in self.lines.items()}

    def fate(self, key: LineKey, line: Line) -> str:
        if key not in self.old_lines:
            return "inserted"
        return "unchanged" if self.old_lines[key] == line.stored() else "updated"

    @property
    def digest(self) -> str:
        """Of the lines whatever their order, so that the same bill is known again."""
        parts = sorted(repr([*map(str, key), *map(plain, line.stored())]) for key, line in self.lines.items())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def cell(self, key: LineKey) -> Cell:
        return key[0], self.provider, key[-1]

    def credit_per_dollar(self) -> Decimal:
        """What each positive dollar takes of the credits that name no GPU type, where they are spread."""
        if not settings.HELIOX_SPREAD_CREDITS:
            return Decimal(0)
        credits = (line.cost for key, line in self.lines.items() if is_credit(key))
        positive = (line.cost for line in self.lines.values() if line.cost > 0)
        return factor(sum(credits, Decimal(0)), sum(positive, Decimal(0)))

    def groups(self) -> set[Group]:
        """Of the GPU lines, those that come and those that go."""
        providers = {self.provider, *(one.provider for one in self.replaces)}
        months = {(key[-1], key[0].replace(day=1)) for key in [*self.lines, *self.old_lines] if key[-1]}
        return {(provider, *of) for provider in providers for of in months}

    def report(self, tally: Tally) -> None:
        lines = Counter(self.fates().values())
        removed = len(self.old_lines.keys() - self.lines.keys())
        tally.table("deliveries", created=1, changed=len(self.replaces))
        tally.table("bill_lines", lines["inserted"], lines["updated"], removed)
        tally.touch({key[0].replace(day=1) for key in self.lines.keys() | self.old_lines.keys()})

    def write(self, run: ImportRun) -> None:
        Delivery.objects.filter(pk__in=[one.pk for one in self.replaces]).update(current=False)
        said = {
            "run": run,
            "provider": self.provider,
            "account": self.account,
            "period_start": self.period_start,
            "period_end": self.period_end,
        }
        first, others = self.replaces[0] if self.replaces else None, self.replaces[1:]
        delivery = Delivery.objects.create(**said, digest=self.digest, replaces=first)
        BillLine.objects.bulk_create(self.rows_of(delivery), batch_size=1000)
        for other in others:  # without lines: it says which delivery comes back when this one is undone
            Delivery.objects.create(**said, digest="", replaces=other, current=False)

    def rows_of(self, delivery: Delivery) -> Iterable[BillLine]:
        for key, line in sorted(self.lines.items()):
            billed, effective, gpu_hours, rows = line.stored()
            yield BillLine(
                delivery=delivery,
                provider=self.provider,
                account=self.account,
                **dict(zip(OWN_KEY, key, strict=True)),
                billed=billed,
                effective=effective,
                gpu_hours=gpu_hours,
                rows=rows,
            )


def is_credit(key: LineKey) -> bool:
    return key[OWN_KEY.index("kind")] == CREDIT and not key[-1]


def plain(value: Any) -> str:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)


def subject(one: Draft | Delivery, names: Names) -> tuple[str, str, date]:
    """Another spelling or an alias of the provider is the same provider."""
    return name_key(names.provider(one.provider)), name_key(one.account), one.period_start


def in_force(draft: Draft, names: Names) -> list[Delivery]:
    """Of the same subject; the first that came first."""
    current = Delivery.objects.filter(current=True, period_start=draft.period_start).order_by("pk")
    return [one for one in current if subject(one, names) == subject(draft, names)]


def warn_of_fewer_days(draft: Draft, tally: Tally) -> None:
    days, old_days = {key[0] for key in draft.lines}, {key[0] for key in draft.old_lines}
    if len(days) < len(old_days):
        tally.warnings.append(
            f"The bill of {draft.provider} {draft.account or '(no account)'} for {draft.period_start:%B %Y} "
            f"speaks of {len(days)} days; the one that it replaces spoke of {len(old_days)}. "
            "If this is a part of the bill, give all its parts together."
        )
