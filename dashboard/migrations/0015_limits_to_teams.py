"""People who see the figures of some teams only; Finance and Admin see all."""

from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

roles = import_module("dashboard.migrations.0006_roles")
SEE_ALL = "see_all_teams"


def grant(apps, schema_editor):
    alias = schema_editor.connection.alias
    roles.make_permissions(apps, alias)
    permission = apps.get_model("auth", "Permission").objects.using(alias)
    limits = permission.filter(content_type__app_label="dashboard", content_type__model="teamlimit")
    granted = {"Admin": limits, "Finance": limits.filter(codename=SEE_ALL)}
    for group in apps.get_model("auth", "Group").objects.using(alias).filter(name__in=roles.ROLES):
        group.permissions.remove(*limits)
        group.permissions.add(*granted.get(group.name, []))


def take_away(apps, schema_editor):
    """So that no earlier migration, run anew, grants what is then there to view."""
    permission = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
    permission.filter(content_type__app_label="dashboard", content_type__model="teamlimit").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0014_sign_in_tries"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="TeamLimit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "teams",
                    models.ManyToManyField(
                        blank=True,
                        db_table="team_limits_teams",
                        help_text="The person sees the hours, shares and rates of these teams, and nothing of "
                        "all together.",
                        to="dashboard.team",
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="team_limit",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "limit to teams",
                "verbose_name_plural": "limits to teams",
                "db_table": "team_limits",
                "db_table_comment": "People who see the figures of some teams only",
                "permissions": [(SEE_ALL, "Can see all teams, whatever limit is set")],
            },
        ),
        migrations.RunPython(grant, take_away),
    ]
