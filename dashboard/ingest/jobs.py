"""Jobs of a file: which id each has, where its GPUs stand, and how it meets what is stored."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any

from django.db import connection

from .. import gpu_time, late_indexes, rollups, typed
from ..counted import counted, have
from ..models import ImportRun, Job
from ..models.names import name_key
from ..naming import Names
from ..placing import Placing, unplaced
from ..rollups import noting
from ..scope import Span, shift_month
from ..statements import execute, stretches
from . import settling, two_names
from .attempts import settle_attempts, split
from .giving_way import GivingWay, Progress
from .groups import Group, groups_of_staged
from .job_ids import NAMESPACE, SEPARATOR, digits_of_id
from .log_time import LogTime
from .none_of_ours import NoneOfOurs
from .records import JobRow
from .rows import excluded, quoted, remember
from .staging import SAID, TABLE, StagedJob, StagedRow
from .summary import Tally
from .teams import TeamBook

UNSPECIFIED = "unspecified"
MOST_UNMATCHED = 50
REMEMBERED = 20_000
MANY = 20_000
WRITTEN_AT_ONCE, SUMMED_AT_ONCE = 128, 1024  # blocks of staged rows, of some 50 each
# provider, GPU type, billed GPUs, and the type and GPUs as the log has them
Hardware = tuple[str, str, Decimal, str | None, Decimal | None]


class JobRows:
    """Turns the rows of each file into staged rows; remembers what no mapping matched."""

    def __init__(self, placing: Placing, teams: TeamBook) -> None:
        self.unsaid: dict[int, frozenset[str]] = {}
        self.unplaced: Counter[tuple[str, str, str]] = Counter()
        self.unowned: Counter[tuple[str, str]] = Counter()
        self.twins: Counter[bytes] = Counter()
        self.anonymous_open = 0
        self.clusters: set[str] = set()  # of which logs tell, not a CSV that names the hardware
        # A log asks the same few questions millions of times.
        self.placed = lru_cache(REMEMBERED)(partial(placed, placing))
        self.owner = lru_cache(REMEMBERED)(partial(owner, placing))
        self.team_called = lru_cache(REMEMBERED)(lambda name: teams.id_of(name).hex)

    def begin_file(self, number: int, unsaid: frozenset[str]) -> None:
        """unsaid: columns of which this file says nothing, so that what is stored stays."""
        self.unsaid[number] = unsaid
        self.twins.clear()

    def staged(self, number: int, row: JobRow) -> StagedRow:
        provider, gpu_type, gpu_count, raw_type, raw_count = self.hardware(row)
        return (
            number,
            row.line,
            self.id_of(row),
            self.team_of(row),
            row.model_name,
            gpu_type,
            provider,
            row.start_time,
            row.end_time,
            row.status,
            gpu_count,
            row.submit_time,
            row.external_id,
            row.cluster,
            row.account,
            row.partition,
            raw_type,
            raw_count,
            row.submitted_by,
            row.other_name,
            other_id(row),
        )

    def hardware(self, row: JobRow) -> Hardware:
        if row.provider is not None and row.gpu_type is not None:  # a file that names it is believed
            return row.provider, row.gpu_type, row.gpu_count, row.raw_gpu_type, None
        cluster, raw = row.cluster or UNSPECIFIED, row.raw_gpu_type or UNSPECIFIED
        self.clusters.add(cluster)
        place, matched = self.placed(cluster, row.partition, raw, row.gpu_count, day_of(row))
        if not matched:
            self.unplaced[cluster, row.partition or "", raw] += 1
        return *place, raw, row.gpu_count

    def team_of(self, row: JobRow) -> str:
        if row.cluster is not None and row.account is not None:
            if team := self.owner(row.cluster, row.account, day_of(row)):
                return team
            self.unowned[row.cluster, row.account] += 1
        return self.team_called(row.team)

    def id_of(self, row: JobRow) -> str:
        if row.id is not None:
            return row.id.hex
        if row.external_id is not None:
            return digits_of_id(row.cluster or row.provider or UNSPECIFIED, row.external_id)
        if row.end_time is None:
            self.anonymous_open += 1
        content = own_content(row)
        digest = sha256(content.encode()).digest()
        self.twins[digest] += 1
        return uuid.uuid5(NAMESPACE, f"{content}{SEPARATOR}{self.twins[digest]}").hex

    def report(self, tally: Tally) -> None:
        if self.unplaced:
            tally.unmatched["clusters"] = [
                {"cluster": cluster, "partition": partition, "raw_gpu_type": raw, "jobs": jobs}
                for (cluster, partition, raw), jobs in self.unplaced.most_common(MOST_UNMATCHED)
            ]
        if self.unowned:
            tally.unmatched["accounts"] = [
                {"cluster": cluster, "account": account, "jobs": jobs}
                for (cluster, account), jobs in self.unowned.most_common(MOST_UNMATCHED)
            ]
        if self.anonymous_open:
            jobs = counted(self.anonymous_open, "job")
            tally.notes.append(
                f"{jobs} without job_id {have(self.anonymous_open)} not ended. Without an id, a row that "
                "says later how one went on comes in as another job."
            )


def placed(
    placing: Placing, cluster: str, partition: str | None, raw: str, gpus: Decimal, day: date | None
) -> tuple[tuple[str, str, Decimal], bool]:
    """(provider, GPU type, billed GPUs), and whether a mapping says so."""
    found = placing.place(cluster, partition, raw, day)
    place = found or unplaced(cluster, raw)
    return (place.provider, place.gpu_type, place.gpu_count(gpus)), found is not None


def owner(placing: Placing, cluster: str, account: str, day: date | None) -> str | None:
    team = placing.team_of(cluster, account, day)
    return team.hex if team else None


def other_id(row: JobRow) -> str | None:
    if row.other_name is None or row.cluster is None or row.other_name == split(row.external_id or "")[0]:
        return None
    return digits_of_id(row.cluster, row.other_name)


def own_content(row: JobRow) -> str:
    """All that the row says, spelled so that the same job is the same text in any file."""
    names = (row.team, row.provider, row.gpu_type, row.cluster, row.account, row.partition, row.raw_gpu_type)
    times = (row.start_time, row.end_time, row.submit_time)
    texts = [name_key(name or "") for name in names]
    texts += [time.astimezone(UTC).isoformat() if time else "" for time in times]
    texts += [row.model_name, row.status, format(row.gpu_count.normalize(), "f"), row.submitted_by or ""]
    return SEPARATOR.join(texts)


def day_of(row: JobRow) -> date | None:
    moment = row.start_time or row.submit_time
    return moment.astimezone(UTC).date() if moment else None


class JobPlan:
    """The staged rows beside the stored ones; `make` under the import's lock, then `write`."""

    def __init__(
        self,
        rows: JobRows,
        teams: TeamBook,
        files: list[str],
        tally: Tally,
        way: GivingWay,
        progress: Progress,
    ) -> None:
        self.rows, self.teams, self.files, self.tally = rows, teams, files, tally
        self.way, self.progress = way, progress
        self.groups: list[Group] = []
        self.log_time = LogTime()
        self.none_of_ours = NoneOfOurs()
        self.new_providers: set[str] = set()

    def make(self, names: Names, lock: bool) -> None:
        self.none_of_ours.drop_staged(self.tally)
        if StagedJob.objects.exists():
            self.make_jobs(names, lock)
        self.none_of_ours.settle(self.tally, lock)
        self.log_time.settle(self.groups, self.rows.clusters, self.tally)

    def make_jobs(self, names: Names, lock: bool) -> None:
        settling.use_stored_teams(self.teams.settle())
        two_names.use_those_that_are_stored(len(self.files), self.tally)
        settle_attempts(len(self.files))
        two_names.refuse_what_files_name_otherwise(self.rows.unsaid, self.files, self.tally)
        settling.settle_repeats(self.files, self.tally)
        settling.decide_fates(self.rows.unsaid, names, lock)
        two_names.refuse_what_is_stored_otherwise(self.files, self.tally)
        self.groups = groups_of_staged()
        for group in self.groups:
            self.tally.count(group.fate, group.jobs)
        touched = [group for group in self.groups if group.fate != "unchanged"]
        self.teams.want({group.team for group in touched})
        self.new_providers = {group.provider for group in touched} - names.cut_by.keys()
        self.tally.table("jobs", created=self.jobs("inserted"), changed=self.jobs("updated"))
        if self.jobs("updated"):
            settling.show_examples(self.teams, self.tally)
        self.rows.report(self.tally)
        if touched:
            self.sum_months(replace(names, pairs=names.pairs | {group.pair for group in touched}))

    def jobs(self, fate: str) -> int:
        return sum(group.jobs for group in self.groups if group.fate == fate)

    def pairs(self) -> set[tuple[str, str]]:
        """Providers and GPU types that files name; those of a log are a mapping's business."""
        return {group.pair for group in self.groups if group.named}

    def sum_months(self, names: Names) -> None:
        change: Counter[date] = Counter()
        for rows in stretches(connection, TABLE, SUMMED_AT_ONCE):
            new = StagedJob.objects.exclude(fate="unchanged").extra(where=[rows])
            change.update(gpu_time_by_month(new, names))
            self.way.rest()
        if self.jobs("updated"):
            replaced = Job.objects.filter(pk__in=StagedJob.objects.filter(fate="updated").values("pk"))
            change.subtract(gpu_time_by_month(replaced, names))
        self.tally.touch(change)
        months = sorted(month for month, microseconds in change.items() if microseconds)
        if not months:
            return
        stored = stored_by_month(names, Span(months[0], shift_month(months[-1], 1)))
        for month in months:
            before, after = stored[month], stored[month] + change[month]
            self.tally.month("job_gpu_hours", month, rounded_hours(before), rounded_hours(after))

    def write(self, run: ImportRun) -> None:
        self.log_time.write(run)
        self.none_of_ours.write(run)
        if not self.groups:
            return
        if self.jobs("updated"):
            remember(run, Job, "t.id IN (SELECT id FROM staged_jobs WHERE fate = 'updated')")
        if self.new_providers:
            rollups.expect(self.new_providers)
        self.merge_noted(run)

    def merge_noted(self, run: ImportRun) -> None:
        if self.are_many_for_one_writer():
            late_indexes.leave_for_later(Job, self.jobs("inserted"))
            typed.drop(connection)
            noted = noting.noted_at_once(connection, "SELECT id FROM staged_jobs WHERE fate = 'updated'")
        else:
            noted = noting.noted(connection, "SELECT id FROM staged_jobs WHERE fate <> 'unchanged'")
        with noted:
            for done, total in merge(run):
                self.progress("Writing", done, total)
                self.way.rest()
        typed.install(connection)

    def are_many_for_one_writer(self) -> bool:
        """So that others on SQLite would wait long until they can write."""
        return connection.vendor == "sqlite" and self.jobs("inserted") + self.jobs("updated") >= MANY


def merge(run: ImportRun) -> Iterator[tuple[int, int]]:
    """In the order of the file: mostly that of time, as the indexes are. Gives how many parts of how many.

    Nobody waits for us in a ring: imports come one after the other by the lock of their transaction, and
    what is to be updated is held already, in the order of the keys.
    """
    own = ("created_at", "updated_at", "imported_by_id")
    parts = list(stretches(connection, TABLE, WRITTEN_AT_ONCE))
    for done, rows in enumerate(parts, 1):
        execute(
            connection,
            f"INSERT INTO jobs (id, {quoted(own)}, {quoted(SAID)}) "
            f"SELECT id, %s, %s, %s, {quoted(SAID)} FROM {TABLE} WHERE fate <> 'unchanged' AND {rows} "
            f"ON CONFLICT (id) DO UPDATE SET {excluded([*own[1:], *SAID])}",
            [stamp(run.written_at), stamp(run.written_at), run.pk],
        )
        yield done, len(parts)


def stamp(moment: datetime) -> Any:
    return Job._meta.get_field("updated_at").get_db_prep_value(moment, connection)


def stored_by_month(names: Names, span: Span) -> Counter[date]:
    """Of all jobs, none of which is looked at."""
    return by_month(rollups.spent_by(["day"], rollups.Picked(), names, span))


def gpu_time_by_month(jobs: Any, names: Names) -> Counter[date]:
    return by_month((day, microseconds) for day, microseconds, _ in gpu_time.by(["day"], jobs, names))


def by_month(days: Iterable[tuple[Any, ...]]) -> Counter[date]:
    """GPU microseconds by month of the providers' bill clocks."""
    months: Counter[date] = Counter()
    for day, microseconds in days:
        months[day.replace(day=1)] += microseconds
    return months


def rounded_hours(microseconds: int) -> Decimal:
    return gpu_time.six_decimals(gpu_time.hours(microseconds))
