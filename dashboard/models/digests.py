"""Which digests went out, so that none goes twice."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class SentDigest(models.Model):
    """Stored before it is sent: a crash in between loses a digest and never sends one twice."""

    day = models.DateField(db_comment="The day that the digest speaks of")
    to = models.CharField(max_length=255, db_comment="Address of mail, or the webhook's host")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "sent_digests"
        db_table_comment = "Digests that went out: each day to each recipient once"
        ordering = ["-day", "to"]
        constraints = [models.UniqueConstraint(fields=["day", "to"], name="sent_digests_once")]

    def __str__(self) -> str:
        return f"{self.day} to {self.to}"
