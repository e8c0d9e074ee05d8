"""What a reader says of each row of a file: plain values that know neither Django nor the database.

Every row of a file becomes exactly one record, so the counts of an import always add up to
the rows that were read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID


class FileRefused(Exception):
    """The file as a whole cannot be read. The message is a sentence for the person who sent it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the person who imports says about the files.

    cluster: the Slurm cluster (or other scheduler) that the jobs ran on.
    account: the billing account of bill rows that name none.
    time_zone: the IANA zone of times that carry no offset; None means UTC.
    team_tag: the key of the FOCUS tag whose value is kept on each bill line.
    """

    cluster: str | None = None
    account: str | None = None
    time_zone: str | None = None
    team_tag: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    line: int
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        where = f"Line {self.line}, {self.column}" if self.column else f"Line {self.line}"
        return f"{where}: {self.value!r} is not {self.expected}"


class Spoken(NamedTuple):
    """The instants of a cluster's log between which a row speaks."""

    cluster: str
    first: datetime
    last: datetime


class NotOurs(NamedTuple):
    """A job that a log tells without a GPU: all its names there, and the first instant told of it."""

    cluster: str
    names: tuple[str, ...]
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Ignored:
    """spoken: of a job that is none of ours, which the log covers all the same. not_ours: of which that is
    certain.
    """

    line: int
    reason: str
    spoken: Spoken | None = None
    not_ours: NotOurs | None = None


@dataclass(slots=True)  # not frozen: that makes it seven times as slow to make, and there are millions
class JobRow:
    """One job as the log or the CSV says it.

    id: only where the file carries Heliox' own id (an exported file).
    external_id: the scheduler's id; a requeued attempt is `id#2`. None: the row is its own identity.
    other_name: what the same log calls the job beside, as JobID does a task of an array; its external_id
        where that is no other, and None where the log has one column of names.
    cluster: the name under which external_id is unique; the fallback of provider.
    gpu_count: GPUs held for the whole run; fractions exist.
    raw_gpu_type: what the scheduler called the GPU; gpu_type/provider are set only by files that name them.
    """

    line: int
    team: str
    model_name: str
    status: str
    gpu_count: Decimal
    start_time: datetime | None = None
    end_time: datetime | None = None
    submit_time: datetime | None = None
    provider: str | None = None
    gpu_type: str | None = None
    id: UUID | None = None
    external_id: str | None = None
    cluster: str | None = None
    account: str | None = None
    partition: str | None = None
    raw_gpu_type: str | None = None
    submitted_by: str | None = None
    other_name: str | None = None


@dataclass(frozen=True, slots=True)
class BillRow:
    """One FOCUS row. Amounts in USD at full precision; gpu_hours is None where the row meters none.

    period: first day of the billing period and the day after its last.
    charge: a number of the instant, the resource, the region and the SKU, which tell rows apart that sum up
        alike; 0 where the reader gives none. The same only within a process.
    kind: a value of KINDS. gpu_type is empty for rows that are no GPU rows.
    """

    line: int
    provider: str
    account: str
    period: tuple[date, date]
    day: date
    sub_account: str
    tag: str
    kind: str
    service_category: str
    gpu_type: str
    billed: Decimal
    effective: Decimal
    gpu_hours: Decimal | None = None
    charge: int = 0


KINDS = (
    "on_demand",
    "spot",
    "committed",
    "unused_commitment",
    "purchase",
    "credit",
    "host",
    "non_gpu",
    "tax",
)


@dataclass(frozen=True, slots=True)
class CostRow:
    line: int
    day: date
    provider: str
    gpu_type: str
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class UsageRow:
    line: int
    day: date
    provider: str
    gpu_type: str
    gpu_hours: Decimal


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """A total from first_day to last_day, both included. gpu_hours: metered ones, None where unknown."""

    line: int
    first_day: date
    last_day: date
    provider: str
    gpu_type: str
    cost_usd: Decimal
    gpu_hours: Decimal | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class TeamRow:
    line: int
    name: str
    id: UUID | None = None


Row = JobRow | BillRow | CostRow | UsageRow | PeriodRow | TeamRow
Record = Row | Refused | Ignored
