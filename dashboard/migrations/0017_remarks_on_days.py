"""Notes on days and anomalies with a reason; all who keep figures write them."""

import uuid
from importlib import import_module

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import dashboard.models.exact

budgets = import_module("dashboard.migrations.0016_budgets")

MODELS = ("daynote", "dismissedanomaly")


def grant(apps, schema_editor):
    budgets.give(apps, schema_editor, MODELS, dict.fromkeys(("Finance", "Manager", "Admin"), MODELS))


def take_away(apps, schema_editor):
    budgets.forget(apps, schema_editor, MODELS)


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0016_budgets"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DayNote",
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
                ("day", models.DateField(db_comment="Day that it speaks of, by the bill's own label")),
                (
                    "provider",
                    models.CharField(
                        blank=True,
                        db_comment="Provider; empty: all",
                        db_default="",
                        default="",
                        max_length=100,
                    ),
                ),
                (
                    "gpu_type",
                    models.CharField(
                        blank=True,
                        db_comment="GPU type; empty: all",
                        db_default="",
                        default="",
                        max_length=100,
                        verbose_name="GPU type",
                    ),
                ),
                ("text", models.CharField(db_comment="What is to be known of the day", max_length=500)),
                (
                    "author",
                    models.ForeignKey(
                        blank=True,
                        db_comment="Who wrote it",
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "note on a day",
                "verbose_name_plural": "notes on days",
                "db_table": "day_notes",
                "db_table_comment": "Notes on days, drawn on charts",
                "ordering": ["-day", "created_at"],
                "indexes": [models.Index(fields=["day"], name="day_notes_day_idx")],
            },
        ),
        migrations.CreateModel(
            name="DismissedAnomaly",
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
                ("day", models.DateField(db_comment="Day that it speaks of, by the bill's own label")),
                (
                    "provider",
                    models.CharField(
                        blank=True,
                        db_comment="Provider; empty: all",
                        db_default="",
                        default="",
                        max_length=100,
                    ),
                ),
                (
                    "gpu_type",
                    models.CharField(
                        blank=True,
                        db_comment="GPU type; empty: all",
                        db_default="",
                        default="",
                        max_length=100,
                        verbose_name="GPU type",
                    ),
                ),
                (
                    "reason",
                    models.CharField(db_comment="Why the day is no matter for concern", max_length=255),
                ),
                (
                    "author",
                    models.ForeignKey(
                        blank=True,
                        db_comment="Who wrote it",
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "dismissed anomalies",
                "db_table": "dismissed_anomalies",
                "db_table_comment": "Days of a provider's GPU type that stand out for a known reason",
                "ordering": ["-day", "provider", "gpu_type"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("day", "provider", "gpu_type"), name="dismissed_anomalies_cell"
                    )
                ],
            },
        ),
        migrations.RunPython(grant, take_away),
    ]
