"""Jobs that waited for a GPU until a later row of a log told them without one: then they are none of ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q

from .. import workers
from ..counted import are, counted, have, was
from ..models import ImportRun, Job
from ..models.names import name_key
from ..rollups import noting
from ..statements import execute
from .attempts import NamedJob, split
from .records import JobRow, NotOurs
from .rows import db_value, pieces, remember_ids
from .staging import StagedJob, leave_out
from .summary import Tally

OVER = ("completed", "failed", "cancelled")
WAITING = Q(status="pending") | Q(start_time=None, end_time=None) & ~Q(status__in=OVER)


class Waiting(NamedTuple):
    pk: UUID
    external_id: str
    submitted: datetime | None


class Gone(NamedTuple):
    """Where a log tells a job without a GPU, and since when that holds; None where the log tells no time."""

    line: int
    since: datetime | None

    def holds_for(self, submitted: datetime | None) -> bool:
        """An attempt that was submitted later has its own row."""
        return self.since is None or submitted is None or submitted <= self.since

    def is_told_anew_by(self, submitted: datetime | None) -> bool:
        return self.since is None or submitted is None or submitted >= self.since


class NoneOfOurs:
    def __init__(self) -> None:
        self.gone: dict[NamedJob, Gone] = {}
        self.staged: defaultdict[NamedJob, list[tuple[int, int, datetime | None]]] = defaultdict(list)
        self.removed: list[UUID] = []

    @cached_property
    def stored(self) -> dict[NamedJob, list[Waiting]]:
        """The jobs of logs that wait, few among all."""
        found: defaultdict[NamedJob, list[Waiting]] = defaultdict(list)
        jobs = Job.objects.unusual().filter(WAITING, raw_gpu_count__isnull=False, cluster__isnull=False)
        facts = jobs.filter(external_id__isnull=False).values_list(
            "cluster", "pk", "external_id", "submit_time"
        )
        for cluster, pk, external_id, submitted in facts.iterator():
            job = name_key(cluster or ""), split(external_id or "")[0]
            found[job].append(Waiting(pk, external_id or "", submitted))
        return dict(found)

    # While files are read

    def see(self, file: int, row: JobRow) -> None:
        """A job with a GPU."""
        if self.gone or waits(row):
            for job in names_of(row):
                if job in self.gone and self.gone[job].is_told_anew_by(row.submit_time):
                    del self.gone[job]
                if waits(row):
                    self.staged[job].append((file, row.line, row.submit_time))
                    self.names.add(job[1])

    def hear(self, line: int, row: NotOurs) -> None:
        if self.names.isdisjoint(row.names):
            return
        for name in row.names:
            job = name_key(row.cluster), name
            if job in self.stored or job in self.staged:
                self.gone[job] = Gone(line, row.since)

    @cached_property
    def names(self) -> set[str]:
        """Of what waits, on whatever cluster."""
        return {name for _, name in chain(self.stored, self.staged)}

    # When all are

    def drop_staged(self, tally: Tally) -> None:
        rows = {
            (file, line)
            for job, gone in self.gone.items()
            for file, line, submitted in self.staged.get(job, ())
            if gone.holds_for(submitted)
        }
        leave_out(sorted(rows))
        if rows:
            tally.ignore("a job that a later row tells without a GPU", len(rows))

    def settle(self, tally: Tally, lock: bool) -> None:
        """Once it is known which jobs the staged rows tell."""
        found = [
            (one, gone.line)
            for job, gone in self.gone.items()
            for one in self.stored.get(job, ())
            if gone.holds_for(one.submitted)
        ]
        for piece in pieces(found):
            still = self.still_waiting({one.pk for one, _ in piece}, lock)
            for one, line in piece:
                if one.pk in still:
                    self.removed.append(one.pk)
                    tally.example(f"job {one.external_id}", line, {"GPUs": ("waited for", "none")})
        self.report(tally)

    def still_waiting(self, ids: Iterable[UUID], lock: bool) -> set[UUID]:
        """Those that no staged row tells; held, so that nobody changes them until they are gone."""
        jobs = Job.objects.filter(WAITING, pk__in=ids).order_by("pk")
        if lock and workers.hold_jobs(connection):
            noting.alone(connection)
        elif lock:
            jobs = jobs.select_for_update()
        told = StagedJob.objects.filter(pk__in=ids).values_list("pk", flat=True)
        return {job.pk for job in jobs} - set(told)

    def report(self, tally: Tally) -> None:
        tally.table("jobs", removed=len(self.removed))
        if number := len(self.removed):
            jobs = f"{counted(number, 'job')} that waited for a GPU {have(number)} none by this log"
            tally.notes.append(
                f"{jobs}, so {'it' if number == 1 else 'they'} {are(number)} none of ours and {was(number)} "
                "taken away. Undoing the import brings them back."
            )

    def write(self, run: ImportRun) -> None:
        remember_ids(run, Job, self.removed, removed=True)
        for piece in pieces(self.removed):
            ids = [db_value(Job, "id", pk) for pk in piece]
            picked = f"SELECT id FROM jobs WHERE id IN ({', '.join(['%s'] * len(ids))})"
            with noting.noted(connection, picked, ids):
                execute(connection, f"DELETE FROM jobs WHERE id IN ({', '.join(['%s'] * len(ids))})", ids)


def waits(row: JobRow) -> bool:
    began_or_ended = row.start_time is not None or row.end_time is not None
    return row.status == "pending" or not (began_or_ended or row.status in OVER)


def names_of(row: JobRow) -> set[NamedJob]:
    if row.external_id is None or row.cluster is None or row.provider is not None:
        return set()
    names: set[Any] = {split(row.external_id)[0], row.other_name} - {None}
    return {(name_key(row.cluster), name) for name in names}
