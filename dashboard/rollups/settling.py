"""Brings what writes have noted into the sums; makes the sums anew; finds where they differ from the jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from .. import workers, writes
from ..models import GpuTimeChange, ModelName
from ..naming import Names, pairs_in_jobs
from ..statements import execute, rows, stretches, wait_for_turn
from .clocks import adopt_clocks, cut_by_present_clocks, hold_jobs_still
from .cutting import COLUMNS, MEASURES, changes, columns
from .stamps import MONTH, stamp_all, stamping
from .triggers import ROLLED_UP

SETTLING = 0x4E110B  # advisory lock: one settles at a time
SETTLED_AT_ONCE = 1024  # blocks of noted rows
WORTH_SETTLING = 200  # so many noted rows that pages begin to feel them


@dataclass(frozen=True)
class Sums:
    """A roll-up: its table, its keys, and what stands for each where that is not its own column."""

    table: str
    keys: tuple[str, ...]
    instead: tuple[tuple[str, str], ...] = ()

    def grouped(self, source: str) -> str:
        instead = dict(self.instead)
        picked = ", ".join(f'{instead.get(key, key)} AS "{key}"' for key in self.keys)
        sums = ", ".join(f"SUM({name}) AS {name}" for name in MEASURES)
        places = ", ".join(str(place + 1) for place in range(len(self.keys)))
        return f"SELECT {picked}, {sums} FROM {source} GROUP BY {places} ORDER BY 1"

    def merged(self, source: str) -> str:
        """SQL that adds the rows of the source, those of a day beside each other.

        `WHERE true` keeps SQLite from reading ON as a join's.
        """
        added = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in MEASURES)
        return (
            f"INSERT INTO {self.table} AS r ({columns((*self.keys, *MEASURES))}) "
            f"SELECT * FROM ({self.grouped(source)}) AS added WHERE true "
            f"ON CONFLICT ({columns(self.keys)}) DO UPDATE SET {added}"
        )


CELL = ("team_id", "provider", "gpu_type")
LOGGED = ("cluster", "partition", "raw_gpu_type", "account")


def sums(vendor: str) -> list[Sums]:
    return [
        Sums("gpu_days", ("day", *CELL)),
        Sums("gpu_days_of_models", ("day", *CELL, "status", "model_name")),
        Sums("gpu_months", ("day", *CELL, "status"), (("day", MONTH[vendor]),)),
        Sums(
            "logged_gpu_time",
            (*LOGGED, *CELL, "team_set_by_hand", "has_external_id"),
            tuple((name, f"COALESCE({name}, '')") for name in LOGGED),
        ),
    ]


# Settling


def settle_if_worth_it() -> None:
    """Where so much is noted that pages begin to feel it; never waits for somebody who is at it."""
    if GpuTimeChange.objects.all()[:WORTH_SETTLING].count() == WORTH_SETTLING:
        settle(wait=False)


def at_once() -> None:
    """Between two parts."""


def settle(wait: bool = True, between: Callable[[], None] = at_once) -> bool:
    """False where somebody else is at it and we do not wait. Sums are the same before and after.

    between: called each time that a part of what is noted is settled, within the transaction.
    """
    with transaction.atomic():
        if not locked(wait):
            return False
        if cut_by_present_clocks():
            between = at_once  # nobody writes jobs meanwhile
        if GpuTimeChange.objects.exists():  # else nothing is written, and kept pages stay
            settle_noted(between)
    return True


def settle_noted(between: Callable[[], None]) -> None:
    names = settle_on_postgresql(between) if connection.vendor == "postgresql" else settle_on_sqlite()
    remember_names(names)
    for rollup in ROLLED_UP[1:]:
        execute(connection, f"DELETE FROM {rollup} WHERE job_days = 0 AND jobs = 0")


def locked(wait: bool) -> bool:
    if wait or connection.vendor != "postgresql":
        wait_for_turn(connection, SETTLING)
        return True
    [[got]] = rows(connection, "SELECT pg_try_advisory_xact_lock(%s)", [SETTLING])
    return got


NEW_NAMES = (
    "SELECT DISTINCT model_name FROM {} g "
    "WHERE NOT EXISTS (SELECT 1 FROM model_names m WHERE m.name = g.model_name)"
)


def settle_on_postgresql(between: Callable[[], None]) -> list[str]:
    """Each part by one statement, so that all sums take the same rows: those that this one removes."""
    steps = ", ".join(f"into_{one.table} AS ({one.merged('gone')})" for one in sums("postgresql"))
    steps += f", stamped AS ({stamping('gone', 'postgresql')})"
    names: set[str] = set()
    for part in stretches(connection, "gpu_time_changes", SETTLED_AT_ONCE):
        gone = f"gone AS (DELETE FROM gpu_time_changes WHERE {part} RETURNING {columns(COLUMNS)})"
        names.update(name for (name,) in rows(connection, f"WITH {gone}, {steps} {NEW_NAMES.format('gone')}"))
        between()
    return sorted(names)


def settle_on_sqlite() -> list[str]:
    for one in sums("sqlite"):
        execute(connection, one.merged("gpu_time_changes"))
    execute(connection, stamping("gpu_time_changes", "sqlite"))
    names = [name for (name,) in rows(connection, NEW_NAMES.format("gpu_time_changes"))]
    execute(connection, "DELETE FROM gpu_time_changes")
    return names


def remember_names(names: list[str]) -> None:
    found = [ModelName(name=name, folded=name.casefold()) for name in names]
    ModelName.objects.bulk_create(found, batch_size=1000, ignore_conflicts=True)


# All of it


def rebuild() -> list[Difference]:
    """The sums of all jobs, whatever stood there before; then where they still differ: nowhere."""
    with transaction.atomic():
        differences = sum_up(Names.read(pairs_in_jobs))
        stamp_all()
        writes.note(connection)  # what was remembered may be of sums that were wrong
        return differences


def sum_up(names: Names) -> list[Difference]:
    """The same of names that are known, before there were stamps."""
    with transaction.atomic():
        hold_jobs_still()
        locked(wait=True)
        adopt_clocks(names)
        return summed_afresh()


def sum_up_beside_writers() -> list[Difference]:
    """Of one moment: what is written later is noted and stays so. Nobody else settles yet."""
    with of_one_moment() as alone:
        if not alone:
            hold_jobs_still()
        return summed_afresh()


def summed_afresh() -> list[Difference]:
    for table in ROLLED_UP:
        execute(connection, f"DELETE FROM {table}")
    with counted_afresh() as fresh:
        for one in sums(connection.vendor):
            execute(connection, one.merged(fresh))
        remember_names([name for (name,) in rows(connection, NEW_NAMES.format(fresh))])
        return list(compared(fresh))


def verify() -> Iterator[Difference]:
    """Where the sums, with what is noted and not yet settled, differ from the jobs of the same moment."""
    with of_one_moment(), counted_afresh() as fresh:
        yield from compared(fresh)


@contextmanager
def of_one_moment() -> Iterator[bool]:
    """Whether nothing that others commit meanwhile is seen: not within a transaction that has begun."""
    alone = connection.vendor == "postgresql" and not connection.in_atomic_block
    with transaction.atomic():
        if alone:
            execute(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield alone


def compared(fresh: str) -> Iterator[Difference]:
    for one in sums(connection.vendor):
        yield from differences(one, fresh)


@dataclass(frozen=True)
class Difference:
    """How much more than the jobs a row of a roll-up says; less where negative."""

    table: str
    key: tuple[Any, ...]
    measures: tuple[int, ...]

    def __str__(self) -> str:
        said = ", ".join(f"{name} {more:+,}" for name, more in zip(MEASURES, self.measures, strict=True))
        return f"{self.table} {' / '.join(map(str, self.key))}: {said}"


def differences(one: Sums, fresh: str) -> Iterator[Difference]:
    keys = columns(one.keys)
    less = ", ".join(f"-{name}" for name in MEASURES)
    sides = (
        f"SELECT {keys}, {columns(MEASURES)} FROM {one.table} "
        f"UNION ALL SELECT * FROM ({one.grouped('gpu_time_changes')}) AS noted "
        f"UNION ALL SELECT {keys}, {less} FROM ({one.grouped(fresh)}) AS fresh"
    )
    summed = ", ".join(f"SUM({name})" for name in MEASURES)
    wrong = " OR ".join(f"SUM({name}) <> 0" for name in MEASURES)
    differing = f"SELECT {keys}, {summed} FROM ({sides}) AS sides GROUP BY {keys} HAVING {wrong}"
    for row in rows(connection, differing):
        key, measures = row[: len(one.keys)], row[len(one.keys) :]
        yield Difference(one.table, key, tuple(map(int, measures)))


# Of few distinct rows among millions: hashed, and each job's days looked up by the index alone.
RECOUNTING = (
    "jit = off",
    "max_parallel_workers_per_gather = 2",
    "enable_sort = off",
    "enable_bitmapscan = off",
    "enable_memoize = off",
    "work_mem = '256MB'",
)


@contextmanager
def counted_afresh() -> Iterator[str]:
    """The name of a table of what all jobs come to, there for as long as the block runs."""
    table = "gpu_time_afresh"
    if connection.vendor == "postgresql":
        for setting in RECOUNTING:
            execute(connection, f"SET LOCAL {setting}")
    execute(connection, f"DROP TABLE IF EXISTS {table}")
    execute(
        connection, f"CREATE TEMPORARY TABLE {table} AS {changes(workers.dialect(connection), ('jobs', 1))}"
    )
    yield table
    execute(connection, f"DROP TABLE {table}")
