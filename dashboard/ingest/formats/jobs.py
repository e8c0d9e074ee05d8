"""GPU jobs from any scheduler or trace, and the file that /jobs/ exports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from decimal import Decimal

from dashboard.ingest import values
from dashboard.ingest.formats.columns import Cells, Columns, in_column, lowered, refusal
from dashboard.ingest.records import FileRefused, JobRow, Options, Record
from dashboard.ingest.source import Table
from dashboard.ingest.values import BadValue

NAME = "jobs"
LABEL = "jobs CSV (team,model_name,gpu_type,provider,start_time,end_time,status and more)"
MANDATORY = ("team", "model_name", "gpu_type", "provider", "start_time", "end_time", "status")
OPTIONAL = ("id", "job_id", "gpu_count", "submit_time")
DERIVED = ("duration_seconds", "job_gpu_hours")  # in our own export; the times and the count say it already

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
    local = local_zone(options)
    for line, cells in columns.rows(table):
        if not isinstance(cells, Cells):
            yield cells
            continue
        try:
            yield _job(line, cells, options, local)
        except BadValue as bad:
            yield refusal(line, bad)


def local_zone(options: Options) -> tzinfo:
    try:
        return values.zone(options.time_zone)
    except BadValue as bad:
        raise FileRefused(f"{options.time_zone!r} is not {bad.expected}.") from None


def _job(line: int, cells: Cells, options: Options, local: tzinfo) -> JobRow:
    start, end = _times(cells, local)
    provider = cells.get("provider", _label)
    own_id = cells.optional("id", values.uuid)
    return JobRow(
        line=line,
        team=cells.get("team", _name),
        model_name=cells.optional("model_name", _name) or values.UNSPECIFIED,
        status=cells.get("status", _status),
        gpu_count=cells.optional("gpu_count", gpu_count) or Decimal(1),
        start_time=start,
        end_time=end,
        submit_time=cells.optional("submit_time", lambda value: values.moment(value, local)),
        provider=provider,
        gpu_type=cells.get("gpu_type", _label),
        id=own_id,
        external_id=cells.optional("job_id", _name),
        cluster=options.cluster or (provider if own_id is None else None),
    )


def _name(value: str) -> str:
    return values.text(values.unguarded(value))


def _label(value: str) -> str:
    return values.text(values.unguarded(value), values.LABEL_LENGTH)


def _status(value: str) -> str:
    return values.text(values.unguarded(value), values.STATUS_LENGTH, what="a status").lower()


def gpu_count(value: str) -> Decimal:
    count = values.decimal(value, places=6, low=Decimal(0), high=Decimal(100_000))
    if not count:
        raise BadValue(value, "a number of GPUs above 0")
    return count


def _times(cells: Cells, local: tzinfo) -> tuple[datetime | None, datetime | None]:
    starts = cells.get("start_time", lambda value: _moments(value, local))
    ends = cells.get("end_time", lambda value: _moments(value, local))
    if not starts or not ends:
        return (starts[0] if starts else None), (ends[0] if ends else None)
    return in_column("end_time", lambda value: ordered(starts, ends, value), cells.raw("end_time"))


def _moments(value: str, local: tzinfo) -> tuple[datetime, ...]:
    return values.moments(value, local) if value.strip() else ()


def ordered(starts, ends, end_text: str, elapsed=None) -> tuple[datetime, datetime]:
    start, end = values.span(starts, ends, elapsed)
    if end < start:
        raise BadValue(end_text, f"a time at or after the start, {start:%Y-%m-%d %H:%M:%S} UTC")
    return start, end
