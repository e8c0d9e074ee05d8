"""Takes an import back, so that every table is as it was; refuses when something was built upon it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from .. import audit, rollups
from ..clock import today
from ..counted import counted, have
from ..databases import at_leisure
from ..models import (
    BillLine,
    CostSnapshot,
    Delivery,
    ImportChange,
    ImportRun,
    Job,
    PeriodEntry,
    Team,
    UsageSnapshot,
)
from ..naming import Names
from ..rollups import noting
from ..scope import ONE_DAY, Span, buckets
from ..statements import execute
from .derive import Group, line_sums
from .figures import Deriving
from .reapply import reapply
from .rows import pieces, put_back, wait_for_other_imports

SNAPSHOTS = (CostSnapshot, UsageSnapshot)
CELL = ("date", "provider", "gpu_type")
FIGURES: dict[Any, tuple[str, ...]] = {  # with what tells their rows apart
    CostSnapshot: CELL,
    UsageSnapshot: CELL,
    PeriodEntry: ("first_day", "last_day", "provider", "gpu_type"),
}


class CannotUndo(Exception):
    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


@at_leisure()
@transaction.atomic
def undo(run_id: int, user: Any = None) -> ImportRun:
    """Raises ImportRun.DoesNotExist or CannotUndo; then nothing has changed."""
    wait_for_other_imports()
    run = ImportRun.objects.select_for_update(of=("self",)).get(pk=run_id)
    if reasons := list(objections(run)):
        raise CannotUndo(reasons)
    groups = take_back_deliveries(run)
    for model in FIGURES:
        delete_created(run, model)
        put_back(run, model)
    derive_again(groups)
    take_back_jobs(run)
    rollups.settle()
    take_back_teams(run)
    run.log_spans.all().delete()
    run.changed_rows.all().delete()
    run.status, run.undone_at, run.undone_by = ImportRun.Status.UNDONE, timezone.now(), user
    run.save(update_fields=["status", "undone_at", "undone_by"])
    audit.record("undone", str(run), by=audit.asker(user))
    return run


def objections(run: ImportRun) -> Iterator[str]:
    """Why it cannot be undone, in sentences; none when it can."""
    if run.status == ImportRun.Status.UNDONE:
        yield f"Import {run.pk} was undone already, on {run.undone_at:%Y-%m-%d}."
        return
    later = later_runs(run)
    for other in ImportRun.objects.filter(pk__in=later):
        yield f"{other} wrote over what this import brought. Undo import {other.pk} first."
    if not later:
        yield from edits_of_jobs(run)
        for model in FIGURES:
            yield from edits_of_figures(run, model)
        yield from edits_of_teams(run)


def months_touched(run: ImportRun) -> set[str]:
    """YYYY-MM of the months whose rows or hours an undo changes, whether or not a total does.

    Those that the import touched, and all since where jobs run on or would again.
    """
    said = run.summary
    told = [month for months in said.get("months", {}).values() for month in months]
    touched = {*said.get("touched", []), *told}
    if touched and runs_on(run):
        newest = min(date.fromisoformat(f"{max(touched)}-01"), today())
        since = buckets(Span(newest, today() + ONE_DAY), "month")
        touched |= {f"{month:%Y-%m}" for month in since}
    return touched


def runs_on(run: ImportRun) -> bool:
    ran = changes(run, Job).filter(before__isnull=False, before__end_time=None)
    runs = Job.objects.filter(imported_by=run, start_time__isnull=False, end_time=None)
    return runs.exists() or ran.exists()


def later_runs(run: ImportRun) -> set[int]:
    later = ImportChange.objects.filter(run_id__gt=run.pk, run__status=ImportRun.Status.COMMITTED)
    over = set(later.filter(before__imported_by_id=run.pk).values_list("run_id", flat=True).distinct())
    replaced = Delivery.objects.filter(replaces__run=run).exclude(run=run)
    over |= set(replaced.values_list("run_id", flat=True).distinct())
    again = back_since(run).filter(imported_by__gt=run.pk).values_list("imported_by_id", flat=True)
    return over | set(again.distinct()) | in_the_place_of_replaced(run)


def back_since(run: ImportRun) -> Any:
    """Of the jobs that it took away."""
    return Job.objects.filter(pk__in=changes(run, Job).filter(before__removed=True).values("row_id"))


def in_the_place_of_replaced(run: ImportRun) -> set[int]:
    """Runs whose deliveries stand where those that this one replaced would be again, since an alias went."""
    place = "provider", "account", "period_start"
    gone = set(Delivery.objects.filter(replaced_by__run=run).values_list(*place))
    current = Delivery.objects.filter(current=True, period_start__in={one[-1] for one in gone})
    found = current.exclude(run=run).values_list("run_id", *place)
    return {other for other, *where in found if tuple(where) in gone}


def edits_of_jobs(run: ImportRun) -> Iterator[str]:
    counts = run.summary.get("tables", {}).get("jobs", {})
    written = counts.get("created", 0) + counts.get("changed", 0)
    as_written = Job.objects.filter(imported_by=run, updated_at=run.written_at).count()
    if as_written != written:
        yield f"{abs(written - as_written):,} of its jobs were changed or deleted since."
    if again := back_since(run).count():
        yield f"{counted(again, 'job')} that it took away {have(again)} come in again since."
    old_teams = changes(run, Job).filter(before__isnull=False).values_list("before__team_id", flat=True)
    wanted = {UUID(pk) for pk in old_teams.distinct()}
    if wanted - set(Team.objects.filter(pk__in=wanted).values_list("pk", flat=True)):
        yield "A team that its jobs belonged to before has been deleted since."


def edits_of_figures(run: ImportRun, model: Any) -> Iterator[str]:
    kind = model._meta.verbose_name_plural
    written = changes(run, model).exclude(before__removed=True).count()
    # What is derived from lines is derived again below, so a rebuild is no edit.
    derived = Q(from_lines=True) if model in SNAPSHOTS else Q()
    untouched = Q(updated_at=run.written_at) | derived
    as_written = model.objects.filter(untouched, imported_by=run).count()
    if as_written != written:
        yield f"{abs(written - as_written):,} of its {kind} were changed or deleted since."
    for before in changes(run, model).filter(before__removed=True).values_list("before", flat=True):
        cell = {name: before[name] for name in FIGURES[model]}
        if model.objects.filter(**cell).exclude(imported_by=run).exists():
            yield f"{' '.join(cell.values())} was entered again since."


def edits_of_teams(run: ImportRun) -> Iterator[str]:
    for pk, before in changes(run, Team).filter(before__isnull=False).values_list("row_id", "before"):
        if not Team.objects.filter(pk=pk, updated_at=run.written_at).exists():
            yield f"The team that was called {before['name']} was changed or deleted since."
        elif Team.objects.filter(name=before["name"]).exclude(pk=pk).exists():
            yield f"Another team is called {before['name']} now."


def changes(run: ImportRun, model: Any) -> Any:
    return run.changed_rows.filter(table=model._meta.db_table)


def take_back_deliveries(run: ImportRun) -> set[Group]:
    """The provider, GPU type and month groups whose lines this changes."""
    deliveries = run.deliveries.all()
    replaced = [pk for pk in deliveries.values_list("replaces", flat=True) if pk is not None]
    lines = BillLine.objects.gpu().filter(Q(delivery__run=run) | Q(delivery__in=replaced))
    cells = lines.order_by().values_list("provider", "gpu_type", "day").distinct()
    groups = {(provider, gpu_type, day.replace(day=1)) for provider, gpu_type, day in cells}
    deliveries.delete()
    Delivery.objects.filter(pk__in=replaced).update(current=True)
    return groups


def derive_again(groups: set[Group]) -> None:
    """Changes nothing, but where the cost basis is another than at the time of the import."""
    if groups:
        deriving = Deriving(groups, Names.load(), lock=True)
        deriving.settle(line_sums(groups), {model: set() for model in SNAPSHOTS})
        deriving.write(None)


def delete_created(run: ImportRun, model: Any) -> None:
    created = changes(run, model).filter(before__isnull=True).values_list("row_id", flat=True)
    for ids in pieces(list(created)):
        model.objects.filter(pk__in=ids).delete()


def take_back_jobs(run: ImportRun) -> None:
    brought = (
        "imported_by_id = %s AND NOT EXISTS (SELECT 1 FROM import_changes c "
        "WHERE c.run_id = %s AND c.\"table\" = 'jobs' AND c.row_id = jobs.id)"
    )
    with noting.noted(connection, f"SELECT id FROM jobs WHERE {brought}", [run.pk, run.pk]):
        execute(connection, f"DELETE FROM jobs WHERE {brought}", [run.pk, run.pk])
    changed = "SELECT row_id AS id FROM import_changes WHERE run_id = %s AND \"table\" = 'jobs'"
    with noting.noted(connection, changed, [run.pk]):
        number = put_back(run, Job)
    if number:
        reapply(Job.objects.filter(pk__in=changes(run, Job).values("row_id")))


def take_back_teams(run: ImportRun) -> None:
    """Teams that it made go, unless somebody has come to use or edit them."""
    put_back(run, Team)
    created = changes(run, Team).filter(before__isnull=True).values("row_id")
    for team in Team.objects.filter(pk__in=created, updated_at=run.written_at):
        if not is_used(team):
            team.delete()


def is_used(team: Team) -> bool:
    return any(
        relation.related_model._base_manager.filter(**{relation.field.name: team}).exists()
        for relation in Team._meta.related_objects
    )
