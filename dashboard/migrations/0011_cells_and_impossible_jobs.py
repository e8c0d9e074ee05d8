"""Indexes by which the days of a cell, and jobs that cannot be, are found without a look at all of them."""

from django.db import migrations, models
from django.db.models import F, Q

STATUSES = ("pending", "running", "completed", "failed", "cancelled")
IMPOSSIBLE = (
    Q(end_time__lt=F("start_time"))
    | Q(start_time=F("end_time"))
    | Q(gpu_count__gt=1000)
    | ~Q(status__in=STATUSES)
)


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0010_roll_ups")]

    operations = [
        migrations.AddIndex(
            "costsnapshot", models.Index(fields=["provider", "gpu_type", "date"], name="cost_cells_idx")
        ),
        migrations.AddIndex(
            "usagesnapshot", models.Index(fields=["provider", "gpu_type", "date"], name="usage_cells_idx")
        ),
        migrations.AddIndex(
            "job", models.Index(fields=["start_time"], condition=IMPOSSIBLE, name="jobs_impossible_idx")
        ),
    ]
