"""What was imported, when, by whom, and what it takes to undo it."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models


class ImportRun(models.Model):
    class Status(models.TextChoices):
        COMMITTED = "committed", "committed"
        UNDONE = "undone", "undone"

    format = models.CharField(max_length=20)
    files = models.JSONField(db_comment="Names and SHA-256 of the files")
    options = models.JSONField(default=dict)
    summary = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    status = models.CharField(max_length=10, choices=Status, default=Status.COMMITTED)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    written_at = models.DateTimeField(db_comment="updated_at of every row that the run wrote")
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        db_table = "import_runs"
        db_table_comment = "Imports that were committed"
        permissions = [
            ("import_files", "Can import files and undo imports"),
            ("export_files", "Can download files"),
        ]
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"Import {self.pk}: {', '.join(f['name'] for f in self.files)}"


class ImportChange(models.Model):
    """A row that an import changed or removed (`before` holds it as it was) or, with none, a row it created.

    Created jobs are not listed: they are the jobs of the run that have no entry here.
    """

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="changed_rows")
    table = models.CharField(max_length=20)
    row_id = models.UUIDField()
    before = models.JSONField(null=True, encoder=DjangoJSONEncoder)

    class Meta:
        db_table = "import_changes"
        db_table_comment = "Rows as they were before an import"
        indexes = [models.Index(fields=["table", "row_id"], name="import_changes_row_idx")]

    def __str__(self) -> str:
        return f"{self.table} {self.row_id}"


class LogSpan(models.Model):
    """From the first to the last instant that an imported log speaks of."""

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="log_spans")
    cluster = models.CharField(max_length=255)
    first = models.DateTimeField()
    last = models.DateTimeField()
    providers = models.JSONField(
        default=list, db_default=[], db_comment="Providers that the log itself names, as spelled there"
    )

    class Meta:
        db_table = "log_spans"
        db_table_comment = "Time that imported job logs cover"

    def __str__(self) -> str:
        return f"{self.cluster} {self.first:%Y-%m-%d}–{self.last:%Y-%m-%d}"


class Upload(models.Model):
    """Files that wait in the database, not on one host's disk, for their sender to confirm the dry run."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    options = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "uploads"
        db_table_comment = "Uploaded files that wait for confirmation"

    def __str__(self) -> str:
        return str(self.pk)


class UploadPart(models.Model):
    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="parts")
    file = models.PositiveSmallIntegerField(db_comment="Which of the files")
    name = models.CharField(max_length=255)
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        db_table = "upload_parts"
        db_table_comment = "Bytes of uploaded files, in pieces"
        ordering = ["file", "number"]
        constraints = [
            models.UniqueConstraint(fields=["upload", "file", "number"], name="upload_parts_piece")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.number}"
