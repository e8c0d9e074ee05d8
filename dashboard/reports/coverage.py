"""Which days of a provider the imported job logs speak of: only there is a day without jobs an idle one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from ..models import ClusterMapping, ImportRun, LogSpan
from ..models.names import name_key
from ..naming import Names
from ..scope import ONE_DAY, Span


@dataclass(frozen=True)
class Coverage:
    """spans: by the display name of a provider, in order and apart from each other."""

    spans: Mapping[str, list[Span]] = field(default_factory=dict)

    @classmethod
    def load(cls, names: Names) -> Coverage:
        return names.once("coverage", lambda: cls(covered(names)))

    def days(self, provider: str) -> list[Span]:
        return self.spans.get(provider, [])

    def covers(self, provider: str, day: date) -> bool:
        return any(day in span for span in self.days(provider))

    def __contains__(self, cell: tuple[str, date]) -> bool:
        return self.covers(*cell)


def covered(names: Names) -> dict[str, list[Span]]:
    """From the day of a log's first instant to that of its last, both included, by each provider's clock."""
    logs = LogSpan.objects.filter(run__status=ImportRun.Status.COMMITTED).select_related("run")
    stored = {name_key(provider) for provider, _ in names.pairs}
    mappings: defaultdict[str, list[ClusterMapping]] = defaultdict(list)
    for mapping in ClusterMapping.objects.all():
        mappings[name_key(mapping.cluster)].append(mapping)
    found: defaultdict[str, list[Span]] = defaultdict(list)
    for log in logs:
        for stored_name, first, last in spoken_of(log, mappings[name_key(log.cluster)], stored):
            provider = names.provider(stored_name)
            # A log says nothing of what came after it was read, whatever its jobs hoped for.
            span = days_between(log.first, min(log.last, log.run.written_at), names.clock(provider))
            found[provider].append(within(span, first, last))
    return {provider: merged(spans) for provider, spans in found.items()}


def spoken_of(
    log: LogSpan, mappings: Iterable[ClusterMapping], stored: Collection[str]
) -> Iterator[tuple[str, date | None, date | None]]:
    """(provider, first day, last day) of each provider whose jobs the log tells; None is open.

    stored: keys of the providers that rows stand under; the cluster's own where no mapping places a job.
    """
    if log.providers:
        yield from ((provider, None, None) for provider in log.providers)
        return
    own, mapped = log.cluster[:100], False
    for mapping in mappings:
        mapped = True
        yield mapping.provider, mapping.valid_from, mapping.valid_to
    if not mapped or name_key(own) in stored:
        yield own, None, None


def days_between(first: datetime, last: datetime, clock: str) -> Span:
    zone = ZoneInfo(clock)
    start = first.astimezone(zone).date()
    return Span(start, max(start, last.astimezone(zone).date() + ONE_DAY))


def within(span: Span, first: date | None, last: date | None) -> Span:
    start = max(span.start, first or span.start)
    return Span(start, max(start, min(span.end, last + ONE_DAY if last else span.end)))


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that overlap or meet are one; empty ones are none."""
    apart: list[Span] = []
    for span in sorted((one for one in spans if one.length), key=lambda one: one.start):
        if apart and span.start <= apart[-1].end:
            apart[-1] = Span(apart[-1].start, max(apart[-1].end, span.end))
        else:
            apart.append(span)
    return apart
