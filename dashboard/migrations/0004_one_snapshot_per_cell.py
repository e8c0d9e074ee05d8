"""A day, provider and GPU type has one cost and one usage row; a database that holds more is told which."""

from django.db import migrations, models

from dashboard.migrating import AddUniqueBeside
from dashboard.schema import refuse_repeated_cells


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("dashboard", "0003_imports_ledger_and_names")]

    operations = [
        migrations.RunPython(refuse_repeated_cells, migrations.RunPython.noop),
        AddUniqueBeside(
            model_name="costsnapshot",
            constraint=models.UniqueConstraint(
                fields=("date", "provider", "gpu_type"), name="cost_snapshots_cell"
            ),
        ),
        AddUniqueBeside(
            model_name="usagesnapshot",
            constraint=models.UniqueConstraint(
                fields=("date", "provider", "gpu_type"), name="usage_snapshots_cell"
            ),
        ),
    ]
