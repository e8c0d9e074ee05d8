"""Rows of the CSV of period entries meet the entries that are stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any
from uuid import UUID

from ..models import ImportRun, PeriodEntry
from ..models.names import name_key
from ..naming import Names
from ..posted.spreading import billed_days, spreads
from ..scope import Span, shift_month
from .files_held import FileContents, FilesHeld
from .formats.periods import MOST
from .records import PeriodRow, Refused
from .rows import pieces, remember_created, remember_ids, upsert
from .snapshots import CHOICES
from .summary import KEPT, Tally
from .told_again import ToldAgain
from .values import tidied

Key = tuple[date, date, str, str]


@dataclass(frozen=True, slots=True)
class Said:
    file: int
    name: str
    digest: str
    unsaid: frozenset[str]
    row: PeriodRow


@dataclass(frozen=True, slots=True)
class Amounts:
    usd: Decimal
    gpu_hours: Decimal | None

    def __add__(self, other: Amounts) -> Amounts:
        hours = [each for each in (self.gpu_hours, other.gpu_hours) if each is not None]
        return Amounts(self.usd + other.usd, sum(hours, Decimal(0)) if hours else None)

    @property
    def fit(self) -> bool:
        return abs(self.usd) <= MOST and (self.gpu_hours or 0) <= MOST

    @classmethod
    def of(cls, entries: Iterable[PeriodEntry | PeriodRow]) -> Amounts:
        """At least of one."""
        amounts = [cls(entry.cost_usd, entry.gpu_hours) for entry in entries]
        return sum(amounts[1:], amounts[0])


class PeriodFiles:
    """A CSV updates the entries that one wrote, unless told to keep or add; over what is typed in it asks.

    An entry is the same when its days, provider and GPU type are, whatever their spelling. A note is no
    figure: one that a person typed in stays.
    """

    def __init__(self, on_conflict: str, tally: Tally) -> None:
        self.on_conflict, self.tally = on_conflict, tally
        self.said: list[Said] = []
        self.file, self.name, self.digest, self.unsaid = 0, "", "", frozenset[str]()
        self.contents = FileContents()
        self.held = FilesHeld()
        self.stored: defaultdict[Key, list[PeriodEntry]] = defaultdict(list)
        self.created: list[PeriodEntry] = []
        self.changed: dict[UUID, tuple[PeriodEntry, PeriodEntry]] = {}
        self.removed: dict[UUID, PeriodEntry] = {}

    def begin_file(self, number: int, name: str, digest: str, unsaid: frozenset[str]) -> None:
        self.file, self.name, self.digest, self.unsaid = number, name, digest, unsaid

    def add(self, row: PeriodRow) -> None:
        self.said.append(Said(self.file, self.name, self.digest, self.unsaid, row))
        days, names = (row.first_day, row.last_day), (row.provider, row.gpu_type, row.note)
        self.contents.add(self.digest, *days, *names, row.cost_usd, row.gpu_hours)

    def pairs(self) -> set[tuple[str, str]]:
        return {(said.row.provider, said.row.gpu_type) for said in self.said}

    # Planning

    def plan(self, names: Names, lock: bool) -> None:
        if not self.said:
            return
        self.read_stored(names, lock)
        stored = chain.from_iterable(self.stored.values())
        self.held = FilesHeld.of(PeriodEntry, "cost_usd", stored, with_first=self.on_conflict == "add")
        add = self.on_conflict == "add"
        again = ToldAgain("a period", "from", in_words, add, self.contents, self.tally)
        told: defaultdict[Key, list[Said]] = defaultdict(list)
        for said in self.said:
            told[key_of(said.row, names)].append(said)
        for key, same in told.items():
            self.settle(again.counting(same), self.stored[key])
        self.report(names)

    def read_stored(self, names: Names, lock: bool) -> None:
        first, last = min(s.row.first_day for s in self.said), max(s.row.last_day for s in self.said)
        entries = PeriodEntry.objects.filter(first_day__gte=first, last_day__lte=last).order_by("pk")
        for entry in entries.select_for_update() if lock else entries:
            self.stored[key_of(entry, names)].append(entry)

    def settle(self, told: list[Said], stored: list[PeriodEntry]) -> None:
        """told: by several files only where they are to be added."""
        if not stored:
            self.settle_new(told)
            return
        news, there = [said for said in told if not self.added_before(stored, said)], Amounts.of(stored)
        if not news or (self.on_conflict != "add" and self.meant(news, there) == there):
            self.tally.count(self.settle_note(told[-1], there, stored), len(told))
            return
        self.tally.count("unchanged", len(told) - len(news))
        if self.on_conflict == "refuse" and all(entry.imported_by_id for entry in stored):
            self.tally.count(self.put(news[-1], self.meant(news, there), stored))
        else:
            self.settle_conflict(news, there, stored)

    def meant(self, told: list[Said], there: Amounts) -> Amounts:
        """A file without hours leaves those that are there."""
        amounts = amounts_of(told)
        is_silent = all("gpu_hours" in said.unsaid for said in told)
        return Amounts(amounts.usd, there.gpu_hours) if is_silent else amounts

    def settle_new(self, told: list[Said]) -> None:
        amounts, row = amounts_of(told), told[-1].row
        if amounts.fit:
            self.created.append(entry_of(row, amounts, row.note))
            self.tally.count("inserted", len(told))
        else:
            self.refuse(told, "cost_usd", amounts.usd, f"a sum for {in_words(row)} up to {MOST:,}")

    def settle_note(self, said: Said, there: Amounts, stored: list[PeriodEntry]) -> str:
        is_typed_in = not all(entry.imported_by_id for entry in stored)
        if "note" in said.unsaid or len(stored) > 1 or is_typed_in:
            return "unchanged"
        return "unchanged" if tidied(stored[0].note) == said.row.note else self.put(said, there, stored)

    def settle_conflict(self, told: list[Said], there: Amounts, stored: list[PeriodEntry]) -> None:
        both = amounts_of(told) + there
        if self.on_conflict == "keep":
            self.tally.ignore(KEPT)
        elif self.on_conflict == "replace":
            self.tally.count(self.put(told[-1], self.meant(told, there), stored))
        elif self.on_conflict == "add" and both.fit:
            self.tally.count(self.put(told[-1], both, stored), len(told))
        else:
            self.refuse_conflict(told, there)

    def refuse_conflict(self, told: list[Said], there: Amounts) -> None:
        meant = self.meant(told, there)
        differs = meant.usd != there.usd
        column = "cost_usd" if differs else "gpu_hours"
        value, was = (meant.usd, there.usd) if differs else (meant.gpu_hours, there.gpu_hours)
        stands = "empty" if was is None else format(was, "f")
        self.tally.conflicts += 1
        expected = f"{stands}, as typed in for {in_words(told[-1].row)}: {CHOICES}"
        self.refuse(told, column, value, expected)

    def refuse(self, told: list[Said], column: str, value: Decimal | None, expected: str) -> None:
        text = "" if value is None else format(value, "f")
        why = Refused(told[-1].row.line, column, text, expected)
        self.tally.refuse(told[-1].name, why, len(told))

    def added_before(self, stored: list[PeriodEntry], said: Said) -> bool:
        if not said.digest or self.on_conflict == "replace":
            return False
        return self.held.by_all(stored, self.contents.digests(said.digest), said.row.cost_usd)

    def put(self, said: Said, amounts: Amounts, stored: list[PeriodEntry]) -> str:
        """The amounts take the place of these entries, of which one stays, under its own spelling."""
        names = said.row.provider, said.row.gpu_type
        kept = next((entry for entry in stored if (entry.provider, entry.gpu_type) == names), stored[0])
        note = kept.note if "note" in said.unsaid else said.row.note
        changed = entry_of(said.row, amounts, note)
        changed.pk, changed.provider, changed.gpu_type = kept.pk, kept.provider, kept.gpu_type
        self.changed[kept.pk] = kept, changed
        self.removed |= {entry.pk: entry for entry in stored if entry is not kept}
        return "updated"

    # Telling

    def report(self, names: Names) -> None:
        self.tally.table("period_entries", len(self.created), len(self.changed), len(self.removed))
        for old, new in self.changed.values():
            fields = ("cost_usd", "gpu_hours", "note")
            self.tally.example(
                f"{old}",
                None,
                {n: (getattr(old, n), getattr(new, n)) for n in fields if getattr(old, n) != getattr(new, n)},
            )
        if both := billed_days([*(new for _, new in self.changed.values()), *self.created], names):
            self.tally.warnings.append(
                f"On {both:,} of the days of these entries a bill of the same GPUs stands, too: both count."
            )
        self.sum_months(names)

    def sum_months(self, names: Names) -> None:
        old = [entry for entry, _ in self.changed.values()] + list(self.removed.values())
        new = [entry for _, entry in self.changed.values()] + self.created
        change = per_month(new, names)
        for month, usd in per_month(old, names).items():
            change[month] -= usd
        self.tally.touch(change)
        months = sorted(month for month in change if change[month])
        if not months:
            return
        touched = Span(months[0], shift_month(months[-1], 1))
        before = per_month(PeriodEntry.objects.during(touched), names)
        for month in months:
            self.tally.month("period_usd", month, before[month], before[month] + change[month])

    # Writing

    def write(self, run: ImportRun) -> None:
        remember_ids(run, PeriodEntry, self.removed, removed=True)
        remember_ids(run, PeriodEntry, self.changed)
        remember_created(run, PeriodEntry, (entry.pk for entry in self.created))
        for ids in pieces(self.removed):
            PeriodEntry.objects.filter(pk__in=ids).delete()
        entries = [new for _, new in self.changed.values()] + self.created
        upsert(PeriodEntry, [columns(entry, run) for entry in entries])


def amounts_of(told: Iterable[Said]) -> Amounts:
    return Amounts.of(said.row for said in told)


def key_of(entry: PeriodEntry | PeriodRow, names: Names) -> Key:
    provider, gpu_type = names.provider(entry.provider), names.gpu_type(entry.gpu_type)
    return entry.first_day, entry.last_day, name_key(provider), name_key(gpu_type)


def in_words(row: PeriodRow) -> str:
    return f"{row.first_day} to {row.last_day} {row.provider} {row.gpu_type}"


def entry_of(row: PeriodRow, amounts: Amounts, note: str) -> PeriodEntry:
    return PeriodEntry(
        provider=row.provider,
        gpu_type=row.gpu_type,
        first_day=row.first_day,
        last_day=row.last_day,
        cost_usd=amounts.usd,
        gpu_hours=amounts.gpu_hours,
        note=note,
    )


def per_month(entries: Iterable[PeriodEntry], names: Names) -> defaultdict[date, Decimal]:
    sums: defaultdict[date, Decimal] = defaultdict(lambda: Decimal("0.00"))
    for spread in spreads(entries, names):
        for share in spread.shares:
            sums[share.day.replace(day=1)] += share.usd
    return sums


def columns(entry: PeriodEntry, run: ImportRun) -> dict[str, Any]:
    named = ("first_day", "last_day", "provider", "gpu_type", "cost_usd", "gpu_hours", "note")
    return {
        "id": entry.pk,
        "created_at": run.written_at,
        "updated_at": run.written_at,
        "imported_by_id": run.pk,
        **{name: getattr(entry, name) for name in named},
    }
