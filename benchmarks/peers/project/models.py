"""The two tables that a list of jobs needs."""

import uuid

from django.db import models
from django.db.models.functions import Now


class Team(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    name = models.CharField(max_length=255, unique=True)

    class Meta:
        db_table = "teams"
        managed = False

    def __str__(self) -> str:
        return self.name


class Job(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    team = models.ForeignKey(Team, on_delete=models.CASCADE)
    model_name = models.CharField(max_length=255)
    gpu_type = models.CharField(max_length=100)
    provider = models.CharField(max_length=100)
    start_time = models.DateTimeField(null=True)
    end_time = models.DateTimeField(null=True)
    status = models.CharField(max_length=50)
    gpu_count = models.DecimalField(max_digits=12, decimal_places=6, default=1)

    class Meta:
        db_table = "jobs"
        managed = False

    def __str__(self) -> str:
        return self.model_name
