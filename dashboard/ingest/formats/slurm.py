"""Slurm accounting: `sacct --parsable2` logs, with or without offsets on their times."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache, partial

from dashboard.counted import counted, have, was
from dashboard.ingest import values
from dashboard.ingest.formats.columns import Columns, Memo, Picked, in_column, optional, refusal
from dashboard.ingest.formats.jobs import local_zone, ordered
from dashboard.ingest.formats.slurm_attempts import Attempts, seconds
from dashboard.ingest.formats.slurm_texts import Forms, FreeTexts
from dashboard.ingest.records import (
    FileRefused,
    Ignored,
    JobRow,
    NotOurs,
    Options,
    Record,
    Refused,
    Spoken,
)
from dashboard.ingest.table import Table
from dashboard.ingest.values import BadValue

NAME = "slurm"
LABEL = "Slurm log (sacct --parsable2)"
AS_IT_IS = "give what sacct --parsable2 writes as it is, without --delimiter"
MANDATORY = ("Account", "State", "Start", "End", "AllocTRES")
JOB_STEP = "job step"
NO_GPU = "no GPU"
NOT_STARTED = "tasks of an array that have not started"

# The job states of sacct(1). Any other is kept in small letters, as it is.
STATUS = {
    "COMPLETED": "completed",
    "PENDING": "pending",
    **dict.fromkeys(("RUNNING", "COMPLETING"), "running"),
    **dict.fromkeys(("FAILED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "DEADLINE", "BOOT_FAIL"), "failed"),
    **dict.fromkeys(("CANCELLED", "PREEMPTED", "REVOKED"), "cancelled"),
}
# What has started and not ended runs, whatever else its state is called.
WAITS = ("REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT")
OVER_OR_WAITS = frozenset({"completed", "failed", "cancelled", "pending", *map(str.lower, WAITS)})
GOES_ON = ("SUSPENDED", "RESIZING", "STOPPED", "SIGNALING", "STAGE_OUT", "CONFIGURING")
STATES = (*STATUS, *WAITS, *GOES_ON)
NEVER = frozenset({"", "unknown", "none", "n/a", "(null)"})

# Columns of the log → columns of a job that keep what is stored when the log has no such column; that of its
# ids is the other one then.
SAYS = {
    "JobIDRaw": "external_id",
    "JobID": "other_name",
    "JobName": "model_name",
    "Submit": "submit_time",
    "Partition": "partition",
    "User": "submitted_by",
    "Account": "account",
}

READ = (
    "State",
    "Start",
    "AllocTRES",
    "ReqTRES",
    "Account",
    "End",
    "ElapsedRaw",
    "Elapsed",
    "JobName",
    "Submit",
    "Cluster",
    "Partition",
    "User",
    "JobID",
)

Gpus = tuple[Decimal, str]
Instants = tuple[datetime, ...]


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
    unasked: int = 0  # jobs that did not run
    untold_tasks: bool = False

    def __post_init__(self) -> None:
        self.states = Memo("State", status)
        self.allocated, self.requested = Memo("AllocTRES", gpus), Memo("ReqTRES", gpus)
        self.accounts = Memo("Account", partial(values.text, what="an account, which is the team"))
        self.clusters = Memo("Cluster", values.text)
        self.partitions, self.users = (Memo(name, optional(values.text)) for name in ("Partition", "User"))
        self.job_names = Memo("JobName", values.tidied)
        self.attempts: defaultdict[str, Attempts] = defaultdict(Attempts)

    def records(self, table: Table) -> Iterator[Record]:
        self.job_id = "JobIDRaw" if "JobIDRaw" in self.columns else "JobID"
        mended = FreeTexts(self.columns, self.job_id, READ, self.forms).mended
        if table.separator == ",":
            mended = self.too_many
        for line, cells in self.columns.picked(table, (self.job_id, *READ), mended):
            if not isinstance(cells, tuple):
                yield cells
            elif "." in cells[0]:
                yield Ignored(line, JOB_STEP)
            else:
                yield self.top_level(line, cells)
        self.notes += self.said_of_rows()

    def too_many(self, line: int, row: list[str]) -> Refused:
        """Commas part AllocTRES itself, and nothing tells which of them do not part columns."""
        width = self.columns.width
        return Refused(line, "", f"{len(row)} fields", f"{width} as in the header: {AS_IT_IS}")

    def said_of_rows(self) -> Iterator[str]:
        if self.tidied:
            names = f"{counted(self.tidied, 'job name')} {was(self.tidied)}"
            yield f"{names} too long or held control characters: tidied."
        if self.untold_tasks:
            yield (
                "Tasks of an array that wait have one JobID together, and come in as they start. "
                "With JobIDRaw in sacct --format they come in as one job that waits."
            )
        if self.unasked:
            jobs = f"{counted(self.unasked, 'job')} {have(self.unasked)} not run"
            yield (
                f"{jobs}, and the log has no column ReqTRES: what they asked for is not known, so they "
                "count as jobs without a GPU. Those that wait by an earlier log go on waiting."
            )

    @property
    def forms(self) -> Forms:
        """How the values of columns look, in which no text stands."""
        times = dict.fromkeys(("Submit", "Eligible", "Start", "End"), self.is_time)
        resources = dict.fromkeys(("AllocTRES", "ReqTRES"), is_list_of_resources)
        return {
            **times,
            **resources,
            "State": is_state,
            "ElapsedRaw": lambda text: text == "" or text.isdecimal(),
            "Elapsed": lambda text: text == "" or elapsed_seconds("", text) is not None,
            self.job_id: lambda text: text[:1].isdecimal(),
        }

    def is_time(self, text: str) -> bool:
        try:
            return bool(self.moments("", text)) or text.strip().lower() in NEVER
        except BadValue:
            return False

    def top_level(self, line: int, cells: Picked) -> Record:
        raw_id, state, start, allocated, requested, *said = cells
        try:
            own_id = in_column(self.job_id, job_id, raw_id)
            starts = self.moments("Start", start)
            current = self.states[state]
            # The start of a pending job is a guess of the scheduler; one that is cancelled starts as it ends.
            ran = bool(starts) and current != "pending" and start != said[1]
            held = self.held(allocated, requested, ran)
            if held is None:
                spoken, is_known = self.spoken(current, starts, *said), allocated or (requested and not ran)
                names = (own_id,) if said[-1] in (own_id, "") else (own_id, said[-1].strip())
                not_ours = self.not_ours(names, spoken, *said) if is_known else None
                return Ignored(line, NO_GPU, spoken, not_ours)
            if "[" in own_id:
                self.untold_tasks = True
                return Ignored(line, NOT_STARTED, self.spoken(current, starts, *said))
            return self.job(line, own_id, current, held, starts, *said)
        except BadValue as bad:
            return refusal(line, bad)

    def spoken(self, current: str, starts: Instants, *said: str) -> Spoken | None:
        _, end, _, _, _, submit, cluster, *_ = said
        try:
            began = starts if current != "pending" else ()
            instants = [*self.moments("Submit", submit), *began, *self.moments("End", end)]
            named = self.options.cluster or self.clusters[cluster]
        except BadValue:
            return None
        return Spoken(named, min(instants), max(instants)) if instants else None

    def not_ours(self, names: tuple[str, ...], spoken: Spoken | None, *said: str) -> NotOurs | None:
        if spoken:
            return NotOurs(spoken.cluster, names, spoken.first)
        *_, cluster, _, _, _ = said
        try:
            named = self.options.cluster or self.clusters[cluster]
        except BadValue:
            return None
        return None if "Submit" in self.columns else NotOurs(named, names, None)

    def held(self, allocated: str, requested: str, ran: bool) -> Gpus | None:
        """A job that never ran holds nothing: what it asked for says whether it is ours."""
        held = self.allocated[allocated]
        if ran or held:
            return held
        self.unasked += not allocated and "ReqTRES" not in self.columns
        return self.requested[requested]

    def job(
        self,
        line: int,
        own_id: str,
        current: str,
        held: Gpus,
        starts: Instants,
        account: str,
        end: str,
        elapsed_raw: str,
        elapsed: str,
        job_name: str,
        submit: str,
        cluster: str,
        partition: str,
        user: str,
        also: str,
    ) -> JobRow:
        team = self.accounts[account]
        cluster = self.options.cluster or self.clusters[cluster]
        start_time, end_time = self.times(starts, end, elapsed_raw, elapsed)
        submit_time = next(iter(self.moments("Submit", submit)), None)
        started = starts[0] if starts and current != "pending" else None
        attempts = self.attempts[same_name(cluster)]
        return JobRow(
            line,
            team,
            self.model_name(job_name),
            "running" if start_time and not end_time and current not in OVER_OR_WAITS else current,
            held[0],
            start_time,
            end_time,
            submit_time,
            external_id=attempts.named(own_id, seconds(started), seconds(submit_time)),
            cluster=cluster,
            account=team,
            partition=self.partitions[partition],
            raw_gpu_type=held[1],
            submitted_by=self.users[user],
            other_name=self.other_name(own_id, also),
        )

    def other_name(self, own_id: str, also: str) -> str | None:
        """Of an array's tasks that share a JobID none has it as its name."""
        if self.job_id == "JobID" or "JobID" not in self.columns:
            return None
        return own_id if "[" in also or not also.strip() else in_column("JobID", job_id, also)

    def moments(self, column: str, text: str) -> Instants:
        try:
            return () if text.strip().lower() in NEVER else values.moments(text, self.local)
        except BadValue as bad:
            bad.column = column
            raise

    def times(
        self, starts: Instants, end: str, elapsed_raw: str, elapsed: str
    ) -> tuple[datetime | None, datetime | None]:
        ends = self.moments("End", end)
        if not starts or not ends:
            return (starts[0] if starts else None), (ends[0] if ends else None)
        if len(starts) == len(ends) == 1 and starts <= ends:
            return starts[0], ends[0]
        took = elapsed_seconds(elapsed_raw, elapsed)
        fits = None if took is None else timedelta(seconds=took)
        return in_column("End", lambda text: ordered(starts, ends, text, fits), end.strip(" "))

    def model_name(self, job_name: str) -> str:
        name = self.job_names[job_name]
        self.tidied += name != job_name.strip()
        return name or values.UNSPECIFIED


@lru_cache(maxsize=1000)
def same_name(cluster: str) -> str:
    """Equal for the spellings of one cluster: capitals and blanks do not tell them apart."""
    return " ".join(cluster.split()).casefold()


def job_id(value: str) -> str:
    return values.text(value, 100, what="a job id")


_ELAPSED = re.compile(r"(?:([0-9]{1,5})-)?(?:([0-9]{1,2}):)?([0-9]{1,2}):([0-9]{2})(?:\.[0-9]+)?")


def elapsed_seconds(raw: str, elapsed: str) -> int | None:
    """Of ElapsedRaw, which is seconds, else of Elapsed, [D-][HH:]MM:SS; None where neither says it."""
    if re.fullmatch("[0-9]{1,9}", raw.strip(" ")):
        return int(raw)
    if match := _ELAPSED.fullmatch(elapsed.strip(" ")):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return None


def status(value: str) -> str:
    """`CANCELLED by 1234` is cancelled; narrow columns cut states off with a +."""
    said = values.text(value, values.LABEL_LENGTH, what="a job state").split()[0].upper()
    word = said.rstrip("+")
    if word != said and word not in STATES:
        begun = [state for state in STATES if state.startswith(word)]
        word = begun[0] if len(begun) == 1 else word
    return STATUS.get(word, word.lower()[: values.STATUS_LENGTH])


def is_state(text: str) -> bool:
    word = text.partition(" ")[0].rstrip("+")
    return bool(word) and any(state.startswith(word) for state in STATES)


def is_list_of_resources(text: str) -> bool:
    return text == "" or all("=" in entry for entry in text.split(","))


_GPU = re.compile(r"gres/gpu(?::([^=]+))?=(.*)")


def gpus(tres: str) -> Gpus | None:
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
