"""A company whose every name is what the caller says, and all addresses that show or give its names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import admin as admin_site
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import F
from django.urls import reverse

from dashboard.closing import close_month
from dashboard.models import (
    AccountMapping,
    Budget,
    ClusterMapping,
    CostCentre,
    CostSnapshot,
    DayNote,
    DismissedAnomaly,
    ImportRun,
    Invoice,
    Job,
    MonthClose,
    NameAlias,
    Restatement,
    SpendMapping,
    Team,
)

from .conftest import at, make_cost, make_job, make_usage
from .contracts import make_commitment, make_entry, make_rate
from .loading import bill, load_rows

PAGES = (
    *(
        "",
        "costs/",
        "allocation/?by=team&then_by=model",
        "allocation/?by=gpu_type",
        "bridge/",
        "unit-prices/",
    ),
    *("forecast/", "budgets/?month=2025-03", "anomalies/", "closing/", "closing/2025/3/"),
    *("closing/2025/2/", "closing/2025/2/?file=restated"),
    *(
        "contracts/",
        "contracts/?file=entries",
        "usage/",
        "waste/",
        "jobs/",
        "jobs/running/",
        "teams/",
        "reconcile/",
    ),
    *("reconcile/?view=match", "reconcile/?view=gaps", "data-quality/", "mappings/", "help/"),
    *("waste/?file=runs", "waste/?file=idle", "waste/?file=stuck"),
)
HAS_NO_FILE = re.compile(r"/(help|imports|closing/\?|closing/2025/3|jobs/[0-9a-f-]{36})")
SOME = 4  # rows with a page of their own; names whose cost stands out
DAYS = "start=2025-03-01&end=2025-03-31"


def name_everything(names: Iterable[str]) -> None:
    """By plain writes, as another program might: forms and imports would refuse some."""
    names = list(names)
    for number, name in enumerate(names, 1):
        short = name[:100]
        team = Team.objects.create(pk=UUID(int=Team.objects.count() + 1), name=name)
        facts = {"model_name": name, "provider": short, "gpu_type": short, "status": name[:50], "team": team}
        facts |= {
            "cluster": name,
            "account": name,
            "partition": name,
            "raw_gpu_type": name,
            "submitted_by": name,
        }
        make_job(external_id=f"{name}{number}", **facts)
        make_job(end=None, **facts | {"status": "running"})
        make_cost("2025-03-01", f"{number}.50", provider=short, gpu_type=short)
        make_cost("2025-03-02", f"-{number}.25", provider=short, gpu_type=short)
        make_usage("2025-03-01", f"{50 - number}.75", provider=short, gpu_type=short)
        make_entry("2025-03-03", "2025-03-04", "10.00", provider=short, gpu_type=short, note=name)
        make_rate("gpu_hour", "1.50", "2025-03-05", "2025-03-06", provider=short, gpu_type=short, note=name)
        make_commitment("8", "2025-03-01", "2025-03-31", provider=short, gpu_type=short, note=name)
        invoice = {"provider": short, "account": name, "number": short, "note": name}
        Budget.objects.create(first_month=date(2025, 3, 1), monthly_usd=10, provider=short, note=name)
        Budget.objects.create(first_month=date(2025, 3, 1), monthly_usd=10, team=team)
        CostCentre.objects.create(team=team, code=name[:50])
        Invoice.objects.create(period_start=date(2025, 3, 1), total_usd=Decimal("10.00"), **invoice)
        ClusterMapping.objects.create(cluster=name + ".", partition=name, provider=short, gpu_type=short)
        AccountMapping.objects.create(cluster=name, account=name + ".", team=team)
        SpendMapping.objects.create(provider=short, sub_account=name, tag=name, team=team)
        NameAlias.objects.create(kind="provider", alias=f"{number}{short}"[:100], name=short)
        user = User.objects.create(username=name[:150], first_name=short, last_name=short)
        ImportRun.objects.create(
            format="costs",
            files=[{"name": name, "sha256": ""}],
            user=user,
            written_at=at("2025-03-02 00:00"),
            options={"cluster": name},
            summary={"notes": [name], "warnings": [name], "files": [name]},
        )
        LogEntry.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(Team),
            object_id=str(team.pk),
            object_repr=name[:200],
            action_flag=CHANGE,
            change_message=f"name: {name} → {name}",
        )
        line = {"provider": f"B{number}", "account": name, "sub_account": name, "tag": name}
        load_rows(bill(7, **line, service_category=short, gpu_type=short))
        in_february = {"provider": short, "gpu_type": short}
        make_job("2025-02-01 00:00", "2025-02-01 10:00", **facts)
        make_cost("2025-02-01", f"{number}.50", **in_february)
        make_usage("2025-02-01", "20.00", **in_february)
        go_wrong(facts)
        DayNote.objects.create(day=date(2025, 3, 1), provider=short, text=name, author=user)
        if number <= SOME:
            stand_out(user, name)
    close_february(names, user)


def go_wrong(facts: dict[str, Any]) -> None:
    """A job that failed, one that is said to be over and has no end, and one that completed."""
    make_job("2025-03-01 01:00", "2025-03-01 02:00", **facts | {"status": "failed"})
    make_job("2025-03-01 02:00", None, **facts | {"status": "completed"})
    make_job("2025-03-01 03:00", "2025-03-01 04:00", **facts | {"status": "completed"})


def stand_out(user: User, name: str) -> None:
    """March begins with a credit, after a February of a hundred dollars a day; somebody knows why."""
    hardware = {"provider": name[:100], "gpu_type": name[:100]}
    days = [date(2025, 2, 2) + timedelta(days=place) for place in range(27)]
    CostSnapshot.objects.bulk_create(CostSnapshot(date=day, cost_usd=100, **hardware) for day in days)
    DismissedAnomaly.objects.create(day=date(2025, 3, 1), **hardware, reason=name, author=user)


def close_february(names: list[str], user: User) -> None:
    """Once; then its bill falls by a dollar for each name, by who is named so."""
    close = MonthClose.objects.filter(month="2025-02-01").first()
    close = close or close_month(date(2025, 2, 1), user, "effective", "apart", note=user.first_name)
    for name in names:
        hardware = {"provider": name[:100], "gpu_type": name[:100]}
        Restatement.objects.create(
            close=close,
            at=at("2025-03-02 00:00"),
            who=name[:150],
            what=name[:500],
            team=Team.objects.get(name=name).pk,
            team_name=name,
            cents=-100,
            **hardware,
        )
        CostSnapshot.objects.filter(date="2025-02-01", **hardware).update(cost_usd=F("cost_usd") - 1)


def pages() -> Iterator[str]:
    """Every page that shows names, and those of single rows."""
    for page in PAGES:
        yield f"/{page}{'&' if '?' in page else '?'}{DAYS}"
    for team in Team.objects.order_by("pk")[:SOME]:
        yield f"/teams/{team.pk}/?{DAYS}"
        for month in ("2025-03", "2025-02", "2025-02&as=now"):
            yield f"/teams/{team.pk}/statement/?month={month}"
    for job in Job.objects.exclude(status="running").order_by("pk")[:SOME]:
        yield f"/jobs/{job.pk}/"
    yield "/imports/"
    for run in ImportRun.objects.filter(format="costs").order_by("pk")[:SOME]:
        yield f"/imports/{run.pk}/"


def admin_pages() -> Iterator[str]:
    """Lists, and of each table the forms, history and deletion of its newest row."""
    yield "/admin/"
    for model in admin_site.site._registry:
        told = model._meta.app_label, model._meta.model_name
        yield reverse("admin:{}_{}_changelist".format(*told))
        newest = model._base_manager.order_by("-pk").values_list("pk", flat=True).first()
        for what in ("change", "history", "delete") if newest else ():
            yield reverse(f"admin:{told[0]}_{told[1]}_{what}", args=[newest])


def files(kind: str) -> Iterator[str]:
    for page in pages():
        if not HAS_NO_FILE.match(page):
            yield f"{page}&_export={kind}"
