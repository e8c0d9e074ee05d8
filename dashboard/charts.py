"""A chart is a title in words, labels and series of amounts; the table below it is the same numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from .templatetags.ui import count, hours, percent, rate, usd

SHOWN = {"usd": usd, "hours": hours, "percent": percent, "usd_per_hour": rate, "count": count}
# What a drawn point needs; files and tables keep every digit.
DIGITS = {"usd": 2, "hours": 3, "percent": 5, "usd_per_hour": 5, "count": 0}
MOST_SERIES = 7
OTHER = "Other"
NOTES_OF_A_ROW, MARKS_LISTED = 3, 10
MOST_NUMBERS = 130  # rows below a chart; only who asks for a bar a day of a long range has more of them
MOST_BEHIND_OTHER = 12  # names in an address, for each of up to 130 bars


@dataclass(frozen=True)
class Series:
    """One amount, or None for a gap, per label of the chart; links likewise.

    kind: bar, line, area, waterfall; a band reaches down to the series before it, which is an edge.

    steps: of a waterfall, what each bar adds to the bar before; None where it stands on nought. The values
    are the levels that it reaches.
    """

    name: str
    values: Sequence[Decimal | None]
    unit: str = "usd"
    kind: str = "bar"
    axis: str = "left"
    stack: str | None = None
    colour: int | str = 0
    links: Sequence[str | None] = ()
    steps: Sequence[Decimal | None] = ()
    levels: bool = False  # each value holds those before it

    @property
    def total(self) -> Decimal:
        return sum((v for v in self.values if v is not None), Decimal(0))

    @property
    def adds_up(self) -> bool:
        return self.unit not in ("percent", "usd_per_hour") and not self.steps and not self.levels


@dataclass(frozen=True)
class Chart:
    """how: views.how.How, told below the numbers. sideways: bars lie, so that long names can be read.

    marks: labels, and what is to be known of them; the first are listed, marks_url has all.

    file: the address of the one that holds all numbers, of which the page then lists the last.
    """

    id: str
    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    caption: str = ""
    first_header: str = "Day"
    open: Sequence[bool] = ()
    links: Sequence[str | None] = ()
    how: Any = None
    marks: Sequence[tuple[str, str]] = ()
    marks_url: str = ""
    sideways: bool = False
    file: str = ""

    @property
    def empty(self) -> bool:
        return not any(v is not None for s in self.series for v in s.values)

    @property
    def as_json(self) -> dict[str, Any]:
        axes = {s.axis: s.unit for s in reversed(self.series)}
        return {
            "title": self.title,
            "labels": list(self.labels),
            "axes": {"left": axes.get("left", "count"), "right": axes.get("right")},
            "series": [drawn(s, self.links) for s in self.series],
            "open": list(self.open),
            "sideways": self.sideways,
            "marks": [{"label": label, "text": text} for label, text in self.marks],
            "listed": MARKS_LISTED,
        }

    @property
    def as_table(self) -> dict[str, Any]:
        left_out = max(len(self.labels) - MOST_NUMBERS, 0) if self.file else 0
        rows = [self.table_row(place, self.labels[place]) for place in range(left_out, len(self.labels))]
        headers = [self.first_header, *(header for s in self.series for header in headers_of(s))]
        adds_up = all(s.adds_up for s in self.series)
        totals = ["Total", *(shown(s.total, s.unit) for s in self.series)] if adds_up else []
        return {"headers": headers, "rows": rows, "totals": totals, "left_out": left_out}

    def table_row(self, place: int, label: str) -> list[dict[str, Any]]:
        mark = " (open)" if place < len(self.open) and self.open[place] else ""
        link = self.links[place] if place < len(self.links) else None
        notes = [text for marked, text in self.marks if marked == label]
        cells = [{"text": label + mark, "url": link, "numeric": False, "notes": few(notes)}]
        for s in self.series:
            url = s.links[place] if place < len(s.links) else None
            if s.steps:
                cells.append(numeric(s.steps[place], s.unit, None, more="+"))
            cells.append(numeric(s.values[place], s.unit, url))
        return cells


def few(notes: Sequence[str]) -> list[str]:
    """The first of a row; the others by their number."""
    more = len(notes) - NOTES_OF_A_ROW
    return [*notes[:NOTES_OF_A_ROW], *([f"and {more:,} more"] if more > 0 else [])]


def shown(value: Decimal, unit: str) -> str:
    return SHOWN[unit](value)


def headers_of(series: Series) -> list[str]:
    return ["Change", series.name] if series.steps else [series.name]


def numeric(value: Decimal | None, unit: str, url: str | None, more: str = "") -> dict[str, Any]:
    """more: the sign of an amount above nought."""
    if value is None:
        return {"text": "–", "url": None, "numeric": True}
    return {"text": (more if value > 0 else "") + shown(value, unit), "url": url, "numeric": True}


def points(values: Sequence[Decimal | None], unit: str) -> list[float | None]:
    step = Decimal(1).scaleb(-DIGITS[unit])
    return [None if v is None else float(v.quantize(step, ROUND_HALF_UP)) for v in values]


def drawn(series: Series, links: Sequence[str | None]) -> dict[str, Any]:
    return {
        "name": series.name,
        "kind": series.kind,
        "axis": series.axis,
        "stack": series.stack,
        "colour": series.colour,
        "values": points(series.values, series.unit),
        "steps": points(series.steps, series.unit),
        "links": list(series.links or links),
    }


@dataclass
class Grid:
    """Amounts by (label, series name), gathered and then drawn as stacked series, the largest first."""

    labels: Sequence[Any]
    amounts: defaultdict[str, dict[Any, Decimal]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, label: Any, name: str, amount: Decimal) -> None:
        row = self.amounts[name]
        row[label] = row.get(label, Decimal(0)) + amount

    def stacked(self, unit: str, link: Callable[[Any, list[str]], str], kind: str = "bar") -> list[Series]:
        """The largest first, the tail as one. link: where the amount of those names at a label leads."""
        names = sorted(self.amounts, key=lambda name: (-abs(total(self.amounts[name].values())), name))
        kept = names if len(names) <= MOST_SERIES else names[: MOST_SERIES - 1]
        series = [
            self.series(name, [name], unit, place, kind, [link(label, [name]) for label in self.labels])
            for place, name in enumerate(kept)
        ]
        if rest := names[len(kept) :]:
            links = [link(label, rest) for label in self.labels] if len(rest) <= MOST_BEHIND_OTHER else ()
            series.append(self.series(f"{OTHER} ({len(rest)})", rest, unit, "other", kind, links))
        return series

    def series(
        self, name: str, names: Iterable[str], unit: str, colour: int | str, kind: str, links: Sequence[Any]
    ) -> Series:
        rows = [self.amounts[one] for one in names]
        values = [
            total(row[label] for row in rows if label in row) if any(label in row for row in rows) else None
            for label in self.labels
        ]
        return Series(name, values, unit, kind, stack=unit, colour=colour, links=links)


def total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))
