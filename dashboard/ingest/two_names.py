"""sacct has two names for a task of an array: JobID (7_1) and JobIDRaw (8). A job is stored under one.

That is JobIDRaw, unless a log came first that had JobID alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.db import connection

from ..models import Job
from ..statements import execute, rows
from .attempts import Renamed, index_ids, joined, rename, split
from .job_ids import job_id
from .records import Refused
from .rows import pieces
from .staging import TABLE, StagedJob
from .summary import Tally

BESIDE_STORED = "JOIN jobs j ON j.id = s.other_id"
BESIDE_OTHER_FILES = f"JOIN {TABLE} j ON j.id = s.other_id AND j.file <> s.file"
# One log has one column of names, and what it tells of a job is what is stored of one with the other name.
STORED_OTHERWISE = (
    f"FROM {TABLE} s JOIN jobs j ON j.start_time = s.start_time AND j.submit_time = s.submit_time "
    "WHERE s.other_name IS NULL AND s.raw_gpu_count IS NOT NULL AND s.raw_gpu_count = j.raw_gpu_count "
    "AND s.cluster = j.cluster "
    "AND s.account = j.account AND s.submitted_by = j.submitted_by AND s.model_name = j.model_name "
    "AND (s.end_time IS NULL OR j.end_time IS NULL OR s.end_time = j.end_time) "
    "AND (REPLACE(s.external_id, '_', '') = s.external_id) "
    "<> (REPLACE(j.external_id, '_', '') = j.external_id) "
    f"AND NOT EXISTS (SELECT 1 FROM {TABLE} t WHERE t.id = j.id) "
    "AND NOT EXISTS (SELECT 1 FROM jobs k WHERE k.id = s.id)"
)


class Named(NamedTuple):
    file: int
    line: int
    cluster: str
    external_id: str
    other_name: str

    @property
    def own_id(self) -> str:
        return split(self.external_id)[0]

    def renamed(self) -> Renamed:
        new = joined(self.other_name, split(self.external_id)[1])
        return Renamed(self.file, self.line, self.cluster, self.external_id, new)


def use_those_that_are_stored(files: int) -> None:
    """A row with both names is known by its second where a job has that, and none has the first."""
    for beside in (BESIDE_STORED, BESIDE_OTHER_FILES)[: min(files, 2)]:
        found = rows(
            connection,
            f"SELECT s.file, s.line, s.cluster, s.external_id, s.other_name FROM {TABLE} s {beside}",
        )
        if found:
            index_ids()
            rename(named.renamed() for named in not_stored(map(Named._make, found)))


def not_stored(found: Iterable[Named]) -> Iterator[Named]:
    for piece in pieces(found):
        ids = {job_id(named.cluster, named.own_id): named for named in piece}
        stored = set(Job.objects.filter(pk__in=ids).values_list("pk", flat=True))
        yield from (named for named in piece if job_id(named.cluster, named.own_id) not in stored)


def refuse_what_is_stored_otherwise(files: list[str], tally: Tally) -> None:
    if not StagedJob.objects.filter(other_name=None, raw_gpu_count__isnull=False).exists():
        return
    index_ids()
    names = "s.file, s.line, s.external_id"
    found = rows(
        connection, f"SELECT {names}, MIN(j.external_id) {STORED_OTHERWISE} GROUP BY {names} ORDER BY {names}"
    )
    for file, line, name, stored in found:
        column, both = "JobID" if "_" in name else "JobIDRaw", "ask sacct for JobID and JobIDRaw together"
        expected = f"the name by which the job is stored, which is {stored!r}: {both}"
        tally.refuse(files[file], Refused(line, column, name, expected))
    if found:
        gone = f"SELECT s.file, s.line {STORED_OTHERWISE}"
        execute(connection, f"DELETE FROM {TABLE} WHERE (file, line) IN ({gone})")
