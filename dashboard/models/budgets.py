"""What may be spent a month: on everything, a provider, a GPU type or by a team."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from ..money import dollars
from ..scope import Span, shift_month
from .entities import Stamped, Team
from .names import name_key

THRESHOLDS = "50, 75, 90, 100"
MOST_PERCENT = 1000
SUBJECTS = ("provider", "gpu_type", "team")


def percents(text: str) -> list[Decimal]:
    """Ascending percents from text such as `50, 75, 90, 100`; raises ValidationError."""
    try:
        found = sorted({Decimal(part.strip().removesuffix("%").strip()) for part in text.split(",")})
    except InvalidOperation:
        raise ValidationError("Give percents with commas between, for example 50, 75, 90, 100.") from None
    if not all(one.is_finite() and 0 < one <= MOST_PERCENT for one in found):
        raise ValidationError(f"A threshold lies above 0 % and at most at {MOST_PERCENT} %.")
    return found


def check_thresholds(text: str) -> None:
    percents(text)


class BudgetQuerySet(models.QuerySet["Budget"]):
    def during(self, span: Span) -> BudgetQuerySet:
        """Those of some month of the span."""
        open_or_later = Q(last_month__isnull=True) | Q(last_month__gte=span.start.replace(day=1))
        return self.filter(open_or_later, first_month__lt=span.end)


class Budget(Stamped):
    """A monthly amount for one subject; its basis and idle view are its own: no address decides a breach."""

    class Basis(models.TextChoices):
        EFFECTIVE = "effective", "effective"
        BILLED = "billed", "billed"

    class Idle(models.TextChoices):
        APART = "apart", "apart"
        BY_USE = "by_use", "spread by use"
        EVENLY = "evenly", "spread evenly"

    provider = models.CharField(
        max_length=100, blank=True, default="", db_default="", db_comment="Empty: any provider"
    )
    gpu_type = models.CharField(
        "GPU type", max_length=100, blank=True, default="", db_default="", db_comment="Empty: any GPU type"
    )
    team = models.ForeignKey(
        Team,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="budgets",
        db_comment="Empty: all, and what is nobody's",
    )
    first_month = models.DateField("from", db_comment="First day of the first month")
    last_month = models.DateField(
        "to", null=True, blank=True, db_comment="First day of the last month, included; empty: open"
    )
    monthly_usd = models.DecimalField(
        "USD a month",
        max_digits=14,
        decimal_places=2,
        validators=[MinValueValidator(Decimal("0.01"))],
        db_comment="USD of each month",
    )
    basis = models.CharField(
        max_length=10,
        choices=Basis,
        default=Basis.EFFECTIVE,
        db_default=Basis.EFFECTIVE,
        help_text="Which cost counts, whatever a page shows.",
        db_comment="effective or billed",
    )
    idle = models.CharField(
        "idle cost",
        max_length=10,
        choices=Idle,
        default=Idle.APART,
        db_default=Idle.APART,
        help_text="Whether a team’s cost holds a part of what stood idle.",
        db_comment="apart, by_use or evenly",
    )
    thresholds = models.CharField(
        max_length=100,
        default=THRESHOLDS,
        db_default=THRESHOLDS,
        validators=[check_thresholds],
        help_text="Percents of the amount at which to be told.",
        db_comment="Percents with commas between",
    )
    note = models.CharField(max_length=255, blank=True, default="", db_default="", db_comment="A remark")

    objects = BudgetQuerySet.as_manager()

    class Meta:
        db_table = "budgets"
        db_table_comment = "Monthly amounts that may be spent"
        ordering = ["provider", "gpu_type", "team__name", "-first_month"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_month__isnull=True) | Q(last_month__gte=F("first_month")),
                name="budgets_order",
            ),
            models.CheckConstraint(
                condition=Q(team__isnull=True, gpu_type="")
                | Q(team__isnull=True, provider="")
                | Q(provider="", gpu_type=""),
                name="budgets_one_subject",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {dollars(self.monthly_usd)} a month from {self.first_month:%Y-%m}"

    @property
    def subject(self) -> str:
        return self.provider or self.gpu_type or (self.team.name if self.team else "") or "Everything"

    @property
    def percents(self) -> list[Decimal]:
        return percents(self.thresholds)

    def holds(self, month: date) -> bool:
        """month: its first day."""
        return self.first_month <= month and (self.last_month is None or month <= self.last_month)

    def months(self, span: Span) -> Iterator[date]:
        """First days of the months of the span for which the amount holds."""
        month = span.start.replace(day=1)
        while month < span.end:
            if self.holds(month):
                yield month
            month = shift_month(month, 1)

    def clean(self) -> None:
        self.provider, self.gpu_type = " ".join(self.provider.split()), " ".join(self.gpu_type.split())
        chosen = [name for name in SUBJECTS if getattr(self, name)]
        if len(chosen) > 1:
            words = "A budget is for one provider, GPU type or team, or for everything."
            raise ValidationError({chosen[-1]: words})
        self.check_months()
        for other in Budget.objects.exclude(pk=self.pk):
            if self.first_month and self.same_subject(other) and self.meets(other):
                raise ValidationError(
                    {"first_month": f"Another budget covers some of these months: {other}."}
                )

    def check_months(self) -> None:
        for name in ("first_month", "last_month"):
            if day := getattr(self, name):
                setattr(self, name, day.replace(day=1))
        if self.first_month and self.last_month and self.last_month < self.first_month:
            raise ValidationError({"last_month": "The last month lies before the first."})

    def same_subject(self, other: Budget) -> bool:
        return self.subject_key == other.subject_key

    @property
    def subject_key(self) -> tuple[Any, ...]:
        return name_key(self.provider), name_key(self.gpu_type), self.team_id

    def meets(self, other: Budget) -> bool:
        return self.first_month <= (other.last_month or date.max) and other.first_month <= (
            self.last_month or date.max
        )
