"""What every row of the bench is given: the databases, others' programs, and files to write."""

from __future__ import annotations

import csv
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
    def file_of_jobs(self) -> Path:
        """Our own file, less the few jobs that end before they start: an import would refuse it all."""
        whole, path = self.scratch / "all_jobs.csv", self.scratch / "jobs.csv"
        self.worker(self.middle).call("export", to=str(whole))
        with open(whole, newline="", encoding="utf-8-sig") as file, open(path, "w", newline="") as out:
            rows, lines = csv.reader(file), csv.writer(out)
            header = next(rows)
            start, end = header.index("start_time"), header.index("end_time")
            lines.writerow(header)
            lines.writerows(row for row in rows if not row[end] or row[start] <= row[end])
        whole.unlink()
        return path

    def against_small(self, url: str, large: Database | None = None) -> dict[str, Callable[[], Cost]]:
        """The page beside few jobs and beside many."""
        large = large or self.large
        return {one.label: self.worker(one).getting(url) for one in (self.small, large)}
