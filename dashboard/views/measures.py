"""The figures that several pages share: spend, hours, utilisation and price, with change and computation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from ..clock import now
from ..counted import counted
from ..filters import query
from ..reports import job_time, usage
from ..reports.changes import Changes
from ..reports.coverage import Coverage
from ..templatetags import ui
from .asked import Asked, figure
from .changes import delta
from .how import How, how


@dataclass(frozen=True)
class Measures:
    """cells: those of the page's scope. total: what they come to."""

    asked: Asked
    cells: Sequence[usage.Hours]
    total: usage.Sum
    changes: Changes

    @cached_property
    def cost_rows(self) -> dict[str, Any]:
        rows = sum(cell.usd is not None for cell in self.cells)
        return {"rows": counted(rows, "cost row"), "rows_url": rows_url(self.asked, "costs")}

    @cached_property
    def metered_rows(self) -> dict[str, Any]:
        rows = sum(cell.metered is not None for cell in self.cells)
        return {"rows": f"{counted(rows, 'row')} of metered hours", "rows_url": rows_url(self.asked, "usage")}

    @cached_property
    def jobs(self) -> dict[str, Any]:
        jobs = job_time.count(self.asked.scope, self.asked.names)
        return {"rows": counted(jobs, "job"), "rows_url": rows_url(self.asked, "jobs")}

    def spend(self) -> dict[str, Any]:
        usd = ui.usd(self.total.usd)
        return figure(
            "Spend",
            usd,
            delta=delta(self.changes.spend, self.changes.sides, ui.usd),
            how=self.asked.how("spend", formula=f"Σ of the cost rows = {usd}", **self.cost_rows),
            link=rows_url(self.asked, "costs"),
        )

    def metered(self) -> dict[str, Any]:
        hours = ui.hours(self.total.metered)
        formula = f"Σ of the metered hours = {hours}"
        return figure(
            "Metered GPU-hours",
            hours,
            delta=delta(self.changes.metered, self.changes.sides, ui.hours),
            how=self.asked.how("metered", formula=formula, money=False, **self.metered_rows),
            link=rows_url(self.asked, "usage"),
        )

    def job_hours(self) -> dict[str, Any]:
        hours = ui.hours(self.total.job_hours)
        formula = f"Σ of the jobs’ running time within the range × GPUs = {hours}"
        return figure(
            "Job GPU-hours",
            hours,
            delta=delta(self.changes.job_hours, self.changes.sides, ui.hours),
            how=self.asked.how("job-hours", formula=formula, money=False, **self.jobs),
            link=rows_url(self.asked, "jobs"),
        )

    def idle(self) -> dict[str, Any]:
        hours = ui.hours(self.total.idle_hours)
        formula = f"Σ of max(metered − job, 0) per day, provider and GPU type = {hours}"
        return figure(
            "Idle GPU-hours",
            hours,
            "metered and held by no job, cell by cell",
            delta=delta(self.changes.idle, self.changes.sides, ui.hours),
            how=self.asked.how("idle", formula=formula, money=False, **self.metered_rows),
        )

    def utilisation(self) -> dict[str, Any]:
        return figure(
            "Utilisation",
            ui.percent(self.total.utilisation),
            self.left_out(),
            delta=delta(self.changes.utilisation, self.changes.sides, ui.percent, more_is_good=True),
            how=self.asked.how("utilisation", formula=self.share(), money=False, **self.metered_rows),
        )

    def unit_price(self) -> dict[str, Any]:
        return figure(
            "Average price",
            ui.rate(self.total.unit_price),
            "; ".join(["per metered GPU-hour, blended", *self.average.left_out()]),
            delta=delta(self.changes.unit_price, self.changes.sides, ui.rate),
            how=self.asked.how("unit-price", formula=self.price(), **self.cost_rows),
        )

    def left_out(self) -> str:
        said = ["allocated to jobs, not necessarily busy"]
        if self.total.unmetered_microseconds:
            said.append(f"{ui.hours(self.total.unmetered_hours)} on hardware that is not metered left out")
        if unlogged := self.unlogged():
            said.append(unlogged)
        return "; ".join(said)

    def unlogged(self) -> str:
        """How much of what counts as idle may only lack its job log."""
        coverage = Coverage.load(self.asked.names)
        hours = sum(
            (
                cell.metered
                for cell in self.cells
                if cell.metered and not cell.job_microseconds and not coverage.covers(cell.provider, cell.day)
            ),
            Decimal(0),
        )
        return f"{ui.hours(hours)} metered where no job log speaks of the day" if hours > 0 else ""

    def share(self) -> str:
        held = ui.hours(self.total.job_hours)
        if self.total.unmetered_microseconds:
            held = f"({held} − {ui.hours(self.total.unmetered_hours)} that nobody meters)"
        return f"{held} ÷ {ui.hours(self.total.metered)} = {ui.percent(self.total.utilisation)}"

    @property
    def average(self) -> Average:
        total = self.total
        return Average(total.usd, total.metered, total.priced_usd, total.priced_hours)

    def price(self) -> str:
        return f"{self.average.formula()} = {ui.rate(self.total.unit_price)}"


@dataclass(frozen=True)
class Average:
    """A price in words. priced_*: of the hardware that has both cost and metered hours."""

    usd: Decimal | None
    hours: Decimal | None
    priced_usd: Decimal
    priced_hours: Decimal | None

    @property
    def unmetered_usd(self) -> Decimal:
        return (self.usd or Decimal(0)) - self.priced_usd

    @property
    def unbilled_hours(self) -> Decimal:
        return (self.hours or Decimal(0)) - (self.priced_hours or Decimal(0))

    def left_out(self) -> list[str]:
        cost = [f"{ui.usd(self.unmetered_usd)} without metered hours left out"] if self.unmetered_usd else []
        hours = [f"{ui.hours(self.unbilled_hours)} without cost left out"] if self.unbilled_hours else []
        return cost + hours

    def formula(self) -> str:
        cost, hours = ui.usd(self.usd), ui.hours(self.hours)
        if self.unmetered_usd:
            cost = f"({cost} − {ui.usd(self.unmetered_usd)} without metered hours)"
        if self.unbilled_hours:
            hours = f"({hours} − {ui.hours(self.unbilled_hours)} without cost)"
        return f"{cost} ÷ {hours}"


def how_now(anchor: str, rows: str = "", rows_url: str = "") -> How:
    """How a figure of this very moment is computed, whatever the range."""
    at = f"{timezone.localtime(now()):%Y-%m-%d %H:%M} {settings.TIME_ZONE}, whatever the range"
    return how(anchor, [("As of", at)], "", rows, rows_url)


ABOUT_JOBS = ("jobs", "teams", "team")
ABOUT_MONEY = ("costs", "usage")


def rows_url(asked: Asked, page: str, **parameters: Any) -> str:
    """The rows behind a figure, in the very days of this page."""
    if page in ABOUT_MONEY:
        parameters = {"basis": asked.request.GET.get("basis")} | parameters
    return asked.link(page, **(days_on(asked, page) | parameters))


def team_url(asked: Asked, team: UUID) -> str:
    kept = {"provider": asked.scope.providers, "gpu_type": asked.scope.gpu_types}
    return reverse("team", args=[team]) + query(**days_on(asked, "team"), **kept)


def days_on(asked: Asked, page: str) -> dict[str, Any]:
    """The range, told in days where a page of bills leads to one of jobs: their presets may differ."""
    if (page in ABOUT_JOBS) == bool(asked.filter.jobs_through):
        return asked.range_parameters
    span = asked.scope.span
    return {"start": span.start, "end": span.last} if span else {"start": "", "preset": "all"}
