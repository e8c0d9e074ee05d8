"""Which digests went out, for admins to see."""

from importlib import import_module

import django.utils.timezone
from django.db import migrations, models

budgets = import_module("dashboard.migrations.0016_budgets")

MODELS = ("sentdigest",)
OTHERS = ("Viewer", "Finance", "Manager")


def grant(apps, schema_editor):
    budgets.give(apps, schema_editor, MODELS, {"Admin": MODELS}, hidden_from=OTHERS)


def take_away(apps, schema_editor):
    budgets.forget(apps, schema_editor, MODELS)


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0018_closed_months"),
    ]

    operations = [
        migrations.CreateModel(
            name="SentDigest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField(db_comment="The day that the digest speaks of")),
                ("to", models.CharField(db_comment="Address of mail, or the webhook's host", max_length=255)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "db_table": "sent_digests",
                "db_table_comment": "Digests that went out: each day to each recipient once",
                "ordering": ["-day", "to"],
                "constraints": [models.UniqueConstraint(fields=("day", "to"), name="sent_digests_once")],
            },
        ),
        migrations.RunPython(grant, take_away),
    ]
