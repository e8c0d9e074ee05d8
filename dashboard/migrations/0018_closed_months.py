"""Months are closed by admins; every role sees the statements."""

import uuid
from importlib import import_module

import django.core.serializers.json
import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import dashboard.models.exact

budgets = import_module("dashboard.migrations.0016_budgets")

MODELS = ("monthclose", "closedline", "accrual", "costcentre")


def grant(apps, schema_editor):
    budgets.give(apps, schema_editor, MODELS, {"Admin": MODELS})


def take_away(apps, schema_editor):
    budgets.forget(apps, schema_editor, MODELS)


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0017_remarks_on_days"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="MonthClose",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(db_comment="First day of the month")),
                ("basis", models.CharField(db_comment="effective or billed", max_length=10)),
                ("idle", models.CharField(db_comment="apart, by_use or evenly", max_length=10)),
                (
                    "bill_usd",
                    models.DecimalField(
                        db_comment="GPU bill of the month as it was shared", decimal_places=2, max_digits=14
                    ),
                ),
                (
                    "accrued_usd",
                    models.DecimalField(
                        db_comment="What was expected of bills still to come", decimal_places=2, max_digits=14
                    ),
                ),
                (
                    "prior_usd",
                    models.DecimalField(
                        db_comment="What months closed before came to since", decimal_places=2, max_digits=14
                    ),
                ),
                (
                    "setup",
                    models.JSONField(
                        db_comment="Mappings, aliases, rates, commitments and settings in force",
                        default=dict,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                    ),
                ),
                (
                    "note",
                    models.CharField(
                        blank=True, db_comment="A remark", db_default="", default="", max_length=255
                    ),
                ),
                ("closed_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("closed_by_name", models.CharField(blank=True, db_default="", default="", max_length=150)),
                ("withdrawn_at", models.DateTimeField(null=True)),
                (
                    "withdrawn_by_name",
                    models.CharField(blank=True, db_default="", default="", max_length=150),
                ),
                ("withdrawn_reason", models.CharField(blank=True, db_default="", default="", max_length=255)),
                (
                    "closed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "closed month",
                "db_table": "month_closes",
                "db_table_comment": "Months as they were closed; one close of a month is in force",
                "ordering": ["-month", "-closed_at"],
                "permissions": [("close_months", "Can close months and withdraw a close")],
            },
        ),
        migrations.CreateModel(
            name="ClosedLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("of_month", models.DateField(db_comment="First day of the month that it is the cost of")),
                (
                    "team",
                    models.UUIDField(db_comment="Key of the team then; empty where nobody's", null=True),
                ),
                (
                    "team_name",
                    models.CharField(blank=True, db_comment="Name of the team then", max_length=255),
                ),
                ("cost_centre", models.CharField(blank=True, db_comment="Cost centre then", max_length=50)),
                ("line", models.CharField(db_comment="Rule by which it falls to the team", max_length=15)),
                ("provider", models.CharField(max_length=100)),
                ("gpu_type", models.CharField(max_length=100, verbose_name="GPU type")),
                ("model", models.CharField(blank=True, max_length=255)),
                ("microseconds", models.BigIntegerField(db_comment="Job GPU microseconds", default=0)),
                (
                    "cents",
                    models.BigIntegerField(
                        db_comment="US cents; empty where no bill speaks of the hours", null=True
                    ),
                ),
                (
                    "close",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="dashboard.monthclose",
                    ),
                ),
            ],
            options={
                "db_table": "closed_lines",
                "db_table_comment": "Statements of closed months, line by line; rows are only added",
                "ordering": ["close", "team_name", "of_month", "provider", "gpu_type", "line", "model"],
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Accrual",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(max_length=100)),
                ("gpu_type", models.CharField(max_length=100, verbose_name="GPU type")),
                ("usd", models.DecimalField(decimal_places=2, max_digits=14)),
                (
                    "reason",
                    models.CharField(blank=True, db_comment="How the amount was come by", max_length=255),
                ),
                (
                    "close",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accruals",
                        to="dashboard.monthclose",
                    ),
                ),
            ],
            options={
                "db_table": "accruals",
                "db_table_comment": "Costs expected when a month was closed; rows are only added",
                "ordering": ["close", "provider", "gpu_type"],
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="CostCentre",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        db_comment="Key of the row; of an imported job derived from its cluster and external id",
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
                    "line",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("idle", "idle"),
                            ("unused", "unused commitment"),
                            ("unallocated", "unallocated"),
                        ],
                        db_default="",
                        default="",
                        max_length=15,
                        verbose_name="or what is no team’s",
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        db_comment="Code in the ledger", help_text="As the ledger calls it.", max_length=50
                    ),
                ),
                (
                    "team",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="cost_centre",
                        to="dashboard.team",
                    ),
                ),
            ],
            options={
                "db_table": "cost_centres",
                "db_table_comment": "Cost centres of teams, and of what is no team's",
                "ordering": ["team__name", "line"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("line", ""), ("team__isnull", False)),
                            models.Q(("team__isnull", True), models.Q(("line", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="cost_centres_subject",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("line", ""), _negated=True),
                        fields=("line",),
                        name="cost_centres_line",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="monthclose",
            constraint=models.UniqueConstraint(
                condition=models.Q(("withdrawn_at__isnull", True)),
                fields=("month",),
                name="month_closes_in_force",
            ),
        ),
        migrations.AddIndex(
            model_name="closedline",
            index=models.Index(fields=["close", "team"], name="closed_lines_team_idx"),
        ),
        migrations.RunPython(grant, take_away),
    ]
