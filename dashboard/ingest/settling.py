"""Staged jobs are brought in line with what is stored, so that one comparison tells what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count

from ..models import Job
from ..models.names import name_key
from ..naming import Names
from .records import Refused
from .rows import execute, pieces, query
from .staging import SAID, StagedJob, differs
from .summary import MOST_EXAMPLES, Tally
from .teams import TeamBook

# A null in these means that the file says nothing, unless its columns say otherwise.
OPTIONAL = (
    "submit_time",
    "external_id",
    "cluster",
    "account",
    "partition",
    "raw_gpu_type",
    "raw_gpu_count",
    "submitted_by",
)


def use_stored_teams(found: dict[UUID, UUID]) -> None:
    for new, stored in found.items():
        StagedJob.objects.filter(team_id=new).update(team_id=stored)


def settle_repeats(files: list[str], tally: Tally) -> None:
    """Of the rows with one id, the last file's first row stays; what differs within a file is refused."""
    repeated = (
        StagedJob.objects.order_by().values_list("id").annotate(n=Count("line")).filter(n__gt=1)
    ).values_list("id", flat=True)
    for ids in pieces(list(repeated)):
        rows = StagedJob.objects.filter(id__in=ids).order_by("id", "file", "line")
        for _, same in groupby(rows, key=lambda row: row.id):
            settle_one(list(same), files, tally)


def settle_one(same: list[Any], files: list[str], tally: Tally) -> None:
    kept = next(row for row in same if row.file == same[-1].file)
    for row in same:
        if row is kept:
            continue
        first = next(other for other in same if other.file == row.file)
        if row.file != kept.file:
            tally.ignore("a job that a later file tells again")
        elif said(row) == said(first):
            tally.ignore("a job that the file tells already")
        else:
            column, name = ("job_id", row.external_id) if row.external_id else ("id", str(row.id))
            again = f"said once in the file: line {first.line} says it with other values"
            tally.refuse(files[row.file], Refused(row.line, column, name, again))
        execute("DELETE FROM staged_jobs WHERE file = %s AND line = %s", [row.file, row.line])


def said(row: Any) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in SAID)


def keep_what_is_stored(unsaid: dict[int, frozenset[str]], names: Names, lock: bool) -> None:
    if connection.vendor == "postgresql":
        execute("ANALYZE staged_jobs")
        if lock:
            held = "SELECT 1 FROM jobs j JOIN staged_jobs s ON s.id = j.id ORDER BY j.id FOR UPDATE OF j"
            query(f"SELECT COUNT(*) FROM ({held}) AS held")
    align('"team_id" = j."team_id"', "j.team_set_by_hand")
    for file, columns in unsaid.items():
        if columns:
            align(", ".join(map(kept, sorted(columns))), "s.file = %s", [file])
    keep_spelling("provider", lambda a, b: name_key(names.provider(a)) == name_key(names.provider(b)))
    keep_spelling("gpu_type", lambda a, b: name_key(names.gpu_type(a)) == name_key(names.gpu_type(b)))
    keep_spelling("cluster", lambda a, b: name_key(a) == name_key(b))


def kept(column: str) -> str:
    value = f'COALESCE(s."{column}", j."{column}")' if column in OPTIONAL else f'j."{column}"'
    return f'"{column}" = {value}'


def align(assignments: str, when: str, params: Iterable[Any] = ()) -> None:
    execute(
        f"UPDATE staged_jobs AS s SET {assignments} FROM jobs j WHERE j.id = s.id AND {when}", list(params)
    )


def keep_spelling(column: str, same: Callable[[str, str], bool]) -> None:
    """Another spelling of the same name is no change."""
    pairs = query(
        f'SELECT DISTINCT s."{column}", j."{column}" FROM staged_jobs s JOIN jobs j ON j.id = s.id '
        f'WHERE s."{column}" <> j."{column}"'
    )
    for staged, stored in pairs:
        if same(staged, stored):
            align(f'"{column}" = %s', f's."{column}" = %s AND j."{column}" = %s', [stored, staged, stored])


def decide_fates() -> Counter[str]:
    fate = f"CASE WHEN {differs('s', 'j')} THEN 'updated' ELSE 'unchanged' END"
    execute(f"UPDATE staged_jobs AS s SET fate = {fate} FROM jobs j WHERE j.id = s.id")
    return Counter(dict(query("SELECT fate, COUNT(*) FROM staged_jobs GROUP BY fate")))


def show_examples(teams: TeamBook, tally: Tally) -> None:
    updated = StagedJob.objects.filter(fate="updated").order_by("file", "line")[:MOST_EXAMPLES]
    rows = list(updated)
    stored = Job.objects.in_bulk([row.id for row in rows])
    for row in rows:
        old = stored[row.id]
        fields: dict[str, tuple[Any, Any]] = {
            name: (getattr(old, name), getattr(row, name))
            for name in SAID
            if getattr(old, name) != getattr(row, name)
        }
        if "team_id" in fields:
            was, is_ = fields.pop("team_id")
            fields["team"] = teams.name_of(was), teams.name_of(is_)
        tally.example(f"job {row.external_id or row.id}", row.line, fields)
