"""Stored jobs follow the mappings: after one was added, changed or removed, and after an undo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date
from typing import Any

from django.db import transaction
from django.db.models import Count, Max, Min, QuerySet
from django.db.models.functions import Coalesce

from .. import rollups
from ..databases import at_leisure
from ..models import Job, Team
from ..models.calendar import midnight
from ..naming import DEFAULT_CLOCK
from ..placing import Placing, day_within, unplaced
from .rows import wait_for_other_imports
from .teams import TeamBook

Period = tuple[date | None, date | None]
HARDWARE = ("cluster", "partition", "raw_gpu_type", "raw_gpu_count", "provider", "gpu_type", "gpu_count")
OWNER = ("cluster", "account", "team_id")


@at_leisure()
@transaction.atomic
def reapply(jobs: QuerySet[Job] | None = None) -> int:
    """How many jobs changed. `updated_at` stays: nobody edited them. A team chosen by hand stays too."""
    wait_for_other_imports()
    jobs = Job.objects.all() if jobs is None else jobs
    placing = Placing.load()
    logged = jobs.filter(cluster__isnull=False).annotate(at=Coalesce("start_time", "submit_time")).order_by()
    moved = place_again(logged.filter(raw_gpu_type__isnull=False), placing)
    owned = logged.filter(account__isnull=False, team_set_by_hand=False)
    moved += own_again(owned, placing)
    rollups.settle_if_worth_it()
    return moved


def place_again(jobs: QuerySet[Any], placing: Placing) -> int:
    moved = 0
    for same in groups(jobs, HARDWARE):
        now = {name: same[name] for name in ("provider", "gpu_type", "gpu_count")}
        for period in periods(placing, placing.clusters, same):
            day = day_within(period) if period else None
            cluster, raw = same["cluster"], same["raw_gpu_type"]
            place = placing.place(cluster, same["partition"], raw, day) or unplaced(cluster, raw)
            wanted = {"provider": place.provider, "gpu_type": place.gpu_type, "gpu_count": now["gpu_count"]}
            if same["raw_gpu_count"] is not None:
                wanted["gpu_count"] = place.gpu_count(same["raw_gpu_count"])
            if wanted != now:
                moved += within(jobs.filter(**of(same, HARDWARE)), period).update(**wanted)
    return moved


def own_again(jobs: QuerySet[Any], placing: Placing) -> int:
    moved, book = 0, TeamBook()
    for same in groups(jobs, OWNER):
        for period in periods(placing, placing.accounts, same):
            day = day_within(period) if period else None
            team = placing.team_of(same["cluster"], same["account"], day)
            team = team or own_team(book, same["account"]) or same["team_id"]
            if team != same["team_id"]:
                moved += within(jobs.filter(**of(same, OWNER)), period).update(team_id=team)
    return moved


def own_team(book: TeamBook, account: str) -> Any:
    """The team that is called as the account, made when there is none."""
    name = " ".join(account.split())
    if not name:
        return None
    pk = book.id_of(name)
    if pk in book.new:
        Team.objects.create(pk=pk, name=book.new.pop(pk))
    return pk


def groups(jobs: QuerySet[Any], names: Iterable[str]) -> list[dict[str, Any]]:
    """One row per combination, with the first and last moment of its jobs, and how many have none."""
    return list(
        jobs.values(*names).annotate(first=Min("at"), last=Max("at"), undated=Count("pk") - Count("at"))
    )


def of(same: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Keywords of a filter, nulls as nulls."""
    return {
        f"{name}__isnull" if same[name] is None else name: True if same[name] is None else same[name]
        for name in names
    }


def periods(placing: Placing, mappings: Iterable[Any], same: dict[str, Any]) -> Iterator[Period | None]:
    """Stretches of unchanging mappings in which the group has jobs; None is for jobs without a day."""
    if same["undated"]:
        yield None
    if same["first"] is None:
        return
    first, last = (same[edge].astimezone(UTC).date() for edge in ("first", "last"))
    for start, end in placing.periods(mappings):
        if (start is None or start <= last) and (end is None or end > first):
            yield start, end


def within(jobs: QuerySet[Any], period: Period | None) -> QuerySet[Any]:
    if period is None:
        return jobs.filter(at__isnull=True)
    start, end = period
    jobs = jobs.filter(at__isnull=False)
    jobs = jobs.filter(at__gte=midnight(start, DEFAULT_CLOCK)) if start else jobs
    return jobs.filter(at__lt=midnight(end, DEFAULT_CLOCK)) if end else jobs
