"""A file of jobs through django-import-export."""

import csv
from typing import Any

from .models import Job, Team


def jobs(worker: Any, file: str) -> dict[str, Any]:
    import tablib
    from import_export import fields, resources, widgets

    class JobResource(resources.ModelResource):
        team = fields.Field("team", "team", widgets.ForeignKeyWidget(Team, "name"))

        class Meta:
            model = Job
            fields = (
                "id",
                "model_name",
                "gpu_type",
                "provider",
                "start_time",
                "end_time",
                "status",
                "gpu_count",
            )

    with open(file, encoding="utf-8-sig", newline="") as lines:
        text = lines.read()
    for name in {row["team"] for row in csv.DictReader(text.splitlines())}:
        Team.objects.get_or_create(name=name)
    result = JobResource().import_data(tablib.Dataset().load(text, format="csv"), use_transactions=True)
    if result.has_errors():
        raise RuntimeError(str(result.row_errors()[0][1][0].error))
    return {"rows": result.total_rows}
