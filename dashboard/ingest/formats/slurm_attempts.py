"""Numbers the attempts of requeued jobs, as one log lists them."""

from __future__ import annotations

from array import array
from collections import defaultdict
from datetime import datetime

PAGE = 32  # ids
NEVER_SUBMITTED = 1

Times = array  # of the starts and submissions of attempts, in turn


class Attempts:
    """Names each attempt of a cluster's job: id, id#2, id#3.

    A row with the same start tells an attempt again; so does one of the same submission while either
    has not started. Times are seconds, 0 where a row has none. Those of first attempts are kept in pages:
    a log holds millions of ids, mostly in a row.
    """

    def __init__(self) -> None:
        self.first: defaultdict[int, Times] = defaultdict(lambda: array("I", bytes(PAGE * 8)))
        self.first_of_others: defaultdict[str, Times] = defaultdict(lambda: array("I", bytes(8)))
        self.later: defaultdict[str, Times] = defaultdict(lambda: array("I"))

    def named(self, job_id: str, start: int, submit: int) -> str:
        if is_told(*self.first_of(job_id), start, submit or NEVER_SUBMITTED):
            return job_id
        later = self.later[job_id]
        for place in range(0, len(later), 2):
            if is_told(later, place, start, submit or NEVER_SUBMITTED):
                return f"{job_id}#{place // 2 + 2}"
        later.extend((start, submit or NEVER_SUBMITTED))
        return f"{job_id}#{len(later) // 2 + 1}"

    def first_of(self, job_id: str) -> tuple[Times, int]:
        if not (job_id.isdecimal() and job_id.isascii() and job_id[0] != "0"):
            return self.first_of_others[job_id], 0
        page, place = divmod(int(job_id), PAGE)
        return self.first[page], 2 * place


def is_told(times: Times, place: int, start: int, submit: int) -> bool:
    """Whether the attempt there is the one of these times. A place that is empty becomes it."""
    known_start, known_submit = times[place], times[place + 1]
    if known_submit and (start != known_start if start and known_start else submit != known_submit):
        return False
    times[place], times[place + 1] = known_start or start, known_submit or submit
    return True


def seconds(moment: datetime | None) -> int:
    return int(moment.timestamp()) if moment else 0
