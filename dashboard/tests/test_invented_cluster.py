"""An invented cluster whose log is read every night, twice, out of order: what is stored is what ran."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import pytest

from dashboard.ingest.load import Source, load
from dashboard.ingest.records import Options
from dashboard.models import Job

from .conftest import at, examples

pytestmark = pytest.mark.django_db

BEGIN, DAY = at("2025-03-01 00:00"), timedelta(days=1)
NIGHTS = [BEGIN + n * DAY for n in range(1, 5)]
ENDS = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED by 7")
STATUS = {"COMPLETED": "completed", "CANCELLED by 7": "cancelled", "PREEMPTED": "cancelled"}
COLUMNS = ("JobID", "JobIDRaw", "User", "Account", "State", "Submit", "Start", "End", "ReqTRES", "AllocTRES")
UNNAMED = {"both names": (), "JobIDRaw alone": ("JobID",), "JobID alone": ("JobIDRaw",)}


class Attempt(NamedTuple):
    """start is None: it never runs, and is cancelled at its end. end is None: it goes on.

    waits_as: what sacct calls it while it waits.
    """

    job_id: str
    raw: str
    waits_as: tuple[str, str]
    gpus: int
    submit: datetime
    start: datetime | None
    end: datetime | None
    state: str


class Told(NamedTuple):
    """What is known of an attempt at some moment. job_id and raw are its names then."""

    job_id: str
    raw: str
    status: str
    gpus: int
    submit: datetime
    start: datetime | None
    end: datetime | None
    state: str


def as_of(now: datetime, ran: list[Attempt]) -> list[Told]:
    """Tasks of an array that wait have one row."""
    told = {}
    for names, *waits, gpus, submit, start, end, state in ((one[:2], *one[2:]) for one in ran):
        if submit >= now:
            continue
        if end and end <= now:
            said = Told(*names, STATUS.get(state, "failed"), gpus, submit, start, end, state)
        elif start and start <= now:
            said = Told(*names, "running", gpus, submit, start, None, "RUNNING")
        else:
            said = Told(*waits[0], "pending", gpus, submit, None, None, "PENDING")
        told[said.job_id, said.raw, submit] = said
    return list(told.values())


def cluster(dice: Random) -> Iterator[Attempt]:
    number = 10
    for _ in range(dice.randint(1, 6)):
        submit, gpus = later(dice, BEGIN), dice.choice([0, 1, 2, 4])
        tasks = dice.choice([1, 1, 2, 4])
        yield from (
            array(dice, number, tasks, gpus, submit)
            if tasks > 1
            else attempts(dice, (str(number), str(number)), gpus, submit, later(dice, submit))
        )
        number += tasks


def array(dice: Random, number: int, tasks: int, gpus: int, submit: datetime) -> Iterator[Attempt]:
    """The task that starts last has the array's own number; it may be cancelled before it starts."""
    starts = sorted(later(dice, submit) for _ in range(tasks))
    together = f"{number}_[1-{tasks}%2]", str(number)
    for task, start in enumerate(starts[:-1], 1):
        yield from attempts(dice, (f"{number}_{task}", str(number + task)), gpus, submit, start, together)
    if dice.random() < 0.3:
        yield Attempt(*together, together, gpus, submit, None, later(dice, starts[-1]), "CANCELLED by 7")
    else:
        yield from attempts(dice, (f"{number}_{tasks}", str(number)), gpus, submit, starts[-1], together)


def attempts(
    dice: Random,
    names: tuple[str, str],
    gpus: int,
    submit: datetime,
    start: datetime,
    waits_as: tuple[str, str] | None = None,
) -> Iterator[Attempt]:
    while dice.random() < 0.35:
        end, state = later(dice, start), dice.choice(["NODE_FAIL", "PREEMPTED"])
        yield Attempt(*names, waits_as or names, gpus, submit, start, end, state)
        submit, start, waits_as = end, later(dice, end), None
    if waits_as is None and dice.random() < 0.2:
        yield Attempt(*names, names, gpus, submit, None, start, "CANCELLED by 7")
    else:
        end = later(dice, start) if dice.random() < 0.9 else None
        yield Attempt(*names, waits_as or names, gpus, submit, start, end, dice.choice(ENDS))


def later(dice: Random, moment: datetime) -> datetime:
    return moment + timedelta(minutes=dice.randint(1, dice.choice([60, 1440, 2880])))


def log(dice: Random, ran: list[Attempt], last: datetime, unnamed: tuple[str, ...]) -> str:
    """What sacct tells at that moment of the day before it."""
    columns = [name for name in COLUMNS if name not in unnamed]
    rows = (line(dice, told, last) for told in as_of(last, ran) if not told.end or told.end > last - DAY)
    return "\n".join(["|".join(columns), *("|".join(row[name] for name in columns) for row in rows)])


def line(dice: Random, told: Told, now: datetime) -> dict[str, str]:
    gpus = f"gres/gpu={told.gpus}" if told.gpus else "mem=8G"
    start = instant(told.start)
    if not told.start and told.end:
        start = dice.choice(["None", instant(told.end)])
    elif not told.start:
        start = dice.choice(["Unknown", instant(now + DAY)])
    state = dice.choice(["RUNNING", "SUSPENDED"]) if told.state == "RUNNING" else told.state
    times = instant(told.submit), start, instant(told.end)
    facts = (told.job_id, told.raw, "ada", "vision", state, *times, gpus, gpus if told.start else "")
    return dict(zip(COLUMNS, facts, strict=True))


def instant(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}" if moment else "Unknown"


def truth(ran: list[Attempt], now: datetime, unnamed: tuple[str, ...]) -> Counter[tuple]:
    """By JobID alone, tasks that share one are left out."""
    by_raw = "JobIDRaw" not in unnamed
    ours = (one for one in as_of(now, ran) if one.gpus and (by_raw or "[" not in one.job_id))
    return Counter((one.raw if by_raw else one.job_id, *one[2:-1]) for one in ours)


def stored() -> Counter[tuple]:
    found: Counter[tuple] = Counter()
    facts = ("external_id", "status", "gpu_count", "submit_time", "start_time", "end_time")
    for name, status, gpus, submit, start, end in Job.objects.values_list(*facts):
        began = start if status != "pending" and start != end else None
        found[name.partition("#")[0], status, int(gpus), submit, began, end] += 1
    return found


def read(log: str) -> int:
    return load([Source("night.psv", io.BytesIO(log.encode()))], Options(cluster="fox")).changes


@pytest.mark.parametrize("names", UNNAMED)
def test_logs_of_nights_tell_what_ran_also_twice_and_out_of_order(names: str) -> None:
    unnamed = UNNAMED[names]
    for seed in range(examples(2)):
        dice = Random(f"{names} {seed}")
        ran = list(cluster(dice))
        logs = [log(dice, ran, night, unnamed) for night in NIGHTS]
        for night, told in zip(NIGHTS, logs, strict=True):
            read(told)
            assert stored() == truth(ran, night, unnamed), seed
            assert read(told) == 0, seed
        Job.objects.all().delete()
        for told in [*dice.sample(logs, len(logs)), *logs]:
            read(told)
        assert stored() == truth(ran, NIGHTS[-1], unnamed), seed
        Job.objects.all().delete()
