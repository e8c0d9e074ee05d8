"""The rows of the bench: what work, which goal, and who measures it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import files, imports, joblist, on_sqlite, pages, serving, sums
from .bench import Bench
from .measuring import Result


@dataclass(frozen=True)
class Row:
    """limit: what keeps it from its goal, where it is missed and we know."""

    number: int
    name: str
    work: str
    goal: str
    measure: Callable[[Bench], Result]
    elsewhere: str = ""
    limit: str = ""


ROWS = (
    Row(
        1,
        "pages",
        "Every page on its default scope: CPU beside many jobs against 10 k",
        "≤ 1.2",
        pages.every_page,
        elsewhere="tables2 + filter 11, admin 45",
        limit="Running jobs grows with what runs, not with the log: 11 jobs run among the ten thousand and "
        "fill 11 rows; 301 run among the ten million, are priced as of now, and fill a page of 50.",
    ),
    Row(
        2,
        "list of jobs",
        "`/jobs/`, first page of 50 rows, no filter or any single filter, against 10 k",
        "≤ 1.3, and ≤ 15 ms of CPU",
        joblist.first_page,
        elsewhere="46 → 519 ms",
        limit="A whole page is measured. Of its CPU a fifth is the frame of every page (`/help/` has little "
        "more), and a sixth each are the form with its seven menus, the table with its heading, Django's "
        "way to the fifty jobs, and the database, which plans longer than it reads. The rest is names, days, "
        "links and words. For jobs of some days, or of a check, Django takes five milliseconds more to make "
        "the statements, which the database answers in one. 15 ms are a figure of one machine: row 1 tells "
        "what Django's own bare list takes on this one. Less would take another way to make HTML and SQL "
        "than Django's, or pages that are kept, as they are in service: the second table.",
    ),
    Row(
        3,
        "three filters",
        "`/jobs/`, three filters together, against 10 k",
        "≤ 3",
        joblist.three_filters,
        elsewhere="5",
    ),
    Row(
        4,
        "deep page",
        "`/jobs/`, the page at 90 % depth against the first",
        "≤ 1.2",
        joblist.depth,
        elsewhere="OFFSET 11,000",
    ),
    Row(
        5,
        "search",
        "Search in model names against 1 M (10 k where there are no more)",
        "≤ 2, and ≤ 40 ms of the database's CPU",
        joblist.search,
        elsewhere="2,900 ms",
    ),
    Row(6, "fifty rows", "Rendering 50 rows against django-tables2's own table", "≤ 1/4", joblist.fifty_rows),
    Row(
        7,
        "file",
        "CSV of all jobs against `psql \\copy`, with the formula guard",
        "≥ 0.8 of its rows a second; memory < 16 MB; first byte < 150 ms",
        files.exported,
        elsewhere="Superset 0.018 and 1.6 GB; csv module 0.03",
        limit="\\copy takes the rows as they lie; ours come as the page has them, newest first, which costs "
        "\\copy itself a fifth of its speed. One process of PostgreSQL writes all lines and is never idle; "
        "of its work beyond \\copy's, instants as ISO 8601 are a third, GPU-hours and durations as many, "
        "display names the rest. Its parallel workers take a tenth off at most: to hand a row over costs "
        "what they save. A second connection for every other stretch of the file would reach the goal, and "
        "let each download have twice its share of the database.",
    ),
    Row(
        8,
        "import",
        "CSV import of 1 M jobs with validation, upsert, roll-ups against a raw COPY into the indexed table",
        "≤ 2 in CPU a row; the same file again ≤ 0.7 of the first, 0 rows changed",
        imports.against_raw_copy,
        elsewhere="bulk_create 2.9; import-export 80–165",
    ),
    Row(
        9,
        "sums",
        "GPU-hours per team and day over 90 days, and allocation in dollars, against the same from the jobs",
        "≤ 1/100, equal to the microsecond; ≤ 1/10, equal to the cent",
        sums.from_rollups,
    ),
    Row(
        10,
        "roll-ups",
        "What roll-ups add to an import, and to a one-row save, also right after an import",
        "≤ 1.8; ≤ 2",
        imports.cost_of_rollups,
        elsewhere="180 without `jit = off`",
    ),
    Row(11, "rebuild", "Rebuild and verify the roll-ups of 10 M jobs", "≤ 60 s, no difference", sums.rebuilt),
    Row(
        12,
        "three years",
        "Three years on a page against 90 days",
        "≤ 2",
        pages.three_years,
        elsewhere="Superset 3.7",
        limit="Costs and hours are sums. But a bill is shared to the cent within each day, provider and GPU "
        "type, by the law of allocation: three years of fifty teams are a hundred thousand shares, each the "
        "work of some microseconds. A process does that once for each month and remembers it until something "
        "of the month changes; what days that are over cost and used in all is remembered until anything is "
        "written. The second table is of a process that remembers nothing. What is left of both ranges is "
        "forms and templates alike, and the twelve thousand cells that Usage adds up.",
    ),
    Row(13, "admin", "The admin's list of jobs against 10 k", "≤ 3", pages.admin_list, elsewhere="45"),
    Row(
        14,
        "SQLite",
        "SQLite with 1 M jobs: rows 1, 2 and 4 likewise; export against the sqlite3 shell",
        "the same; ≥ 0.35",
        on_sqlite.on_sqlite,
        elsewhere="datasette 0.09",
        limit="As on PostgreSQL, Running jobs prices what runs; what the list of jobs takes is Django's "
        "forms, templates and the making of its statements.",
    ),
    Row(
        15,
        "viewers",
        "Three years of 50 teams for 30 viewers at once, while 1 M jobs are imported",
        "no error; p99 ≤ 5 × the quiet p99",
        serving.under_load,
        limit="Viewers, server, database and import share two cores, and the page took one second of a core "
        "then (row 12 has what it takes since): thirty who ask again at once wait for each other. What takes "
        "longer than a minute counts as an error.",
    ),
)
