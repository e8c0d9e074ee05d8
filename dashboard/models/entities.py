"""The four entities. Writers who know only their original columns and speak plain SQL keep working."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import reduce
from operator import and_
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import connections, models
from django.db.models import Case, Count, F, Q, Value, When
from django.db.models.functions import Coalesce, Now
from django.urls import reverse

from .. import model_names
from ..scope import Span
from .among import Among
from .calendar import FIRST_INSTANT, LAST_INSTANT, midnight
from .exact import CentSum, RandomUUID
from .names import name_key
from .noted import Noted, NotedQuerySet
from .overlap import DAY, WEEK, AnyOf, OfIndex, Window, long_or_open, looked_at, overlap

KNOWN_STATUSES = ("pending", "running", "completed", "failed", "cancelled")
NO_JOB = uuid.UUID(int=0)  # Django has no SQL for an empty list, and hours are summed in SQL


models.CharField.register_lookup(Among)


class Stamped(models.Model):
    id = models.UUIDField(
        primary_key=True,
        default=uuid.uuid4,
        db_default=RandomUUID(),
        editable=False,
        db_comment="Key of the row; of an imported job derived from its cluster and external id",
    )
    created_at = models.DateTimeField(
        auto_now_add=True, db_default=Now(), db_comment="When the row was written first"
    )
    updated_at = models.DateTimeField(
        auto_now=True, db_default=Now(), db_comment="When the row was written last"
    )

    class Meta:
        abstract = True


class TeamQuerySet(models.QuerySet["Team"]):
    def with_running_jobs(self) -> TeamQuerySet:
        return self.filter(pk__in=Job.objects.running().values("team_id"))


class Team(Stamped):
    name = models.CharField(
        max_length=255, unique=True, db_comment="Name of the team, as shown and as imported"
    )

    objects = TeamQuerySet.as_manager()

    class Meta:
        db_table = "teams"
        db_table_comment = "Teams that run jobs on GPUs"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("team", args=[self.pk])

    def clean(self) -> None:
        self.name = " ".join(self.name.split())
        if not self.name:
            return  # which the field says itself
        if other := self.namesake():
            words = f"The team {other} has this name: files tell no capitals from small letters."
            raise ValidationError({"name": words})

    def namesake(self) -> str | None:
        """The name of another team that files mean by this one's as well."""
        others = Team.objects.exclude(pk=self.pk).values_list("name", flat=True)
        return next((name for name in others if name_key(name) == name_key(self.name)), None)


# Jobs that the roll-ups count under no day: they wait, run, or their times cannot be.
TIMELESS = (
    Q(start_time__isnull=True)
    | Q(end_time__isnull=True)
    | Q(status="pending")
    | Q(end_time__lt=F("start_time"))
    | Q(start_time__lt=FIRST_INSTANT)
    | Q(end_time__gte=LAST_INSTANT)
)
AFTER_ALL = datetime(2101, 1, 1, tzinfo=UTC)
MANY_GPUS = 1_000
# All jobs that a page has to find among the millions whose times and status are as usual: few, and indexed.
UNUSUAL = (
    TIMELESS
    | Q(status="running")
    | Q(start_time=F("end_time"))
    | Q(gpu_count__gt=MANY_GPUS)
    | ~Q(status__in=KNOWN_STATUSES)
)
# Of these, the few that never become usual.
IMPOSSIBLE = (
    Q(end_time__lt=F("start_time"))
    | Q(start_time=F("end_time"))
    | Q(gpu_count__gt=MANY_GPUS)
    | ~Q(status__in=KNOWN_STATUSES)
)
# As queries say the two.
AMONG_UNUSUAL, AMONG_IMPOSSIBLE = Q(OfIndex(UNUSUAL)), Q(OfIndex(IMPOSSIBLE))


def apart(conditions: list[Q]) -> list[Q]:
    """The same rows, each by the first condition alone that it meets."""
    return [reduce(and_, (~other for other in conditions[:n]), one) for n, one in enumerate(conditions)]


def first_instant(day: date, providers_by_clock: dict[str, list[str]]) -> Case:
    """When the day begins by the bill clock of a job's provider."""
    whens = [
        When(provider__in=providers, then=Value(midnight(day, clock)))
        for clock, providers in providers_by_clock.items()
        if clock != "UTC"
    ]
    return Case(*whens, default=Value(midnight(day, "UTC")), output_field=models.DateTimeField())


class JobQuerySet(NotedQuerySet["Job"]):
    def of_team(self, *teams: Any) -> JobQuerySet:
        return self.filter(team__in=teams)

    def with_status(self, *statuses: str) -> JobQuerySet:
        return self.filter(status__in=statuses)

    def unusual(self) -> JobQuerySet:
        """Narrows nothing that waits, runs or cannot be; said so that the index of such jobs is used."""
        return self.filter(AMONG_UNUSUAL)

    def running(self) -> JobQuerySet:
        without_end = looked_at(Q(end_time=None))  # else SQLite reads all without one, by their index
        return self.unusual().filter(without_end, status="running", start_time__isnull=False)

    def on(self, providers: Iterable[str] = (), gpu_types: Iterable[str] = ()) -> JobQuerySet:
        """Jobs on hardware stored under these spellings; an empty list of either means any."""
        providers, gpu_types = list(providers), list(gpu_types)
        jobs = self.filter(provider__in=providers) if providers else self
        return jobs.filter(gpu_type__in=gpu_types) if gpu_types else jobs

    def overlapping(self, starts_at: datetime, ends_at: datetime) -> JobQuerySet:
        """Jobs of which some time may lie in [starts_at, ends_at)."""
        return self.filter(AnyOf(*overlap(Window(starts_at, ends_at))))

    def within(
        self, span: Span | None, providers_by_clock: dict[str, list[str]] | None = None
    ) -> JobQuerySet:
        """Jobs that overlap the days, each by the bill clock of its provider (UTC where none is named)."""
        if span is None:
            return self
        named = {c: p for c, p in (providers_by_clock or {}).items() if c != "UTC"}
        of_clock = {clock: Q(provider__in=providers) for clock, providers in named.items()}
        rest = ~Q(provider__in=[name for names in named.values() for name in names]) if named else Q()
        windows = [
            Window(midnight(span.start, clock), midnight(span.end, clock), whose)
            for clock, whose in {"UTC": rest, **of_clock}.items()
        ]
        return self.filter(AnyOf(*overlap(*windows)))

    def unusual_within(
        self, span: Span | None, providers_by_clock: dict[str, list[str]] | None = None
    ) -> JobQuerySet:
        """The same of the unusual jobs, said so that only their own index can be used: they are few."""
        if span is None:
            return self.unusual()
        clocks = providers_by_clock or {}
        starts, ends = (first_instant(day, clocks) for day in (span.start, span.end))
        jobs = self.unusual().alias(until=Coalesce("end_time", Value(AFTER_ALL)))
        if connections[self.db].vendor == "postgresql":
            # Most of them never began: by this the index knows those without looking into the table. SQLite
            # would take the index on all starts instead.
            jobs = jobs.filter(start_time__isnull=False)
        return jobs.filter(start_time__lt=ends, until__gt=starts)

    def found_by(self, text: str, *others: Q) -> JobQuerySet:
        """Jobs whose model's name holds the text, whose scheduler's id, user or own id it is, or others."""
        models, ways = self.meant_by(text)
        ways = [*([Q(model_name__among=models)] if models else []), *ways, *others]
        if not ways:
            return self.filter(pk=NO_JOB)
        return self.filter(AnyOf(*apart(ways)) if len(ways) > 1 else ways[0])

    def meant_by(self, text: str) -> tuple[list[str], list[Q]]:
        """The models that a search means, and what else it may mean.

        What matches nothing is left out, so that the database looks only where something is.
        """
        ways = [
            Q(**{field: text})
            for field in ("external_id", "submitted_by")
            if Job.objects.using(self.db).filter(**{field: text}).exists()
        ]
        with suppress(ValueError):
            ways.append(Q(pk=uuid.UUID(text)))
        return model_names.holding(text), ways

    def per_team(self) -> dict[uuid.UUID, int]:
        return dict(self.order_by().values_list("team_id").annotate(Count("pk")))

    def newest_first(self) -> JobQuerySet:
        return self.order_by(F("start_time").desc(nulls_last=True), "-pk")

    def with_team_name(self) -> JobQuerySet:
        return self.annotate(team_name=F("team__name"))


class Job(Noted, Stamped):
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, related_name="jobs", db_comment="Team that ran the job"
    )
    model_name = models.CharField(max_length=255, db_comment="Model that was trained or served")
    gpu_type = models.CharField("GPU type", max_length=100, db_comment="GPU type, as the bill names it")
    provider = models.CharField(max_length=100, db_comment="Provider that bills the GPUs")
    start_time = models.DateTimeField(
        null=True, blank=True, db_index=True, db_comment="When the job began to run"
    )
    end_time = models.DateTimeField(
        null=True, blank=True, db_comment="When the job ended; empty while it runs"
    )
    status = models.CharField(
        max_length=50,
        default="pending",
        db_default="pending",
        db_comment="pending, running, completed, failed, cancelled, or what the log said",
    )

    gpu_count = models.DecimalField(
        "GPUs",
        max_digits=12,
        decimal_places=6,
        default=Decimal(1),
        db_default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.000001"))],
        db_comment="GPUs held for the whole run; fractions exist",
    )
    submit_time = models.DateTimeField(
        null=True, blank=True, db_comment="When the job was handed to the scheduler"
    )
    external_id = models.CharField(
        max_length=255, null=True, blank=True, db_comment="The scheduler's id; a requeued attempt is id#2"
    )
    cluster = models.CharField(
        max_length=255, null=True, blank=True, db_comment="Cluster whose log named the job"
    )
    account = models.CharField(max_length=255, null=True, blank=True, db_comment="The scheduler's account")
    partition = models.CharField(
        max_length=255, null=True, blank=True, db_comment="The scheduler's partition"
    )
    raw_gpu_type = models.CharField(
        "GPU type in the log",
        max_length=255,
        null=True,
        blank=True,
        db_comment="GPU type as the scheduler wrote it",
    )
    raw_gpu_count = models.DecimalField(
        "GPUs in the log",
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        db_comment="GPUs as the scheduler counted them, before a mapping's factor",
    )
    submitted_by = models.CharField(max_length=255, null=True, blank=True, db_comment="The scheduler's user")
    team_set_by_hand = models.BooleanField(
        default=False, db_default=False, db_comment="The team was chosen by a person; mappings keep it"
    )
    imported_by = models.ForeignKey(
        "dashboard.ImportRun",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="jobs",
        db_comment="Import that wrote the row last",
    )

    objects = JobQuerySet.as_manager()  # type: ignore[misc]  # notes like that of Noted

    class Meta:
        db_table = "jobs"
        db_table_comment = "Jobs that ran, run or wait on GPUs"
        # In the order in which a large import on SQLite makes them anew: figures wait for the first three.
        indexes = [
            models.Index(fields=["status", "start_time"], condition=UNUSUAL, name="jobs_unusual_idx"),
            models.Index(fields=["end_time", "id"], name="jobs_by_end_idx"),
            models.Index(
                fields=["model_name", "start_time", "id"],
                include=["team", "provider", "gpu_type", "status"],
                name="jobs_by_model_idx",
            ),
            # What the list of jobs reads, in its order. Each by one filter; `by_cell` by several.
            models.Index(fields=["start_time", "id"], name="jobs_by_start_idx"),
            models.Index(fields=["status", "start_time", "id"], name="jobs_by_status_idx"),
            models.Index(fields=["team", "start_time", "id"], name="jobs_by_team_idx"),
            models.Index(fields=["provider", "start_time", "id"], name="jobs_by_provider_idx"),
            models.Index(fields=["gpu_type", "start_time", "id"], name="jobs_by_gpu_type_idx"),
            models.Index(
                fields=["team", "provider", "gpu_type", "status", "start_time", "id"], name="jobs_by_cell_idx"
            ),
            models.Index(
                fields=["submitted_by", "start_time", "id"],
                condition=Q(submitted_by__isnull=False),
                name="jobs_by_user_idx",
            ),
            models.Index(
                fields=["external_id"],
                condition=Q(external_id__isnull=False),
                name="jobs_by_external_id_idx",
            ),
            # Without the id: PostgreSQL would rather walk the whole log by the narrower index on the start.
            models.Index(fields=["start_time"], condition=long_or_open(DAY), name="jobs_over_a_day_idx"),
            models.Index(fields=["start_time"], condition=long_or_open(WEEK), name="jobs_over_a_week_idx"),
            models.Index(fields=["start_time"], condition=IMPOSSIBLE, name="jobs_impossible_idx"),
            models.Index(fields=["team", "status"], name="jobs_team_status_idx"),
            models.Index(fields=["provider", "gpu_type"], name="jobs_provider_gpu_type_idx"),
        ]
        constraints = [models.CheckConstraint(condition=Q(gpu_count__gt=0), name="jobs_gpu_count_positive")]

    def __str__(self) -> str:
        return f"{self.external_id or self.pk} · {self.model_name}"

    def get_absolute_url(self) -> str:
        return reverse("job", args=[self.pk])

    def clean(self) -> None:
        if self.start_time and self.end_time and self.end_time < self.start_time:
            raise ValidationError({"end_time": "The job cannot end before it starts."})


class SnapshotQuerySet(models.QuerySet[Any]):
    def within(self, span: Span | None) -> Any:
        return self if span is None else self.filter(date__gte=span.start, date__lt=span.end)

    def of(self, providers: Iterable[str] = (), gpu_types: Iterable[str] = ()) -> Any:
        """Rows stored under these spellings; an empty list of either means any."""
        providers, gpu_types = list(providers), list(gpu_types)
        rows = self.filter(provider__in=providers) if providers else self
        return rows.filter(gpu_type__in=gpu_types) if gpu_types else rows


class CostQuerySet(SnapshotQuerySet):
    def total(self) -> Decimal | None:
        return self.aggregate(total=CentSum("cost_usd"))["total"]

    def total_per_provider(self) -> dict[str, Decimal]:
        return dict(self.order_by().values_list("provider").annotate(CentSum("cost_usd")))

    def over_time(self) -> Any:
        """(date, cost) of each day with rows, oldest first."""
        return self.order_by("date").values_list("date").annotate(CentSum("cost_usd"))


class UsageQuerySet(SnapshotQuerySet):
    def total(self) -> Decimal | None:
        return self.aggregate(total=CentSum("gpu_hours"))["total"]

    def hours_per_provider(self) -> dict[str, Decimal]:
        return dict(self.order_by().values_list("provider").annotate(CentSum("gpu_hours")))

    def peak_days(self, count: int = 10) -> Any:
        """(date, hours) of the days with most metered GPU-hours, the busiest first."""
        hours = CentSum("gpu_hours")
        return self.values_list("date").annotate(hours=hours).order_by("-hours", "date")[:count]


class Snapshot(Stamped):
    date = models.DateField(db_index=True, db_comment="The bill's own day; never shifted")
    provider = models.CharField(max_length=100, db_comment="Provider that bills")
    gpu_type = models.CharField("GPU type", max_length=100, db_comment="GPU type that is billed")
    from_lines = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        db_comment="The amount is the rounded sum of bill lines",
    )
    imported_by = models.ForeignKey(
        "dashboard.ImportRun",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="%(class)ss",
        db_comment="Import that wrote the row last",
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.date} {self.provider} {self.gpu_type}"


class CostSnapshot(Snapshot):
    cost_usd = models.DecimalField(
        "cost in USD",
        max_digits=12,
        decimal_places=2,
        db_comment="Cost of the day in USD; credits are negative",
    )
    basis = models.CharField(
        max_length=10,
        blank=True,
        default="",
        db_default="",
        editable=False,
        db_comment="billed or effective where the amount comes from bill lines",
    )

    objects = CostQuerySet.as_manager()

    class Meta:
        db_table = "cost_snapshots"
        db_table_comment = "Cost per day, provider and GPU type"
        indexes = [
            models.Index(fields=["date", "provider", "gpu_type"], name="cost_date_provider_gpu_idx"),
            models.Index(fields=["provider", "gpu_type", "date"], name="cost_cells_idx"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["date", "provider", "gpu_type"], name="cost_snapshots_cell")
        ]


class UsageSnapshot(Snapshot):
    gpu_hours = models.DecimalField(
        "metered GPU-hours",
        max_digits=12,
        decimal_places=2,
        validators=[MinValueValidator(Decimal(0))],
        db_comment="GPU-hours that the provider metered",
    )

    objects = UsageQuerySet.as_manager()

    class Meta:
        db_table = "usage_snapshots"
        db_table_comment = "Metered GPU-hours per day, provider and GPU type"
        indexes = [
            models.Index(fields=["date", "provider", "gpu_type"], name="usage_date_provider_gpu_idx"),
            models.Index(fields=["provider", "gpu_type", "date"], name="usage_cells_idx"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["date", "provider", "gpu_type"], name="usage_snapshots_cell")
        ]
