"""Dated mappings from what logs and bills say to providers, GPU types and teams."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from .entities import Team
from .names import name_key


class Dated(models.Model):
    valid_from = models.DateField(
        null=True, blank=True, verbose_name="from", help_text="First day; empty: always."
    )
    valid_to = models.DateField(
        null=True, blank=True, verbose_name="to", help_text="Last day, included; empty: open."
    )

    identity: tuple[str, ...] = ()

    class Meta:
        abstract = True

    def covers(self, day: date | None) -> bool:
        if day is None:
            return self.valid_from is None and self.valid_to is None
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )

    def clean(self) -> None:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValidationError({"valid_to": "The last day lies before the first."})
        for other in type(self)._default_manager.exclude(pk=self.pk):
            if self.same_subject(other) and self.meets(other):
                raise ValidationError(
                    f"Another mapping of the same names covers some of these days: {other}."
                )

    def same_subject(self, other: Dated) -> bool:
        return all(name_key(getattr(self, f)) == name_key(getattr(other, f)) for f in self.identity)

    def meets(self, other: Dated) -> bool:
        return (self.valid_from or date.min) <= (other.valid_to or date.max) and (
            other.valid_from or date.min
        ) <= (self.valid_to or date.max)


class ClusterMapping(Dated):
    cluster = models.CharField(max_length=255)
    partition = models.CharField(max_length=255, blank=True, help_text="Empty: any partition.")
    raw_gpu_type = models.CharField(
        max_length=255, blank=True, verbose_name="raw GPU type", help_text="Empty: any GPU type."
    )
    provider = models.CharField(max_length=100, help_text="As the bill names it, for example AWS.")
    gpu_type = models.CharField(
        max_length=100, verbose_name="GPU type", help_text="As the bill names it, for example A100-80GB."
    )
    factor = models.DecimalField(
        max_digits=9,
        decimal_places=6,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.000001"))],
        help_text="Billed GPUs per GPU of the log; a MIG slice is a part of one.",
    )
    identity = ("cluster", "partition", "raw_gpu_type")

    class Meta:
        db_table = "cluster_mappings"
        db_table_comment = "Cluster, partition and raw GPU type to provider and GPU type"
        ordering = ["cluster", "partition", "raw_gpu_type", "valid_from"]

    def __str__(self) -> str:
        subject = " / ".join(part or "any" for part in (self.cluster, self.partition, self.raw_gpu_type))
        return f"{subject} → {self.provider} {self.gpu_type}"


class AccountMapping(Dated):
    cluster = models.CharField(max_length=255)
    account = models.CharField(max_length=255)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="account_mappings")
    identity = ("cluster", "account")

    class Meta:
        db_table = "account_mappings"
        db_table_comment = "A scheduler's account to its team"
        ordering = ["cluster", "account", "valid_from"]

    def __str__(self) -> str:
        return f"{self.cluster} / {self.account} → {self.team}"


class SpendMapping(Dated):
    provider = models.CharField(max_length=100)
    sub_account = models.CharField(max_length=255, blank=True, help_text="Empty: any sub-account.")
    tag = models.CharField(max_length=255, blank=True, help_text="Value of the team tag; empty: any.")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="spend_mappings")
    identity = ("provider", "sub_account", "tag")

    class Meta:
        db_table = "spend_mappings"
        db_table_comment = "A bill's sub-account or tag to the team that pays for it directly"
        ordering = ["provider", "sub_account", "tag", "valid_from"]

    def __str__(self) -> str:
        subject = " / ".join(part or "any" for part in (self.provider, self.sub_account, self.tag))
        return f"{subject} → {self.team}"

    def clean(self) -> None:
        if not (self.sub_account or self.tag):
            raise ValidationError("Name a sub-account or a tag value.")
        super().clean()
