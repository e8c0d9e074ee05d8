"""Stamps that tell whether the summed GPU time of a month is still what it was."""

from django.db import migrations, models


def stamp(apps, schema_editor):
    from dashboard.rollups import stamps, triggers

    if triggers.are_there(schema_editor.connection):
        triggers.install(schema_editor.connection)
    stamps.stamp_all()


def as_before(apps, schema_editor):
    from dashboard.rollups import triggers

    if triggers.are_there(schema_editor.connection):
        triggers.install(schema_editor.connection, emptied=triggers.ROLLED_UP)


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0011_cells_and_impossible_jobs")]

    operations = [
        migrations.CreateModel(
            name="SettledMonth",
            fields=[
                (
                    "day",
                    models.DateField(
                        db_comment="First of the month; 0001-01-01 for all of them",
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "stamp",
                    models.BigIntegerField(db_comment="Another after each change of the month's sums"),
                ),
            ],
            options={
                "db_table": "settled_months",
                "db_table_comment": "Stamps of months, which change whenever their summed GPU time does",
                "default_permissions": (),
            },
        ),
        migrations.RunPython(stamp, as_before),
    ]
