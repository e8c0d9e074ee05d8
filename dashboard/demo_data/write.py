"""Stores the invented company as imports would have: teams, names and mappings, bills, snapshots and jobs."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby, islice
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings
from django.db import connection, models, transaction

from ..models import (
    AccountMapping,
    BillDay,
    BillLine,
    ClusterMapping,
    CostSnapshot,
    Delivery,
    ImportChange,
    ImportRun,
    Job,
    LogSpan,
    NameAlias,
    Provider,
    SpendMapping,
    Team,
    UsageSnapshot,
)
from ..models.names import name_key
from ..money import carry_cents, to_cents
from .bills import Bills, Line, PlainDay, billing_period
from .company import ALIASES, CLUSTER, DIRECT_SPEND, MAPPED_TEAMS, PARTITIONS, PROVIDERS, TEAMS
from .jobs import NAMESPACE, JobLog, PlannedJob
from .plan import Plan

FORMAT = "demo"
FILLED_BY_DEMO = (
    Team,
    Job,
    CostSnapshot,
    UsageSnapshot,
    ImportRun,
    ClusterMapping,
    AccountMapping,
    SpendMapping,
)
JOB_COLUMNS = ("created_at", "updated_at", "imported_by_id", "team_set_by_hand", *PlannedJob._fields)
RENAMED = {"team": "team_id", "start": "start_time", "end": "end_time", "submit": "submit_time"}
LINE_COLUMNS = ("delivery_id", "tag", *Line._fields)
Cell = tuple[str, str]
Amounts = dict[Cell, dict[date, Decimal]]


def occupied_by() -> list[str]:
    """What stands in the way of a demo: the kinds of rows that the database holds already."""
    found = [model for model in FILLED_BY_DEMO if model._default_manager.exists()]
    return [str(model._meta.verbose_name_plural) for model in found]


@transaction.atomic
def write(plan: Plan, progress: Callable[[int], None] = lambda jobs: None) -> ImportRun:
    """progress hears how many jobs are written so far."""
    run = ImportRun.objects.create(
        format=FORMAT,
        files=[{"name": f"seed_demo {plan.days} days, {plan.jobs} jobs, seed {plan.seed}", "sha256": ""}],
        options={"days": plan.days, "jobs": plan.jobs, "seed": plan.seed},
        written_at=plan.as_of,
    )
    write_names()
    teams = write_teams(plan, run)
    write_mappings(teams)
    log = JobLog(plan)
    write_jobs(plan, run, log, teams, progress)
    bills = Bills(plan, log.hours)
    cost, hours = write_bills(run, bills.deliveries())
    snapshots = Snapshots(plan, run)
    snapshots.derived(cost, hours)
    snapshots.plain(bills.plain_days())
    finish(run, plan)
    return run


def write_names() -> None:
    for name, clock, lag in PROVIDERS:
        provider, _ = Provider.objects.get_or_create(key=name_key(name), defaults={"name": name})
        provider.bill_clock, provider.lag_days = clock, lag
        provider.save()
        BillDay.objects.ensure(clock)
    for kind, alias, name in ALIASES:
        NameAlias.objects.get_or_create(
            kind=kind, alias_key=name_key(alias), defaults={"alias": alias, "name": name}
        )


def write_teams(plan: Plan, run: ImportRun) -> dict[str, UUID]:
    teams = {team.name: uuid5(NAMESPACE, f"team\n{name_key(team.name)}") for team in TEAMS}
    rows = ((pk, name, plan.as_of, plan.as_of) for name, pk in teams.items())
    insert(Team, ("id", "name", "created_at", "updated_at"), rows)
    remember_created(run, Team, teams.values())
    return teams


def write_mappings(teams: dict[str, UUID]) -> None:
    ClusterMapping.objects.bulk_create(
        ClusterMapping(
            cluster=CLUSTER,
            partition=partition,
            raw_gpu_type=raw,
            provider=provider,
            gpu_type=gpu,
            factor=factor,
        )
        for partition, raw, provider, gpu, factor in PARTITIONS
    )
    AccountMapping.objects.bulk_create(
        AccountMapping(cluster=CLUSTER, account=team.account, team_id=teams[team.name])
        for team in MAPPED_TEAMS
    )
    SpendMapping.objects.bulk_create(
        SpendMapping(provider=provider, sub_account=sub, team_id=teams[team])
        for provider, sub, team in DIRECT_SPEND
    )


def write_jobs(
    plan: Plan, run: ImportRun, log: JobLog, teams: dict[str, UUID], progress: Callable[[int], None]
) -> None:
    stamps = (plan.as_of, plan.as_of, run.pk, False)
    spans: dict[str, tuple[int, int]] = {}

    def rows() -> Iterator[tuple[Any, ...]]:
        for batch in log.batches():
            for job in batch:
                pk, team, model, gpu, provider, start, end, status, count, submit, *rest = job
                times = moment(start), moment(end), status, count, moment(submit)
                yield (*stamps, pk, teams[team], model, gpu, provider, *times, *rest)
                first, last = spans.get(job.cluster, (submit, submit))
                spans[job.cluster] = min(first, submit), max(last, submit)
            progress(log.written)

    insert(Job, tuple(RENAMED.get(name, name) for name in JOB_COLUMNS), rows())
    LogSpan.objects.bulk_create(
        LogSpan(run=run, cluster=cluster, first=moment(first), last=plan.as_of)
        for cluster, (first, _) in sorted(spans.items())
    )


def moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def write_bills(run: ImportRun, parts: dict[tuple[str, str, date], list[Line]]) -> tuple[Amounts, Amounts]:
    """Cost and GPU-hours of each cell and day, at full precision."""
    cost: Amounts = defaultdict(lambda: defaultdict(Decimal))
    hours: Amounts = defaultdict(lambda: defaultdict(Decimal))
    deliveries = {}
    for (provider, account, first), lines in parts.items():
        starts, ends = billing_period(first)
        delivery = Delivery(
            run=run,
            provider=provider,
            account=account,
            period_start=starts,
            period_end=ends,
            digest=digest(lines),
        )
        deliveries[provider, account, first] = delivery
        for line in lines:
            if line.gpu_type:
                cell = line.provider, line.gpu_type
                cost[cell][line.day] += getattr(line, settings.HELIOX_COST_BASIS)
                if line.gpu_hours is not None:
                    hours[cell][line.day] += line.gpu_hours
    Delivery.objects.bulk_create(deliveries.values())
    insert(
        BillLine,
        LINE_COLUMNS,
        ((deliveries[key].pk, "", *line) for key, lines in parts.items() for line in lines),
    )
    return cost, hours


def digest(lines: Iterable[Line]) -> str:
    return hashlib.sha256("\n".join(sorted(repr(tuple(line)) for line in lines)).encode()).hexdigest()


class Snapshots:
    def __init__(self, plan: Plan, run: ImportRun) -> None:
        self.plan, self.run = plan, run

    def derived(self, cost: Amounts, hours: Amounts) -> None:
        """From bill lines: each month of a cell adds up to its rounded sum."""
        basis = settings.HELIOX_COST_BASIS
        self.store(CostSnapshot, rounded(cost), from_lines=True, basis=basis)
        self.store(UsageSnapshot, rounded(hours), from_lines=True)

    def plain(self, days: Iterable[PlainDay]) -> None:
        days = list(days)
        cost = [(d.day, d.provider, d.gpu_type, to_cents(d.cost_usd)) for d in days]
        metered = [
            (d.day, d.provider, d.gpu_type, to_cents(d.gpu_hours)) for d in days if d.gpu_hours is not None
        ]
        self.store(CostSnapshot, cost, from_lines=False, basis="")
        self.store(UsageSnapshot, metered, from_lines=False)

    def store(
        self,
        model: type[models.Model],
        rows: Iterable[tuple[date, str, str, Decimal]],
        **facts: Any,
    ) -> None:
        amount = "cost_usd" if model is CostSnapshot else "gpu_hours"
        columns = ("id", "date", "provider", "gpu_type", amount, "created_at", "updated_at", "imported_by_id")
        stamps = (self.plan.as_of, self.plan.as_of, self.run.pk)
        table = model._meta.db_table
        stored = [(uuid5(NAMESPACE, f"{table}\n{d}\n{p}\n{g}"), d, p, g, a, *stamps) for d, p, g, a in rows]
        insert(model, (*columns, *facts), ((*row, *facts.values()) for row in stored))
        remember_created(self.run, model, (row[0] for row in stored))


def rounded(amounts: Amounts) -> Iterator[tuple[date, str, str, Decimal]]:
    for (provider, gpu_type), by_day in amounts.items():
        for _, month in groupby(sorted(by_day.items()), key=lambda item: item[0].replace(day=1)):
            days = list(month)
            for (day, _), cents in zip(days, carry_cents(amount for _, amount in days), strict=True):
                yield day, provider, gpu_type, cents


def remember_created(run: ImportRun, model: type[models.Model], ids: Iterable[UUID]) -> None:
    """So that the demo can be undone like any import."""
    rows = ((run.pk, model._meta.db_table, pk, None) for pk in ids)
    insert(ImportChange, ("run_id", "table", "row_id", "before"), rows)


def insert(model: type[models.Model], columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows at the database's own speed: past the ORM, by COPY where there is one."""
    table, names = model._meta.db_table, ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for lines in pieces(rows):
                    copy.write("".join(lines))
            return
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"
        cursor.cursor.connection.executemany(statement, (tuple(map(as_sqlite, row)) for row in rows))


def pieces(rows: Iterable[tuple[Any, ...]], size: int = 1000) -> Iterator[list[str]]:
    """Rows as lines of COPY's text format; psycopg's own write_row costs three times as much."""
    lines = ("\t".join(map(as_copied, row)) + "\n" for row in rows)
    while piece := list(islice(lines, size)):
        yield piece


def as_copied(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(ESCAPED) if "\\" in value or not value.isprintable() else value
    return value.isoformat() if isinstance(value, date) else str(value)


ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
AS_SQLITE: dict[type, Callable[[Any], Any]] = {
    datetime: lambda value: value.strftime("%Y-%m-%d %H:%M:%S"),
    date: date.isoformat,
    Decimal: lambda value: format(value, "f"),
    UUID: lambda value: value.hex,
}


def as_sqlite(value: Any) -> Any:
    """As Django's SQLite backend stores it; the raw cursor knows no adapters. Times: UTC, whole seconds."""
    convert = AS_SQLITE.get(type(value))
    return convert(value) if convert else value


def finish(run: ImportRun, plan: Plan) -> None:
    tables = (Team, Job, CostSnapshot, UsageSnapshot, BillLine)
    created = {model._meta.db_table: model._default_manager.count() for model in tables}
    rows = sum(created.values())
    run.summary = {
        "read": rows,
        "inserted": rows,
        "updated": 0,
        "unchanged": 0,
        "refused": 0,
        "ignored": 0,
        "committed": True,
        "changes": rows,
        "tables": {table: {"created": count, "changed": 0, "removed": 0} for table, count in created.items()},
    }
    run.save(update_fields=["summary"])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
