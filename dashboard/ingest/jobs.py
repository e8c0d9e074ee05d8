"""Jobs of a file: which id each has, where its GPUs stand, and how it meets what is stored."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Max, Min
from django.db.models.functions import Coalesce

from .. import gpu_time
from ..models import ImportRun, Job, LogSpan
from ..models.names import name_key
from ..naming import Names
from ..placing import Placing, unplaced
from ..scope import Span, shift_month
from . import settling
from .records import JobRow
from .rows import excluded, execute, quoted, remember
from .staging import SAID, StagedJob
from .summary import Tally
from .teams import TeamBook

NAMESPACE = UUID("6f1f9b7e-5d0c-5b62-9a55-0c8f3f2a7d11")
UNSPECIFIED = "unspecified"
SEPARATOR = "\x1f"  # no name holds a control character
MOST_UNMATCHED = 50


class JobRows:
    """Turns the rows of each file into staged rows; remembers what no mapping matched."""

    def __init__(self, placing: Placing, teams: TeamBook) -> None:
        self.placing = placing
        self.teams = teams
        self.unsaid: dict[int, frozenset[str]] = {}
        self.unplaced: Counter[tuple[str, str, str]] = Counter()
        self.unowned: Counter[tuple[str, str]] = Counter()
        self.twins: Counter[bytes] = Counter()
        self.anonymous_open = 0

    def begin_file(self, number: int, unsaid: frozenset[str]) -> None:
        """unsaid: columns of which this file says nothing, so that what is stored stays."""
        self.unsaid[number] = unsaid
        self.twins.clear()

    def staged(self, number: int, row: JobRow) -> tuple[Any, ...]:
        """The row as staging.COLUMNS lists it."""
        day = day_of(row)
        provider, gpu_type, gpu_count, raw_type, raw_count = self.hardware(row, day)
        return (
            number,
            row.line,
            self.id_of(row),
            self.team_of(row, day),
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
            "inserted",
        )

    def hardware(self, row: JobRow, day: date | None) -> tuple[str, str, Decimal, str | None, Decimal | None]:
        """(provider, GPU type, billed GPUs, raw type and GPUs). A file that names hardware is believed."""
        if row.provider is not None and row.gpu_type is not None:
            return row.provider, row.gpu_type, row.gpu_count, row.raw_gpu_type, None
        cluster, raw = row.cluster or UNSPECIFIED, row.raw_gpu_type or UNSPECIFIED
        place = self.placing.place(cluster, row.partition, raw, day)
        if place is None:
            self.unplaced[cluster, row.partition or "", raw] += 1
            place = unplaced(cluster, raw)
        return place.provider, place.gpu_type, place.gpu_count(row.gpu_count), raw, row.gpu_count

    def team_of(self, row: JobRow, day: date | None) -> UUID:
        if row.cluster is not None and row.account is not None:
            team = self.placing.team_of(row.cluster, row.account, day)
            if team is not None:
                return team
            self.unowned[row.cluster, row.account] += 1
        return self.teams.id_of(row.team)

    def id_of(self, row: JobRow) -> UUID:
        if row.id is not None:
            return row.id
        if row.external_id is not None:
            return job_id(row.cluster or row.provider or UNSPECIFIED, row.external_id)
        if row.end_time is None:
            self.anonymous_open += 1
        content = own_content(row)
        digest = sha256(content.encode()).digest()
        self.twins[digest] += 1
        return uuid.uuid5(NAMESPACE, f"{content}{SEPARATOR}{self.twins[digest]}")

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
            tally.notes.append(
                f"{self.anonymous_open} jobs without job_id have not ended. Without an id, a row that says "
                "more about them later comes in as another job."
            )


def job_id(cluster: str, external_id: str) -> UUID:
    """The same for every import of that cluster's log, whatever mappings and aliases make of it."""
    return uuid.uuid5(NAMESPACE, f"{name_key(cluster)}{SEPARATOR}{external_id}")


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

    def __init__(self, rows: JobRows, teams: TeamBook, files: list[str], tally: Tally) -> None:
        self.rows, self.teams, self.files, self.tally = rows, teams, files, tally

    def make(self, names: Names, lock: bool) -> None:
        if not StagedJob.objects.exists():
            return
        settling.use_stored_teams(self.teams.settle())
        settling.settle_repeats(self.files, self.tally)
        settling.keep_what_is_stored(self.rows.unsaid, names, lock)
        fates = settling.decide_fates()
        for fate, count in fates.items():
            self.tally.count(fate, count)
        touched = StagedJob.objects.exclude(fate="unchanged")
        self.teams.want(set(touched.order_by().values_list("team_id", flat=True).distinct()))
        self.tally.table("jobs", created=fates["inserted"], changed=fates["updated"])
        settling.show_examples(self.teams, self.tally)
        self.rows.report(self.tally)
        self.sum_months(names)

    def pairs(self) -> set[tuple[str, str]]:
        """Providers and GPU types that files name; those of a log are a mapping's business."""
        named = StagedJob.objects.filter(raw_gpu_type__isnull=True).order_by()
        return set(named.values_list("provider", "gpu_type").distinct())

    def sum_months(self, names: Names) -> None:
        staged = StagedJob.objects.exclude(fate="unchanged")
        pairs = staged.order_by().values_list("provider", "gpu_type").distinct()
        names = replace(names, pairs=names.pairs | frozenset(pairs))
        replaced = Job.objects.filter(pk__in=StagedJob.objects.filter(fate="updated").values("pk"))
        change = gpu_time_by_month(staged, names)
        change.subtract(gpu_time_by_month(replaced, names))
        months = sorted(month for month, microseconds in change.items() if microseconds)
        if not months:
            return
        span = Span(months[0], shift_month(months[-1], 1))
        stored = gpu_time_by_month(Job.objects.all(), names, span)
        for month in months:
            before, after = stored[month], stored[month] + change[month]
            self.tally.month("job_gpu_hours", month, rounded_hours(before), rounded_hours(after))

    def write(self, run: ImportRun) -> None:
        if not self.tally.tables.get("jobs"):
            return
        remember(run, Job, "t.id IN (SELECT id FROM staged_jobs WHERE fate = 'updated')")
        merge(run)
        LogSpan.objects.bulk_create(LogSpan(run=run, **span) for span in log_spans())


def merge(run: ImportRun) -> None:
    """One statement, in the order of the keys, so that two imports never wait for each other in a ring."""
    own = ("created_at", "updated_at", "imported_by_id")
    execute(
        f"INSERT INTO jobs (id, {quoted(own)}, {quoted(SAID)}) "
        f"SELECT s.id, %s, %s, %s, {quoted(SAID, 's')} FROM staged_jobs s WHERE s.fate <> 'unchanged' "
        f"ORDER BY s.id ON CONFLICT (id) DO UPDATE SET {excluded([*own[1:], *SAID])}",
        [stamp(run.written_at), stamp(run.written_at), run.pk],
    )


def stamp(moment: datetime) -> Any:
    return Job._meta.get_field("updated_at").get_db_prep_value(moment, connection)


def log_spans() -> Iterable[dict[str, Any]]:
    """From the first to the last instant that the files speak of, per cluster."""
    times = ("submit_time", "start_time", "end_time")
    edges = {f"first_{t}": Min(t) for t in times} | {f"last_{t}": Max(t) for t in times}
    clusters, named = (
        StagedJob.objects.order_by().values(of=Coalesce("cluster", "provider")),
        named_providers(),
    )
    for row in clusters.annotate(**edges):
        instants = [row[edge] for edge in edges if row[edge] is not None]
        if instants:
            providers = sorted(named.get(row["of"], ()))
            yield {
                "cluster": row["of"],
                "first": min(instants),
                "last": max(instants),
                "providers": providers,
            }


def named_providers() -> dict[str, set[str]]:
    """By cluster, the providers that rows name themselves; those of a log follow from the mappings."""
    named: dict[str, set[str]] = {}
    rows = StagedJob.objects.filter(raw_gpu_type__isnull=True).order_by()
    for cluster, provider in rows.values_list(Coalesce("cluster", "provider"), "provider").distinct():
        named.setdefault(cluster, set()).add(provider)
    return named


def gpu_time_by_month(jobs: Any, names: Names, span: Span | None = None) -> Counter[date]:
    """GPU microseconds by month of the providers' bill clocks."""
    months: Counter[date] = Counter()
    for day, microseconds, _ in gpu_time.by(["day"], jobs, names, span):
        months[day.replace(day=1)] += microseconds
    return months


def rounded_hours(microseconds: int) -> Decimal:
    return gpu_time.six_decimals(gpu_time.hours(microseconds))
