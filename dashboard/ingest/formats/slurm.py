"""Slurm accounting: `sacct --parsable2` logs, with or without offsets on their times."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from dashboard.ingest import values
from dashboard.ingest.formats.columns import Cells, Columns, in_column, refusal
from dashboard.ingest.formats.jobs import local_zone, ordered
from dashboard.ingest.records import FileRefused, Ignored, JobRow, Options, Record
from dashboard.ingest.source import Table
from dashboard.ingest.values import BadValue

NAME = "slurm"
LABEL = "Slurm log (sacct --parsable2)"
MANDATORY = ("Account", "State", "Start", "End", "AllocTRES")
JOB_STEP = "job step"
NO_GPU = "no GPU"

# The job states of sacct(1). Any other is kept in small letters, as it is.
STATUS = {
    "COMPLETED": "completed",
    "PENDING": "pending",
    **dict.fromkeys(("RUNNING", "COMPLETING"), "running"),
    **dict.fromkeys(("FAILED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "DEADLINE", "BOOT_FAIL"), "failed"),
    **dict.fromkeys(("CANCELLED", "PREEMPTED", "REVOKED"), "cancelled"),
}
NEVER = frozenset({"", "unknown", "none", "n/a", "(null)"})

# Columns of the log → columns of a job that keep what is stored when the log has no such column.
SAYS = {
    "JobName": "model_name",
    "Submit": "submit_time",
    "Partition": "partition",
    "User": "submitted_by",
    "Account": "account",
}


def recognises(header: tuple[str, ...]) -> bool:
    names = set(header)
    return not names.isdisjoint({"JobIDRaw", "JobID"}) and "State" in names


def read(table: Table, options: Options, notes: list[str]) -> Iterator[Record]:
    columns = Columns(table.header, "a Slurm log", MANDATORY)
    if not options.cluster and "Cluster" not in columns:
        raise FileRefused(
            "A Slurm log does not say which cluster it is from: name it with --cluster "
            "(or add the column Cluster to sacct --format)."
        )
    if "JobName" not in columns:
        notes.append(f"The log has no column JobName: every job's model is stored as '{values.UNSPECIFIED}'.")
    return _Log(columns, options, local_zone(options), notes).records(table)


@dataclass
class _Log:
    columns: Columns
    options: Options
    local: tzinfo
    notes: list[str]
    tidied: int = 0

    def records(self, table: Table) -> Iterator[Record]:
        job_id = "JobIDRaw" if "JobIDRaw" in self.columns else "JobID"
        attempts: Counter[str] = Counter()
        for line, cells in self.columns.rows(table):
            if not isinstance(cells, Cells):
                yield cells
            elif "." in cells.raw(job_id):
                yield Ignored(line, JOB_STEP)
            else:
                yield self._top_level(line, cells, job_id, attempts)
        if self.tidied:
            self.notes.append(f"{self.tidied} job names were too long or held control characters: tidied.")

    def _top_level(self, line: int, cells: Cells, job_id: str, attempts: Counter[str]) -> Record:
        try:
            raw_id = cells.get(job_id, lambda value: values.text(value, 100, what="a job id"))
            attempts[raw_id] += 1
            starts = cells.get("Start", self._moments)
            pending = cells.get("State", status) == "pending"  # its start is a guess of the scheduler
            gpus = self._gpus(cells, started=bool(starts) and not pending)
            if gpus is None:
                return Ignored(line, NO_GPU)
            attempt = attempts[raw_id]
            return self._job(line, cells, raw_id if attempt == 1 else f"{raw_id}#{attempt}", starts, gpus)
        except BadValue as bad:
            return refusal(line, bad)

    def _gpus(self, cells: Cells, started: bool) -> tuple[Decimal, str] | None:
        """A job that never started holds nothing yet: what it asked for says whether it is ours."""
        allocated = cells.get("AllocTRES", gpus)
        return allocated if started or allocated else cells.get("ReqTRES", gpus)

    def _job(self, line: int, cells: Cells, external_id: str, starts, gpus: tuple[Decimal, str]) -> JobRow:
        account = cells.get("Account", lambda value: values.text(value, what="an account, which is the team"))
        start, end = self._times(cells, starts)
        return JobRow(
            line=line,
            team=account,
            model_name=self._model_name(cells),
            status=cells.get("State", status),
            gpu_count=gpus[0],
            start_time=start,
            end_time=end,
            submit_time=next(iter(cells.get("Submit", self._moments)), None),
            external_id=external_id,
            cluster=self.options.cluster or cells.get("Cluster", values.text),
            account=account,
            partition=cells.optional("Partition", values.text),
            raw_gpu_type=gpus[1],
            submitted_by=cells.optional("User", values.text),
        )

    def _moments(self, value: str) -> tuple[datetime, ...]:
        return () if value.strip().lower() in NEVER else values.moments(value, self.local)

    def _times(self, cells: Cells, starts) -> tuple[datetime | None, datetime | None]:
        ends = cells.get("End", self._moments)
        if not starts or not ends:
            return (starts[0] if starts else None), (ends[0] if ends else None)
        elapsed = cells.raw("ElapsedRaw")
        fits = timedelta(seconds=int(elapsed)) if re.fullmatch("[0-9]{1,9}", elapsed) else None
        return in_column("End", lambda value: ordered(starts, ends, value, fits), cells.raw("End"))

    def _model_name(self, cells: Cells) -> str:
        said = cells.raw("JobName")
        name = values.tidied(said)
        self.tidied += name != said.strip()
        return name or values.UNSPECIFIED


def status(value: str) -> str:
    """`CANCELLED by 1234` is cancelled; narrow columns cut states off with a +."""
    word = values.text(value, values.LABEL_LENGTH, what="a job state").split()[0].rstrip("+").upper()
    return STATUS.get(word, word.lower()[: values.STATUS_LENGTH])


_GPU = re.compile(r"gres/gpu(?::([^=]+))?=(.*)")


def gpus(tres: str) -> tuple[Decimal, str] | None:
    """How many GPUs of which type an AllocTRES holds; None without any.

    `gres/gpu:a100=1,gres/gpu=1` is one a100: the untyped entry is the total. Types that a job mixes
    cannot be told apart in time or money: they make one name, `a100+rtx30`.
    """
    total, typed = None, {}
    for entry in tres.split(","):
        if match := _GPU.fullmatch(entry.strip()):
            name, count = match[1], _count(match[2], tres)
            if name is None:
                total = count
            elif count:
                typed[name.strip()] = count
    total = sum(typed.values()) if total is None else total
    if not total:
        return None
    raw_type = "+".join(sorted(typed)) or values.UNSPECIFIED
    return Decimal(total), values.text(raw_type, values.LABEL_LENGTH, what="a GPU type")


def _count(value: str, tres: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", value):
        raise BadValue(tres, "a list like cpu=4,gres/gpu=2 with a whole number of GPUs")
    return int(value)
