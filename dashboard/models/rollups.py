"""GPU time and jobs summed ahead, so that pages read days and not jobs; all of it can be made anew from jobs.

`microseconds` are GPU microseconds within the row's day by the provider's bill clock, `job_days` the jobs
that overlap it, `jobs` those that begin on it. A job without hours of its own (it waits, runs, or its times
cannot be) is counted once under NO_DAY.
"""

from __future__ import annotations

from datetime import date

from django.db import models
from django.db.models import Q

NO_DAY = date.min


class Measures(models.Model):
    microseconds = models.BigIntegerField(db_comment="GPU microseconds of jobs that have ended")
    job_days = models.BigIntegerField(db_comment="Jobs that overlap the day, summed over days")
    jobs = models.BigIntegerField(db_comment="Jobs that begin")

    class Meta:
        abstract = True


class GpuTimeChange(Measures):
    """What a write to `jobs` adds to the sums or takes from them, until it is settled into them."""

    day = models.DateField()
    team_id = models.UUIDField()
    provider = models.CharField(max_length=100)
    gpu_type = models.CharField(max_length=100)
    model_name = models.CharField(max_length=255)
    status = models.CharField(max_length=50)
    cluster = models.CharField(max_length=255, null=True)
    partition = models.CharField(max_length=255, null=True)
    raw_gpu_type = models.CharField(max_length=255, null=True)
    account = models.CharField(max_length=255, null=True)
    team_set_by_hand = models.BooleanField()
    has_external_id = models.BooleanField()

    class Meta:
        db_table = "gpu_time_changes"
        default_permissions = ()
        db_table_comment = "What writes to jobs add to the roll-ups, until it is settled into them"

    def __str__(self) -> str:
        return f"{self.day} {self.provider} {self.gpu_type} {self.microseconds:+}"


class Rollup(Measures):
    team_id = models.UUIDField()
    provider = models.CharField(max_length=100)
    gpu_type = models.CharField(max_length=100)

    class Meta:
        abstract = True


class GpuDay(Rollup):
    day = models.DateField(db_comment="Day by the provider's bill clock; 0001-01-01 for jobs without hours")

    class Meta:
        db_table = "gpu_days"
        default_permissions = ()
        db_table_comment = "GPU time of jobs per day, team, provider and GPU type"
        constraints = [
            models.UniqueConstraint(fields=["day", "team_id", "provider", "gpu_type"], name="gpu_days_cell")
        ]
        indexes = [models.Index(fields=["id"], condition=Q(job_days=0, jobs=0), name="gpu_days_gone_idx")]

    def __str__(self) -> str:
        return f"{self.day} {self.provider} {self.gpu_type}"


class GpuDayOfModel(Rollup):
    day = models.DateField(db_comment="Day by the provider's bill clock; 0001-01-01 for jobs without hours")
    status = models.CharField(max_length=50)
    model_name = models.CharField(max_length=255)

    class Meta:
        db_table = "gpu_days_of_models"
        default_permissions = ()
        db_table_comment = "GPU time of jobs per day, team, model, provider, GPU type and status"
        constraints = [
            models.UniqueConstraint(
                fields=["day", "team_id", "model_name", "provider", "gpu_type", "status"],
                name="gpu_days_of_models_cell",
            )
        ]
        indexes = [
            models.Index(fields=["team_id", "day"], name="gpu_days_models_team_day_idx"),
            models.Index(
                fields=["model_name", "day", "microseconds", "job_days", "jobs"],
                name="gpu_days_models_sums_idx",
            ),
            models.Index(fields=["id"], condition=Q(job_days=0, jobs=0), name="gpu_days_models_gone_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.model_name}"


class GpuMonth(Rollup):
    day = models.DateField(db_comment="First of the month; 0001-01-01 for jobs without hours")
    status = models.CharField(max_length=50)

    class Meta:
        db_table = "gpu_months"
        default_permissions = ()
        db_table_comment = "GPU time of jobs per month, team, provider, GPU type and status"
        constraints = [
            models.UniqueConstraint(
                fields=["day", "team_id", "provider", "gpu_type", "status"], name="gpu_months_cell"
            )
        ]
        indexes = [models.Index(fields=["id"], condition=Q(job_days=0, jobs=0), name="gpu_months_gone_idx")]

    def __str__(self) -> str:
        return f"{self.day} {self.provider} {self.gpu_type}"


class LoggedGpuTime(Rollup):
    """By what the scheduler's log said; what it did not say is empty."""

    cluster = models.CharField(max_length=255)
    partition = models.CharField(max_length=255)
    raw_gpu_type = models.CharField(max_length=255)
    account = models.CharField(max_length=255)
    team_set_by_hand = models.BooleanField()
    has_external_id = models.BooleanField()

    class Meta:
        db_table = "logged_gpu_time"
        default_permissions = ()
        db_table_comment = "GPU time of jobs by what the scheduler's log said of them"
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "cluster",
                    "partition",
                    "raw_gpu_type",
                    "account",
                    "team_id",
                    "provider",
                    "gpu_type",
                    "team_set_by_hand",
                    "has_external_id",
                ],
                name="logged_gpu_time_subject",
            )
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(job_days=0, jobs=0), name="logged_gpu_time_gone_idx")
        ]

    def __str__(self) -> str:
        return f"{self.cluster} {self.account}"


class SettledMonth(models.Model):
    """By what the sums of a month are known; under NO_DAY, by what all of them are."""

    day = models.DateField(primary_key=True, db_comment="First of the month; 0001-01-01 for all of them")
    stamp = models.BigIntegerField(db_comment="Another after each change of the month's sums")

    class Meta:
        db_table = "settled_months"
        default_permissions = ()
        db_table_comment = "Stamps of months, which change whenever their summed GPU time does"

    def __str__(self) -> str:
        return f"{self.day:%Y-%m} {self.stamp}"


class ModelName(models.Model):
    """Each name that jobs have had; a name may outlive its jobs."""

    name = models.CharField(max_length=255, primary_key=True)
    folded = models.CharField(max_length=1024, db_comment="The name with its case folded, for searching")

    class Meta:
        db_table = "model_names"
        default_permissions = ()
        db_table_comment = "Distinct model names of jobs"

    def __str__(self) -> str:
        return self.name


class ProviderClock(models.Model):
    """The bill clock that a stored provider's jobs are cut by in the roll-ups, where it is not UTC."""

    provider = models.CharField(max_length=100, primary_key=True)
    clock = models.CharField(max_length=64)

    class Meta:
        db_table = "provider_clocks"
        default_permissions = ()
        db_table_comment = "Bill clocks that the roll-ups are cut by, where not UTC"

    def __str__(self) -> str:
        return f"{self.provider} {self.clock}"
