"""Budgets that admins type in and every role sees."""

import uuid
from decimal import Decimal
from importlib import import_module

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import dashboard.models.budgets
import dashboard.models.exact

roles = import_module("dashboard.migrations.0006_roles")

MODELS = ("budget",)


def grant(apps, schema_editor):
    give(apps, schema_editor, MODELS, {"Admin": MODELS})


def take_away(apps, schema_editor):
    forget(apps, schema_editor, MODELS)


def give(apps, schema_editor, models, edited_by, hidden_from=()):
    """Every role but those that it is hidden from sees the models; edited_by: those that each role edits too."""
    alias = schema_editor.connection.alias
    roles.make_permissions(apps, alias)
    permission = apps.get_model("auth", "Permission").objects.using(alias)
    ours = permission.filter(content_type__app_label="dashboard", content_type__model__in=models)
    for group in apps.get_model("auth", "Group").objects.using(alias).filter(name__in=roles.ROLES):
        group.permissions.remove(*ours)
        if group.name not in hidden_from:
            group.permissions.add(*ours.filter(codename__startswith="view_"))
        group.permissions.add(*ours.filter(content_type__model__in=edited_by.get(group.name, ())))


def forget(apps, schema_editor, models):
    """So that no earlier migration, run anew, grants what is then there to view."""
    permission = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
    permission.filter(content_type__app_label="dashboard", content_type__model__in=models).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0015_limits_to_teams"),
    ]

    operations = [
        migrations.CreateModel(
            name="Budget",
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
                    "provider",
                    models.CharField(
                        blank=True,
                        db_comment="Empty: any provider",
                        db_default="",
                        default="",
                        max_length=100,
                    ),
                ),
                (
                    "gpu_type",
                    models.CharField(
                        blank=True,
                        db_comment="Empty: any GPU type",
                        db_default="",
                        default="",
                        max_length=100,
                        verbose_name="GPU type",
                    ),
                ),
                (
                    "first_month",
                    models.DateField(db_comment="First day of the first month", verbose_name="from"),
                ),
                (
                    "last_month",
                    models.DateField(
                        blank=True,
                        db_comment="First day of the last month, included; empty: open",
                        null=True,
                        verbose_name="to",
                    ),
                ),
                (
                    "monthly_usd",
                    models.DecimalField(
                        db_comment="USD of each month",
                        decimal_places=2,
                        max_digits=14,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                        verbose_name="USD a month",
                    ),
                ),
                (
                    "basis",
                    models.CharField(
                        choices=[("effective", "effective"), ("billed", "billed")],
                        db_comment="effective or billed",
                        db_default="effective",
                        default="effective",
                        help_text="Which cost counts, whatever a page shows.",
                        max_length=10,
                    ),
                ),
                (
                    "idle",
                    models.CharField(
                        choices=[
                            ("apart", "apart"),
                            ("by_use", "spread by use"),
                            ("evenly", "spread evenly"),
                        ],
                        db_comment="apart, by_use or evenly",
                        db_default="apart",
                        default="apart",
                        help_text="Whether a team’s cost holds a part of what stood idle.",
                        max_length=10,
                        verbose_name="idle cost",
                    ),
                ),
                (
                    "thresholds",
                    models.CharField(
                        db_comment="Percents with commas between",
                        db_default="50, 75, 90, 100",
                        default="50, 75, 90, 100",
                        help_text="Percents of the amount at which to be told.",
                        max_length=100,
                        validators=[dashboard.models.budgets.check_thresholds],
                    ),
                ),
                (
                    "note",
                    models.CharField(
                        blank=True, db_comment="A remark", db_default="", default="", max_length=255
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        blank=True,
                        db_comment="Empty: all, and what is nobody's",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="budgets",
                        to="dashboard.team",
                    ),
                ),
            ],
            options={
                "db_table": "budgets",
                "db_table_comment": "Monthly amounts that may be spent",
                "ordering": ["provider", "gpu_type", "team__name", "-first_month"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("last_month__isnull", True),
                            ("last_month__gte", models.F("first_month")),
                            _connector="OR",
                        ),
                        name="budgets_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("gpu_type", ""), ("team__isnull", True)),
                            models.Q(("provider", ""), ("team__isnull", True)),
                            models.Q(("gpu_type", ""), ("provider", "")),
                            _connector="OR",
                        ),
                        name="budgets_one_subject",
                    ),
                ],
            },
        ),
        migrations.RunPython(grant, take_away),
    ]
