"""The charts of the pages: which figures, in which words, leading where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, cached_property
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.conf import settings

from .. import gpu_time
from ..charts import Chart, Grid, Series
from ..counted import counted
from ..models import DayNote
from ..periods import day_in_words
from ..reports import notes
from ..reports.allocation import NOBODY
from ..reports.spend import Cost
from ..reports.teams import TeamDay, hours_by_bucket, hours_by_day
from ..reports.usage import Hours, Part, Sum, parts
from ..scope import BUCKETS, ONE_DAY, Span, bucket_end, bucket_start, buckets
from .asked import Asked, bucket_label
from .how import How

# Bars narrower than a few pixels say nothing: longer spans are drawn per week, then per month.
DAYS_DRAWN, WEEKS_DRAWN, MOST_DRAWN = 130, 420, 800
PER = {"day": "per day", "week": "per week", "month": "per month", "quarter": "per quarter"}


@dataclass(frozen=True)
class Axis:
    """The buckets of a chart: those of the scope's days, or of all days that have an amount."""

    asked: Asked
    days: Span | None
    bucket: str

    @classmethod
    def over(cls, asked: Asked, days: Iterable[date]) -> Axis:
        span = asked.scope.span or hull(days)
        return cls(asked, span, drawn_bucket(span, asked.filter.cleaned.get("bucket", "")))

    @property
    def coarser(self) -> str:
        """Why the buckets are not those that were chosen; empty where they are."""
        chosen = self.asked.filter.cleaned.get("bucket", "")
        if chosen in ("", self.bucket):
            return ""
        return f"More than {MOST_DRAWN} {chosen}s are chosen: they are drawn {PER[self.bucket]}."

    @cached_property
    def fiscal_month(self) -> int:
        return settings.HELIOX_FISCAL_MONTH

    @cached_property
    def starts(self) -> list[date]:
        return buckets(self.days, self.bucket, self.fiscal_month) if self.days else []

    @cached_property
    def of(self) -> Callable[[date], date]:
        """The start of a day's bucket."""
        bucket, fiscal_month = self.bucket, self.fiscal_month
        return cache(lambda day: bucket_start(day, bucket, fiscal_month))

    def open(self) -> list[bool]:
        """Whether a bucket holds days that are not closed yet."""
        through = self.asked.freshness.through(self.asked.scope.providers)
        if through is None or self.days is None:
            return []
        ends = (min(bucket_end(start, self.bucket), self.days.end) for start in self.starts)
        return [end - ONE_DAY > through for end in ends]

    def link(self, page: str, start: date, **parameters: Any) -> str:
        """The rows behind a bar: another page, narrowed to the bucket."""
        return self.asked.link(page, **(self.days_at[start] | parameters))

    @cached_property
    def days_at(self) -> dict[date, dict[str, str]]:
        """Parameters of an address, by the start of a bucket."""
        return {start: self.asked.days_of(start, self.bucket) for start in self.starts}


def hull(days: Iterable[date]) -> Span | None:
    found = list(days)
    return Span.inclusive(min(found), max(found)) if found else None


def drawn_bucket(span: Span | None, chosen: str) -> str:
    """The grain of a chart: as chosen, else coarse enough to see bars; never more than can be drawn."""
    length = span.length if span else 0
    fit = {"day": length, "week": length // 7, "month": length // 30, "quarter": length // 90}
    if chosen and fit[chosen] <= MOST_DRAWN:
        return chosen
    if chosen:
        return next((bucket for bucket in BUCKETS if fit[bucket] <= MOST_DRAWN), "quarter")
    return "day" if length <= DAYS_DRAWN else "week" if length <= WEEKS_DRAWN else "month"


def time_chart(
    axis: Axis,
    name: str,
    title: str,
    series: Sequence[Series],
    caption: str,
    page: str,
    how: How | None = None,
    filed: bool = True,
) -> Chart:
    """filed: whether the file of the page tells the same days."""
    return Chart(
        id=name,
        title=f"{title} {PER[axis.bucket]}",
        labels=[bucket_label(start, axis.bucket) for start in axis.starts],
        series=series,
        caption=f"{caption} {axis.coarser}".strip(),
        first_header=axis.bucket.capitalize(),
        open=axis.open(),
        links=[axis.link(page, start) for start in axis.starts],
        how=how,
        marks=marks(axis),
        marks_url=f"{axis.asked.link('anomalies')}#notes",
        file=axis.asked.file_url if filed else "",
    )


def marks(axis: Axis) -> list[tuple[str, str]]:
    """The notes on the days of the chart. They are of all teams together, so nothing for who sees some."""
    asked = axis.asked
    if asked.is_limited or axis.days is None:
        return []
    found = notes.of_scope(asked.scope.over(axis.days), asked.names)
    return [(bucket_label(axis.of(one.day), axis.bucket), noted(one, axis.bucket)) for one in found]


def noted(note: DayNote, bucket: str) -> str:
    return notes.told(note) if bucket == "day" else f"{day_in_words(note.day)}, {notes.told(note)}"


def grouped(cell: Cost | Hours | TeamDay, group_by: str) -> str:
    return cell.gpu_type if group_by == "gpu_type" else cell.provider


def spend(asked: Asked, cells: Sequence[Cost], hours: Sequence[Hours] = ()) -> Chart:
    """Stacked cost per bucket; with hours, the metered ones as a line on an axis of their own."""
    days = [cell.day for cell in cells] + [cell.day for cell in hours]
    axis, group_by = Axis.over(asked, days), asked.scope.group_by
    grid = Grid(axis.starts)
    for day, of_day in groupby(cells, key=attrgetter("day")):
        start = axis.of(day)
        for cell in of_day:
            grid.add(start, grouped(cell, group_by), cell.usd)
    series = grid.stacked("usd", lambda start, names: axis.link("costs", start, **{group_by: names}))
    caption = "Negative amounts are credits and refunds. A day without a row is a gap, not a nought."
    if metered := by_bucket(parts(hours, axis.of)):
        values = [metered[start].metered if start in metered else None for start in axis.starts]
        links = [axis.link("usage", start) for start in axis.starts]
        series.append(
            Series("Metered GPU-hours", values, "hours", "line", "right", colour="muted", links=links)
        )
        caption += " The line is the metered GPU-hours."
    by = "GPU type" if group_by == "gpu_type" else "provider"
    how = asked.how("spend", rows=counted(len(cells), "cost row"), rows_url=asked.link("costs"))
    return time_chart(axis, "spend", f"Spend by {by}", series, caption, "costs", how)


def by_bucket(parts: Iterable[Part]) -> dict[date, Sum]:
    """parts: those of a chart's buckets."""
    return {start: Sum.of(of_bucket) for start, of_bucket in groupby(parts, key=attrgetter("day"))}


def usage(asked: Asked, axis: Axis, found: Sequence[Part], cells: int) -> list[Chart]:
    """Metered beside job hours, utilisation, and the price of an hour. found: by the buckets of the axis."""
    sums = by_bucket(found)

    def values(pick: Callable[[Sum], Decimal | None]) -> list[Decimal | None]:
        return [pick(sums[start]) if start in sums else None for start in axis.starts]

    to_jobs = [axis.link("jobs", start) for start in axis.starts]
    to_costs = [axis.link("costs", start) for start in axis.starts]
    hours = [
        Series("Metered GPU-hours", values(lambda s: s.metered), "hours", colour=0, links=to_costs),
        Series("Job GPU-hours", values(lambda s: s.job_hours), "hours", colour=1, links=to_jobs),
    ]
    share = Series("Utilisation", values(lambda s: s.utilisation), "percent", "line", colour=2)
    price = Series(
        "USD per metered GPU-hour", values(lambda s: s.unit_price), "usd_per_hour", "line", colour=3
    )
    rows: dict[str, Any] = {"rows": counted(cells, "row"), "rows_url": asked.link("usage")}
    how_hours, how_share = (asked.how(term, money=False, **rows) for term in ("job-hours", "utilisation"))
    how_price = asked.how("unit-price", **rows)
    return [
        time_chart(axis, "hours", "Metered and job GPU-hours", hours, HOURS_CAPTION, "jobs", how_hours),
        time_chart(axis, "utilisation", "Utilisation", [share], SHARE_CAPTION, "jobs", how_share),
        time_chart(axis, "price", "Price of a metered GPU-hour", [price], PRICE_CAPTION, "costs", how_price),
    ]


HOURS_CAPTION = "Metered: what the provider counted. Job: what jobs held. Held is not the same as kept busy."
SHARE_CAPTION = (
    "Job GPU-hours as a share of metered GPU-hours. Above 100 %, jobs report more than was metered."
)
PRICE_CAPTION = (
    "Cost ÷ metered GPU-hours of GPUs that have both, all kinds of purchase blended. "
    "A gap: hours or cost are not above 0."
)


def team_hours(asked: Asked, teams: dict[UUID, str]) -> Chart:
    axis = Axis.over(asked, days_with_hours(asked))
    ids, grid = {name: team for team, name in teams.items()}, Grid(axis.starts)
    for start, team, microseconds in hours_by_bucket(asked.scope, asked.names, axis.bucket):
        grid.add(start, teams[team], gpu_time.hours(microseconds))
    series = grid.stacked(
        "hours", lambda start, names: axis.link("jobs", start, team=[ids[name] for name in names])
    )
    how = asked.how("job-hours", money=False, rows="Jobs of the range", rows_url=asked.link("jobs"))
    return time_chart(axis, "teams", "Job GPU-hours by team", series, "", "jobs", how)


def days_with_hours(asked: Asked) -> Iterator[date]:
    """Looked up where a range does not tell."""
    for day, _, _ in hours_by_day(asked.scope, asked.names):
        yield day


def team_trend(asked: Asked, days: Sequence[TeamDay], team: str) -> Chart:
    axis, group_by = Axis.over(asked, (cell.day for cell in days)), asked.scope.group_by
    grid = Grid(axis.starts)
    for cell in days:
        grid.add(axis.of(cell.day), grouped(cell, group_by), cell.gpu_hours)
    series = grid.stacked(
        "hours", lambda start, names: axis.link("jobs", start, team=team, **{group_by: names})
    )
    by = "GPU type" if group_by == "gpu_type" else "provider"
    how = asked.how("job-hours", money=False, rows="Jobs of the team", rows_url=asked.link("jobs", team=team))
    return time_chart(axis, "trend", f"Job GPU-hours by {by}", series, "", "jobs", how)


def ranking(
    name: str,
    title: str,
    rows: Sequence[tuple[str, Decimal, str]],
    header: str,
    unit: str,
    how: How | None = None,
) -> Chart:
    """One lying bar per (name, amount, link); what is nobody's in another colour."""
    links = [url for _, _, url in rows]
    theirs = [None if name in NOBODY.values() else amount for name, amount, _ in rows]
    series = [Series(unit_name(unit), theirs, unit, stack=unit, links=links)]
    if any(amount is None for amount in theirs):
        rest = [amount if own is None else None for own, (_, amount, _) in zip(theirs, rows, strict=True)]
        series.append(Series("No team’s", rest, unit, stack=unit, colour="muted", links=links))
    names = [row[0] for row in rows]
    return Chart(name, title, names, series, first_header=header, links=links, how=how, sideways=True)


def unit_name(unit: str) -> str:
    return {"hours": "Job GPU-hours", "usd": "Cost"}[unit]
