"""Each statement that writes what pages show is noted, so that a page can be kept until something changes.

The triggers come after all migrations (`dashboard/apps.py`), so that later tables get theirs too.
"""

from django.db import migrations, models


def note_no_more(apps, schema_editor):
    from dashboard import writes

    writes.drop(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0020_restatements")]

    operations = [
        migrations.CreateModel(
            name="DataWrite",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "stamp",
                    models.BigIntegerField(db_comment="By chance, so that no two states are taken for one"),
                ),
            ],
            options={
                "db_table": "data_writes",
                "db_table_comment": "A row for each statement that wrote what pages show, "
                "until many become one",
                "default_permissions": (),
            },
        ),
        migrations.RunPython(migrations.RunPython.noop, note_no_more),
    ]
