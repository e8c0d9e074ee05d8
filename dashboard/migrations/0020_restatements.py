"""What imports and edits change of closed months is noted, and every role sees it."""

from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

budgets = import_module("dashboard.migrations.0016_budgets")

MODELS = ("restatement",)


def grant(apps, schema_editor):
    budgets.give(apps, schema_editor, MODELS, {"Admin": MODELS})


def take_away(apps, schema_editor):
    budgets.forget(apps, schema_editor, MODELS)


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0019_sent_digests"),
    ]

    operations = [
        migrations.CreateModel(
            name="Restatement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("who", models.CharField(blank=True, max_length=150)),
                ("what", models.CharField(blank=True, db_comment="What was done, in words", max_length=500)),
                (
                    "team",
                    models.UUIDField(db_comment="Key of the team then; empty where nobody's", null=True),
                ),
                (
                    "team_name",
                    models.CharField(blank=True, db_comment="Name of the team then", max_length=255),
                ),
                (
                    "nobody",
                    models.CharField(
                        blank=True, db_comment="What is no team's, as lines call it", max_length=30
                    ),
                ),
                ("provider", models.CharField(max_length=100)),
                ("gpu_type", models.CharField(max_length=100, verbose_name="GPU type")),
                (
                    "microseconds",
                    models.BigIntegerField(db_comment="Job GPU microseconds more than before", default=0),
                ),
                ("cents", models.BigIntegerField(db_comment="US cents more than before", default=0)),
                (
                    "close",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="restatements",
                        to="dashboard.monthclose",
                    ),
                ),
            ],
            options={
                "db_table": "restatements",
                "db_table_comment": "What changed of closed months, by whom; rows are only added",
                "ordering": ["close", "at", "team_name", "nobody", "provider", "gpu_type"],
                "base_manager_name": "objects",
            },
        ),
        migrations.RunPython(grant, take_away),
    ]
