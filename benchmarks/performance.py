"""docs/performance.md, its chart, and the results that both are made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from .beside import ROOT
from .chart import Bar, drawn
from .measuring import Goal, Result, Table, number
from .rows import ROWS, Row

RESULTS = ROOT / "benchmarks" / "results"
PAGE, CHART = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance.svg"
Said = dict[str, Any]


def remember(size: str, about: Said, row: Row, result: Result) -> Said:
    """Rows that were measured before stay; where that was on another machine, they say on which."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{size}.json"
    before = json.loads(path.read_text()) if path.exists() else {"machine": about["machine"], "rows": {}}
    same = before["machine"] == about["machine"]
    rows = before["rows"] if same else {n: moved(one, before["machine"]) for n, one in before["rows"].items()}
    rows |= {str(row.number): asdict(result) | {"day": about["day"]}}
    whole = about | {"built": before.get("built", {}) | about["built"]}
    whole["rows"] = dict(sorted(rows.items(), key=lambda row: int(row[0])))
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    return whole


def moved(row: Said, machine: dict[str, str]) -> Said:
    if "elsewhere" in row:
        return row
    note = f"Measured on {row['day']} on another machine ({machine['CPU']}, {machine['cores']} cores)."
    return row | {"elsewhere": machine, "notes": [*row["notes"], note]}


def write(said: Said) -> None:
    found = {row: result_of(said["rows"][str(row.number)]) for row in ROWS if str(row.number) in said["rows"]}
    CHART.write_text(drawn(list(bars(found)), f"Goals at {said['many']} jobs"))
    PAGE.write_text("\n".join(page(said, found)) + "\n")


def result_of(row: Said) -> Result:
    goals = [Goal(**goal) for goal in row["goals"]]
    tables = [Table(tuple(one["columns"]), [tuple(line) for line in one["lines"]]) for one in row["tables"]]
    return Result(goals, tables, row["notes"])


def bars(found: dict[Row, Result]) -> Iterator[Bar]:
    for row, result in found.items():
        for goal in result.goals:
            if goal.share is not None and goal.limit:
                figure = f"{value_of(goal)} ({goal.in_words})"
                yield Bar(f"{row.number} {row.name}: {goal.of}", goal.share, figure, bool(goal.met))


def page(said: Said, found: dict[Row, Result]) -> Iterator[str]:
    yield from opening(said)
    yield from goals(found)
    for row, result in found.items():
        yield from section(row, result)
    yield from building(said)


def opening(said: Said) -> Iterator[str]:
    yield "# Performance"
    yield ""
    yield (
        f"Measured on {said['day']} by `{said['command']}`, which wrote this page; "
        "[benchmarks/README.md](../benchmarks/README.md) says how to read it. "
        f"“Many” jobs are {said['many']}, few are 10 k. CPU is that of the application and of the database, "
        "ratios are those of medians, and what is compared ran in turn. Rows may be of several runs, between "
        "which a virtual machine may be twice as slow: compare within a table."
    )
    yield ""
    yield "![Each goal and how much of it was used](performance.svg)"
    yield ""
    yield from listed(said["machine"], "machine")
    yield from listed(said["versions"], "versions")
    yield from listed(said["settings"], "PostgreSQL's settings")
    yield ""


def listed(facts: dict[str, str], words: str) -> Iterator[str]:
    yield f"- {words}: " + ", ".join(f"{name} {value}" for name, value in facts.items())


def goals(found: dict[Row, Result]) -> Iterator[str]:
    lines = [
        (str(row.number), row.work if not place else "", goal.of, value_of(goal), goal.in_words, met(goal))
        for row, result in found.items()
        for place, goal in enumerate(result.goals)
    ]
    missed = sum(line[-1] != "yes" for line in lines)
    yield "## Goals"
    yield ""
    yield f"{len(lines) - missed} of {len(lines)} are met."
    yield ""
    yield from markdown(Table(("#", "work", "measured", "value", "goal", "met"), lines))


def value_of(goal: Goal) -> str:
    return "not measured" if goal.value is None else f"{number(goal.value)} {goal.unit}".strip()


def met(goal: Goal) -> str:
    return {True: "yes", False: "**no**", None: "?"}[goal.met]


def section(row: Row, result: Result) -> Iterator[str]:
    yield f"## {row.number}. {row.work}"
    yield ""
    seen = f" Seen elsewhere: {row.elsewhere}." if row.elsewhere else ""
    yield f"Goal: {row.goal}.{seen}"
    yield ""
    if row.limit and any(goal.met is False for goal in result.goals):
        yield row.limit
        yield ""
    for note in result.notes:
        yield note
        yield ""
    for table in result.tables:
        yield from markdown(table)


def building(said: Said) -> Iterator[str]:
    yield "## Building the databases"
    yield ""
    yield (
        "`manage.py seed_demo`, without the migrations before it and the VACUUM after it. "
        "One million jobs on PostgreSQL should take less than two minutes."
    )
    yield ""
    lines = [(name.replace("_", " "), number(seconds)) for name, seconds in said["built"].items()]
    yield from markdown(Table(("database", "wall, s"), lines))


def markdown(table: Table) -> Iterator[str]:
    yield line_of(table.columns)
    yield line_of("---:" if is_number(place, table) else "---" for place in range(len(table.columns)))
    yield from map(line_of, table.lines)
    yield ""


def line_of(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def is_number(place: int, table: Table) -> bool:
    cells = [line[place] for line in table.lines if line[place]]
    return bool(cells) and all(cell[0].isdigit() for cell in cells)
