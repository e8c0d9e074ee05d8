"""Random filters, and whether table, chart and file of a page say what the ORM says of them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
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

FIRST = date(2025, 1, 25)
PROVIDERS = sorted({provider for provider, _ in DAILY_USD} | {"fox"})
GPU_TYPES = sorted({gpu_type for _, gpu_type in DAILY_USD} | {"a100", "Credits", "none such"})
STATUSES = ["completed", "failed", "running", "pending", "odd"]
MICROHOUR = Decimal(3_600_000_000)
CENT, SIX, THREE = Decimal("0.01"), Decimal("0.000001"), Decimal("0.001")


@dataclass(frozen=True)
class Question:
    page: str
    asked: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.page} {self.asked}"


def question(random: Random) -> Question:
    page = random.choice(["costs", "usage", "jobs"])
    asked: dict[str, Any] = days(random)
    asked |= some(random, provider=PROVIDERS, gpu_type=GPU_TYPES)
    if page == "jobs":
        teams = [str(team.pk) for team in Team.objects.order_by("name")]
        asked |= some(random, status=STATUSES, model=[*MODELS, "none such"], team=teams)
        asked["sort"] = random.choice(["start", "-start", "team", "-gpu_hours"])
    else:
        asked["bucket"] = random.choice(["day", "week", "month", "quarter"])
        asked["group_by"] = random.choice(["provider", "gpu_type"])
        asked["sort"] = random.choice(["day", "-usd", "provider"])
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
    found = {"jobs": of_jobs, "costs": of_costs, "usage": of_usage}[one.page](client, one)
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


# What came back


def file_of(client: Client, one: Question) -> list[dict[str, str]]:
    answer = client.get(f"/{one.page}/", one.asked | {"_export": "csv"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def words(answer: Any) -> str:
    return answer.content.decode()


def text_of(answer: Any) -> str:
    return " ".join(strip_tags(words(answer)).split())
