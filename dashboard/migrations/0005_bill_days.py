"""The days of the default bill clock, and the order in which the job list is read."""

from django.db import migrations

NEWEST = "jobs_newest_idx"


def add_days(apps, schema_editor):
    from dashboard.models.calendar import write_days

    write_days(schema_editor.connection, "UTC")


def drop_days(apps, schema_editor):
    schema_editor.execute("DELETE FROM bill_days WHERE clock = 'UTC'")


def add_index(apps, schema_editor):
    # SQLite sorts nulls last in a descending index by itself and refuses the words.
    nulls = " NULLS LAST" if schema_editor.connection.vendor == "postgresql" else ""
    schema_editor.execute(f"CREATE INDEX {NEWEST} ON jobs (start_time DESC{nulls}, id DESC)")


def drop_index(apps, schema_editor):
    schema_editor.execute(f"DROP INDEX IF EXISTS {NEWEST}")


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0004_one_snapshot_per_cell")]

    operations = [
        migrations.RunPython(add_days, drop_days),
        migrations.RunPython(add_index, drop_index),
    ]
