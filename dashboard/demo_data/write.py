"""Stores the invented company as imports would have: teams, names, mappings, jobs, bills and snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from django.db import connection, models, transaction

from .. import rollups, workers
from ..ingest.deliveries import Draft
from ..ingest.derive import Sum, figures
from ..ingest.figures import add_lines
from ..ingest.job_ids import NAMESPACE, SEPARATOR
from ..ingest.records import BillRow
from ..ingest.snapshots import AMOUNT, Cell, Figure
from ..ingest.summary import Tally
from ..late_indexes import indexes_made_afterwards
from ..models import (
    AccountMapping,
    BillDay,
    Budget,
    ClusterMapping,
    Commitment,
    CostSnapshot,
    Delivery,
    ImportChange,
    ImportRun,
    Invoice,
    Job,
    LogSpan,
    NameAlias,
    Provider,
    SpendMapping,
    Team,
    UsageSnapshot,
)
from ..models.exact import CentSum
from ..models.names import name_key
from ..money import to_cents
from ..rollups import noting
from ..scope import Span, shift_month
from .bills import Bills, PlainDay
from .company import ALIASES, BUDGETS, CLUSTER, DIRECT_SPEND, MAPPED_TEAMS, PARTITIONS, PROVIDERS, TEAMS
from .invoices import TypedIn, invoices
from .jobs import JobLog, PlannedJob
from .plan import Plan
from .storing import STAMPS, insert, store_jobs

FORMAT = "demo"
FILLED_BY_DEMO: tuple[type[models.Model], ...] = (
    Team,
    Job,
    CostSnapshot,
    UsageSnapshot,
    Delivery,
    ImportRun,
    ClusterMapping,
    AccountMapping,
    SpendMapping,
    Commitment,
    Invoice,
    Budget,
)
MANY = 100_000  # jobs, from which on their indexes are made afterwards
COMMITTED = {"provider": "AWS", "gpu_type": "H100-80GB"}
Progress = Callable[[int], None]


def occupied_by() -> list[str]:
    """What stands in the way of a demo: the kinds of rows that the database holds already."""
    found = [model for model in FILLED_BY_DEMO if model._default_manager.exists()]
    return [str(model._meta.verbose_name_plural) for model in found]


@transaction.atomic
def write(plan: Plan, progress: Progress = lambda jobs: None) -> ImportRun:
    """progress hears how many jobs are written so far."""
    name = f"seed_demo --days {plan.days} --jobs {plan.jobs} --seed {plan.seed}"
    run = ImportRun.objects.create(format=FORMAT, files=[{"name": name, "sha256": ""}], written_at=plan.as_of)
    tally, log = Tally(), JobLog(plan)
    write_names()
    teams = write_teams(run)
    write_mappings(teams)
    write_commitments(run, plan)
    rollups.expect([*(name for name, _, _ in PROVIDERS), *(alias for _, alias, _ in ALIASES)])
    write_jobs(run, log, teams, progress)
    rollups.settle()
    bills = Bills(plan, log.hours)
    plain = list(bills.plain_days())
    drafts = drafted(bills.rows())
    for draft in drafts:
        draft.write(run)
    write_invoices(run, invoices(plan, drafts, plain))
    counts = {
        "teams": len(teams),
        "jobs": log.written,
        "deliveries": len(drafts),
        "bill_lines": sum(len(draft.lines) for draft in drafts),
        **write_snapshots(run, drafts, plain),
    }
    write_budgets(plan, teams)
    for table, created in counts.items():
        tally.table(table, created=created)
        tally.count("inserted", created)
    summary = tally.summary(
        files=[name], format=FORMAT, label="demo data", dry_run=False, committed=True, run=run.pk
    )
    run.summary = summary.as_json()
    run.save(update_fields=["summary"])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return run


def write_names() -> None:
    for name, clock, lag in PROVIDERS:
        known = {"name": name, "bill_clock": clock, "lag_days": lag}
        Provider.objects.get_or_create(key=name_key(name), defaults=known)
        BillDay.objects.ensure(clock)
    for kind, alias, name in ALIASES:
        known = {"alias": alias, "name": name}
        NameAlias.objects.get_or_create(kind=kind, alias_key=name_key(alias), defaults=known)


def write_teams(run: ImportRun) -> dict[str, UUID]:
    teams = {team.name: made_id("team", name_key(team.name)) for team in TEAMS}
    rows = ((run.written_at, run.written_at, pk, name) for name, pk in teams.items())
    insert(Team, ("created_at", "updated_at", "id", "name"), rows)
    remember_created(run, Team, teams.values())
    return teams


def write_mappings(teams: dict[str, UUID]) -> None:
    names = ("partition", "raw_gpu_type", "provider", "gpu_type", "factor")
    ClusterMapping.objects.bulk_create(
        ClusterMapping(cluster=CLUSTER, **dict(zip(names, partition, strict=True)))
        for partition in PARTITIONS
    )
    AccountMapping.objects.bulk_create(
        AccountMapping(cluster=CLUSTER, account=team.account, team_id=teams[team.name])
        for team in MAPPED_TEAMS
    )
    SpendMapping.objects.bulk_create(
        SpendMapping(provider=provider, sub_account=sub_account, team_id=teams[team])
        for provider, sub_account, team in DIRECT_SPEND
    )


def write_commitments(run: ImportRun, plan: Plan) -> None:
    columns = ("created_at", "updated_at", "id", *COMMITTED, "first_day", "last_day", "gpus", "note")
    rows = (
        (
            *(run.written_at, run.written_at, made_id("commitment", str(one.span.start), str(one.span.last))),
            *COMMITTED.values(),
            *(one.span.start, one.span.last, one.gpus, one.note),
        )
        for one in plan.contracts()
    )
    insert(Commitment, columns, rows)


def write_invoices(run: ImportRun, totals: Iterable[TypedIn]) -> None:
    columns = ("created_at", "updated_at", "id", "provider", "account", "period_start", "total_usd", "number")
    rows = ((run.written_at, run.written_at, made_id("invoice", *map(str, one[:3])), *one) for one in totals)
    insert(Invoice, columns, rows)


def write_budgets(plan: Plan, teams: dict[str, UUID]) -> None:
    """Since January, in whole thousands; none where the month before this one is not wholly told."""
    this_month = plan.today.replace(day=1)
    month = Span(shift_month(this_month, -1), this_month)
    bill = CostSnapshot.objects.within(month).aggregate(usd=CentSum("cost_usd"))["usd"]
    if not bill or plan.span.start > month.start:
        return
    Budget.objects.bulk_create(
        Budget(
            pk=made_id("budget", what, name),
            first_month=date(plan.today.year, 1, 1),
            monthly_usd=(bill * share).quantize(Decimal("1E3")),
            **({"team_id": teams[name]} if what == "team" else {what: name} if what else {}),
        )
        for what, name, share in BUDGETS
    )


def write_jobs(run: ImportRun, log: JobLog, teams: dict[str, UUID], progress: Progress) -> None:
    begun: dict[str, int] = {}

    def batches() -> Iterator[list[PlannedJob]]:
        for batch in log.batches():
            for job in batch:
                if job.submit < begun.setdefault(job.cluster, job.submit):
                    begun[job.cluster] = job.submit
            yield batch
            progress(log.written)

    brought = noting.noted_as_new(connection, "SELECT id FROM jobs WHERE imported_by_id = %s", [run.pk])
    sorted_later = log.plan.jobs >= MANY and not workers.hold_jobs(connection)
    with brought, indexes_made_afterwards("jobs") if sorted_later else nullcontext():
        store_jobs(run, {name: pk.hex for name, pk in teams.items()}, batches())
    LogSpan.objects.bulk_create(
        LogSpan(run=run, cluster=cluster, first=datetime.fromtimestamp(first, UTC), last=run.written_at)
        for cluster, first in sorted(begun.items())
    )


def drafted(rows: Iterable[BillRow]) -> list[Draft]:
    """The deliveries that an import of these rows would make."""
    drafts: dict[tuple[str, str, date], Draft] = {}
    for row in rows:
        key = row.provider, row.account, row.period[0]
        if key not in drafts:
            drafts[key] = Draft(row.provider, row.account, *row.period)
        drafts[key].add("", row)
    return list(drafts.values())


def write_snapshots(run: ImportRun, drafts: list[Draft], plain: list[PlainDay]) -> dict[str, int]:
    """Derived from the lines where there are some, else as the provider's own figures."""
    sums: dict[Cell, Sum] = {}
    for draft in drafts:
        add_lines(sums, draft)
    entered: dict[type[models.Model], list[Figure]] = {
        CostSnapshot: [Figure(d.day, d.provider, d.gpu_type, to_cents(d.cost_usd)) for d in plain],
        UsageSnapshot: [
            Figure(d.day, d.provider, d.gpu_type, to_cents(d.gpu_hours))
            for d in plain
            if d.gpu_hours is not None
        ],
    }
    counts = {}
    for model, own in entered.items():
        found = [*figures(model, sums).values(), *own]
        store(run, model, found)
        counts[model._meta.db_table] = len(found)
    return counts


def store(run: ImportRun, model: Any, found: list[Figure]) -> None:
    table, basis = model._meta.db_table, model is CostSnapshot
    columns = (*STAMPS, "id", "date", "provider", "gpu_type", AMOUNT[model], "from_lines")
    stamps = (run.written_at, run.written_at, run.pk)
    ids = {figure.cell: made_id(table, *map(str, figure.cell)) for figure in found}
    rows = (
        (*stamps, ids[figure.cell], *figure.cell, figure.amount, figure.from_lines)
        + ((figure.basis,) if basis else ())
        for figure in found
    )
    insert(model, (*columns, "basis") if basis else columns, rows)
    remember_created(run, model, ids.values())


def made_id(*about: str) -> UUID:
    return uuid5(NAMESPACE, SEPARATOR.join(("demo", *about)))


def remember_created(run: ImportRun, model: type[models.Model], ids: Iterable[UUID]) -> None:
    """So that the demo can be undone like any import."""
    rows = ((run.pk, model._meta.db_table, pk, None) for pk in ids)
    insert(ImportChange, ("run_id", "table", "row_id", "before"), rows)
