"""Loads files: read and staged, then planned and written in one transaction, all or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from os import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO

from django.db import connection, transaction
from django.utils import timezone

from .. import audit, late_indexes, rollups, writes
from ..databases import at_leisure
from ..models import ImportRun, Job
from ..models.names import name_key
from ..naming import Names
from ..placing import Placing
from . import catalogue, formats
from .bills import Bills
from .daily import DailyFiles
from .giving_way import GivingWay, Progress, nobody
from .jobs import UNSPECIFIED, JobPlan, JobRows
from .periods import PeriodFiles
from .reapply import reapply
from .records import (
    BillRow,
    CostRow,
    FileRefused,
    Ignored,
    JobRow,
    Options,
    PeriodRow,
    Record,
    Refused,
    TeamRow,
    UsageRow,
)
from .rows import pieces, wait_for_other_imports
from .settling import OPTIONAL
from .source import open_table, unpacked
from .staging import CHUNK, fill, staged_jobs
from .summary import GIVEN_TWICE, Summary, Tally
from .teams import TeamBook
from .words import briefly

PLAIN = Options()
ON_CONFLICT = ("refuse", "keep", "replace", "add")

PIECE = 1024**2


@dataclass(frozen=True)
class Source:
    name: str
    file: Path | BinaryIO


@dataclass
class Reading:
    """One file being read. unsaid: the columns of a job or a period of which it says nothing."""

    name: str
    records: Iterable[Record]
    format: str = "records"
    label: str = "records"
    digest: str = ""
    unsaid: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)


def load(
    sources: Iterable[Source],
    options: Options = PLAIN,
    *,
    format: str | None = None,
    progress: Progress = nobody,
    **how: Any,
) -> Summary:
    """Imports files, or says what importing them would do. `how` goes to load_readings.

    progress hears of the bytes that are read, of all files together, and of the jobs that are written.
    """
    sources = list(sources)
    read = readings(sources, options, format, progress)
    summary = load_readings(read, options, progress=progress, **how)
    return replace(summary, files=[source.name for source in sources])


def readings(
    sources: Sequence[Source], options: Options, format: str | None, progress: Progress
) -> Iterator[Reading]:
    done, total = 0, sum(size_of(source.file) for source in sources)
    given: set[str] = set()
    for source in sources:
        digest = digest_of(source.file)

        def report(read: int, before: int = done) -> None:
            progress("Reading", before + read, total)

        with in_words(source.name):
            contents = digest_of(source.file, unpacked) if len(sources) > 1 else digest
        with in_words(source.name), open_table(source.file, source.name, report) as table:
            module: Any = formats.of(table, format)
            notes: list[str] = []
            if contents in given:
                records = (Ignored(line, GIVEN_TWICE) for line, _ in table.rows)
            else:
                records = module.read(table, options, notes)
            given.add(contents)
            unsaid = silent(getattr(module, "SAYS", {}), table.header)
            yield Reading(source.name, records, module.NAME, module.LABEL, digest, unsaid, notes)
        done += size_of(source.file)


@contextmanager
def in_words(name: str) -> Iterator[None]:
    try:
        yield
    except FileRefused as refused:
        raise FileRefused(f"{name}: {refused}") from None


def size_of(file: Path | BinaryIO) -> int:
    """In bytes, as it was sent."""
    if isinstance(file, Path):
        return file.stat().st_size
    size = file.seek(0, SEEK_END)
    file.seek(0)
    return size


def digest_of(file: Path | BinaryIO, through: Callable[[Iterator[bytes]], Iterator[bytes]] = iter) -> str:
    """SHA-256."""
    if isinstance(file, Path):
        with file.open("rb") as opened:
            return digest_of(opened, through)
    digest = hashlib.sha256()
    for piece in through(iter(lambda: file.read(PIECE), b"")):
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()


def silent(says: dict[str, str], header: Iterable[str]) -> frozenset[str]:
    """Optional columns about which this header says nothing; what is stored there stays."""
    present = {plain(name) for name in header}
    absent = {column for name, column in says.items() if plain(name) not in present}
    return frozenset(absent | (set(OPTIONAL) - set(says.values())))


def plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")


@at_leisure()
@writes.asked_anew()
def load_readings(
    readings: Iterable[Reading],
    options: Options = PLAIN,
    *,
    on_conflict: str = "refuse",
    dry_run: bool = False,
    user: Any = None,
    claim: Callable[[], None] | None = None,
    progress: Progress = nobody,
) -> Summary:
    """claim runs inside the transaction before anything is written; what it raises ends the import."""
    batch = Batch(options, on_conflict, progress)
    try:
        with staged_jobs():
            batch.read_all(readings)
            if dry_run:
                batch.plan(lock=False)
                return batch.summary(dry_run=True)
            summary = batch.commit(user, claim)
    except FileRefused as refused:
        summary = batch.refused_whole(str(refused), dry_run)
    if not (dry_run or summary.committed):
        audit.record("import refused", ", ".join(summary.files), briefly(summary), by=audit.asker(user))
    return summary


class Batch:
    """The files of one call on their way into the database."""

    def __init__(self, options: Options, on_conflict: str, progress: Progress) -> None:
        if on_conflict not in ON_CONFLICT:
            raise ValueError(f"on_conflict is {on_conflict!r}, expected one of {', '.join(ON_CONFLICT)}")
        self.options, self.on_conflict = options, on_conflict
        self.files: list[Reading] = []
        self.names_of_files: list[str] = []
        self.tally = Tally()
        self.teams = TeamBook()
        self.placing = Placing.load()
        self.rows = JobRows(self.placing, self.teams)
        self.way = GivingWay()
        self.jobs = JobPlan(self.rows, self.teams, self.names_of_files, self.tally, self.way, progress)
        self.bills = Bills(on_conflict, self.tally)
        self.daily = DailyFiles(on_conflict, self.tally)
        self.periods = PeriodFiles(on_conflict, self.tally)

    def read_all(self, readings: Iterable[Reading]) -> None:
        for number, reading in enumerate(readings):
            self.files.append(reading)
            self.names_of_files.append(reading.name)
            self.rows.begin_file(number, reading.unsaid)
            self.daily.begin_file(number, reading.name, reading.digest)
            self.periods.begin_file(number, reading.name, reading.digest, reading.unsaid)
            with in_words(reading.name):
                for piece in pieces(self.staged(number, reading), CHUNK):
                    fill(piece)
                    self.way.rest()
            self.bills.end_file(reading.name)
            self.tally.notes += reading.notes
        if self.bills and self.daily:
            raise FileRefused("Import a bill and a CSV of daily figures one after the other, not in one go.")

    def staged(self, number: int, reading: Reading) -> Iterator[tuple[Any, ...]]:
        """The jobs among the records; the others are kept where they belong."""
        record = None
        for record in reading.records:
            match record:
                case JobRow():
                    self.jobs.none_of_ours.see(number, record)
                    yield self.rows.staged(number, record)
                case BillRow():
                    self.bills.add(reading.name, record)
                case CostRow() | UsageRow():
                    self.daily.add(record)
                case PeriodRow():
                    self.periods.add(record)
                case TeamRow():
                    self.teams.rows.append((reading.name, record))
                case Refused():
                    self.tally.refuse(reading.name, record)
                case Ignored():
                    self.tally.ignore(record.reason)
                    if record.spoken:
                        self.jobs.log_time.hear(record.spoken)
                    if record.not_ours:
                        self.jobs.none_of_ours.hear(record.line, record.not_ours)
        if record is None:
            self.tally.warnings.append(f"{reading.name} has a header and no rows.")

    def plan(self, lock: bool) -> None:
        names = Names.load()
        self.jobs.make(names, lock)
        self.bills.plan(names, lock)
        self.daily.plan(names, lock)
        self.periods.plan(names, lock)
        self.teams.plan(self.tally)
        self.list_new_names(names)

    def list_new_names(self, names: Names) -> None:
        """Providers and GPU types that nothing stored, no alias and no catalogue knows."""
        known = names.providers.keys() | {name_key(name) for name in catalogue.providers()}
        types = names.gpu_types.keys() | {name_key(name) for name in catalogue.gpu_types()}
        parts = (self.jobs, self.bills, self.daily, self.periods)
        for provider, gpu_type in sorted(set().union(*(part.pairs() for part in parts))):
            if name_key(provider) not in known:
                self.tally.unknown_name("provider", provider)
            if gpu_type not in ("", UNSPECIFIED) and name_key(gpu_type) not in types:
                self.tally.unknown_name("gpu_type", gpu_type)

    def commit(self, user: Any, claim: Callable[[], None] | None) -> Summary:
        if connection.vendor == "sqlite":
            late_indexes.make_missing(Job)
        with transaction.atomic():
            wait_for_other_imports()
            self.plan(lock=True)
            if self.tally.blocked:
                return self.summary(dry_run=False)
            if claim:
                claim()
            if not self.tally.changes:
                return self.summary(dry_run=False, committed=True)
            run = self.new_run(user)
            for part in (self.teams, self.jobs, self.bills, self.daily, self.periods):
                part.write(run)
            if Placing.load().content() != self.placing.content():  # mapped while the files were read
                reapply(Job.objects.filter(imported_by=run))
            rollups.settle(between=self.way.rest)
            writes.fold(connection)
            summary = self.summary(dry_run=False, committed=True, run=run.pk)
            run.summary = summary.as_json()
            run.save(update_fields=["summary"])
            audit.record(
                "imported", str(run), briefly(summary), rows=self.tally.changes, by=audit.asker(user)
            )
            return summary

    def new_run(self, user: Any) -> ImportRun:
        return ImportRun.objects.create(
            format=self.format,
            files=[self.named(reading) for reading in self.files],
            options=asdict(self.options) | {"on_conflict": self.on_conflict},
            user=user,
            written_at=timezone.now(),
        )

    def named(self, reading: Reading) -> dict[str, str]:
        """The digests of a file by which it is known again."""
        digests = {"name": reading.name, "sha256": reading.digest}
        for part in (self.daily, self.periods):
            if reading.digest in part.contents:
                digests["figures"] = part.contents.of(reading.digest)
        return digests

    @property
    def format(self) -> str:
        found = sorted({reading.format for reading in self.files})
        return found[0] if len(found) == 1 else "several"

    def summary(self, **facts: Any) -> Summary:
        labels = list(dict.fromkeys(reading.label for reading in self.files))
        return self.tally.summary(
            files=self.names_of_files, format=self.format, label=", ".join(labels), **facts
        )

    def refused_whole(self, words: str, dry_run: bool) -> Summary:
        """A file that cannot be read to its end: none of its rows are counted."""
        refusal = {"file": "", "line": None, "column": "", "value": "", "expected": "", "text": words}
        return Summary(self.names_of_files, self.format, "", dry_run, refusals=[refusal])
