"""What every row of the bench is given: the databases, others' programs, and files to write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .beside import Beside
from .databases import Database, Databases, Sizes
from .measuring import Cost
from .peers.environments import Environments


@dataclass
class Bench:
    """scratch: a folder of this run."""

    databases: Databases
    environments: Environments
    scratch: Path
    sizes: Sizes
    say: Callable[[str], None]

    @property
    def is_full(self) -> bool:
        return self.sizes.many != self.sizes.middle

    @property
    def small(self) -> Database:
        return self.databases.postgres(self.sizes.few)

    @property
    def middle(self) -> Database:
        return self.databases.postgres(self.sizes.middle)

    @property
    def large(self) -> Database:
        return self.databases.postgres(self.sizes.many)

    @property
    def three_years(self) -> Database:
        return self.databases.three_years(self.sizes.many)

    def worker(self, database: Database) -> Beside:
        return self.databases.worker(database)

    @cached_property
    def export_of_a_million(self) -> Path:
        """Our own file of jobs, which `ingest` takes back."""
        path = self.scratch / "jobs.csv"
        if not path.exists():
            self.worker(self.middle).call("export", to=str(path))
        return path

    def against_small(self, url: str, large: Database | None = None) -> dict[str, Callable[[], Cost]]:
        """The page beside few jobs and beside many."""
        large = large or self.large
        return {one.label: self.worker(one).getting(url) for one in (self.small, large)}
