"""Indexes by which the list of jobs is read in its order, whatever it is filtered by."""

from django.db import migrations, models
from django.db.models import Q

from dashboard.migrating import AddIndexBeside
from dashboard.models.overlap import RanLonger

NEWEST = "jobs_newest_idx"


def drop_newest(apps, schema_editor):
    schema_editor.execute(f"DROP INDEX IF EXISTS {NEWEST}")


def add_newest(apps, schema_editor):
    nulls = " NULLS LAST" if schema_editor.connection.vendor == "postgresql" else ""
    schema_editor.execute(f"CREATE INDEX IF NOT EXISTS {NEWEST} ON jobs (start_time DESC{nulls}, id DESC)")


def long_or_open(days):
    return Q(Q(end_time__isnull=True) | Q(RanLonger(days)), start_time__isnull=False)


def index(name, *fields, **options):
    return AddIndexBeside("job", models.Index(fields=fields, name=name, **options))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("dashboard", "0008_who_may_see_and_type_in_contracts")]

    operations = [
        index("jobs_by_start_idx", "start_time", "id"),
        index("jobs_by_end_idx", "end_time", "id"),
        index("jobs_by_team_idx", "team", "start_time", "id"),
        index("jobs_by_status_idx", "status", "start_time", "id"),
        index("jobs_by_provider_idx", "provider", "start_time", "id"),
        index("jobs_by_gpu_type_idx", "gpu_type", "start_time", "id"),
        index(
            "jobs_by_model_idx",
            *("model_name", "start_time", "id"),
            include=["team", "provider", "gpu_type", "status"],
        ),
        index("jobs_by_cell_idx", "team", "provider", "gpu_type", "status", "start_time", "id"),
        index(
            "jobs_by_user_idx",
            *("submitted_by", "start_time", "id"),
            condition=Q(submitted_by__isnull=False),
        ),
        index("jobs_by_external_id_idx", "external_id", condition=Q(external_id__isnull=False)),
        index("jobs_over_a_day_idx", "start_time", condition=long_or_open(1)),
        index("jobs_over_a_week_idx", "start_time", condition=long_or_open(7)),
        migrations.RunPython(drop_newest, add_newest),
    ]
