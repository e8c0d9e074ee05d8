"""Records of jobs that cannot be, that lack something, or that look like the same job twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Count, Exists, F, Func, Max, Min, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, IsNull

from .. import rollups, workers
from ..clock import now
from ..databases import reading
from ..models import Job
from ..models.entities import (
    AMONG_IMPOSSIBLE,
    AMONG_UNUSUAL,
    KNOWN_STATUSES,
    MANY_GPUS,
    NO_JOB,
    JobQuerySet,
)
from ..models.overlap import Rare, looked_at

FINISHED = ("completed", "failed", "cancelled")
RUNS_TOO_LONG = timedelta(days=90)
NO_END = Q(end_time=None)


@dataclass(frozen=True, slots=True)
class Oddity:
    """rule, meaning: in words, the second for the figures.

    undated: such jobs belong to no day that a range of closed days reaches, so they count in any.
    indexed: an index begins with what the condition names, in the order of the list of jobs.
    endless: beside the condition, they have no end.
    """

    key: str
    title: str
    rule: str
    meaning: str
    condition: Callable[[], Q]
    undated: bool = False
    indexed: bool = False
    endless: bool = False

    def where(self, by_ends: bool = False) -> Q:
        """by_ends: an index of ends may lead to them; but many that never began have no end, either."""
        if not self.endless:
            return self.condition()
        return self.condition() & (NO_END if by_ends else Q(looked_at(NO_END)))


def same_job_twice() -> Q:
    """Equal in all that they say, but for the id; several of one cluster's log are several."""
    ended = Q(end_time__isnull=False)
    return ended & (alike_in_groups() if workers.hold_jobs(reading()) else Q(Exists(others_alike())))


LOG = Coalesce("cluster", Value(""))  # jobs with ids and without a cluster are of one log as well


def others_alike() -> Any:
    alike = {field: OuterRef(field) for field in SAME}
    other_log = ~Q(Exact(LOG, Coalesce(OuterRef("cluster"), Value(""))))
    no_log = Q(external_id=None) | Q(IsNull(OuterRef("external_id"), True))
    return Job.objects.filter(other_log | no_log, **alike).exclude(pk=OuterRef("pk"))


def alike_in_groups() -> Q:
    """The same without looking from one job at others, which may be on another worker.

    Jobs that are alike are several of one cluster's log only if all of them say so.
    """
    groups = Job.objects.filter(of_two_logs()).order_by().values(*SAME).annotate(n=Count("pk"))
    logs = groups.filter(n__gt=1).annotate(listed=Count("external_id"), first=Min(LOG))
    found = Subquery(logs.filter(Q(listed__lt=F("n")) | Q(first__lt=Max(LOG))).values(*SAME))
    row = Func(*SAME, template="(%(expressions)s)", output_field=BooleanField())
    return Q(Func(row, found, template="%(expressions)s", arg_joiner=" IN ", output_field=BooleanField()))


SAME = ("start_time", "end_time", "team", "model_name", "provider", "gpu_type", "gpu_count")

ODDITIES = (
    Oddity(
        "ends-before-start",
        "Jobs that end before they start",
        "end < start",
        "Their hours count as 0, so their team pays nothing for them.",
        lambda: Q(end_time__lt=F("start_time")),
    ),
    Oddity(
        "no-end",
        "Finished jobs without an end",
        "completed, failed or cancelled, with a start and no end",
        "How long they ran is unknown: their hours count as 0, and what they used shows as idle.",
        lambda: Q(status__in=FINISHED, start_time__isnull=False),
        endless=True,
    ),
    Oddity(
        "no-start",
        "Completed or running jobs without a start",
        "completed or running, without a start",
        "They belong to no day and count no hours.",
        lambda: Q(status__in=("completed", "running"), start_time=None),
        undated=True,
        indexed=True,
    ),
    Oddity(
        "future",
        "Jobs that start in the future",
        "start > now",
        "They count 0 hours until then. Often a clock or a time zone is wrong.",
        lambda: Q(start_time__gt=now()),
        undated=True,
    ),
    Oddity(
        "running-with-end",
        "Running jobs that have an end",
        "running, with an end",
        "Their hours count up to that end, but they are not among the running jobs.",
        lambda: Q(status="running", end_time__isnull=False),
    ),
    Oddity(
        "pending-with-start",
        "Pending jobs that have a start",
        "pending, with a start",
        "Pending jobs count 0 hours, whatever their times say.",
        lambda: Q(status="pending", start_time__isnull=False),
    ),
    Oddity(
        "runs-too-long",
        f"Jobs running for more than {RUNS_TOO_LONG.days} days",
        f"running without an end, start < now − {RUNS_TOO_LONG.days} days",
        "They count hours every day. A job whose end was never written takes a share of cost for ever.",
        lambda: Q(status="running", start_time__lt=now() - RUNS_TOO_LONG),
        endless=True,
    ),
    Oddity(
        "zero-length",
        "Completed jobs of no length",
        "completed, with end = start",
        "They end at the second they start and count 0 hours.",
        lambda: Q(status="completed", start_time=F("end_time")),
    ),
    Oddity(
        "many-gpus",
        f"Jobs with more than {MANY_GPUS:,} GPUs",
        f"GPUs > {MANY_GPUS:,}",
        "Their hours count in full. Where cores were taken for GPUs they take the share of others.",
        lambda: Q(gpu_count__gt=MANY_GPUS),
    ),
    Oddity(
        "unknown-status",
        "Jobs of an unknown status",
        "status is none of pending, running, completed, failed, cancelled",
        "The status is kept as it is. Their hours count where start and end are known; success rates leave "
        "them out.",
        lambda: ~Q(status__in=KNOWN_STATUSES),
    ),
    Oddity(
        "duplicates",
        "Jobs that are likely stored twice",
        "equal in team, model, GPU type, GPUs, provider, start and end; not of one cluster’s log",
        "Same team, model, GPUs, provider, start and end under different ids: their hours count twice. "
        "Several jobs of one cluster’s log are taken to be several.",
        same_job_twice,
    ),
)
BY_KEY = {oddity.key: oddity for oddity in ODDITIES}


# The others are found in the indexes of unusual and of impossible jobs.
FOUND_BY_START, FOUND_BY_COMPARING = "future", "duplicates"
NEVER_USUAL = ("ends-before-start", "zero-length", "many-gpus", "unknown-status")


def odd(jobs: Any, keys: Iterable[str]) -> Any:
    """The jobs with any of these oddities; none where no such oddity is known."""
    known = [key for key in dict.fromkeys(keys) if key in BY_KEY]
    if len(known) == 1 and BY_KEY[known[0]].indexed:
        return jobs.filter(BY_KEY[known[0]].where())
    # PostgreSQL puts several ways together only where each looks short to it.
    by_ends = len(known) > 1 and reading().vendor == "postgresql"
    found: defaultdict[str, Q] = defaultdict(Q)
    for key in known:
        found[place_of(key)] |= BY_KEY[key].where(by_ends)
    ways = [among(place) & conditions for place, conditions in found.items()]
    picked = reduce(or_, ways) if ways else Q(pk=NO_JOB)
    return jobs.filter(picked if FOUND_BY_COMPARING in known else Rare(picked))


def place_of(key: str) -> str:
    if key in (FOUND_BY_START, FOUND_BY_COMPARING):
        return key
    return "impossible" if key in NEVER_USUAL else "unusual"


def among(place: str) -> Q:
    """The few jobs that can have the oddity; says nothing new, but saves looking at all of them."""
    if place == FOUND_BY_COMPARING:
        return of_two_logs()
    if place == FOUND_BY_START:
        return Q()
    return AMONG_IMPOSSIBLE if place == "impossible" else AMONG_UNUSUAL


def of_two_logs() -> Q:
    """Jobs of a team on hardware where more than one log speaks of its jobs, or none of some."""
    cells = rollups.in_several_logs()
    if not cells:
        return Q(pk=NO_JOB)
    teams, providers, gpu_types = (set(values) for values in zip(*cells, strict=True))
    return Q(team__in=teams, provider__in=providers, gpu_type__in=gpu_types)


@dataclass(frozen=True, slots=True)
class Group:
    """How many jobs of a team on a provider's GPU type, as stored, have each oddity."""

    team: UUID
    team_name: str
    provider: str
    gpu_type: str
    counts: dict[str, int]


def counted(jobs: JobQuerySet, oddities: Sequence[Oddity]) -> list[Group]:
    """In one pass over the jobs; groups without any are left out."""
    if len(oddities) == 1:  # Citus compares no rows within an aggregate
        jobs, numbers = jobs.filter(oddities[0].where()), {slug(oddities[0].key): Count("pk")}
    else:
        numbers = {slug(one.key): Count("pk", filter=one.where()) for one in oddities}
    keys = ("team_id", "team__name", "provider", "gpu_type")
    if reading().vendor == "sqlite":  # which else reads all jobs in the order of the groups
        jobs = Job.objects.filter(pk__in=jobs.order_by().values("pk"))
    rows: Any = jobs.order_by().values_list(*keys).annotate(**numbers)
    groups = []
    for team, name, provider, gpu_type, *found in rows:
        pairs = zip((one.key for one in oddities), found, strict=True)
        if counts := {key: count for key, count in pairs if count}:
            groups.append(Group(team, name, provider, gpu_type, counts))
    return groups


def slug(key: str) -> str:
    return "n_" + key.replace("-", "_")
