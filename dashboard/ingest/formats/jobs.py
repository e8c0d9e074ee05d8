"""GPU jobs from any scheduler or trace, and the file that /jobs/ exports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from dashboard.formulas import unguarded
from dashboard.ingest import values
from dashboard.ingest.formats.columns import Columns, Memo, Picked, in_column, lowered, optional, refusal
from dashboard.ingest.records import FileRefused, JobRow, Options, Record
from dashboard.ingest.table import Table
from dashboard.ingest.values import BadValue

NAME = "jobs"
LABEL = "jobs CSV (team,model_name,gpu_type,provider,start_time,end_time,status and more)"
MANDATORY = ("team", "model_name", "gpu_type", "provider", "start_time", "end_time", "status")
OPTIONAL = ("id", "job_id", "gpu_count", "submit_time", "duration_seconds")
STATUSES = ("pending", "running", "completed", "failed", "cancelled")  # any other is kept as it is
ONE = Decimal(1)
DERIVED = ("job_gpu_hours",)  # in our own export; the times and the count say it already

# Columns of the file → columns of a job that keep what is stored when the file has no such column.
SAYS = {"gpu_count": "gpu_count", "job_id": "external_id", "submit_time": "submit_time"}


def recognises(header: tuple[str, ...]) -> bool:
    names = set(lowered(header))
    return {"team", "model_name"} <= names and not names.isdisjoint({"start_time", "end_time", "status"})


def read(table: Table, options: Options, notes: list[str]) -> Iterator[Record]:
    columns = Columns(lowered(table.header), "a jobs CSV", MANDATORY)
    unread = columns.unread(MANDATORY + OPTIONAL + DERIVED)
    if unread:
        notes.append(f"Columns that are not read: {values.listed(unread)}.")
    reader = _Reader(options)
    for line, cells in columns.picked(table, MANDATORY + OPTIONAL):
        if not isinstance(cells, tuple):
            yield cells
            continue
        try:
            yield reader.job(line, cells)
        except BadValue as bad:
            yield refusal(line, bad)


def local_zone(options: Options) -> tzinfo:
    try:
        return values.zone(options.time_zone)
    except BadValue as bad:
        raise FileRefused(f"{options.time_zone!r} is not {bad.expected}.") from None


class _Reader:
    """Rows of one file. Order matters: of several bad cells the first that is looked at is told."""

    def __init__(self, options: Options) -> None:
        self.local = local_zone(options)
        self.cluster = options.cluster
        self.teams = Memo("team", _name)
        self.models = Memo("model_name", optional(_name))
        self.gpu_types = Memo("gpu_type", _label)
        self.providers = Memo("provider", _label)
        self.statuses = Memo("status", _status)
        self.gpu_counts = Memo("gpu_count", optional(gpu_count))

    def job(self, line: int, cells: Picked) -> JobRow:
        team, model, gpu_type, provider, start, end, status, own_id, job_id, gpus, submit, took = cells
        start_time, end_time = self.times(start, end, took)
        named = self.providers[provider]
        pk = in_column("id", values.uuid, own_id) if own_id.strip(" ") else None
        return JobRow(
            line,
            self.teams[team],
            self.models[model] or values.UNSPECIFIED,
            self.statuses[status],
            self.gpu_counts[gpus] or ONE,
            start_time,
            end_time,
            self.moment("submit_time", submit),
            named,
            self.gpu_types[gpu_type],
            pk,
            in_column("job_id", _name, job_id) if job_id.strip(" ") else None,
            self.cluster or (named if pk is None else None),
        )

    def times(self, start: str, end: str, took: str) -> tuple[datetime | None, datetime | None]:
        """took: the seconds, which matter where a local time occurs twice."""
        starts, ends = self.moments("start_time", start), self.moments("end_time", end)
        if not starts or not ends:
            return (starts[0] if starts else None), (ends[0] if ends else None)
        if len(starts) == len(ends) == 1 and starts <= ends:
            return starts[0], ends[0]
        occurs_twice = len(starts) > 1 or len(ends) > 1
        elapsed = in_column("duration_seconds", elapsed_of, took) if occurs_twice and took.strip() else None
        return in_column("end_time", lambda text: ordered(starts, ends, text, elapsed), end.strip(" "))

    def moments(self, column: str, text: str) -> tuple[datetime, ...]:
        if not text.strip():
            return ()
        try:
            return values.moments(text, self.local)
        except BadValue as bad:
            bad.column = column
            raise

    def moment(self, column: str, text: str) -> datetime | None:
        return self.moments(column, text)[0] if text.strip(" ") else None


def _name(value: str) -> str:
    return values.text(unguarded(value))


def _label(value: str) -> str:
    return values.text(unguarded(value), values.LABEL_LENGTH)


def _status(value: str) -> str:
    status = values.text(unguarded(value), values.STATUS_LENGTH, what="a status")
    return status.lower() if status.lower() in STATUSES else status


def gpu_count(value: str) -> Decimal:
    count = values.decimal(value, places=6, low=Decimal(0), high=Decimal(100_000))
    if not count:
        raise BadValue(value, "a number of GPUs above 0")
    return count


def elapsed_of(value: str) -> timedelta:
    return timedelta(seconds=float(values.decimal(value, low=Decimal(0), high=Decimal(10**10))))


def ordered(starts, ends, end_text: str, elapsed=None) -> tuple[datetime, datetime]:
    start, end = values.span(starts, ends, elapsed)
    if end < start:
        raise BadValue(end_text, f"a time at or after the start, {start:%Y-%m-%d %H:%M:%S} UTC")
    return start, end
