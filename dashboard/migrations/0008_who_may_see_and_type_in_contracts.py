"""Every role sees what was typed in, Finance and Admin type in; old logs learn which providers they named."""

from importlib import import_module

from django.db import migrations

roles = import_module("dashboard.migrations.0006_roles")

ENTERED = ("periodentry", "rate", "commitment", "invoice")


def grant(apps, schema_editor):
    alias = schema_editor.connection.alias
    roles.make_permissions(apps, alias)
    permission = apps.get_model("auth", "Permission").objects.using(alias)
    ours = permission.filter(content_type__app_label="dashboard", content_type__model__in=ENTERED)
    groups = apps.get_model("auth", "Group").objects.using(alias)
    for role in roles.ROLES:
        for group in groups.filter(name=role):
            group.permissions.add(*ours.filter(codename__startswith="view_"))
    for group in groups.filter(name="Finance"):
        group.permissions.add(*ours.filter(content_type__model="invoice"))
    for group in groups.filter(name="Admin"):
        group.permissions.add(*ours)


def name_providers(apps, schema_editor):
    alias = schema_editor.connection.alias
    jobs = apps.get_model("dashboard", "Job").objects.using(alias)
    for span in apps.get_model("dashboard", "LogSpan").objects.using(alias):
        named = jobs.filter(imported_by=span.run_id, cluster=span.cluster, raw_gpu_type__isnull=True)
        span.providers = sorted(named.order_by().values_list("provider", flat=True).distinct())
        span.save(update_fields=["providers"])


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0007_costs_that_no_bill_tells")]

    operations = [
        migrations.RunPython(grant, migrations.RunPython.noop),
        migrations.RunPython(name_providers, migrations.RunPython.noop),
    ]
