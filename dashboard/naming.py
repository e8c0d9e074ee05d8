"""Which names are the same provider or GPU type, and what pages call them.

Rows keep the spelling they came with. Display names, clocks and lags are looked up when a page is
read, so an alias added later applies to what is stored, and one taken away leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from .clock import now
from .databases import reading
from .models import Commitment, CostSnapshot, NameAlias, PeriodEntry, Provider, Rate, UsageSnapshot
from .models.distinct import distinct, found
from .models.names import name_key
from .remembered import until_written

DEFAULT_CLOCK = "UTC"
DEFAULT_LAG = 1

JOB_PAIRS = """
SELECT pairs.provider, pairs.gpu_type, COALESCE(c.clock, 'UTC')
FROM (
    SELECT provider, gpu_type FROM (
        SELECT provider, gpu_type, jobs FROM logged_gpu_time
        UNION ALL SELECT provider, gpu_type, jobs FROM gpu_time_changes
    ) AS noted GROUP BY provider, gpu_type HAVING SUM(jobs) > 0
) AS pairs LEFT JOIN provider_clocks c ON c.provider = pairs.provider
"""


class Written(NamedTuple):
    """The first and last day (included) with rows of a provider's GPU type, or of what was typed in for it.

    gpu_type may be empty; last is None for a rate without an end. source: what kind of rows: cost, usage,
    entry, rate or commitment.
    """

    provider: str
    gpu_type: str
    first: date
    last: date | None
    source: str


def written() -> list[Written]:
    """What is stored but for jobs, names as stored."""
    billed = [
        of_snapshots(model._meta.db_table, source)
        for source, model in (("cost", CostSnapshot), ("usage", UsageSnapshot))
    ]
    typed_in = [
        f"SELECT provider, gpu_type, first_day, last_day, '{source}' FROM {model._meta.db_table}"
        for source, model in (("entry", PeriodEntry), ("rate", Rate), ("commitment", Commitment))
    ]
    with reading().cursor() as cursor:
        cursor.execute(" UNION ALL ".join(billed + typed_in))
        return [Written(p, g, as_day(first), last and as_day(last), s) for p, g, first, last, s in cursor]


def of_snapshots(table: str, source: str) -> str:
    """The index of cells is probed once for each, however many days it has."""
    cell = "s.provider = found.provider AND s.gpu_type = found.gpu_type"
    first, last = (f"(SELECT {edge}(s.date) FROM {table} s WHERE {cell})" for edge in ("MIN", "MAX"))
    return f"""
        SELECT * FROM (
            WITH RECURSIVE {found(table, ["provider", "gpu_type"])}
            SELECT provider, gpu_type, {first} AS first_day, {last} AS last_day, '{source}' AS source
            FROM found WHERE gpu_type IS NOT NULL
        ) AS {table}_days"""


def as_day(value: Any) -> date:
    """SQLite has days as text."""
    return value if isinstance(value, date) else date.fromisoformat(value)


def job_pairs() -> list[tuple[str, str, str]]:
    """Every (provider, GPU type) that a job carries, and the clock that the roll-ups cut its days by."""
    with reading().cursor() as cursor:
        cursor.execute(JOB_PAIRS)
        return cursor.fetchall()


def pairs_in_jobs() -> list[tuple[str, str, str]]:
    """The same from the jobs themselves, where nothing is summed yet."""
    pairs = distinct(reading(), "jobs", ["provider", "gpu_type"])
    return [(provider, gpu_type, DEFAULT_CLOCK) for provider, gpu_type in pairs]


@dataclass(frozen=True)
class Names:
    """display names by key and by stored spelling, per kind; the spellings that are stored; clock and lag
    by provider key.

    cut_by: the clock that the roll-ups cut the jobs of a stored provider by.
    """

    providers: dict[str, str] = field(default_factory=dict)
    gpu_types: dict[str, str] = field(default_factory=dict)
    pairs: frozenset[tuple[str, str]] = frozenset()
    clocks: dict[str, str] = field(default_factory=dict)
    lags: dict[str, int] = field(default_factory=dict)
    cut_by: dict[str, str] = field(default_factory=dict)
    written: tuple[Written, ...] = ()
    shown: dict[tuple[str, ...], tuple[str, str]] = field(default_factory=dict, compare=False, repr=False)
    # What was answered while these names were in use: for as long as one request.
    answers: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def load(cls) -> Names:
        """As stored, with answers of its own."""
        [known] = until_written("names", lambda: [cls.read(job_pairs)])
        return replace(known, shown={}, answers={})

    @classmethod
    def read(cls, of_jobs: Callable[[], list[tuple[str, str, str]]]) -> Names:
        return cls.of(of_jobs(), written(), Provider.objects.all(), NameAlias.objects.all())

    @classmethod
    def of(
        cls,
        of_jobs: list[tuple[str, str, str]],
        written: Iterable[Written],
        known: Iterable[Provider],
        aliases: Iterable[NameAlias],
    ) -> Names:
        known, aliases, written = list(known), list(aliases), tuple(written)
        pairs = {(p, g) for p, g, *_ in written} | {(p, g) for p, g, _ in of_jobs}
        return cls(
            shown_names((p for p, _ in pairs), [p.name for p in known], aliases, "provider"),
            shown_names((g for _, g in pairs), [], aliases, "gpu_type"),
            frozenset(pairs),
            {p.key: p.bill_clock for p in known},
            {p.key: p.lag_days for p in known},
            {provider: clock for provider, _, clock in of_jobs},
            written,
        )

    def once(self, asked: Hashable, answer: Callable[[], Any]) -> Any:
        """A page asks the same for several of its figures."""
        if asked not in self.answers:
            self.answers[asked] = answer()
        return self.answers[asked]

    def moment(self) -> datetime:
        """Until when running jobs count, for all figures of a page."""
        at: datetime = self.once(Names.moment, now)
        return at

    def hardware(self, stored: tuple[str, ...]) -> tuple[str, str]:
        """Display names of a stored provider and GPU type: of the few pairs, asked for each of many rows."""
        shown = self.shown.get(stored)
        if shown is None:
            provider, gpu_type = stored
            shown = self.shown[stored] = (self.provider(provider), self.gpu_type(gpu_type))
        return shown

    def provider(self, stored: str) -> str:
        return self.providers.get(stored) or self.providers.get(name_key(stored), stored)

    def gpu_type(self, stored: str) -> str:
        return self.gpu_types.get(stored) or self.gpu_types.get(name_key(stored), stored)

    def clock(self, provider: str) -> str:
        return self.clocks.get(name_key(self.provider(provider)), DEFAULT_CLOCK)

    def stale_clocks(self) -> dict[str, str]:
        """The bill clock of each stored provider whose jobs the roll-ups still cut by another."""
        return {
            stored: self.clock(stored) for stored, cut in self.cut_by.items() if cut != self.clock(stored)
        }

    def lag(self, provider: str) -> int:
        return self.lags.get(name_key(self.provider(provider)), DEFAULT_LAG)

    def provider_spellings(self, shown: Iterable[str]) -> list[str]:
        """What is stored for these display names; names that nobody stored stand for themselves."""
        return spellings(shown, {p for p, _ in self.pairs}, self.provider)

    def gpu_spellings(self, shown: Iterable[str]) -> list[str]:
        return spellings(shown, {g for _, g in self.pairs}, self.gpu_type)

    def provider_choices(self) -> list[str]:
        return sorted({self.provider(p) for p, _ in self.pairs}, key=str.casefold)

    def gpu_choices(self) -> list[str]:
        return sorted({self.gpu_type(g) for _, g in self.pairs}, key=str.casefold)

    def spellings_by_clock(self) -> dict[str, list[str]]:
        """The stored providers of each bill clock in use."""
        by_clock: dict[str, list[str]] = {}
        for stored in sorted({p for p, _ in self.pairs}):
            by_clock.setdefault(self.clock(stored), []).append(stored)
        return by_clock


def shown_names(
    stored: Iterable[str], known: Iterable[str], aliases: Iterable[NameAlias], kind: str
) -> dict[str, str]:
    shown = {name_key(name): name for name in known}
    of_kind = [alias for alias in aliases if alias.kind == kind]
    for alias in of_kind:
        shown.setdefault(name_key(alias.name), alias.name)
    stored = sorted(set(stored))
    for name in stored:
        shown.setdefault(name_key(name), " ".join(name.split()))
    for alias in of_kind:
        shown[alias.alias_key] = shown[name_key(alias.name)]
    # Long charts ask for the same few by the ten thousand.
    return shown | {name: shown[name_key(name)] for name in stored}


def spellings(shown: Iterable[str], stored: set[str], display: Callable[[str], str]) -> list[str]:
    wanted = {display(name) for name in shown}
    found = {name for name in stored if display(name) in wanted}
    return sorted(found | (wanted if wanted and not found else set()))
