"""The four entities with their original columns. Tables that exist already stay; 0002 repairs them."""

import uuid
from decimal import Decimal

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import dashboard.models.exact
from dashboard.schema import CreateUnlessThere

KEY = "Key of the row; of an imported job derived from its cluster and external id"


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        CreateUnlessThere(
            name="Team",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        db_comment=KEY,
                        db_default=dashboard.models.exact.RandomUUID(),
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        auto_now_add=True,
                        db_comment="When the row was written first",
                        db_default=django.db.models.functions.datetime.Now(),
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        auto_now=True,
                        db_comment="When the row was written last",
                        db_default=django.db.models.functions.datetime.Now(),
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        db_comment="Name of the team, as shown and as imported", max_length=255, unique=True
                    ),
                ),
            ],
            options={
                "db_table": "teams",
                "db_table_comment": "Teams that run jobs on GPUs",
                "ordering": ["name"],
            },
        ),
        CreateUnlessThere(
            name="CostSnapshot",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        db_comment=KEY,
                        db_default=dashboard.models.exact.RandomUUID(),
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        auto_now_add=True,
                        db_comment="When the row was written first",
                        db_default=django.db.models.functions.datetime.Now(),
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        auto_now=True,
                        db_comment="When the row was written last",
                        db_default=django.db.models.functions.datetime.Now(),
                    ),
                ),
                ("date", models.DateField(db_comment="The bill's own day; never shifted", db_index=True)),
                ("provider", models.CharField(db_comment="Provider that bills", max_length=100)),
                (
                    "gpu_type",
                    models.CharField(
                        db_comment="GPU type that is billed", max_length=100, verbose_name="GPU type"
                    ),
                ),
                (
                    "cost_usd",
                    models.DecimalField(
                        db_comment="Cost of the day in USD; credits are negative",
                        verbose_name="cost in USD",
                        decimal_places=2,
                        max_digits=12,
                    ),
                ),
            ],
            options={
                "db_table": "cost_snapshots",
                "db_table_comment": "Cost per day, provider and GPU type",
                "indexes": [
                    models.Index(fields=["date", "provider", "gpu_type"], name="cost_date_provider_gpu_idx")
                ],
            },
        ),
        CreateUnlessThere(
            name="UsageSnapshot",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        db_comment=KEY,
                        db_default=dashboard.models.exact.RandomUUID(),
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        auto_now_add=True,
                        db_comment="When the row was written first",
                        db_default=django.db.models.functions.datetime.Now(),
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        auto_now=True,
                        db_comment="When the row was written last",
                        db_default=django.db.models.functions.datetime.Now(),
                    ),
                ),
                ("date", models.DateField(db_comment="The bill's own day; never shifted", db_index=True)),
                ("provider", models.CharField(db_comment="Provider that bills", max_length=100)),
                (
                    "gpu_type",
                    models.CharField(
                        db_comment="GPU type that is billed", max_length=100, verbose_name="GPU type"
                    ),
                ),
                (
                    "gpu_hours",
                    models.DecimalField(
                        db_comment="GPU-hours that the provider metered",
                        verbose_name="metered GPU-hours",
                        decimal_places=2,
                        max_digits=12,
                        validators=[django.core.validators.MinValueValidator(Decimal("0"))],
                    ),
                ),
            ],
            options={
                "db_table": "usage_snapshots",
                "db_table_comment": "Metered GPU-hours per day, provider and GPU type",
                "indexes": [
                    models.Index(fields=["date", "provider", "gpu_type"], name="usage_date_provider_gpu_idx")
                ],
            },
        ),
        CreateUnlessThere(
            name="Job",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        db_comment=KEY,
                        db_default=dashboard.models.exact.RandomUUID(),
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        auto_now_add=True,
                        db_comment="When the row was written first",
                        db_default=django.db.models.functions.datetime.Now(),
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        auto_now=True,
                        db_comment="When the row was written last",
                        db_default=django.db.models.functions.datetime.Now(),
                    ),
                ),
                (
                    "model_name",
                    models.CharField(db_comment="Model that was trained or served", max_length=255),
                ),
                (
                    "gpu_type",
                    models.CharField(
                        db_comment="GPU type, as the bill names it", max_length=100, verbose_name="GPU type"
                    ),
                ),
                ("provider", models.CharField(db_comment="Provider that bills the GPUs", max_length=100)),
                (
                    "start_time",
                    models.DateTimeField(
                        blank=True, db_comment="When the job began to run", db_index=True, null=True
                    ),
                ),
                (
                    "end_time",
                    models.DateTimeField(
                        blank=True, db_comment="When the job ended; empty while it runs", null=True
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        db_comment="pending, running, completed, failed, cancelled, or what the log said",
                        db_default="pending",
                        default="pending",
                        max_length=50,
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        db_comment="Team that ran the job",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="jobs",
                        to="dashboard.team",
                    ),
                ),
            ],
            options={
                "db_table": "jobs",
                "db_table_comment": "Jobs that ran, run or wait on GPUs",
                "indexes": [
                    models.Index(fields=["team", "status"], name="jobs_team_status_idx"),
                    models.Index(fields=["provider", "gpu_type"], name="jobs_provider_gpu_type_idx"),
                ],
            },
        ),
    ]
