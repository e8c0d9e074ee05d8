"""Who did what, and when: rows are added and in the end pruned, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn

from django.db import models
from django.utils import timezone

LONGEST_NAME, LONGEST_SUBJECT, LONGEST_DETAILS = 150, 255, 2000
PRUNED_AT_ONCE = 5_000


class AddOnly(Exception):
    """An audit that can be changed proves nothing."""


class AuditEvents(models.QuerySet["AuditEvent"]):
    def refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AddOnly(
            "Audit events are neither changed nor deleted. manage.py prune_audit takes old ones away."
        )

    update = delete = bulk_update = update_or_create = _raw_delete = refuse

    def prune(self, before: datetime) -> int:
        """Takes away what is older, some rows at a time; their number."""
        rows: Any = models.QuerySet(self.model, using=self.db)
        old = rows.filter(at__lt=before).order_by("pk")
        gone = 0
        while keys := list(old.values_list("pk", flat=True)[:PRUNED_AT_ONCE]):
            gone += rows.filter(pk__in=keys)._raw_delete(self.db)
        return gone


class AuditEvent(models.Model):
    """user_id and who are as they were then: the account may be renamed or gone."""

    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=20)
    who = models.CharField(max_length=LONGEST_NAME, blank=True)
    user_id = models.BigIntegerField(null=True)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True, verbose_name="request")
    subject = models.CharField(max_length=LONGEST_SUBJECT, blank=True, verbose_name="what")
    details = models.CharField(max_length=LONGEST_DETAILS, blank=True)
    rows = models.BigIntegerField(null=True)

    objects = AuditEvents.as_manager()

    class Meta:
        db_table = "audit_events"
        db_table_comment = "Who did what, and when; rows are only added"
        default_permissions = ("view",)
        base_manager_name = "objects"
        indexes = [
            models.Index(fields=["at"], name="audit_events_at_idx"),
            models.Index(fields=["action", "id"], name="audit_events_action_idx"),
            models.Index(fields=["user_id", "id"], name="audit_events_user_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.who} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self.delete()
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        AuditEvent.objects.none().refuse()
