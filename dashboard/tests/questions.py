"""Random filters, and whether table, chart and file of a page say what the ORM says of them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from django.test import Client
from django.utils.html import strip_tags

from dashboard.clock import now
from dashboard.models import CostSnapshot, Job, Team, UsageSnapshot
from dashboard.models.calendar import midnight
from dashboard.naming import Names
from dashboard.scope import bucket_start

from .conftest import DAILY_USD, MODELS
from .recounted import Cell, Key, Part, pieces, shared, used

FIRST = date(2025, 1, 25)
PROVIDERS = sorted({provider for provider, _ in DAILY_USD} | {"fox"})
GPU_TYPES = sorted({gpu_type for _, gpu_type in DAILY_USD} | {"a100", "Credits", "none such"})
SORTS = {
    "costs": ["day", "-usd", "provider"],
    "usage": ["day", "-usd", "provider"],
    "jobs": ["start", "-start", "team", "-gpu_hours"],
    "teams": ["team", "-usd", "gpu_hours", "-jobs"],
    "allocation": ["day", "-usd", "team", "-gpu_hours"],
}
PAGES = list(SORTS)
GROUPS = ["team", "model", "provider", "gpu_type"]
STATUSES = ["completed", "failed", "running", "pending", "odd"]
MICROHOUR = Decimal(3_600_000_000)
CENT, SIX, THREE = Decimal("0.01"), Decimal("0.000001"), Decimal("0.001")


@dataclass(frozen=True)
class Question:
    page: str
    asked: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.page} {self.asked}"


def question(random: Random, page: str) -> Question:
    asked: dict[str, Any] = days(random)
    asked |= some(random, provider=PROVIDERS, gpu_type=GPU_TYPES)
    if page in ("jobs", "teams", "allocation"):
        teams = [str(team.pk) for team in Team.objects.order_by("name")]
        asked |= some(random, model=[*MODELS, "none such"], team=teams)
    if page in ("jobs", "teams"):
        asked |= some(random, status=STATUSES)
    if page != "jobs":
        asked["bucket"] = random.choice(["day", "week", "month", "quarter"])
    if page in ("costs", "usage"):
        asked["group_by"] = random.choice(["provider", "gpu_type"])
    if page == "allocation":
        asked |= {
            name: random.choice(["team", "model", "provider", "gpu_type"]) for name in ("by", "then_by")
        }
        asked["idle"] = random.choice(["apart", "apart", "by_use", "evenly"])
    asked["sort"] = random.choice(SORTS[page])
    return Question(page, asked)


def days(random: Random) -> dict[str, str]:
    if random.random() < 0.3:
        return {"preset": "all"}
    first = FIRST + timedelta(days=random.randrange(70))
    return {"start": f"{first}", "end": f"{first + timedelta(days=random.choice([0, 1, 6, 30, 60]))}"}


def some(random: Random, **offered: list[str]) -> dict[str, list[str]]:
    chosen = {
        name: random.sample(of, k=min(len(of), random.choice([0, 0, 1, 2]))) for name, of in offered.items()
    }
    return {name: of for name, of in chosen.items() if of}


def compared(client: Client, one: Question) -> list[str]:
    """What differs, in words."""
    every = {
        "jobs": of_jobs,
        "costs": of_costs,
        "usage": of_usage,
        "teams": of_teams,
        "allocation": of_allocation,
    }
    found = every[one.page](client, one)
    return [f"{one}: {what}" for what in found]


# Costs and metered hours


def of_costs(client: Client, one: Question) -> Iterator[str]:
    yield from of_snapshots(client, one, CostSnapshot, "cost_usd", "usd", CENT)


def of_usage(client: Client, one: Question) -> Iterator[str]:
    yield from of_snapshots(client, one, UsageSnapshot, "gpu_hours", "hours", THREE, "metered_gpu_hours")


def of_snapshots(
    client: Client, one: Question, model: Any, column: str, unit: str, step: Decimal, header: str = ""
) -> Iterator[str]:
    rows = list(narrowed(model.objects.all(), one).values("date", "provider", "gpu_type", column))
    total = sum((row[column] for row in rows), Decimal(0))
    bucket = one.asked["bucket"]
    cells = {(bucket_start(row["date"], bucket), row["provider"], row["gpu_type"]) for row in rows}
    file = file_of(client, one)
    held = [row for row in file if row[header or column]]
    in_file = sum((Decimal(row[header or column]) for row in held), Decimal(0))
    page = client.get(f"/{one.page}/", one.asked)
    shown = len(page.context["table"].rows)
    if one.page == "costs" and not len(cells) == len(file) == shown:
        yield f"{len(cells)} cells, {len(file)} in the file, {shown} in the table"
    if len(file) != shown:
        yield f"{len(file)} rows in the file, {shown} in the table"
    if in_file != total:
        yield f"{total} by the ORM, {in_file} in the file"
    if abs((drawn := of_chart(page, unit)) - total) > step * (1 if unit == "usd" else len(rows)) / 2:
        yield f"{total} by the ORM, {drawn} in the chart"


def narrowed(rows: Any, one: Question) -> Any:
    for name in ("provider", "gpu_type"):
        if name in one.asked:
            rows = rows.filter(**{f"{name}__in": one.asked[name]})
    if "start" in one.asked:
        rows = rows.filter(date__gte=one.asked["start"], date__lte=one.asked["end"])
    return rows


def of_chart(page: Any, unit: str) -> Decimal:
    """The sum of what the first chart draws of a unit; nought where it draws nothing."""
    for text in re.findall(r'<script id="[\w-]+-data" type="application/json">(.*?)</script>', words(page)):
        chart = json.loads(text)
        sides = [side for side, of in chart["axes"].items() if of == unit]
        series = [one for one in chart["series"] if one["axis"] in sides and one["name"] != "Job GPU-hours"]
        return sum(
            (Decimal(str(value)) for one in series for value in one["values"] if value is not None),
            Decimal(0),
        )
    return Decimal(0)


# Jobs


def of_jobs(client: Client, one: Question) -> Iterator[str]:
    jobs = list(jobs_of(one))
    spent = [hours for job in jobs if (hours := hours_within(job, one)) is not None]
    total = sum(spent, Decimal(0))
    file = file_of(client, one)
    listed = words(client.get("/jobs/", one.asked))
    told = re.search(r"<p>([\d,]+) jobs?, <b>([\d,.]+) h", listed)
    count = int(told[1].replace(",", "")) if told else 0
    in_file = sum((Decimal(row["job_gpu_hours"] or 0) for row in file), Decimal(0))
    drawn = of_chart(client.get("/teams/", one.asked | {"sort": ""}), "hours")
    if not len(spent) == len(file) == count:
        yield f"{len(spent)} jobs by the ORM, {len(file)} in the file, {count} on the page"
    if {row["id"] for row in file} != {str(job.pk) for job in jobs if hours_within(job, one) is not None}:
        yield "other jobs in the file than by the ORM"
    if abs(in_file - total) > SIX * (len(file) + 1) or abs(drawn - total) > THREE * (31 * len(jobs) + 1) / 2:
        yield f"{total} hours by the ORM, {in_file} in the file, {drawn} in the chart"


def jobs_of(one: Question) -> Iterable[Job]:
    columns = {"provider": "provider", "gpu_type": "gpu_type", "status": "status"}
    columns |= {"model": "model_name", "team": "team_id"}
    given = {f"{columns[name]}__in": of for name, of in one.asked.items() if name in columns}
    return Job.objects.filter(**given)


def hours_within(job: Job, one: Question) -> Decimal | None:
    """Of a job that overlaps the days, by its provider's clock; None for the others."""
    start, end = job.start_time, job.end_time or now()
    assert start is not None
    if "start" in one.asked:
        clock = Names.load().clock(job.provider)
        first, last = (date.fromisoformat(one.asked[edge]) for edge in ("start", "end"))
        start = max(start, midnight(first, clock))
        until = midnight(last + timedelta(days=1), clock)
        if start >= until or (job.end_time and end <= start):
            return None  # one that runs may still run on days to come
        end = max(start, min(end, until))
    return microseconds(start, end) * job.gpu_count / MICROHOUR


def microseconds(start: datetime, end: datetime) -> int:
    return (end - start) // timedelta(microseconds=1)


# Teams, and the bill shared among them


def of_teams(client: Client, one: Question) -> Iterator[str]:
    wanted = used(pieces(jobs_of(one), *first_and_last(one)), bucket_of(one))
    file = {key_of(row): row for row in file_of(client, one)}
    page = client.get("/teams/", one.asked)
    table = {row.record.name: row.record for row in page.context["table"].rows}
    for key in wanted.keys() | file.keys():
        part, row = wanted.get(key, Part()), file.get(key, NO_ROW)
        if far(part.hours, row["job_gpu_hours"], SIX) or len(part.jobs) != int(row["jobs"] or 0):
            yield f"{key}: {part.hours} h of {len(part.jobs)} jobs by the ORM, {row} in the file"
    ran = [(job.team.name, hours) for job in jobs_of(one) if (hours := hours_within(job, one)) is not None]
    for team in table.keys() | {team for team, _ in ran}:
        spent = [hours for whose, hours in ran if whose == team]
        shown = table.get(team)
        if shown is None or shown.jobs != len(spent) or abs(shown.gpu_hours - sum(spent)) > SIX:
            yield f"{team}: {sum(spent)} h of {len(spent)} jobs by the ORM, {shown} in the table"
    total, drawn = sum(part.hours for part in wanted.values()), of_chart(page, "hours")
    if far(Fraction(total), drawn, THREE * (len(wanted) + 1)):
        yield f"{total} hours by the ORM, {drawn} in the chart"


def of_allocation(client: Client, one: Question) -> Iterator[str]:
    page, rows = client.get("/allocation/", one.asked), file_of(client, one)
    file = {key_of(row): row for row in rows}
    table = [row.record for row in page.context["table"].rows]
    sums: dict[str, Any] = {
        "in the file": sum((Decimal(row["cost_usd"] or 0) for row in rows), Decimal(0)),
        "in the table": sum((cell.usd or Decimal(0) for cell in table), Decimal(0)),
        "in the chart": of_chart(page, "usd"),
        "on the page": page.context["total"],
    }
    costs = amounts(CostSnapshot, "cost_usd", one)
    if not {"team", "model"} & one.asked.keys():
        sums["by the ORM"] = sum(costs.values(), Fraction(0))
    if len(set(map(Fraction, sums.values()))) > 1:
        yield f"totals differ: {sums}"
    if not len(table) == len(rows) == len(file):
        yield f"{len(rows)} rows in the file, {len(table)} in the table, {len(file)} cells"
    if one.asked["idle"] == "apart":
        yield from of_shares(one, costs, file)


def of_shares(one: Question, costs: dict[Cell, Fraction], file: dict[Key, dict[str, str]]) -> Iterator[str]:
    """A share is the exact one, but for less than a cent of each daily cost that it is of."""
    everyone = Job.objects.filter(**{f"{name}__in": one.asked[name] for name in HARDWARE & one.asked.keys()})
    metered = amounts(UsageSnapshot, "gpu_hours", one)
    by_model = bool({"model"} & {one.asked["by"], one.asked["then_by"], *one.asked})
    found = shared(costs, metered, pieces(everyone, *first_and_last(one)), bucket_of(one), by_model)
    wanted = {key: part for key, part in found.items() if is_asked_for(key, one)}
    for key in wanted.keys() | file.keys():
        part, row = wanted.get(key, Part()), file.get(key, NO_ROW)
        wrong = far(part.hours, row["job_gpu_hours"], SIX) or bool(row["cost_usd"]) != (part.usd is not None)
        if wrong or far(part.usd or Fraction(0), row["cost_usd"], CENT * max(part.costs, 1)):
            yield f"{key}: {part} by the ORM, {row} in the file"


HARDWARE = {"provider", "gpu_type"}
NO_ROW = {"job_gpu_hours": "", "jobs": "", "cost_usd": ""}


def is_asked_for(key: Key, one: Question) -> bool:
    teams = {team.name for team in Team.objects.filter(pk__in=one.asked.get("team", []))}
    return (not teams or key[1] in teams) and ("model" not in one.asked or key[2] in one.asked["model"])


def key_of(row: dict[str, str]) -> Key:
    day = date.fromisoformat(row["date"])
    return day, row["team"], row.get("model", ""), row["provider"], row["gpu_type"]


def far(exact: Fraction, said: Decimal | str, most: Decimal) -> bool:
    return abs(exact - Fraction(said or 0)) >= Fraction(most)


def bucket_of(one: Question) -> Callable[[date], date]:
    return lambda day: bucket_start(day, one.asked["bucket"])


def first_and_last(one: Question) -> tuple[date, date]:
    if "start" not in one.asked:
        return date.min, date.max
    first, last = (date.fromisoformat(one.asked[edge]) for edge in ("start", "end"))
    return first, last


def amounts(model: Any, column: str, one: Question) -> dict[Cell, Fraction]:
    found = narrowed(model.objects.all(), one).values_list("date", "provider", "gpu_type", column)
    return {(day, provider, gpu_type): Fraction(amount) for day, provider, gpu_type, amount in found}


# What came back


def file_of(client: Client, one: Question) -> list[dict[str, str]]:
    answer = client.get(f"/{one.page}/", one.asked | {"_export": "csv"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def words(answer: Any) -> str:
    return answer.content.decode()


def text_of(answer: Any) -> str:
    return " ".join(strip_tags(words(answer)).split())
