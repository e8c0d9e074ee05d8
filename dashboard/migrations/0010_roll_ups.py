"""GPU time and jobs summed ahead, and the triggers that keep the sums exact."""

import datetime

from django.db import migrations, models

from dashboard.migrating import AddIndexBeside, Together


def begin_to_note(apps, schema_editor):
    from dashboard.naming import Names, pairs_in_jobs
    from dashboard.rollups import clocks, triggers

    known = (apps.get_model("dashboard", name).objects.all() for name in ("Provider", "NameAlias"))
    clocks.adopt_clocks(Names.of(pairs_in_jobs(), set(), *known))
    triggers.install(schema_editor.connection)


def fill(apps, schema_editor):
    from dashboard.rollups import settling

    settling.sum_up_beside_writers()


def empty(apps, schema_editor):
    from dashboard.rollups import triggers

    triggers.drop(schema_editor.connection)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("dashboard", "0009_job_indexes"),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="GpuDay",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "microseconds",
                            models.BigIntegerField(db_comment="GPU microseconds of jobs that have ended"),
                        ),
                        (
                            "job_days",
                            models.BigIntegerField(db_comment="Jobs that overlap the day, summed over days"),
                        ),
                        ("jobs", models.BigIntegerField(db_comment="Jobs that begin")),
                        ("team_id", models.UUIDField()),
                        ("provider", models.CharField(max_length=100)),
                        ("gpu_type", models.CharField(max_length=100)),
                        (
                            "day",
                            models.DateField(
                                db_comment="Day by the provider's bill clock; 0001-01-01 for jobs without hours"
                            ),
                        ),
                    ],
                    options={
                        "db_table": "gpu_days",
                        "db_table_comment": "GPU time of jobs per day, team, provider and GPU type",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="GpuDayOfModel",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "microseconds",
                            models.BigIntegerField(db_comment="GPU microseconds of jobs that have ended"),
                        ),
                        (
                            "job_days",
                            models.BigIntegerField(db_comment="Jobs that overlap the day, summed over days"),
                        ),
                        ("jobs", models.BigIntegerField(db_comment="Jobs that begin")),
                        ("team_id", models.UUIDField()),
                        ("provider", models.CharField(max_length=100)),
                        ("gpu_type", models.CharField(max_length=100)),
                        (
                            "day",
                            models.DateField(
                                db_comment="Day by the provider's bill clock; 0001-01-01 for jobs without hours"
                            ),
                        ),
                        ("status", models.CharField(max_length=50)),
                        ("model_name", models.CharField(max_length=255)),
                    ],
                    options={
                        "db_table": "gpu_days_of_models",
                        "db_table_comment": "GPU time of jobs per day, team, model, provider, GPU type and status",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="GpuMonth",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "microseconds",
                            models.BigIntegerField(db_comment="GPU microseconds of jobs that have ended"),
                        ),
                        (
                            "job_days",
                            models.BigIntegerField(db_comment="Jobs that overlap the day, summed over days"),
                        ),
                        ("jobs", models.BigIntegerField(db_comment="Jobs that begin")),
                        ("team_id", models.UUIDField()),
                        ("provider", models.CharField(max_length=100)),
                        ("gpu_type", models.CharField(max_length=100)),
                        (
                            "day",
                            models.DateField(
                                db_comment="First of the month; 0001-01-01 for jobs without hours"
                            ),
                        ),
                        ("status", models.CharField(max_length=50)),
                    ],
                    options={
                        "db_table": "gpu_months",
                        "db_table_comment": "GPU time of jobs per month, team, provider, GPU type and status",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="GpuTimeChange",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "microseconds",
                            models.BigIntegerField(db_comment="GPU microseconds of jobs that have ended"),
                        ),
                        (
                            "job_days",
                            models.BigIntegerField(db_comment="Jobs that overlap the day, summed over days"),
                        ),
                        ("jobs", models.BigIntegerField(db_comment="Jobs that begin")),
                        ("day", models.DateField()),
                        ("team_id", models.UUIDField()),
                        ("provider", models.CharField(max_length=100)),
                        ("gpu_type", models.CharField(max_length=100)),
                        ("model_name", models.CharField(max_length=255)),
                        ("status", models.CharField(max_length=50)),
                        ("cluster", models.CharField(max_length=255, null=True)),
                        ("partition", models.CharField(max_length=255, null=True)),
                        ("raw_gpu_type", models.CharField(max_length=255, null=True)),
                        ("account", models.CharField(max_length=255, null=True)),
                        ("team_set_by_hand", models.BooleanField()),
                        ("has_external_id", models.BooleanField()),
                    ],
                    options={
                        "db_table": "gpu_time_changes",
                        "db_table_comment": "What writes to jobs add to the roll-ups, until it is settled into them",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="LoggedGpuTime",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "microseconds",
                            models.BigIntegerField(db_comment="GPU microseconds of jobs that have ended"),
                        ),
                        (
                            "job_days",
                            models.BigIntegerField(db_comment="Jobs that overlap the day, summed over days"),
                        ),
                        ("jobs", models.BigIntegerField(db_comment="Jobs that begin")),
                        ("team_id", models.UUIDField()),
                        ("provider", models.CharField(max_length=100)),
                        ("gpu_type", models.CharField(max_length=100)),
                        ("cluster", models.CharField(max_length=255)),
                        ("partition", models.CharField(max_length=255)),
                        ("raw_gpu_type", models.CharField(max_length=255)),
                        ("account", models.CharField(max_length=255)),
                        ("team_set_by_hand", models.BooleanField()),
                        ("has_external_id", models.BooleanField()),
                    ],
                    options={
                        "db_table": "logged_gpu_time",
                        "db_table_comment": "GPU time of jobs by what the scheduler's log said of them",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="ModelName",
                    fields=[
                        ("name", models.CharField(max_length=255, primary_key=True, serialize=False)),
                        (
                            "folded",
                            models.CharField(
                                db_comment="The name with its case folded, for searching", max_length=1024
                            ),
                        ),
                    ],
                    options={
                        "db_table": "model_names",
                        "db_table_comment": "Distinct model names of jobs",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="ProviderClock",
                    fields=[
                        ("provider", models.CharField(max_length=100, primary_key=True, serialize=False)),
                        ("clock", models.CharField(max_length=64)),
                    ],
                    options={
                        "db_table": "provider_clocks",
                        "db_table_comment": "Bill clocks that the roll-ups are cut by, where not UTC",
                        "default_permissions": (),
                    },
                ),
                migrations.AddIndex(
                    model_name="gpuday",
                    index=models.Index(
                        condition=models.Q(("job_days", 0), ("jobs", 0)),
                        fields=["id"],
                        name="gpu_days_gone_idx",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="gpuday",
                    constraint=models.UniqueConstraint(
                        fields=("day", "team_id", "provider", "gpu_type"), name="gpu_days_cell"
                    ),
                ),
                migrations.AddIndex(
                    model_name="gpudayofmodel",
                    index=models.Index(fields=["team_id", "day"], name="gpu_days_models_team_day_idx"),
                ),
                migrations.AddIndex(
                    model_name="gpudayofmodel",
                    index=models.Index(fields=["model_name", "day"], name="gpu_days_models_model_day_idx"),
                ),
                migrations.AddIndex(
                    model_name="gpudayofmodel",
                    index=models.Index(
                        condition=models.Q(("job_days", 0), ("jobs", 0)),
                        fields=["id"],
                        name="gpu_days_models_gone_idx",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="gpudayofmodel",
                    constraint=models.UniqueConstraint(
                        fields=("day", "team_id", "model_name", "provider", "gpu_type", "status"),
                        name="gpu_days_of_models_cell",
                    ),
                ),
                migrations.AddIndex(
                    model_name="gpumonth",
                    index=models.Index(
                        condition=models.Q(("job_days", 0), ("jobs", 0)),
                        fields=["id"],
                        name="gpu_months_gone_idx",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="gpumonth",
                    constraint=models.UniqueConstraint(
                        fields=("day", "team_id", "provider", "gpu_type", "status"), name="gpu_months_cell"
                    ),
                ),
                migrations.AddIndex(
                    model_name="loggedgputime",
                    index=models.Index(
                        condition=models.Q(("job_days", 0), ("jobs", 0)),
                        fields=["id"],
                        name="logged_gpu_time_gone_idx",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="loggedgputime",
                    constraint=models.UniqueConstraint(
                        fields=(
                            "cluster",
                            "partition",
                            "raw_gpu_type",
                            "account",
                            "team_id",
                            "provider",
                            "gpu_type",
                            "team_set_by_hand",
                            "has_external_id",
                        ),
                        name="logged_gpu_time_subject",
                    ),
                ),
                migrations.RemoveIndex("billday", "bill_days_clock_start_idx"),
                migrations.AddIndex(
                    "billday",
                    models.Index(
                        fields=["clock", "starts_at"],
                        include=["day", "ends_at"],
                        name="bill_days_of_clock_idx",
                    ),
                ),
                migrations.RunPython(begin_to_note, empty),
            ],
            made="gpu_days",
        ),
        AddIndexBeside(
            model_name="job",
            index=models.Index(
                condition=models.Q(
                    ("start_time__isnull", True),
                    ("end_time__isnull", True),
                    ("status", "pending"),
                    ("end_time__lt", models.F("start_time")),
                    ("start_time__lt", datetime.datetime(2000, 1, 2, 0, 0, tzinfo=datetime.UTC)),
                    ("end_time__gte", datetime.datetime(2099, 12, 30, 0, 0, tzinfo=datetime.UTC)),
                    ("status", "running"),
                    ("start_time", models.F("end_time")),
                    ("gpu_count__gt", 1000),
                    models.Q(
                        ("status__in", ("pending", "running", "completed", "failed", "cancelled")),
                        _negated=True,
                    ),
                    _connector="OR",
                ),
                fields=["status", "start_time"],
                name="jobs_unusual_idx",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
