"""Where a log's GPUs stand on the bill, and which team an account or a tag belongs to, by the mappings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from django.forms import model_to_dict

from .models import AccountMapping, ClusterMapping, SpendMapping
from .models.names import name_key

FEWEST = Decimal("0.000001")
MOST = Decimal("999999.999999")


@dataclass(frozen=True, slots=True)
class Place:
    provider: str
    gpu_type: str
    factor: Decimal

    def gpu_count(self, raw_gpu_count: Decimal) -> Decimal:
        """Billed GPUs, kept within what the column holds and above zero."""
        billed = (raw_gpu_count * self.factor).quantize(FEWEST, ROUND_HALF_UP)
        return min(max(billed, FEWEST), MOST)


def unplaced(cluster: str, raw_gpu_type: str) -> Place:
    """Where no mapping says better: the cluster stands for the provider."""
    return Place(cluster[:100], raw_gpu_type[:100], Decimal(1))


class Placing:
    """The mappings, loaded once. `day` is the UTC day on which a job starts (else was submitted), or None."""

    def __init__(
        self,
        clusters: Iterable[ClusterMapping] = (),
        accounts: Iterable[AccountMapping] = (),
        spend: Iterable[SpendMapping] = (),
    ) -> None:
        self.clusters, self.accounts, self.spend = list(clusters), list(accounts), list(spend)
        self._by_cluster = grouped(self.clusters, "cluster", "partition", "raw_gpu_type")
        self._by_account = grouped(self.accounts, "cluster", "account")
        self._by_spend = grouped(self.spend, "provider", "sub_account", "tag")
        self._paying: dict[tuple[str, str, str], list[SpendMapping]] = {}

    def content(self) -> list[dict[str, Any]]:
        return [model_to_dict(one) for one in (*self.clusters, *self.accounts, *self.spend)]

    @classmethod
    def load(cls) -> Placing:
        return cls(ClusterMapping.objects.all(), AccountMapping.objects.all(), SpendMapping.objects.all())

    def place(
        self, cluster: str, partition: str | None, raw_gpu_type: str | None, day: date | None
    ) -> Place | None:
        """Exact partition and type win over the type alone, that over the partition alone, that over any."""
        names = name_key(cluster), name_key(partition or ""), name_key(raw_gpu_type or "")
        found = self._covering(self._by_cluster, narrowing(*names), day)
        return Place(found.provider, found.gpu_type, found.factor) if found else None

    def team_of(self, cluster: str, account: str, day: date | None) -> UUID | None:
        found = self._covering(self._by_account, [(name_key(cluster), name_key(account))], day)
        return found.team_id if found else None

    def team_paying(self, provider: str, sub_account: str, tag: str, day: date | None) -> UUID | None:
        """Sub-account and tag together win over the tag alone, that over the sub-account alone."""
        for mapping in self.paying(provider, sub_account, tag):
            if mapping.covers(day):
                return mapping.team_id
        return None

    def paying(self, provider: str, sub_account: str, tag: str) -> list[SpendMapping]:
        """Those that may say who pays, the most exact first; looked up once for the many days of a bill."""
        subject = provider, sub_account, tag
        if subject not in self._paying:
            narrowed = (one for one in narrowing(*map(name_key, subject)) if any(one[1:]))
            self._paying[subject] = [mapping for one in narrowed for mapping in self._by_spend.get(one, ())]
        return self._paying[subject]

    def periods(self, mappings: Iterable[Any]) -> list[tuple[date | None, date | None]]:
        """Half-open stretches of days in which these mappings do not change; None is open."""
        cuts = {m.valid_from for m in mappings if m.valid_from}
        cuts |= {m.valid_to + timedelta(days=1) for m in mappings if m.valid_to}
        edges = [None, *sorted(cuts), None]
        return list(zip(edges, edges[1:], strict=False))

    def _covering(self, index: dict, subjects: Iterable[tuple[str, ...]], day: date | None) -> Any:
        for subject in subjects:
            for mapping in index.get(subject, ()):
                if mapping.covers(day):
                    return mapping
        return None


def grouped(mappings: Iterable[Any], *fields: str) -> dict[tuple[str, ...], list[Any]]:
    groups: dict[tuple[str, ...], list[Any]] = {}
    for mapping in mappings:
        groups.setdefault(tuple(name_key(getattr(mapping, f)) for f in fields), []).append(mapping)
    return groups


def narrowing(first: str, second: str, third: str) -> list[tuple[str, str, str]]:
    """From the most exact to the least; an empty name stands for any."""
    return [(first, second, third), (first, "", third), (first, second, ""), (first, "", "")]


def day_within(period: tuple[date | None, date | None]) -> date:
    """Any day of a stretch that `Placing.periods` gave."""
    start, end = period
    if start is not None:
        return start
    return end - timedelta(days=1) if end is not None else date(2000, 1, 1)
