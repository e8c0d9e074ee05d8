"""What people type in because no bill says it: period entries, rates, commitments and invoice totals."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from ..scope import Span
from .entities import Stamped
from .names import name_key


class OfHardware(Stamped):
    """Speaks of one provider's GPUs of one type, under whatever spelling."""

    provider = models.CharField(max_length=100, db_comment="Provider, as typed in")
    gpu_type = models.CharField("GPU type", max_length=100, db_comment="GPU type, as typed in")
    first_day = models.DateField("from", db_comment="First day, by the provider's bill clock")

    class Meta:
        abstract = True

    def clean(self) -> None:
        self.provider, self.gpu_type = " ".join(self.provider.split()), " ".join(self.gpu_type.split())
        last = getattr(self, "last_day", None)
        if self.first_day and last and last < self.first_day:
            raise ValidationError({"last_day": "The last day lies before the first."})

    def same_hardware(self, other: OfHardware) -> bool:
        return (name_key(self.provider), name_key(self.gpu_type)) == (
            name_key(other.provider),
            name_key(other.gpu_type),
        )


class DuringQuerySet(models.QuerySet[Any]):
    def during(self, span: Span | None) -> Any:
        """Those of which some day lies within the span."""
        if span is None:
            return self
        open_or_later = Q(last_day__isnull=True) | Q(last_day__gte=span.start)
        return self.filter(open_or_later, first_day__lt=span.end)


class PeriodEntry(OfHardware):
    """A total for several days, spread over them when it is read."""

    last_day = models.DateField("to", db_comment="Last day, included")
    cost_usd = models.DecimalField(
        "cost in USD", max_digits=14, decimal_places=2, db_comment="Total of the period; credits are negative"
    )
    gpu_hours = models.DecimalField(
        "metered GPU-hours",
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Empty where the invoice names none.",
        db_comment="Metered GPU-hours of the period; empty where unknown",
    )
    note = models.CharField(
        max_length=255, blank=True, default="", db_default="", db_comment="Where the total comes from"
    )
    imported_by = models.ForeignKey(
        "dashboard.ImportRun",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="period_entries",
        db_comment="Import that wrote the row last",
    )

    objects = DuringQuerySet.as_manager()

    class Meta:
        db_table = "period_entries"
        db_table_comment = "Costs of a period that no daily bill tells"
        ordering = ["-first_day", "provider", "gpu_type"]
        verbose_name_plural = "period entries"
        constraints = [
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="period_entries_order"),
            models.UniqueConstraint(
                fields=["first_day", "last_day", "provider", "gpu_type"], name="period_entries_period"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.gpu_type} {self.first_day}–{self.last_day}"

    @property
    def span(self) -> Span:
        return Span.inclusive(self.first_day, self.last_day)


class Rate(OfHardware):
    """The internal price of GPUs that nobody bills: an own cluster, a flat contract."""

    class Per(models.TextChoices):
        GPU_HOUR = "gpu_hour", "GPU-hour, for the hours of jobs"
        GPU_MONTH = "gpu_month", "GPU and month, used or not"

    last_day = models.DateField(
        "to", null=True, blank=True, help_text="Last day, included; empty: open.", db_comment="Empty: open"
    )
    per = models.CharField(
        max_length=10, choices=Per, help_text="What the price is for.", db_comment="gpu_hour or gpu_month"
    )
    usd = models.DecimalField(
        "USD",
        max_digits=14,
        decimal_places=6,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Price of one GPU per hour, or per calendar month.",
        db_comment="USD per GPU and hour or month",
    )
    gpus = models.DecimalField(
        "GPUs",
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="How many GPUs there are; needed for a monthly price.",
        db_comment="GPUs that a monthly price is for",
    )
    note = models.CharField(max_length=255, blank=True, default="", db_default="", db_comment="A remark")

    objects = DuringQuerySet.as_manager()

    class Meta:
        db_table = "rates"
        db_table_comment = "Internal prices of GPUs that no provider bills"
        ordering = ["provider", "gpu_type", "-first_day"]
        constraints = [
            models.CheckConstraint(
                condition=Q(per="gpu_hour") | Q(gpus__isnull=False), name="rates_month_needs_gpus"
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.gpu_type} from {self.first_day}: ${self.usd.normalize():,f}"

    def clean(self) -> None:
        super().clean()
        if self.per == self.Per.GPU_MONTH and self.gpus is None:
            raise ValidationError({"gpus": "Say how many GPUs the monthly price is for."})
        for other in Rate.objects.filter(per=self.per).exclude(pk=self.pk):
            if self.first_day and self.same_hardware(other) and self.meets(other):
                raise ValidationError({"first_day": f"Another rate covers some of these days: {other}."})

    def meets(self, other: Rate) -> bool:
        return self.first_day <= (other.last_day or date.max) and other.first_day <= (
            self.last_day or date.max
        )


class Commitment(OfHardware):
    """GPUs that were promised to a provider, or by one, for some time."""

    last_day = models.DateField("to", help_text="Last day, included.", db_comment="Last day, included")
    gpus = models.DecimalField(
        "GPUs",
        max_digits=12,
        decimal_places=6,
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="GPUs at any time.",
        db_comment="Contracted GPUs at any time",
    )
    note = models.CharField(
        max_length=255, blank=True, default="", db_default="", db_comment="Contract or reservation"
    )

    objects = DuringQuerySet.as_manager()

    class Meta:
        db_table = "commitments"
        db_table_comment = "Contracted GPUs per provider and GPU type, with their expiry"
        ordering = ["last_day", "provider", "gpu_type"]
        constraints = [
            models.CheckConstraint(condition=Q(last_day__gte=F("first_day")), name="commitments_order")
        ]

    def __str__(self) -> str:
        return f"{self.gpus.normalize():f} × {self.provider} {self.gpu_type} to {self.last_day}"


class Invoice(Stamped):
    """The total that finance reads off a provider's invoice, to hold the bill against."""

    provider = models.CharField(max_length=100, db_comment="Provider that invoices")
    account = models.CharField(max_length=255, blank=True, db_comment="Billing account; empty where none")
    period_start = models.DateField(
        "billing period", help_text="First day of the billing period.", db_comment="First day of the period"
    )
    total_usd = models.DecimalField(
        "total in USD", max_digits=14, decimal_places=2, db_comment="Amount due, taxes included"
    )
    number = models.CharField(
        max_length=100, blank=True, default="", db_default="", db_comment="The invoice's number"
    )
    note = models.CharField(max_length=255, blank=True, default="", db_default="", db_comment="A remark")

    class Meta:
        db_table = "invoices"
        db_table_comment = "Invoice totals as typed in, per provider, account and billing period"
        ordering = ["-period_start", "provider", "account"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "account", "period_start"], name="invoices_period")
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, [self.provider, self.account, f"{self.period_start:%Y-%m}"]))

    def clean(self) -> None:
        self.provider, self.account = " ".join(self.provider.split()), " ".join(self.account.split())
        for other in Invoice.objects.filter(period_start=self.period_start).exclude(pk=self.pk):
            if (name_key(other.provider), name_key(other.account)) == (
                name_key(self.provider),
                name_key(self.account),
            ):
                raise ValidationError("The total of this invoice is typed in already.")
