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
from .rows import pieces, quoted
from .staging import TABLE, StagedJob, drop
from .summary import Tally

BESIDE_STORED = "JOIN jobs j ON j.id = s.other_id"
BESIDE_OTHER_FILES = f"JOIN {TABLE} j ON j.id = s.other_id AND j.file <> s.file"
# One log has one column of names, and what it tells of a job is what is stored of one with the other name.
SAME_FACTS = (
    *("start_time", "submit_time", "raw_gpu_count"),
    *("cluster", "account", "submitted_by", "model_name"),
)
SAME_BUT_ITS_NAME = " AND ".join(
    [
        "s.fate = 'inserted' AND s.other_name IS NULL AND s.raw_gpu_count IS NOT NULL",
        *(f"s.{fact} = j.{fact}" for fact in SAME_FACTS),
        "(s.end_time IS NULL OR j.end_time IS NULL OR s.end_time = j.end_time)",
        "(REPLACE(s.external_id, '_', '') = s.external_id) "
        "<> (REPLACE(j.external_id, '_', '') = j.external_id)",
    ]
)
TWINS = "twins_of_staged_jobs"  # by file, so that workers of Citus compare no job with another
STORED_OTHERWISE = f"FROM {TABLE} s JOIN {TWINS} j ON j.file = s.file AND {SAME_BUT_ITS_NAME}"


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
    """Of rows that are new by their own name; a job that their file tells by the stored one is another."""
    if not StagedJob.objects.filter(fate="inserted", other_name=None, raw_gpu_count__isnull=False).exists():
        return
    drop(TWINS)
    facts = quoted(("id", "external_id", "end_time", *SAME_FACTS), "j")
    same = f"FROM {TABLE} s JOIN jobs j ON {SAME_BUT_ITS_NAME}"
    execute(connection, f"CREATE TEMPORARY TABLE {TWINS} AS SELECT DISTINCT s.file, {facts} {same}")
    execute(connection, f"DELETE FROM {TWINS} WHERE (file, id) IN (SELECT file, id FROM {TABLE})")
    refuse_twins(files, tally)
    drop(TWINS)


def refuse_twins(files: list[str], tally: Tally) -> None:
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
