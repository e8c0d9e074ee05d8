"""What the staged jobs come to, by what they have in common: one look at them answers many questions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, Count, Max, Min, Q, When
from django.db.models.lookups import IsNull

from .staging import StagedJob

TIMES = ("submit_time", "began", "end_time")
BEGAN = Case(When(~Q(status="pending"), then="start_time"))  # of what waits, the start is a guess


class Group(NamedTuple):
    """Jobs that agree in these. named: the file names the hardware itself; of a log, a mapping does.

    first, last: of the instants that the file speaks of.
    """

    fate: str
    team: UUID
    provider: str
    gpu_type: str
    cluster: str | None
    named: bool
    first: datetime | None
    last: datetime | None
    jobs: int

    @property
    def pair(self) -> tuple[str, str]:
        return self.provider, self.gpu_type


KEYS = ("fate", "team_id", "provider", "gpu_type", "cluster", "named")
EDGES = {f"first_{t}": Min(t) for t in TIMES} | {f"last_{t}": Max(t) for t in TIMES}


def groups_of_staged() -> list[Group]:
    rows = StagedJob.objects.order_by().annotate(named=IsNull("raw_gpu_type", True), began=BEGAN)
    return [group(row) for row in rows.values(*KEYS).annotate(jobs=Count("line"), **EDGES)]


def group(row: dict[str, Any]) -> Group:
    instants = [row[edge] for edge in EDGES if row[edge] is not None]
    first, last = min(instants, default=None), max(instants, default=None)
    fate, team, provider, gpu_type, cluster, named = (row[key] for key in KEYS)
    return Group(fate, team, provider, gpu_type, cluster, named, first, last, row["jobs"])
