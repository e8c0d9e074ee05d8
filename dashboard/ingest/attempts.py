"""Which attempt of a requeued job a log's row tells, beside those that are stored and those of other files.

A log numbers the attempts that it lists; one of a later time may begin with the second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain, count
from typing import Any, NamedTuple

from django.db import connection

from ..models import Job
from ..models.names import name_key
from ..statements import execute, rows
from .job_ids import job_id
from .rows import pieces
from .staging import TABLE, StagedJob

MOST_OFFSET, OFFSETS = timedelta(hours=26), timedelta(minutes=15)  # of two zones, and what they are whole of

NamedJob = tuple[str, str]  # the cluster's key, the scheduler's id without the number of an attempt


class Attempt(NamedTuple):
    status: str
    start_time: datetime | None
    end_time: datetime | None
    submit_time: datetime | None

    @property
    def start(self) -> datetime | None:
        """The start of a job that waits is a guess of the scheduler."""
        return None if self.status == "pending" else self.start_time

    def is_told_by(self, row: Attempt) -> bool:
        if self.start and row.start:
            return self.start == row.start
        return self.submit_time is not None and self.submit_time == row.submit_time

    def is_apart_from(self, row: Attempt) -> bool:
        """One was over before the other began or was submitted: attempts of a job never overlap."""
        if not self.start:
            return is_by(row.end_time if row.start else None, self.submit_time)
        if not row.start:
            return is_by(self.end_time, row.submit_time)
        apart = is_by(self.end_time, row.start) or is_by(row.end_time, self.start)
        return apart and row.start != self.start and not self.is_told_in_another_zone_by(row)

    def is_told_in_another_zone_by(self, row: Attempt) -> bool:
        if not (self.start and self.end_time and self.submit_time):
            return False
        if not (row.start and row.end_time and row.submit_time):
            return False
        moved = row.start - self.start
        same = moved == row.end_time - self.end_time == row.submit_time - self.submit_time
        return same and abs(moved) <= MOST_OFFSET and not moved % OFFSETS


def is_by(end: datetime | None, begin: datetime | None) -> bool:
    return end is not None and begin is not None and end <= begin


class Told(NamedTuple):
    file: int
    line: int
    number: int  # of the attempt, as its file counts
    attempt: Attempt


OF_LOG = "s.raw_gpu_count IS NOT NULL AND s.external_id IS NOT NULL AND s.cluster IS NOT NULL"
STARTED = "({0}.start_time IS NOT NULL AND {0}.status <> 'pending')"
# Where the row may tell another attempt than the one with its number.
OTHERWISE = (
    f"(CASE WHEN {STARTED.format('j')} AND {STARTED.format('s')} "
    "THEN s.start_time <> j.start_time ELSE s.submit_time <> j.submit_time END)"
)
AGAINST_STORED = "JOIN jobs j ON j.id = s.id"
AGAINST_OTHER_FILES = f"JOIN {TABLE} j ON j.id = s.id AND j.file <> s.file"


def settle_attempts(files: int) -> None:
    """A row that would write another run over one that has ended becomes an attempt of its own."""
    highest: dict[NamedJob, int] = {}
    for against in (AGAINST_STORED, AGAINST_OTHER_FILES)[: min(files, 2)]:
        for job, number in met_otherwise(against):
            highest[job] = max(number, highest.get(job, 1))
    if not highest:
        return
    index_ids()
    for jobs in pieces(sorted(highest.items())):
        told, stored = all_attempts(dict(jobs))
        name_anew((job, row, number) for job in told for row, number in numbered(told[job], stored[job]))


def index_ids() -> None:
    execute(connection, f"CREATE INDEX IF NOT EXISTS staged_job_ids ON {TABLE} (id)")


def met_otherwise(against: str) -> Iterator[tuple[NamedJob, int]]:
    found = rows(
        connection,
        f"SELECT DISTINCT s.cluster, s.external_id FROM {TABLE} s {against} WHERE {OF_LOG} AND {OTHERWISE}",
    )
    for cluster, external_id in found:
        own_id, number = split(external_id)
        yield (name_key(cluster), own_id), number


def split(external_id: str) -> tuple[str, int]:
    """The scheduler's id and the number of the attempt."""
    own_id, _, number = external_id.rpartition("#")
    return (own_id, int(number)) if own_id and number.isdecimal() else (external_id, 1)


def joined(own_id: str, number: int) -> str:
    return own_id if number == 1 else f"{own_id}#{number}"


def all_attempts(
    highest: dict[NamedJob, int],
) -> tuple[defaultdict[NamedJob, list[Told]], defaultdict[NamedJob, dict[int, Attempt]]]:
    """What files tell and what is stored of each job: up to its highest number, and on until none comes."""
    told: defaultdict[NamedJob, list[Told]] = defaultdict(list)
    stored: defaultdict[NamedJob, dict[int, Attempt]] = defaultdict(dict)
    left, number = set(highest), 1
    while left:
        ids = {job_id(cluster, joined(own_id, number)): (cluster, own_id) for cluster, own_id in left}
        more = {job for job in left if number < highest[job]}
        for pk, *facts in Job.objects.filter(pk__in=ids).values_list("id", *Attempt._fields):
            stored[ids[pk]][number] = Attempt(*facts)
            more.add(ids[pk])
        rows_of_logs = StagedJob.objects.filter(id__in=ids, raw_gpu_count__isnull=False)
        for pk, file, line, *facts in rows_of_logs.values_list("id", "file", "line", *Attempt._fields):
            told[ids[pk]].append(Told(file, line, number, Attempt(*facts)))
            more.add(ids[pk])
        left, number = more, number + 1
    return told, stored


def numbered(told: list[Told], stored: dict[int, Attempt]) -> Iterator[tuple[Told, int]]:
    """The number of each row of a job: of the stored attempt that it tells, else its own, else a free one."""
    claimed: dict[int, Told] = {}
    others = []
    for row in sorted(told):
        if number := known(row, stored):
            claimed[number] = row
            yield row, number
        else:
            others.append(row)
    for row in others:
        number = (
            known(row, {number: other.attempt for number, other in claimed.items()})
            or own(row, stored, claimed)
            or outrun(row, stored, claimed)
            or next(number for number in count(1) if number not in stored and number not in claimed)
        )
        claimed[number] = row
        yield row, number


def known(row: Told, attempts: dict[int, Attempt]) -> int:
    """0 where none of them is this one. A start tells it surer than a submission."""
    began = row.attempt.start
    by_start = (number for number, one in attempts.items() if began and one.start == began)
    told = (number for number, one in attempts.items() if one.is_told_by(row.attempt))
    return next(chain(by_start, told), 0)


def own(row: Told, stored: dict[int, Attempt], claimed: dict[int, Told]) -> int:
    """The number that its file gives it, unless another run has it; else 0."""
    holder = claimed.get(row.number)
    if holder and holder.file == row.file:
        return 0
    attempt = holder.attempt if holder else stored.get(row.number)
    return 0 if attempt and attempt.is_apart_from(row.attempt) else row.number


def outrun(row: Told, stored: dict[int, Attempt], claimed: dict[int, Told]) -> int:
    """The stored attempt that still ran or waited when this later one began: of it no end will come."""
    began = row.attempt.start
    for number, attempt in stored.items():
        ended = number in claimed or attempt.end_time or attempt.is_apart_from(row.attempt)
        if began and not ended and (not attempt.start or attempt.start < began):
            return number
    return 0


def name_anew(found: Iterable[tuple[NamedJob, Told, int]]) -> None:
    rename(
        Renamed(row.file, row.line, cluster, joined(own_id, row.number), joined(own_id, number))
        for (cluster, own_id), row, number in found
        if number != row.number
    )


class Renamed(NamedTuple):
    file: int
    line: int
    cluster: str
    old: str
    new: str


def rename(found: Iterable[Renamed]) -> None:
    for piece in pieces(found):
        facts = [
            fact
            for row in piece
            for fact in (row.file, row.line, key(row.cluster, row.old), key(row.cluster, row.new), row.new)
        ]
        marks = ", ".join(["(%s, %s, %s, %s, %s)"] * len(piece))
        execute(
            connection,
            f"WITH named (file, line, id, new_id, external_id) AS (VALUES {marks}) "
            f"UPDATE {TABLE} AS s SET id = named.new_id, external_id = named.external_id FROM named "
            "WHERE s.id = named.id AND s.file = named.file AND s.line = named.line",
            facts,
        )


def key(cluster: str, external_id: str) -> Any:
    return Job._meta.pk.get_db_prep_value(job_id(cluster, external_id), connection)
