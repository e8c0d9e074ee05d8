"""What people say about days: notes that charts draw, and anomalies that are explained."""

from __future__ import annotations

from typing import Self, TypeVar

from django.conf import settings
from django.db import models

from ..scope import Span
from .entities import Stamped

Row = TypeVar("Row", bound="Remark")


class RemarkQuerySet(models.QuerySet[Row]):
    def within(self, span: Span | None) -> Self:
        return self if span is None else self.filter(day__gte=span.start, day__lt=span.end)


class Remark(Stamped):
    day = models.DateField(db_comment="Day that it speaks of, by the bill's own label")
    provider = models.CharField(
        max_length=100, blank=True, default="", db_default="", db_comment="Provider; empty: all"
    )
    gpu_type = models.CharField(
        "GPU type", max_length=100, blank=True, default="", db_default="", db_comment="GPU type; empty: all"
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        db_comment="Who wrote it",
    )

    objects = RemarkQuerySet.as_manager()

    class Meta:
        abstract = True


class DayNote(Remark):
    text = models.CharField(max_length=500, db_comment="What is to be known of the day")

    class Meta:
        db_table = "day_notes"
        db_table_comment = "Notes on days, drawn on charts"
        ordering = ["-day", "created_at"]
        verbose_name = "note on a day"
        verbose_name_plural = "notes on days"
        indexes = [models.Index(fields=["day"], name="day_notes_day_idx")]

    def __str__(self) -> str:
        return f"{self.day}: {self.text[:60]}"


class DismissedAnomaly(Remark):
    reason = models.CharField(max_length=255, db_comment="Why the day is no matter for concern")

    class Meta:
        db_table = "dismissed_anomalies"
        db_table_comment = "Days of a provider's GPU type that stand out for a known reason"
        ordering = ["-day", "provider", "gpu_type"]
        verbose_name_plural = "dismissed anomalies"
        constraints = [
            models.UniqueConstraint(fields=["day", "provider", "gpu_type"], name="dismissed_anomalies_cell")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.provider} {self.gpu_type}"
