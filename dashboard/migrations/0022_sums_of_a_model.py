"""What a model's jobs come to is read from an index alone."""

from django.db import migrations, models

from dashboard.migrating import AddIndexBeside, RemoveIndexBeside


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("dashboard", "0021_noted_writes")]

    operations = [
        AddIndexBeside(
            "gpudayofmodel",
            models.Index(
                fields=["model_name", "day", "microseconds", "job_days", "jobs"],
                name="gpu_days_models_sums_idx",
            ),
        ),
        RemoveIndexBeside("gpudayofmodel", "gpu_days_models_model_day_idx"),
    ]
