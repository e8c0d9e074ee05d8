"""The list of jobs by plain Django, and by django-tables2 with django-filter, on our own tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..beside import SERIAL, Beside
from ..databases import Database
from ..measuring import Result, Runs, interleaved, table
from .environments import tried

if TYPE_CHECKING:
    from ..bench import Bench

SETTINGS = {"DJANGO_SETTINGS_MODULE": "benchmarks.peers.project.settings"}
RUNS = 5


def lists_of_jobs(bench: Bench) -> Result:
    """A table by its parts: the first page, the last one, and a filter, beside few jobs and beside many."""
    found: dict[str, dict[str, Runs]] = {}
    result = Result()
    for name, pages in PAGES.items():

        def measure(programs: Path, name: str = name, pages: dict[str, str] = pages) -> Result:
            found.update({f"{name}, {words}": of(bench, programs, url) for words, url in pages.items()})
            return Result()

        result.notes += tried(bench.environments, name, measure).notes
    if found:
        result.tables.append(table(found, "others' list of jobs"))
    return result


PAGES = {
    "Django ListView": {"first page": "/plain/", "last page": "/plain/?page=last"},
    "django-tables2 + django-filter": {"first page": "/tables/", "one status": "/tables/?status=failed"},
}


def of(bench: Bench, programs: Path, url: str) -> dict[str, Runs]:
    small, large = bench.small, bench.large
    with beside(programs, small) as few, beside(programs, large) as many:
        return interleaved({small.label: few.getting(url), large.label: many.getting(url)}, runs=RUNS)


def beside(programs: Path, database: Database) -> Beside:
    settings = {"DATABASE_NAME": database.name, "DATABASE_SOCKET": socket_of(database)}
    return Beside(SETTINGS | SERIAL | settings, programs / "python")


def socket_of(database: Database) -> str:
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(database.url).netloc.rpartition("@")[2])
