"""Staged jobs are brought in line with what is stored, so that one comparison tells what is new."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import connection

from .. import workers
from ..counted import counted
from ..models import Job
from ..models.names import name_key
from ..naming import Names
from ..rollups import noting
from ..statements import execute, rows
from .records import Refused
from .rows import quoted
from .staging import OTHER, SAID, SETTLED, TABLE, StagedJob, create, differs, drop
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

FROM_LOG = "(s.raw_gpu_count IS NOT NULL)"
STANDS = (
    "CASE WHEN raw_gpu_count IS NULL THEN line END, "
    "CASE WHEN start_time IS NULL OR status = 'pending' THEN 1 ELSE 0 END, "
    "CASE WHEN end_time IS NULL THEN 1 ELSE 0 END, line DESC"
)
RANKED = (
    f"WITH ranked AS (SELECT *, ROW_NUMBER() OVER (PARTITION BY id ORDER BY {STANDS}) AS place FROM {TABLE} "
    f"WHERE id IN (SELECT id FROM {TABLE} GROUP BY id HAVING COUNT(*) > 1))"
)
AGAIN = "ranked s JOIN ranked k ON k.id = s.id AND k.place = 1 AND s.place > 1"
DIFFERS = f"({differs(quoted(SAID, 's'), quoted(SAID, 'k'))})"


def use_stored_teams(found: dict[UUID, UUID]) -> None:
    for new, stored in found.items():
        StagedJob.objects.filter(team_id=new).update(team_id=stored)


def settle_repeats(files: list[str], tally: Tally) -> None:
    """Of the rows with one id, the last file's stay. Within a CSV the first stays, and what differs from it
    is refused; in a log one that has ended stays before one that has not, then the last.
    """
    if len(files) > 1 and (told := leave_only_last_file()):
        tally.ignore("a job that a later file tells again", told)
    found = rows(connection, f"{RANKED} SELECT {FROM_LOG}, {DIFFERS}, COUNT(*) FROM {AGAIN} GROUP BY 1, 2")
    for from_log, other, told in found:
        if not other:
            tally.ignore("a job that the file tells already", told)
        elif from_log:
            tally.ignore("an attempt that the log tells again with other values", told)
            tell = "tells" if told == 1 else "tell"
            tally.notes.append(
                f"{counted(told, 'row')} of the log {tell} the attempt of another row with other values: "
                "the row that has ended stands, else the last."
            )
        else:
            refuse_contradictions(files, tally)
    if found:
        gone = f"{RANKED} SELECT id, file, line FROM ranked WHERE place > 1"
        execute(connection, f"DELETE FROM {TABLE} WHERE (id, file, line) IN ({gone})")


def leave_only_last_file() -> int:
    """How many rows go."""
    kept = f"SELECT id, MAX(file) AS kept FROM {TABLE} GROUP BY id HAVING COUNT(*) > 1"
    return execute(
        connection,
        f"DELETE FROM {TABLE} WHERE (id, file, line) IN (SELECT s.id, s.file, s.line "
        f"FROM {TABLE} s JOIN ({kept}) AS told ON told.id = s.id AND s.file <> told.kept)",
    )


def refuse_contradictions(files: list[str], tally: Tally) -> None:
    found = rows(
        connection,
        f"{RANKED} SELECT s.file, s.line, s.external_id, s.id, k.line FROM {AGAIN} "
        f"WHERE NOT {FROM_LOG} AND {DIFFERS} ORDER BY 1, 2",
    )
    for file, line, external_id, pk, first in found:
        column, name = ("job_id", external_id) if external_id else ("id", str(UUID(str(pk))))
        again = f"said once in the file: line {first} says it with other values"
        tally.refuse(files[file], Refused(line, column, name, again))


def decide_fates(unsaid: dict[int, frozenset[str]], names: Names, lock: bool) -> None:
    """Settles what each job is to be, and whether that is inserted, updated or unchanged."""
    if connection.vendor == "postgresql":
        execute(connection, f"ANALYZE {TABLE}")
    if not rows(connection, f"SELECT 1 FROM {TABLE} s JOIN jobs j ON j.id = s.id LIMIT 1"):
        return  # all are new, which is what they are staged as
    settle(unsaid)
    if lock and hold_updated():
        settle(unsaid)
    if keep_spellings(names):
        settle(unsaid)


def settle(unsaid: dict[int, frozenset[str]]) -> None:
    """The staged rows anew, by one join: to update each would write it anew as well, and slower."""
    values = {name: f's."{name}"' for name in SAID}
    values["team_id"] = "CASE WHEN j.team_set_by_hand THEN j.team_id ELSE s.team_id END"
    for column in SAID[1:]:
        if silent := [file for file, columns in unsaid.items() if column in columns]:
            values[column] = kept(column, silent, of=len(unsaid))
    wanted, stored = ", ".join(values.values()), quoted(SAID, "j")
    other = quoted(OTHER, "s")
    fate = (
        "CASE WHEN j.id IS NULL THEN 'inserted' "
        f"WHEN {differs(wanted, stored)} THEN 'updated' ELSE 'unchanged' END"
    )
    create(SETTLED)
    execute(
        connection,
        f'INSERT INTO {SETTLED} ("file", "line", "id", {quoted((*SAID, *OTHER))}, "fate") '
        f"SELECT s.file, s.line, s.id, {wanted}, {other}, {fate} "
        f"FROM {TABLE} s LEFT JOIN jobs j ON j.id = s.id",
    )
    drop(TABLE)
    execute(connection, f"ALTER TABLE {SETTLED} RENAME TO {TABLE}")


def kept(column: str, silent: list[int], of: int) -> str:
    """SQL: what is stored, where these of so many files say nothing of it."""
    stored = (f's."{column}"', f'j."{column}"') if column in OPTIONAL else (f'j."{column}"', f's."{column}"')
    value = f"COALESCE({', '.join(stored)})"
    if len(silent) == of:
        return value
    return f'CASE WHEN s.file IN ({", ".join(map(str, silent))}) THEN {value} ELSE s."{column}" END'


def hold_updated() -> bool:
    """Keeps others from the rows that are to be updated, in the order of their keys; whether there is one."""
    if connection.vendor != "postgresql":
        return False
    if workers.hold_jobs(connection):
        noting.alone(connection)
        return StagedJob.objects.filter(fate="updated").exists()
    held = (
        f"SELECT 1 FROM jobs j JOIN {TABLE} s ON s.id = j.id WHERE s.fate = 'updated' "
        "ORDER BY j.id FOR UPDATE OF j"
    )
    return bool(rows(connection, f"SELECT COUNT(*) FROM ({held}) AS held")[0][0])


def keep_spellings(names: Names) -> bool:
    """Another spelling of the same name is no change. Whether there was one."""
    if not StagedJob.objects.filter(fate="updated").exists():
        return False
    return any(
        [
            keep_spelling("provider", lambda name: name_key(names.provider(name))),
            keep_spelling("gpu_type", lambda name: name_key(names.gpu_type(name))),
            keep_spelling("cluster", name_key),
        ]
    )


def keep_spelling(column: str, key: Callable[[str], str]) -> bool:
    pairs = rows(
        connection,
        f'SELECT DISTINCT s."{column}", j."{column}" FROM {TABLE} s JOIN jobs j ON j.id = s.id '
        f'WHERE s.fate = \'updated\' AND s."{column}" <> j."{column}"',
    )
    same = [(staged, stored) for staged, stored in pairs if key(staged) == key(stored)]
    for staged, stored in same:
        execute(
            connection,
            f'UPDATE {TABLE} AS s SET "{column}" = %s FROM jobs j '
            f'WHERE j.id = s.id AND s."{column}" = %s AND j."{column}" = %s',
            [stored, staged, stored],
        )
    return bool(same)


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
