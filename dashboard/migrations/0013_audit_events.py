"""A table of who did what, and when, for admins to read."""

from importlib import import_module

import django.utils.timezone
from django.db import migrations, models

roles = import_module("dashboard.migrations.0006_roles")


def grant(apps, schema_editor):
    alias = schema_editor.connection.alias
    roles.make_permissions(apps, alias)
    seeing = apps.get_model("auth", "Permission").objects.using(alias).filter(codename="view_auditevent")
    for group in apps.get_model("auth", "Group").objects.using(alias).filter(name__in=roles.ROLES):
        change = group.permissions.add if group.name == "Admin" else group.permissions.remove
        change(*seeing)


def take_away(apps, schema_editor):
    """So that no earlier migration, run anew, grants it with all that is there to view."""
    permission = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
    permission.filter(codename="view_auditevent").delete()


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0012_month_stamps")]

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        primary_key=True, serialize=False, auto_created=True, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("action", models.CharField(max_length=20)),
                ("who", models.CharField(blank=True, max_length=150)),
                ("user_id", models.BigIntegerField(null=True)),
                ("address", models.CharField(blank=True, max_length=45)),
                ("request_id", models.CharField(blank=True, max_length=64, verbose_name="request")),
                ("subject", models.CharField(blank=True, max_length=255, verbose_name="what")),
                ("details", models.CharField(blank=True, max_length=2000)),
                ("rows", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "audit_events",
                "db_table_comment": "Who did what, and when; rows are only added",
                "default_permissions": ("view",),
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["at"], name="audit_events_at_idx"),
                    models.Index(fields=["action", "id"], name="audit_events_action_idx"),
                    models.Index(fields=["user_id", "id"], name="audit_events_user_idx"),
                ],
            },
        ),
        migrations.RunPython(grant, take_away),
    ]
