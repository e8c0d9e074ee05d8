"""sacct has two names for a task of an array: JobID (7_1) and JobIDRaw (8). A job is stored under one.

That is JobIDRaw, unless a log came first that had JobID alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from ..counted import are, counted
from ..models import Job
from ..models.names import name_key
from ..statements import execute, rows
from .attempts import Renamed, index_ids, joined, rename, split
from .job_ids import job_id
from .records import Refused
from .rows import pieces, quoted
from .staging import TABLE, StagedJob, drop, leave_out
from .summary import Tally
from .values import listed

# A table with the other name of rows, and whether it is of the very run that the row tells and is stored.
BESIDE_STORED = "s.start_time = j.start_time", "JOIN jobs j ON j.id = s.other_id"
BESIDE_OTHER_FILES = "1 = 0", f"JOIN {TABLE} j ON j.id = s.other_id AND j.file <> s.file"
# One log has one column of names, and what it tells of a job is what is stored of one with the other name.
SAME_FACTS = (
    *("start_time", "submit_time", "raw_gpu_count"),
    *("cluster", "account", "submitted_by", "model_name"),
)
IS_NUMBER = "REPLACE(REPLACE({0}, '_', ''), '+', '') = {0}"  # not of an array (7_1) or several sizes (7+1)
SAME_BUT_ITS_NAME = " AND ".join(
    [
        "s.fate = 'inserted' AND s.other_name IS NULL AND s.raw_gpu_count IS NOT NULL",
        *(f"s.{fact} = j.{fact}" for fact in SAME_FACTS),
        "(s.end_time IS NULL OR j.end_time IS NULL OR s.end_time = j.end_time)",
        f"({IS_NUMBER.format('s.external_id')}) <> ({IS_NUMBER.format('j.external_id')})",
    ]
)
BOTH = "ask sacct for JobID and JobIDRaw together"
TWINS = "twins_of_staged_jobs"  # by file, so that workers of Citus compare no job with another
STORED_OTHERWISE = f"FROM {TABLE} s JOIN {TWINS} j ON j.file = s.file AND {SAME_BUT_ITS_NAME}"


class Named(NamedTuple):
    file: int
    line: int
    cluster: str
    external_id: str
    other_name: str
    other_has_this_run: int

    @property
    def own_id(self) -> str:
        return split(self.external_id)[0]

    def renamed(self) -> Renamed:
        new = joined(self.other_name, split(self.external_id)[1])
        return Renamed(self.file, self.line, self.cluster, self.external_id, new)


def use_those_that_are_stored(files: int, tally: Tally) -> None:
    """A row with both names is known by its second where a job has that, and none has the first."""
    twice: dict[str, None] = {}
    for has_this_run, beside in (BESIDE_STORED, BESIDE_OTHER_FILES)[: min(files, 2)]:
        found = rows(
            connection,
            "SELECT s.file, s.line, s.cluster, s.external_id, s.other_name, "
            f"CASE WHEN {has_this_run} THEN 1 ELSE 0 END FROM {TABLE} s {beside}",
        )
        if found:
            index_ids()
            rename(named.renamed() for named in not_stored(map(Named._make, found), twice))
    warn_of_those_stored_twice(list(twice), tally)


def not_stored(found: Iterable[Named], twice: dict[str, None]) -> Iterator[Named]:
    """twice: gets those whose other name is stored with this very run as well, in words."""
    for piece in pieces(found):
        ids = {job_id(named.cluster, named.own_id): named for named in piece}
        stored = set(Job.objects.filter(pk__in=ids).values_list("pk", flat=True))
        for named in piece:
            if job_id(named.cluster, named.own_id) not in stored:
                yield named
            elif named.other_has_this_run:
                twice[f"{named.own_id} and {named.other_name}"] = None


def warn_of_those_stored_twice(names: list[str], tally: Tally) -> None:
    if names:
        jobs = f"{counted(len(names), 'job')} {are(len(names))} stored under both names"
        tally.warnings.append(
            f"{jobs}, so that the hours count twice: {listed(names)}. Undo the import that brought one of "
            "the two, or delete it."
        )


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
        expected = f"the name by which the job is stored, which is {stored!r}: {BOTH}"
        tally.refuse(files[file], Refused(line, column_of(name), name, expected))
    if found:
        gone = f"SELECT s.file, s.line {STORED_OTHERWISE}"
        execute(connection, f"DELETE FROM {TABLE} WHERE (file, line) IN ({gone})")


def column_of(name: str) -> str:
    return "JobID" if "_" in name or "+" in name else "JobIDRaw"


# Files of one call, of which one has JobID alone and another JobIDRaw alone.


class Lone(NamedTuple):
    """The files that have one column of names, with the columns of a job of which they say nothing."""

    by_id: dict[int, frozenset[str]]
    by_raw: dict[int, frozenset[str]]

    @classmethod
    def of(cls, unsaid: Mapping[int, frozenset[str]]) -> Lone:
        """A log without JobIDRaw does not say the first name of a job, one without JobID not the other."""
        return cls(
            {n: says for n, says in unsaid.items() if "external_id" in says and "other_name" not in says},
            {n: says for n, says in unsaid.items() if "other_name" in says and "external_id" not in says},
        )

    @property
    def meet(self) -> bool:
        return bool(self.by_id and self.by_raw)

    @property
    def of_two_kinds(self) -> str:
        ids, raws = (", ".join(map(str, kind)) for kind in self)
        return f"(s.file IN ({ids}) AND j.file IN ({raws}) OR s.file IN ({raws}) AND j.file IN ({ids}))"


class Otherwise(NamedTuple):
    """A row and the name of its job in an earlier file."""

    file: int
    line: int
    name: str
    earlier: int
    other: str
    cluster: str
    other_cluster: str

    @property
    def ids(self) -> set[UUID]:
        return {job_id(self.cluster, self.name), job_id(self.other_cluster, self.other)}


def told_by(row: str, other: str) -> str:
    """SQL: the row's file tells the job by the other's name as well, so that they are two jobs."""
    return f"EXISTS (SELECT 1 FROM {TABLE} o WHERE o.file = {row}.file AND o.id = {other}.id)"


def refuse_what_files_name_otherwise(
    unsaid: Mapping[int, frozenset[str]], files: list[str], tally: Tally
) -> None:
    """While there still are the rows that another file tells again."""
    lone = Lone.of(unsaid)
    if not lone.meet:
        return
    index_ids()
    if connection.vendor == "postgresql":
        execute(connection, f"ANALYZE {TABLE}")
    found = rows(
        connection,
        "SELECT s.file, s.line, s.external_id, j.file, MIN(j.external_id), s.cluster, MIN(j.cluster) "
        f"FROM {TABLE} s JOIN {TABLE} j ON s.file > j.file AND {lone.of_two_kinds} AND {SAME_BUT_ITS_NAME} "
        f"WHERE NOT {told_by('s', 'j')} AND NOT {told_by('j', 's')} "
        "GROUP BY s.file, s.line, s.external_id, s.cluster, j.file ORDER BY 1, 2, 4",
    )
    gone: dict[tuple[int, int], Otherwise] = {}
    for one in both_new(map(Otherwise._make, found)):
        gone.setdefault((one.file, one.line), one)
    for one in gone.values():
        expected = f"the name by which {files[one.earlier]} tells the job, which is {one.other!r}: {BOTH}"
        tally.refuse(files[one.file], Refused(one.line, column_of(one.name), one.name, expected))
    leave_out(gone)
    warn_of_what_cannot_be_told(lone, files, tally)


def both_new(found: Iterable[Otherwise]) -> Iterator[Otherwise]:
    """Where one of the two is stored, the other is refused as a job that is stored otherwise."""
    for piece in pieces(found):
        ids = {pk for one in piece for pk in one.ids}
        stored = set(Job.objects.filter(pk__in=ids).values_list("pk", flat=True))
        yield from (one for one in piece if not one.ids & stored)


COLUMNS = {"submit_time": "Submit", "submitted_by": "User", "model_name": "JobName"}  # not in each log


def warn_of_what_cannot_be_told(lone: Lone, files: list[str], tally: Tally) -> None:
    tasks, jobs = clusters_of(lone.by_id, f"NOT {IS_NUMBER.format('external_id')}"), clusters_of(lone.by_raw)
    blind = {
        (one, other): lacking
        for one in lone.by_id
        for other in lone.by_raw
        if tasks.get(one, set()) & jobs.get(other, set())
        and (lacking := lacked(lone.by_id[one], lone.by_raw[other]))
    }
    if blind:
        by_id, by_raw = (listed(files[n] for n in dict.fromkeys(kind)) for kind in zip(*blind, strict=True))
        columns = " and ".join(
            column for name, column in COLUMNS.items() if any(name in lacking for lacking in blind.values())
        )
        tally.warnings.append(
            f"{by_id} names tasks of arrays by JobID alone, and {by_raw} by JobIDRaw alone. Without "
            f"{columns} in both, nothing tells which of them are the same, and those count twice: {BOTH}."
        )


def lacked(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    """Of the columns by which a job is known under its other name; where none names jobs, all are alike."""
    lacking = (one | other) & COLUMNS.keys()
    return lacking - (one & other & {"model_name"})


def clusters_of(files: Iterable[int], named: str = "1 = 1") -> dict[int, set[str]]:
    """By file, the keys of the clusters of which it tells jobs that are named so."""
    numbers = ", ".join(map(str, files))
    found: dict[int, set[str]] = {}
    for file, cluster in rows(
        connection,
        f"SELECT DISTINCT file, cluster FROM {TABLE} WHERE file IN ({numbers}) AND cluster IS NOT NULL "
        f"AND raw_gpu_count IS NOT NULL AND {named}",
    ):
        found.setdefault(file, set()).add(name_key(cluster))
    return found
