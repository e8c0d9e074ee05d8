"""Whole pages: whether they feel how many jobs there are (rows 1, 12 and 13)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from .bench import Bench
from .beside import Beside
from .databases import THREE_YEARS, Database
from .measuring import Result, Table, columns, figures, interleaved, table, worst
from .peers.lists import lists_of_jobs
from .peers.superset import chart_of_three_years
from .profiled import where_it_goes

# They grow with what runs.
OF_WHAT_RUNS = (("/jobs/running/", "Running jobs"), ("/waste/", "Waste"))


def every_page(bench: Bench) -> Result:
    result = compared_pages(bench.small, bench.large, bench.worker, 1.2)
    result.tables += [where_it_goes(bench.worker(bench.large), url, label) for url, label in OF_WHAT_RUNS]
    return result.and_of(lists_of_jobs(bench))


def compared_pages(
    small: Database, large: Database, worker: Callable[[Database], Beside], limit: float
) -> Result:
    """Each page of the menu on its default scope."""
    pages = worker(large).call("menu").said["pages"]
    found = {}
    for url, label in pages:
        found[label] = interleaved({one.label: worker(one).getting(url) for one in (small, large)})
    return Result([worst(found, "slowest growth: {}", limit)], [table(found, "page")])


def admin_list(bench: Bench) -> Result:
    found = {"jobs in the admin": interleaved(bench.against_small("/admin/dashboard/job/"))}
    return Result([worst(found, "{}", 3)], [table(found, "page")])


SPANNED = {"/": "Overview", "/costs/": "Costs", "/usage/": "Usage", "/teams/": "Teams"}


def three_years(bench: Bench) -> Result:
    """One database of three years and fifty teams, asked for all of them and for the last ninety days."""
    worker, found = bench.worker(bench.three_years), {}
    for url, label in SPANNED.items():
        asked = {f"{days} days": f"{url}?{of_days(bench, days)}" for days in (90, THREE_YEARS)}
        found[label] = interleaved({name: worker.getting(one) for name, one in asked.items()})
    goal = worst(found, "slowest growth: {}", 2)
    tables = [table(found, "page"), afresh(bench, worker)]
    return Result([goal], tables).and_of(chart_of_three_years(bench))


def afresh(bench: Bench, worker: Beside) -> Table:
    """The same three years for a process that remembers no month, as after its start."""
    what = f"{THREE_YEARS} days, no month remembered"
    url = of_days(bench, THREE_YEARS)
    first = interleaved(
        {
            name: worker.calling("benchmarks.inside:get_afresh", url=f"{path}?{url}")
            for path, name in SPANNED.items()
        },
        runs=3,
    )
    return Table(columns(what), [(name, *figures(runs)) for name, runs in first.items()])


def of_three_years(bench: Bench) -> str:
    """The overview."""
    return f"/?{of_days(bench, THREE_YEARS)}"


def of_days(bench: Bench, days: int) -> str:
    """The last ones that are closed."""
    last = date.fromisoformat(bench.databases.as_of[:10]) - timedelta(days=1)
    return f"start={last - timedelta(days=days - 1)}&end={last}"
