"""What was paid for without a result: each figure with its evidence, its price, and what would save it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ..access import viewing
from ..charts import Chart, Series
from ..counted import counted
from ..gpu_time import MICROSECOND, hours, six_decimals
from ..models import Team
from ..money import to_cents, usd
from ..reports.allocation import IDLE, UNUSED
from ..reports.idle import Idle
from ..reports.stuck import FEWEST, HAS_END, HAS_START, NO_END, TOO_LONG, Stuck, StuckJobs, stuck_jobs
from ..reports.waste import CANCELLED, FAILED, Lost, Runs, Waste, changed
from ..tables import DASH, duration_in_words
from ..tables.rows import Made
from ..tables.waste import IdleTable, LostTable, RunsTable, StuckTable
from ..templatetags import ui
from . import drawn
from .asked import Asked, figure, refusal
from .changes import delta, sides
from .how import How
from .kept import kept
from .measures import how_now, rows_url

USES = ["provider", "gpu_type", "team", "model", "bucket", "basis", "compare"]
SERIES = {FAILED: "Failed jobs", CANCELLED: "Cancelled jobs", IDLE: "Idle GPUs", UNUSED: "Unused commitment"}
WHY = {
    HAS_END: "Running, and has an end. Its hours count up to that end.",
    NO_END: "Finished, and has no end. Its hours count as 0, so what it used shows as idle.",
    HAS_START: "Pending, and has a start. Its hours count as 0, so what it uses shows as idle.",
}
HOUR = timedelta(hours=1)


@viewing
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    """Its files are one for each table: the lost jobs, or what `file=` names."""
    asked = Asked.of(request, USES)
    if (name := request.GET.get("file", LOST)) not in FILES:
        return refusal(f"“{name[:20]}” is no file of this page. Ask for one of: {', '.join(FILES)}.")
    found = Found.of(asked)
    if answer := FILES[name].answer(asked, found):
        return answer
    return render(request, "dashboard/waste.html", asked.context(**context(asked, found)))


@dataclass(frozen=True)
class Found:
    waste: Waste
    stuck: StuckJobs
    teams: Mapping[UUID, str]  # any other was deleted since the state that the page goes by

    @classmethod
    def of(cls, asked: Asked) -> Found:
        teams = defaultdict(lambda: DASH, Team.objects.values_list("pk", "name"))
        return cls(Waste.of(asked.scope, asked.names), stuck_jobs(asked.scope, asked.names), teams)


def context(asked: Asked, found: Found) -> dict[str, Any]:
    tables = {f"{name}_table": asked.one_page(one.table(asked, found)) for name, one in FILES.items()}
    return {
        "waste": found.waste,
        "stuck": found.stuck,
        "figures": [] if nothing(found) else figures(asked, found),
        "charts": [chart(asked, found.waste)],
        **tables,
        "files": {name: asked.links_to_file(name) for name in FILES},
        "how": hows(asked, found),
        "unlogged": usd(sum(one.unlogged for one in found.waste.idle or [])),
        "direct": usd(found.waste.direct),
        "fewest": FEWEST,
    }


def nothing(found: Found) -> bool:
    return found.waste.is_empty and not found.stuck.jobs


# The figures


def figures(asked: Asked, found: Found) -> list[dict[str, Any]]:
    waste, how = found.waste, hows(asked, found)
    return [
        counted_once(asked, waste, how["waste"]),
        figure(
            "Failed and cancelled jobs",
            ui.usd(waste.lost_usd),
            f"failed {ui.usd(waste.failed_usd)}, cancelled {ui.usd(waste.cancelled_usd)}{unbilled(waste)}",
            how=how[LOST],
            link="#rows",
        ),
        *(idle_figures(waste, how) if waste.idle is not None else []),
        figure(
            "Stuck jobs now",
            ui.count(len(found.stuck.jobs)),
            f"{ui.usd(to_cents(found.stuck.usd_per_hour))} each further hour; not in the sum",
            how=how[STUCK],
            link="#stuck",
        ),
    ]


def unbilled(waste: Waste) -> str:
    spent = sum(one.unbilled for one in waste.lost)
    return f"; {ui.hours(hours(spent))} on no bill" if spent else ""


def counted_once(asked: Asked, waste: Waste, how: How) -> dict[str, Any]:
    compared = sides(asked)
    change = changed(waste, asked.scope, compared, asked.names)
    part = waste.usd / waste.bill_usd if waste.bill_usd > 0 else None
    return figure(
        "Waste, counted once",
        ui.usd(waste.usd),
        f"{ui.percent(part)} of a bill of {ui.usd(waste.bill_usd)}",
        how=how,
        delta=delta(change, compared, ui.usd),
        link="#sum",
    )


def idle_figures(waste: Waste, how: dict[str, How]) -> Iterator[dict[str, Any]]:
    either = sum((one.either_way_usd for one in waste.idle or []), Decimal("0.00"))
    words = f"{ui.usd(either)} of it paid either way"
    yield figure("Idle GPUs", ui.usd(waste.idle_usd), words, how=how[IDLE_GPUS], link="#idle")
    unused = "paid until the contract ends"
    yield figure("Unused commitment", ui.usd(waste.unused_usd), unused, how=how[UNUSED], link="#idle")


def hows(asked: Asked, found: Found) -> dict[str, How]:
    waste = found.waste
    parts = [waste.failed_usd, waste.cancelled_usd, waste.idle_usd, waste.unused_usd]
    formula = " + ".join(ui.usd(part) for part in parts if part is not None)
    failed = sum(one.jobs[FAILED] + one.jobs[CANCELLED] for one in waste.lost)
    lost_url = rows_url(asked, "jobs", status=[FAILED, CANCELLED], **who(asked))
    return {
        "waste": asked.how("waste", formula=f"{formula} = {ui.usd(waste.usd)}"),
        LOST: asked.how("lost-jobs", rows=counted(failed, "job"), rows_url=lost_url),
        RUNS: asked.how(
            "cost-per-success", rows=counted(len(waste.runs), "model of a team", "models of teams")
        ),
        IDLE_GPUS: asked.how("idle-gpus", rows_url=asked.link("usage"), rows="metered hours and jobs"),
        UNUSED: asked.how(
            "unused-commitment", rows="unit prices by kind", rows_url=asked.link("unit_prices")
        ),
        STUCK: how_now("stuck-jobs", rows=counted(found.stuck.running, "running job"), rows_url="#stuck"),
    }


def who(asked: Asked) -> dict[str, Any]:
    return {name: asked.request.GET.getlist(name) for name in ("team", "model")}


def chart(asked: Asked, waste: Waste) -> Chart:
    axis = drawn.Axis.over(asked, waste.by_day)
    sums: dict[str, dict[Any, Decimal]] = {line: {} for line in SERIES}
    for day, parts in waste.by_day.items():
        start = axis.of(day)
        for line, cents in parts.items():
            sums[line][start] = sums[line].get(start, Decimal("0.00")) + usd(cents)
    series = [
        Series(
            label,
            [sums[line].get(start) for start in axis.starts],
            stack="usd",
            colour=place,
            links=[axis.link("waste", start, **who(asked)) for start in axis.starts],
        )
        for place, (line, label) in enumerate(SERIES.items())
        if any(sums[line].values())
    ]
    caption = "Parts of the bill that do not overlap. A day without a bar has no waste, or no bill."
    how = asked.how("waste")
    return drawn.time_chart(axis, "waste", "Waste", series, caption, "waste", how, filed=False)


# Failed and cancelled jobs


def lost_row(asked: Asked, found: Found, one: Lost) -> dict[str, Any]:
    return {
        "team": found.teams[one.team],
        "model": one.model,
        "provider": one.provider,
        "gpu_type": one.gpu_type,
        "failed": one.jobs[FAILED],
        "cancelled": one.jobs[CANCELLED],
        "days": len(one.days),
        "gpu_hours": one.gpu_hours,
        "usd_per_hour": one.usd_per_hour,
        "failed_usd": one.failed_usd if one.is_billed else None,
        "cancelled_usd": one.cancelled_usd if one.is_billed else None,
        "usd": one.usd if one.is_billed else None,
        "team_id": one.team,
        "first_day": min(one.days),
        "last_day": max(one.days),
    }


def lost_jobs(asked: Asked, row: dict[str, Any]) -> str:
    hardware = {"provider": row["provider"], "gpu_type": row["gpu_type"]}
    return rows_url(
        asked, "jobs", team=row["team_id"], model=row["model"], status=[FAILED, CANCELLED], **hardware
    )


# Successful runs


def run_row(asked: Asked, found: Found, one: Runs) -> dict[str, Any]:
    return {
        "team": found.teams[one.team],
        "model": one.model,
        "completed": one.completed,
        "failed": one.failed,
        "cancelled": one.cancelled,
        "gpu_hours": one.gpu_hours,
        "usd": one.usd if one.is_billed else None,
        "usd_per_success": in_cents(one.usd_per_success) if one.is_billed else None,
        "completed_usd": one.completed_usd if one.is_billed else None,
        "usd_per_completed": in_cents(one.usd_per_completed) if one.is_billed else None,
        "team_id": one.team,
    }


def in_cents(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else to_cents(amount)


def runs_behind(asked: Asked, row: dict[str, Any]) -> str:
    return rows_url(asked, "jobs", team=row["team_id"], model=row["model"])


# Idle GPUs


def idle_row(asked: Asked, found: Found, one: Idle) -> dict[str, Any]:
    return {
        "provider": one.provider,
        "gpu_type": one.gpu_type,
        "days": len(one.days),
        "metered_hours": one.metered_hours,
        "used_hours": one.used_hours,
        "idle_hours": one.idle_hours,
        "utilisation": one.utilisation,
        "usd_per_hour": one.usd_per_hour,
        "usd": one.usd,
        "releasable_usd": one.releasable_usd,
        "either_way_usd": one.either_way_usd,
        "unknown_usd": one.unknown_usd,
        "unused_usd": one.unused_usd,
    }


def hours_behind(asked: Asked, row: dict[str, Any]) -> str:
    return asked.link("usage", provider=row["provider"], gpu_type=row["gpu_type"])


# Stuck jobs


def stuck_row(asked: Asked, found: Found, one: Stuck) -> dict[str, Any]:
    job, usual = one.job, one.usual
    provider, gpu_type = asked.names.hardware((job.provider, job.gpu_type))
    return {
        "id": str(job.pk),
        "model": job.model_name,
        "team": job.team.name,
        "provider": provider,
        "gpu_type": gpu_type,
        "gpus": job.gpu_count,
        "status": job.status,
        "since": one.since,
        "end": job.end_time,
        "reason": one.why,
        "why": why_in_words(one),
        "usual_hours": None if usual is None else hours(usual.length // MICROSECOND),
        "runs": None if usual is None else usual.runs,
        "gpu_hours": one.gpu_hours,
        "usd_per_hour": one.usd_per_hour,
        "usd": one.usd,
    }


def why_in_words(one: Stuck) -> str:
    if one.why != TOO_LONG or one.usual is None:
        return WHY[one.why]
    usual = duration_in_words(one.usual.length)
    return (
        f"Running for longer than 99 of 100 of the newest {ui.count(one.usual.runs)} finished runs ({usual})."
    )


def job_page(asked: Asked, row: dict[str, Any]) -> str:
    return f"{ui.path_of('jobs')}{row['id']}/"


# Tables and their files


@dataclass(frozen=True)
class File:
    """A table and its file. columns: of the file, each with the name of a row's value.

    listed: what has a row each. row: the row of one of them.
    """

    name: str
    shows: type
    listed: Callable[[Found], Sequence[Any]]
    row: Callable[[Asked, Found, Any], dict[str, Any]]
    link: Callable[[Asked, dict[str, Any]], str]
    columns: Mapping[str, str]
    control: Callable[[Found], str]

    def table(self, asked: Asked, found: Found) -> Any:
        prefix = "" if self.name == LOST else f"{self.name}-"
        rows = Made(self.listed(found), lambda one: self.row(asked, found, one))
        return asked.sorted(self.shows(rows, link=lambda row: self.link(asked, row), prefix=prefix))

    def answer(self, asked: Asked, found: Found) -> HttpResponseBase | None:
        """What is asked for, if a file is."""
        name = "waste" if self.name == LOST else f"waste-{self.name}"
        return asked.export(
            name, list(self.columns), lambda: self.lines(asked, found), lambda: self.control(found)
        )

    def lines(self, asked: Asked, found: Found) -> Iterable[tuple[Any, ...]]:
        for row in self.table(asked, found).rows:
            yield tuple(in_file(key, row.record[key]) for key in self.columns.values())


def in_file(key: str, value: Any) -> Any:
    exact = key.endswith(("_hours", "_per_hour")) or key == "utilisation"
    return six_decimals(value) if exact and value is not None else value


def same(*names: str, **others: str) -> dict[str, str]:
    return {name: name for name in names} | others


LOST, RUNS, IDLE_GPUS, STUCK = "lost", "runs", "idle", "stuck"
FILES = {
    LOST: File(
        LOST,
        LostTable,
        lambda found: found.waste.lost,
        lost_row,
        lost_jobs,
        same("team", "model", "provider", "gpu_type")
        | {"failed_jobs": "failed", "cancelled_jobs": "cancelled", "days": "days"}
        | same("first_day", "last_day", job_gpu_hours="gpu_hours", usd_per_gpu_hour="usd_per_hour")
        | same("failed_usd", "cancelled_usd", wasted_usd="usd"),
        lambda found: f"{found.waste.lost_usd} USD",
    ),
    RUNS: File(
        RUNS,
        RunsTable,
        lambda found: found.waste.runs,
        run_row,
        runs_behind,
        same("team", "model")
        | {"completed_runs": "completed", "failed_runs": "failed", "cancelled_runs": "cancelled"}
        | {"job_gpu_hours": "gpu_hours", "cost_usd": "usd", "usd_per_successful_run": "usd_per_success"}
        | {"completed_usd": "completed_usd", "usd_per_completed_run": "usd_per_completed"},
        lambda found: f"{usd(sum(one.cents for one in found.waste.runs))} USD",
    ),
    IDLE_GPUS: File(
        IDLE_GPUS,
        IdleTable,
        lambda found: found.waste.idle or [],
        idle_row,
        hours_behind,
        same("provider", "gpu_type", "days", metered_gpu_hours="metered_hours", job_gpu_hours="used_hours")
        | same("utilisation", idle_gpu_hours="idle_hours", usd_per_gpu_hour="usd_per_hour", idle_usd="usd")
        | {"on_demand_or_spot_usd": "releasable_usd", "paid_either_way_usd": "either_way_usd"}
        | {"unknown_usd": "unknown_usd", "unused_commitment_usd": "unused_usd"},
        lambda found: f"{found.waste.idle_usd or 0} USD idle, {found.waste.unused_usd or 0} USD unused",
    ),
    STUCK: File(
        STUCK,
        StuckTable,
        lambda found: found.stuck.jobs,
        stuck_row,
        job_page,
        same("id", "team", "model", "provider", "gpu_type", "gpus", "status", start="since", end="end")
        | same("reason", usual_hours="usual_hours", finished_runs="runs", gpu_hours="gpu_hours")
        | {"usd_per_hour": "usd_per_hour", "cost_usd": "usd"},
        lambda found: f"{found.stuck.usd} USD so far",
    ),
}
