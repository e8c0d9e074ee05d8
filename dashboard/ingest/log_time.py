"""What time the logs of a call speak of: only there is a day without jobs an idle one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from ..models import ImportRun, LogSpan
from ..models.names import name_key
from ..scope import Span, buckets
from .groups import Group
from .records import Spoken
from .summary import Tally, shown

Stretch = tuple[datetime, datetime]


class Told(NamedTuple):
    """Of a cluster, from the first to the last instant, with the providers that the file itself names."""

    cluster: str
    first: datetime
    last: datetime
    providers: list[str]


class LogTime:
    def __init__(self) -> None:
        self.spoken: dict[str, Spoken] = {}
        self.told: list[Told] = []

    def hear(self, one: Spoken) -> None:
        """Of a job that is none of ours."""
        before = self.spoken.get(one.cluster, one)
        self.spoken[one.cluster] = Spoken(
            one.cluster, min(before.first, one.first), max(before.last, one.last)
        )

    def settle(self, groups: list[Group], clusters: set[str], tally: Tally) -> None:
        """Beside jobs that change all of it is kept; else what no log covers yet, as a change of its own."""
        self.told = list(told_by([*groups, *self.spoken.values()]))
        if not self.told or any(group.fate != "unchanged" for group in groups):
            return
        stored, keys = covered_before(), {name_key(name) for name in clusters | self.spoken.keys()}
        logs = (one for one in self.told if name_key(one.cluster) in keys)
        news = [(one, list(beyond(stored[name_key(one.cluster)], one.first, one.last))) for one in logs]
        self.told = [one for one, stretches in news if stretches]
        tally.table("log_spans", created=len(self.told))
        for one, stretches in news:
            for stretch in stretches:
                tell(one.cluster, stretch, tally)

    def write(self, run: ImportRun) -> None:
        LogSpan.objects.bulk_create(LogSpan(run=run, **one._asdict()) for one in self.told)


def told_by(parts: Iterable[Group | Spoken]) -> Iterator[Told]:
    clusters: defaultdict[str, list[Group | Spoken]] = defaultdict(list)
    for part in parts:
        clusters[name_key(cluster_of(part))].append(part)
    for found in clusters.values():
        firsts = [part.first for part in found if part.first is not None]
        lasts = [part.last for part in found if part.last is not None]
        if firsts:
            providers = {part.provider for part in found if isinstance(part, Group) and part.named}
            yield Told(cluster_of(found[0]), min(firsts), max(lasts), sorted(providers))


def cluster_of(part: Group | Spoken) -> str:
    return part.provider if isinstance(part, Group) and part.cluster is None else str(part.cluster)


def covered_before() -> defaultdict[str, list[Stretch]]:
    """By the key of the cluster, in order and apart from each other."""
    found: defaultdict[str, list[Stretch]] = defaultdict(list)
    logs = LogSpan.objects.filter(run__status=ImportRun.Status.COMMITTED).order_by("first")
    for cluster, first, last in logs.values_list("cluster", "first", "last"):
        stretches = found[name_key(cluster)]
        if stretches and first <= stretches[-1][1]:
            first, last = stretches[-1][0], max(last, stretches.pop()[1])
        stretches.append((first, last))
    return found


def beyond(covered: Iterable[Stretch], first: datetime, last: datetime) -> Iterator[Stretch]:
    """What of this time is left beside stretches that are in order."""
    for begin, end in covered:
        if begin > last:
            break
        if end < first:
            continue
        if first < begin:
            yield first, begin
        if end >= last:
            return
        first = end
    yield first, last


def tell(cluster: str, stretch: Stretch, tally: Tally) -> None:
    first, last = stretch
    tally.touch(buckets(Span.inclusive(first.date(), last.date()), "month"))
    tally.notes.append(
        f"No job of the log is new or changed; what is new is that it speaks of {cluster} from "
        f"{shown(first)} to {shown(last)}. A day then without jobs on GPUs is an idle one."
    )
