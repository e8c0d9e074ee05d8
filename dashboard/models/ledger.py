"""The ledger under the snapshots: deliveries of bills and their lines at full precision."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from .exact import FullPrecisionField


class Delivery(models.Model):
    run = models.ForeignKey("ImportRun", on_delete=models.CASCADE, related_name="deliveries")
    provider = models.CharField(max_length=100)
    account = models.CharField(max_length=255, blank=True)
    period_start = models.DateField(db_comment="First day of the billing period")
    period_end = models.DateField(db_comment="The day after the last of the billing period")
    digest = models.CharField(max_length=64, db_comment="SHA-256 of the lines, to know the same bill again")
    replaces = models.OneToOneField("self", null=True, on_delete=models.SET_NULL, related_name="replaced_by")
    current = models.BooleanField(default=True, db_default=True)

    class Meta:
        db_table = "deliveries"
        db_table_comment = "Bills as delivered: one per provider, billing account and period is current"
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "account", "period_start"],
                condition=Q(current=True),
                name="deliveries_current",
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.account} {self.period_start:%Y-%m}"


class BillLineQuerySet(models.QuerySet["BillLine"]):
    def current(self) -> BillLineQuerySet:
        return self.filter(delivery__current=True)

    def gpu(self) -> BillLineQuerySet:
        return self.exclude(gpu_type="")


class BillLine(models.Model):
    class Kind(models.TextChoices):
        ON_DEMAND = "on_demand", "on demand"
        SPOT = "spot", "spot"
        COMMITTED = "committed", "committed"
        UNUSED_COMMITMENT = "unused_commitment", "unused commitment"
        PURCHASE = "purchase", "purchase"
        CREDIT = "credit", "credit"
        HOST = "host", "host"
        NON_GPU = "non_gpu", "other services"
        TAX = "tax", "tax"
        ENTERED = "entered", "entered by hand"

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="lines")
    day = models.DateField(db_comment="UTC day on which the charge period starts")
    provider = models.CharField(max_length=100)
    account = models.CharField(max_length=255, blank=True)
    sub_account = models.CharField(max_length=255, blank=True)
    tag = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=20, choices=Kind)
    service_category = models.CharField(max_length=100, blank=True)
    gpu_type = models.CharField(
        "GPU type", max_length=100, blank=True, db_comment="Empty where the charge is no GPU"
    )
    billed = FullPrecisionField(db_comment="USD as invoiced")
    effective = FullPrecisionField(db_comment="USD with commitments amortised")
    gpu_hours = FullPrecisionField(null=True, db_comment="Metered GPU-hours; empty where none are metered")
    rows = models.IntegerField(db_comment="Rows of the file that the line sums")

    objects = BillLineQuerySet.as_manager()

    class Meta:
        db_table = "bill_lines"
        db_table_comment = "Sums of a bill's rows per day, account, tag, kind, service and GPU type"
        indexes = [models.Index(fields=["day", "provider", "gpu_type"], name="bill_lines_day_cell_idx")]

    def __str__(self) -> str:
        return f"{self.day} {self.provider} {self.gpu_type or self.service_category} {self.kind}"

    @classmethod
    def key_fields(cls) -> tuple[str, ...]:
        return ("day", "provider", "account", "sub_account", "tag", "kind", "service_category", "gpu_type")
