"""Indexes by which the days of a cell, and jobs that cannot be, are found without a look at all of them."""

from django.db import migrations, models
from django.db.models import F, Q

from dashboard.migrating import AddIndexBeside

STATUSES = ("pending", "running", "completed", "failed", "cancelled")
IMPOSSIBLE = (
    Q(end_time__lt=F("start_time"))
    | Q(start_time=F("end_time"))
    | Q(gpu_count__gt=1000)
    | ~Q(status__in=STATUSES)
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("dashboard", "0010_roll_ups")]

    operations = [
        AddIndexBeside(
            "costsnapshot", models.Index(fields=["provider", "gpu_type", "date"], name="cost_cells_idx")
        ),
        AddIndexBeside(
            "usagesnapshot", models.Index(fields=["provider", "gpu_type", "date"], name="usage_cells_idx")
        ),
        AddIndexBeside(
            "job", models.Index(fields=["start_time"], condition=IMPOSSIBLE, name="jobs_impossible_idx")
        ),
    ]
