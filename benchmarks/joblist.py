"""The list of jobs: filters, depth, search and the making of fifty rows (rows 2 to 6)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from .bench import Bench
from .beside import Beside
from .databases import Database
from .measuring import (
    Cost,
    Goal,
    Result,
    Runs,
    Table,
    columns,
    figures,
    interleaved,
    number,
    ratio,
    table,
    worst,
)
from .profiled import where_it_goes

NO_SUCH_WORD = "zzyzx"
NEWEST_FIRST = "start_time DESC NULLS LAST, id DESC"


def first_page(bench: Bench) -> Result:
    filters = single_filters(bench, bench.small, bench.large)
    found = {words: interleaved(bench.against_small(address(asked))) for words, asked in filters.items()}
    most = max(found, key=lambda words: found[words][bench.large.label].cpu)
    milliseconds = found[most][bench.large.label].cpu * 1000
    goals = [worst(found, "slowest growth: {}", 1.3), Goal(f"most CPU: {most}", milliseconds, 15, "ms")]
    database = max(runs[bench.large.label].db for runs in found.values()) * 1000
    notes = [f"Of the CPU of one page the database takes at most {number(database)} ms."]
    profile = where_it_goes(bench.worker(bench.large), address({}), f"`/jobs/`, {bench.large.label}")
    return Result(goals, [table(found, "filter"), profile, given_again(bench, bench.large, filters)], notes)


def given_again(bench: Bench, database: Database, filters: dict[str, dict[str, Any]]) -> Table:
    """The same pages as the service is shipped: made for the first who asks, kept for the next."""
    with Beside(bench.databases.as_shipped(database)) as worker:
        runs = interleaved({words: worker.getting(address(asked)) for words, asked in filters.items()})
    lines = [(words, *figures(some)) for words, some in runs.items()]
    return Table(columns(f"kept, for the next who asks; {database.label}"), lines)


def three_filters(bench: Bench) -> Result:
    found = {
        words: interleaved(bench.against_small(address(asked))) for words, asked in triples(bench).items()
    }
    return Result([worst(found, "slowest growth: {}", 3)], [table(found, "filters")])


def depth(bench: Bench) -> Result:
    return depth_of(bench, bench.large)


def depth_of(bench: Bench, database: Database) -> Result:
    worker = bench.worker(database)
    after = worker.call("cursor_at", share=0.9).said["after"]
    asked = {"first page": address({}), "at 90 %": address({"after": after})}
    runs = interleaved({name: worker.getting(url) for name, url in asked.items()}, runs=11)
    found = {"ours": runs, "raw SQL with OFFSET": by_offset(bench, database)}
    return Result([Goal("at 90 % against the first", ratio(runs), 1.2)], [table(found, "page")])


def by_offset(bench: Bench, database: Database) -> dict[str, Runs]:
    """The rows alone, as psycopg or sqlite3 fetch them."""
    worker, sql = bench.worker(database), f"SELECT * FROM jobs ORDER BY {NEWEST_FIRST} LIMIT 50 OFFSET "
    places = {"first page": 0, "at 90 %": database.jobs * 9 // 10}
    things = {name: lambda place=place: worker.sql(f"{sql}{place}") for name, place in places.items()}
    return interleaved(things, runs=3)


def search(bench: Bench) -> Result:
    few, many = (bench.middle if bench.is_full else bench.small), bench.large
    found = {
        words: interleaved(
            {one.label: bench.worker(one).getting(address({"q": text})) for one in (few, many)}
        )
        for words, text in searched(bench).items()
    }
    milliseconds = max(runs[many.label].db for runs in found.values()) * 1000
    goals = [worst(found, "slowest growth: {}", 2), Goal("most CPU of the database", milliseconds, 40, "ms")]
    return Result(goals, [table(found, "word")])


def fifty_rows(bench: Bench) -> Result:
    worker, times = bench.worker(bench.large), 10

    def rendered(ours: bool) -> Cost:
        return worker.call("rendering", ours=ours, times=times).each(times)

    things = {"django-tables2": lambda: rendered(ours=False), "ours": lambda: rendered(ours=True)}
    runs = interleaved(things, runs=9)
    lines = [(name, *figures(some)) for name, some in runs.items()]
    return Result([Goal("ours against django-tables2", ratio(runs), 0.25)], [Table(columns("table"), lines)])


def address(asked: dict[str, Any]) -> str:
    return f"/jobs/?{urlencode(asked, doseq=True)}" if asked else "/jobs/"


# What is asked for


def single_filters(bench: Bench, small: Database, large: Database) -> dict[str, dict[str, Any]]:
    """None; the most frequent and the rarest value of each; days; checks."""
    found: dict[str, dict[str, Any]] = {"no filter": {}}
    for key, values in values_of(bench, small, large).items():
        for how, value in (("frequent", values[0]), ("rare", values[-1])):
            found[f"{key}, {how}"] = {key: value}
    for days in (1, 7, 365):
        found[f"{days} days"] = days_before(bench, days)
    found["last 30 days"] = {"preset": "last30"}
    for check in bench.worker(small).call("checks").said["checks"][:3]:
        found[f"check: {check}"] = {"quality": check}
    return found


def triples(bench: Bench) -> dict[str, dict[str, Any]]:
    values = values_of(bench, bench.small, bench.large)
    often = {key: some[0] for key, some in values.items()}
    rarely = {key: some[-1] for key, some in values.items()}
    days = days_before(bench, 90)

    def of(where: dict[str, Any], *keys: str) -> dict[str, Any]:
        return {key: where[key] for key in keys}

    return {
        "team, status, GPU type": of(often, "team", "status", "gpu_type"),
        "team, provider, status": of(often, "team", "provider", "status"),
        "provider, GPU type, rare status": of(often, "provider", "gpu_type") | of(rarely, "status"),
        "rare team, status, provider": of(rarely, "team") | of(often, "status", "provider"),
        "model, provider, status": of(often, "model", "provider", "status"),
        "rare model, rare status, GPU type": of(rarely, "model", "status") | of(often, "gpu_type"),
        "90 days, team, status": days | of(often, "team", "status"),
        "90 days, rare team, rare status": days | of(rarely, "team", "status"),
    }


def values_of(bench: Bench, small: Database, large: Database) -> dict[str, list[str]]:
    """Those that both databases have, the most frequent among many first."""
    few, many = (bench.worker(one).call("values").said["values"] for one in (small, large))
    return {key: [value for value in many[key] if value in few[key]] for key in many}


def searched(bench: Bench) -> dict[str, str]:
    models = values_of(bench, bench.small, bench.large)["model"]
    return {"frequent": models[0], "in many names": "eval", "rare": models[-1], "in no name": NO_SUCH_WORD}


def days_before(bench: Bench, days: int) -> dict[str, str]:
    last = date.fromisoformat(bench.databases.as_of[:10]) - timedelta(days=40)
    return {"start": str(last - timedelta(days=days - 1)), "end": str(last)}
