"""What a FOCUS file gives cause to say: loose times, unknown GPUs, missing hours, a useless basis."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from dashboard.counted import counted, have
from dashboard.ingest.values import listed, shortened, tidied

NO_USE = "the effective basis is of no use for this file"


class Watch:
    """Sees every row once and adds its sentences to `notes` at the end."""

    def __init__(self, notes: list[str]):
        self.notes = notes
        self.loose_time: tuple[int, str] | None = None
        self.rows = 0
        self.billed = self.effective = Decimal(0)
        self.billed_is_whole = self.effective_is_whole = self.effective_is_zero = True
        self.unmetered = 0
        self.unknown: Counter[str] = Counter()
        self.other_units: Counter[str] = Counter()
        self.unreadable_tags = 0
        self.tag_seen = False
        self.tag_names: Counter[str] = Counter()

    def time(self, line: int, text: str) -> None:
        if self.loose_time is None and (text[10:11] != "T" or text[-1:] != "Z"):
            self.loose_time = line, text

    def amounts(self, billed: Decimal, effective: Decimal) -> None:
        self.rows += 1
        self.billed += billed
        self.effective += effective
        if self.effective_is_zero and effective:
            self.effective_is_zero = False
        if self.effective_is_whole and effective != effective.to_integral_value():
            self.effective_is_whole = False
        if self.billed_is_whole and billed != billed.to_integral_value():
            self.billed_is_whole = False

    def usage(self, kind: str, gpu_type: str, hours: Decimal | None, unknown: str | None) -> None:
        if gpu_type and hours is None and kind != "unused_commitment":
            self.unmetered += 1
        if unknown:
            self.unknown[unknown] += 1

    def measured_otherwise(self, unit: str) -> None:
        self.other_units[unit] += 1

    def other_tags(self, tags: dict) -> None:
        if not self.tag_seen and len(self.tag_names) < 100:
            self.tag_names.update(tags.keys())

    def conclude(self, team_tag: str | None) -> None:
        self.notes.extend(filter(None, (self._times(), self._basis(), self._gpus())))
        self.notes.extend(filter(None, (self._unknown(), self._other_units(), self._tags(team_tag))))

    def _times(self) -> str:
        if self.loose_time is None:
            return ""
        line, text = self.loose_time
        return (
            f"Times are not written as FOCUS asks, like 2026-05-31T14:00:00Z (line {line}: {text!r}); "
            "those without a zone were read as UTC."
        )

    def _basis(self) -> str:
        sums = f"billed {money(self.billed)} USD, effective {money(self.effective)} USD"
        if self.effective_is_zero and self.billed:
            return f"EffectiveCost is 0 on every row ({sums}): {NO_USE}."
        if self.effective_is_whole and not self.billed_is_whole:
            return f"EffectiveCost holds whole dollars only while BilledCost does not ({sums}): {NO_USE}."
        return ""

    def _gpus(self) -> str:
        if not self.unmetered:
            return ""
        return f"{self.unmetered} GPU rows say no hours: their cost counts, their hours are unknown."

    def _unknown(self) -> str:
        if not self.unknown:
            return ""
        return f"Named like GPUs, but unknown to the catalogue, so kept as non-GPU: {most(self.unknown)}."

    def _other_units(self) -> str:
        if not self.other_units:
            return ""
        return (
            "Named as a GPU that the catalogue knows, but measured in something else than time, "
            f"so kept as non-GPU: {most(self.other_units)}."
        )

    def _tags(self, team_tag: str | None) -> str:
        if not team_tag:
            return ""
        if self.unreadable_tags:
            rows = f"{counted(self.unreadable_tags, 'row')} {have(self.unreadable_tags)}"
            return f"{rows} Tags that are no JSON object: read as no tags."
        if self.rows and not self.tag_seen:
            seen = listed(name for name, _ in self.tag_names.most_common())
            return f"No row carries the tag '{team_tag}'; tags seen: {seen or 'none'}."
        return ""


def most(names: Counter[str]) -> str:
    return ", ".join(f"{shortened(tidied(name))} (rows: {rows})" for name, rows in names.most_common(8))


def money(amount: Decimal) -> str:
    return f"{amount:,.6f}"
