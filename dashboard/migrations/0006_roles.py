"""The roles: Viewer looks, Finance and Manager also download, Admin also edits and imports."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

ROLES = ("Viewer", "Finance", "Manager", "Admin")
USER_MANAGEMENT = (
    "view_user",
    "add_user",
    "change_user",
    "delete_user",
    "view_group",
    "add_group",
    "change_group",
)


def add_roles(apps, schema_editor):
    make_permissions(apps, schema_editor.connection.alias)
    permission = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
    ours = permission.filter(content_type__app_label="dashboard")
    view = ours.filter(codename__startswith="view_")
    export = ours.filter(codename="export_files")
    users = permission.filter(content_type__app_label="auth", codename__in=USER_MANAGEMENT)
    granted = {
        "Viewer": [view],
        "Finance": [view, export],
        "Manager": [view, export],
        "Admin": [ours, users],
    }
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    for role in ROLES:
        group, _ = groups.get_or_create(name=role)
        for permissions in granted[role]:
            group.permissions.add(*permissions)


def make_permissions(apps, alias):
    """Django makes them only after the last migration, which is too late to grant them here."""
    for label in ("auth", "dashboard"):
        config = apps.get_app_config(label)
        module, config.models_module = getattr(config, "models_module", None), True
        create_permissions(config, apps=apps, using=alias, verbosity=0)
        config.models_module = module


def remove_roles(apps, schema_editor):
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    groups.filter(name__in=ROLES).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0005_bill_days"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(add_roles, remove_roles)]
