"""The charts of the pages: which figures, in which words, leading where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from ..charts import Chart, Grid, Series
from ..reports.spend import Cost
from ..reports.teams import TeamDay
from ..reports.usage import Hours, Sum, total
from .asked import Asked, bucket_label

PER = {"day": "per day", "week": "per week", "month": "per month", "quarter": "per quarter"}
HEADERS = {"day": "Day", "week": "Week", "month": "Month", "quarter": "Quarter"}


def time_chart(
    asked: Asked, name: str, title: str, series: Sequence[Series], caption: str, page: str
) -> Chart:
    starts, bucket = asked.buckets_drawn(), asked.drawn_bucket
    return Chart(
        id=name,
        title=f"{title} {PER[bucket]}",
        labels=[bucket_label(start, bucket) for start in starts],
        series=series,
        caption=caption,
        first_header=HEADERS[bucket],
        open=asked.open_buckets(),
        links=[asked.link(page, start) for start in starts],
    )


def grouped(cell: Cost | Hours | TeamDay, group_by: str) -> str:
    return cell.gpu_type if group_by == "gpu_type" else cell.provider


def spend(asked: Asked, cells: Iterable[Cost], hours: Iterable[Hours] = ()) -> Chart:
    """Stacked cost per bucket; with hours, the metered ones as a line on an axis of their own."""
    starts, bucket, group_by = asked.buckets_drawn(), asked.drawn_bucket, asked.scope.group_by
    grid = Grid(starts)
    for cell in cells:
        grid.add(asked.bucket_of(cell.day, bucket), grouped(cell, group_by), cell.usd)
    series = grid.stacked("usd", lambda start, name: asked.link("costs", start, **{group_by: name}))
    caption = "Negative amounts are credits and refunds. A day without a row is a gap, not a nought."
    if metered := by_bucket(asked, hours):
        values = [metered[start].metered if start in metered else None for start in starts]
        links = [asked.link("usage", start) for start in starts]
        series.append(
            Series("Metered GPU-hours", values, "hours", "line", "right", colour="muted", links=links)
        )
        caption += " The line is the metered GPU-hours."
    by = "GPU type" if group_by == "gpu_type" else "provider"
    return time_chart(asked, "spend", f"Spend by {by}", series, caption, "costs")


def by_bucket(asked: Asked, hours: Iterable[Hours]) -> dict[date, Sum]:
    gathered: defaultdict[date, list[Hours]] = defaultdict(list)
    for cell in hours:
        gathered[asked.bucket_of(cell.day, asked.drawn_bucket)].append(cell)
    return {start: total(cells) for start, cells in gathered.items()}


def hours(asked: Asked, cells: Iterable[Hours]) -> Chart:
    starts, sums = asked.buckets_drawn(), by_bucket(asked, cells)

    def values(pick: Any) -> list[Decimal | None]:
        return [pick(sums[start]) if start in sums else None for start in starts]

    to_jobs = [asked.link("jobs", start) for start in starts]
    to_costs = [asked.link("costs", start) for start in starts]
    series = [
        Series("Metered GPU-hours", values(lambda s: s.metered), "hours", colour=0, links=to_costs),
        Series("Job GPU-hours", values(lambda s: s.job_hours), "hours", colour=1, links=to_jobs),
    ]
    caption = "Metered: what the provider counted. Job: what jobs held. Held is not the same as kept busy."
    return time_chart(asked, "hours", "Metered and job GPU-hours", series, caption, "jobs")


def ratios(asked: Asked, cells: Iterable[Hours]) -> list[Chart]:
    starts, sums = asked.buckets_drawn(), by_bucket(asked, cells)
    utilisation = [sums[s].utilisation if s in sums else None for s in starts]
    price = [sums[s].unit_price if s in sums else None for s in starts]
    return [
        time_chart(
            asked,
            "utilisation",
            "Utilisation",
            [Series("Utilisation", utilisation, "percent", "line", colour=2)],
            "Job GPU-hours as a share of metered GPU-hours. Above 100 %, jobs report more than was metered.",
            "jobs",
        ),
        time_chart(
            asked,
            "price",
            "Price of a metered GPU-hour",
            [Series("USD per metered GPU-hour", price, "usd_per_hour", "line", colour=3)],
            "Cost ÷ metered GPU-hours, all kinds of purchase blended. A gap: hours or cost are not above 0.",
            "costs",
        ),
    ]


def team_hours(asked: Asked, days: Iterable[TeamDay], ids: dict[str, UUID]) -> Chart:
    starts = asked.buckets_drawn()
    grid = Grid(starts)
    for cell in days:
        grid.add(asked.bucket_of(cell.day, asked.drawn_bucket), cell.team, cell.gpu_hours)
    series = grid.stacked("hours", lambda start, name: asked.link("jobs", start, team=ids[name]))
    return time_chart(asked, "teams", "Job GPU-hours by team", series, "", "jobs")


def team_trend(asked: Asked, days: Iterable[TeamDay], team: str) -> Chart:
    starts, group_by = asked.buckets_drawn(), asked.scope.group_by
    grid = Grid(starts)
    for cell in days:
        grid.add(asked.bucket_of(cell.day, asked.drawn_bucket), grouped(cell, group_by), cell.gpu_hours)
    series = grid.stacked(
        "hours", lambda start, name: asked.link("jobs", start, team=team, **{group_by: name})
    )
    by = "GPU type" if group_by == "gpu_type" else "provider"
    return time_chart(asked, "trend", f"Job GPU-hours by {by}", series, "", "jobs")


def ranking(name: str, title: str, rows: Sequence[tuple[str, Decimal, str]], header: str, unit: str) -> Chart:
    """One bar per (name, amount, link)."""
    series = Series(
        unit_name(unit), [amount for _, amount, _ in rows], unit, links=[url for _, _, url in rows]
    )
    return Chart(
        name,
        title,
        [row[0] for row in rows],
        [series],
        first_header=header,
        links=[url for _, _, url in rows],
    )


def unit_name(unit: str) -> str:
    return {"hours": "Job GPU-hours", "usd": "Cost"}[unit]
