"""The company's jobs, day by day in order of their start: drawn to fill the hours that fleets are busy."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import accumulate
from math import ceil
from random import Random
from typing import NamedTuple

from ..ingest.job_ids import digits_of_id
from ..models.calendar import day_bounds
from .company import FLEETS, PROVIDERS, TEAMS, Fleet, Route, TeamPlan
from .plan import Plan

CLOCKS = {provider: clock for provider, clock, _ in PROVIDERS}
HOUR, DAY = 3600, 86400
SHORTEST, LONGEST = 40, 9 * DAY
FAILED, CANCELLED, NEVER_RAN = 0.08, 0.125, 0.1265  # cumulative shares of the jobs
LARGE_JOB, LARGE_FAILS = 16, 0.06
CARRIED_OVER = 0.6  # of a day's job hours may come from jobs of the day before
DAYS_TO_NEXT = 1.6  # where jobs are rare each runs until the next is likely to come
SPREAD = 1.5  # of the running times, in the exponent
STUCK_SINCE = 24  # days
IMPOSSIBLE = {
    "completed without end": 4,
    "end before start": 3,
    "running with end": 3,
    "pending with start": 3,
}


class PlannedJob(NamedTuple):
    """Times in whole seconds since 1970; the id as hexadecimal digits."""

    id: str
    team: str
    model_name: str
    gpu_type: str
    provider: str
    start: int | None
    end: int | None
    status: str
    gpu_count: Decimal
    submit: int
    external_id: str
    cluster: str
    account: str | None
    partition: str | None
    raw_gpu_type: str | None
    raw_gpu_count: Decimal | None
    submitted_by: str | None


@dataclass(slots=True)
class Run:
    """A job while its day is drawn: start and seconds of running time."""

    request: Request
    gpus: float
    start: int
    seconds: float
    fate: str
    team: TeamPlan
    model: str
    impossible: str = ""


class Request(NamedTuple):
    """What a job asks for: GPUs as the log counts them, and as the provider bills them."""

    route: Route
    raw_gpus: Decimal
    gpus: Decimal
    weighs: float


@cache
def requests(fleet_routes: tuple[Route, ...], most: int) -> tuple[list[Request], list[float]]:
    """Requests that fit on so many GPUs, and their cumulative weights."""
    found: list[tuple[Request, float]] = []
    for route in fleet_routes:
        fitting = [s for s in route.sizes if float(s[0]) <= most]
        fitting = fitting or [min(route.sizes, key=lambda size: float(size[0]))]
        for raw, weight in fitting:
            gpus = Decimal(raw) * route.factor
            share = route.share * weight / sum(w for _, w in fitting)
            found.append((Request(route, Decimal(raw), gpus, float(gpus)), share))
    return [request for request, _ in found], list(accumulate(share for _, share in found))


@dataclass
class JobLog:
    """`batches()` gives every job once; `hours` then holds job GPU-hours per fleet and bill day."""

    plan: Plan
    hours: dict[str, list[float]] = field(init=False)
    written: int = field(init=False, default=0)
    stuck: Run | None = field(init=False, default=None)
    days_per_job: dict[str, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.hours = {fleet.name: [0.0] * (self.plan.days + 2) for fleet in FLEETS}
        self.as_of = int(self.plan.as_of.timestamp())
        self.midnights = {clock: self.bounds(clock) for clock in {"UTC", *CLOCKS.values()}}
        self.planted = self.draw_impossible()
        self.numbers = {prefix: 0 for prefix in ("", "gke", "lam", "oci")}

    def bounds(self, clock: str) -> list[int]:
        span = self.plan.span
        return [int(starts.timestamp()) for _, starts, _ in day_bounds(clock, span.start, span.end)]

    def midnights_of(self, fleet: Fleet) -> list[int]:
        """The first seconds of the days of the demo, by the clock of the provider's bill."""
        return self.midnights[CLOCKS.get(fleet.provider, "UTC")]

    def draw_impossible(self) -> dict[int, str]:
        """Numbers of the jobs that the log gets wrong, all in its younger half."""
        kinds = [kind for kind, count in IMPOSSIBLE.items() for _ in range(count)]
        kinds = kinds[:: ceil(len(kinds) / max(1, self.plan.jobs // 10))]  # at most every tenth job
        half, most = self.plan.jobs // 2, int(self.plan.jobs * 0.95)
        room = range(half, max(half + len(kinds), most))
        numbers = self.plan.random("impossible").sample(room, min(len(kinds), len(room)))
        return dict(zip(numbers, kinds, strict=False))

    def batches(self) -> Iterator[list[PlannedJob]]:
        counts = self.counts()
        self.days_per_job = {name: self.plan.days / max(1, sum(of_day)) for name, of_day in counts.items()}
        for index, day in enumerate(self.plan.span):
            drawn = [
                (fleet, run)
                for fleet in FLEETS
                if counts[fleet.name][index]
                for run in self.runs(fleet, day, index, counts[fleet.name][index])
            ]
            drawn.sort(key=lambda pair: pair[1].start)
            rng = self.plan.random("log", day)
            yield [self.job(fleet, run, rng) for fleet, run in drawn]

    def counts(self) -> dict[str, list[int]]:
        """Jobs per fleet and day, exactly `plan.jobs` in all."""
        weights = {
            fleet.name: [
                self.plan.wanted(fleet, day)
                / fleet.gpus_per_job
                * self.share_logged(fleet, index)
                * (0.8 if day.weekday() >= 5 else 1)
                for index, day in enumerate(self.plan.span)
            ]
            for fleet in FLEETS
        }
        # The remainder is carried through the fleets one after the other, so the sum is exact.
        total = sum(map(sum, weights.values()))
        each, carried, given = {}, 0.0, 0
        for name, of_day in weights.items():
            counts = []
            for weight in of_day:
                carried += weight / total * self.plan.jobs
                count = round(carried) - given
                given += count
                counts.append(count)
            each[name] = counts
        return each

    def share_logged(self, fleet: Fleet, index: int) -> float:
        """How much of the bill's day lies before the end of the log."""
        midnights = self.midnights_of(fleet)
        starts, ends = midnights[index], midnights[index + 1]
        return max(0.0, (min(ends, self.as_of) - starts) / (ends - starts))

    def runs(self, fleet: Fleet, day: date, index: int, count: int) -> list[Run]:
        rng = self.plan.random("jobs", fleet.name, day)
        midnights = self.midnights_of(fleet)
        opens, closes = midnights[index], min(midnights[index + 1], self.as_of)
        runs = self.drawn(fleet, day, rng, count, opens, closes)
        self.fill(fleet, index, runs, opens, closes)
        for run in runs:
            self.settle(fleet, day, run)
            self.written += 1
        if day == self.plan.today - timedelta(days=1):
            self.leave_waiting(fleet, runs)
        if fleet.name == "AWS A10G" and not self.stuck and day >= self.plan.days_ago(STUCK_SINCE):
            self.stuck = min((run for run in runs if not run.impossible), key=lambda r: r.gpus, default=None)
            if self.stuck:
                self.stuck.fate = "stuck"
        for run in runs:
            self.count_hours(fleet, run, midnights)
        return runs

    def drawn(self, fleet: Fleet, day: date, rng: Random, count: int, opens: int, closes: int) -> list[Run]:
        """Runs whose seconds say only how they compare, before `fill` fits them to the day."""
        asked, weights = requests(fleet.routes, max(1, round(self.plan.gpus(fleet, day) * 0.75)))
        work, shares = self.work(fleet, self.plan.grown(day))
        runs = []
        for request, (team, model) in zip(
            rng.choices(asked, cum_weights=weights, k=count),
            rng.choices(work, cum_weights=shares, k=count),
            strict=True,
        ):
            start = opens + int(self.hour_of_day(rng) * (closes - opens))
            fate, lasted = self.fate(rng, request)
            seconds = rng.lognormvariate(0, SPREAD) * lasted
            runs.append(Run(request, request.weighs, start, seconds, fate, team, model))
        return runs

    @staticmethod
    def fate(rng: Random, request: Request) -> tuple[str, float]:
        """How the job ends, and how much of its time it lasts."""
        chance = rng.random()
        if request.weighs >= LARGE_JOB:
            chance -= LARGE_FAILS
        if chance >= NEVER_RAN:
            return "completed", 1.0
        if chance < FAILED:
            return "failed", 0.02 + 0.6 * rng.random()
        if chance < CANCELLED:
            return "cancelled", 0.05 + 0.8 * rng.random()
        return "never ran", 0.0

    @staticmethod
    def hour_of_day(rng: Random) -> float:
        """Share of the day at which a job starts: mostly in working hours, some at night."""
        if rng.random() < 0.35:
            return rng.random()
        return min(0.999, max(0.0, rng.gauss(14.5, 3.4) / 24))

    def fill(self, fleet: Fleet, index: int, runs: list[Run], opens: int, closes: int) -> None:
        """Fits starts and running times: the day as busy as wanted, the next not full already."""
        day = self.plan.span.start + timedelta(days=index)
        midnights = self.midnights_of(fleet)
        carried, tomorrows = self.hours[fleet.name][index : index + 2]
        wanted = self.plan.wanted(fleet, day) * (closes - opens) / (midnights[index + 1] - midnights[index])
        missing = max(wanted - carried, 0.1 * wanted) * HOUR
        pull_forward(runs, missing, opens, closes)
        stretch(runs, missing, closes)
        room = CARRIED_OVER * self.plan.wanted(fleet, day + timedelta(days=1)) - tomorrows
        room *= max(1.4, DAYS_TO_NEXT * self.days_per_job[fleet.name])
        cut_short(runs, max(room, 0.15 * wanted) * HOUR, closes)

    @staticmethod
    def work(fleet: Fleet, grown: float) -> tuple[list[tuple[TeamPlan, str]], list[float]]:
        """(team, model) that run on the fleet at that time, with cumulative weights."""
        work: list[tuple[TeamPlan, str]] = []
        weights: list[float] = []
        for team in TEAMS:
            if team.name not in fleet.teams or team.joined > grown:
                continue
            models = team.large if fleet.large else team.small
            work += [(team, model) for model, _ in models]
            weights += [fleet.teams[team.name] * weight / sum(w for _, w in models) for _, weight in models]
        return work, list(accumulate(weights))

    def settle(self, fleet: Fleet, day: date, run: Run) -> None:
        """What else befalls the job: an outage, a wrong record, the end of the log."""
        run.impossible = self.planted.get(self.written, "")
        if run.impossible:
            run.fate, run.seconds = "completed", min(run.seconds, self.as_of - run.start)
        outage = self.plan.outage
        if outage and fleet.provider == outage.provider and day < outage.span.start:
            begins = self.midnights_of(fleet)[(outage.span.start - self.plan.span.start).days]
            if run.start + run.seconds > begins:
                run.seconds, run.fate = begins - run.start, "failed"
        if not run.impossible and run.fate != "never ran" and run.start + run.seconds > self.as_of:
            run.fate = "running"

    def leave_waiting(self, fleet: Fleet, runs: list[Run]) -> None:
        """The last of the day are still pending when the log ends."""
        waiting = min(max(1, len(runs) // 4), 6) if len(runs) > 2 or fleet.name == "AWS A10G" else 0
        for run in sorted(runs, key=lambda run: run.start)[len(runs) - waiting :]:
            run.fate = "pending"

    def count_hours(self, fleet: Fleet, run: Run, midnights: list[int]) -> None:
        if run.impossible not in ("", "running with end") or run.fate in ("never ran", "pending"):
            return
        hours, at = self.hours[fleet.name], run.start
        end = self.as_of if run.fate in ("running", "stuck") else run.start + int(run.seconds)
        end = min(end, self.as_of)
        index = bisect_right(midnights, at) - 1
        while at < end:
            until = min(end, midnights[index + 1])
            hours[index] += (until - at) * run.gpus / HOUR
            at, index = until, index + 1

    def job(self, fleet: Fleet, run: Run, rng: Random) -> PlannedJob:
        route, team = run.request.route, run.team
        self.numbers[route.prefix] += 1
        number = self.numbers[route.prefix]
        external_id = f"{route.prefix}-{number:07d}" if route.prefix else str(1_204_000 + number)
        start, end, status = times(run)
        by_slurm = route.cluster is not None
        cluster = route.cluster or fleet.provider
        return PlannedJob(
            digits_of_id(cluster, external_id),
            team.name,
            run.model,
            route.gpu_type or fleet.gpu_type,
            route.provider or fleet.provider,
            start,
            end,
            status,
            run.request.gpus,
            run.start - int(rng.expovariate(1 / 540)) - 1,
            external_id,
            cluster,
            team.account if by_slurm else None,
            route.partition,
            route.raw_gpu_type,
            run.request.raw_gpus if by_slurm else None,
            team.people[int(rng.random() * len(team.people))] if by_slurm else None,
        )


def pull_forward(runs: list[Run], missing: float, opens: int, closes: int) -> None:
    """Jobs that all begin in the evening could not fill the day: then they begin earlier."""
    whole = sum(run.gpus for run in runs) * (closes - opens)
    late = sum(run.gpus * (run.start - opens) for run in runs)
    if late and whole - late < missing / 0.85:
        share = min(1.0, max(0.3, (whole - missing / 0.85) / late))
        for run in runs:
            run.start = opens + int((run.start - opens) * share)


def stretch(runs: list[Run], missing: float, closes: int) -> None:
    """Scales the running times until `missing` GPU-seconds fall before the day's end."""
    weight = sum(run.seconds * run.gpus for run in runs)
    factor = missing / weight if weight else 0.0
    for _ in range(12 if len(runs) < 50 else 4):
        landed = sum(min(run.seconds * factor, closes - run.start) * run.gpus for run in runs)
        if not landed or landed > 0.98 * missing:
            break
        factor *= min(2.0, missing / landed)
    for run in runs:
        run.seconds = min(LONGEST, max(SHORTEST, run.seconds * factor))


def cut_short(runs: list[Run], room: float, closes: int) -> None:
    """Shortens what runs into the next days, so that they take no more than `room` GPU-seconds of them."""
    over = sum(max(0.0, run.start + run.seconds - closes) * run.gpus for run in runs)
    if over <= room:
        return
    for run in runs:
        late = run.start + run.seconds - closes
        if late > 0:
            run.seconds -= late * (1 - room / over)


def times(run: Run) -> tuple[int | None, int | None, str]:
    """(start, end, status) as the log has them."""
    end = run.start + int(run.seconds)
    match run.impossible or run.fate:
        case "completed without end":
            return run.start, None, "completed"
        case "end before start":
            return run.start, run.start - 3 * HOUR, "completed"
        case "running with end":
            return run.start, end, "running"
        case "pending with start":
            return run.start, None, "pending"
        case "running" | "stuck":
            return run.start, None, "running"
        case "pending":
            return None, None, "pending"
        case "never ran":
            return None, None, "cancelled"
    return run.start, end, run.fate
