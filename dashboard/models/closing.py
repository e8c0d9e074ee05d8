"""Closed months: their statements, accruals and setup as they were, and cost centres for the ledger."""

from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone

from ..money import dollars
from .entities import Stamped, Team


class Closed(Exception):
    """A closed statement that can be changed closes nothing."""


class ClosedRows(models.QuerySet[Any]):
    def refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise Closed("A closed month is neither changed nor deleted. Withdraw the close and close it anew.")

    update = delete = bulk_update = update_or_create = refuse


class OnlyAdded(models.Model):
    objects = ClosedRows.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self.delete()
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        ClosedRows(type(self)).refuse()


class MonthClose(models.Model):
    """One closing of a month. Who closed or withdrew it is kept by name, whatever becomes of the account."""

    month = models.DateField(db_comment="First day of the month")
    basis = models.CharField(max_length=10, db_comment="effective or billed")
    idle = models.CharField(max_length=10, db_comment="apart, by_use or evenly")
    bill_usd = models.DecimalField(
        max_digits=14, decimal_places=2, db_comment="GPU bill of the month as it was shared"
    )
    accrued_usd = models.DecimalField(
        max_digits=14, decimal_places=2, db_comment="What was expected of bills still to come"
    )
    prior_usd = models.DecimalField(
        max_digits=14, decimal_places=2, db_comment="What months closed before came to since"
    )
    setup = models.JSONField(
        default=dict,
        encoder=DjangoJSONEncoder,
        db_comment="Mappings, aliases, rates, commitments and settings in force",
    )
    note = models.CharField(max_length=255, blank=True, default="", db_default="", db_comment="A remark")
    closed_at = models.DateTimeField(default=timezone.now)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    closed_by_name = models.CharField(max_length=150, blank=True, default="", db_default="")
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by_name = models.CharField(max_length=150, blank=True, default="", db_default="")
    withdrawn_reason = models.CharField(max_length=255, blank=True, default="", db_default="")

    class Meta:
        db_table = "month_closes"
        db_table_comment = "Months as they were closed; one close of a month is in force"
        ordering = ["-month", "-closed_at"]
        verbose_name = "closed month"
        permissions = [("close_months", "Can close months and withdraw a close")]
        constraints = [
            models.UniqueConstraint(
                fields=["month"], condition=Q(withdrawn_at__isnull=True), name="month_closes_in_force"
            )
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}" + (" (withdrawn)" if self.withdrawn_at else "")


class ClosedLine(OnlyAdded):
    """A part of a closed month's statements.

    of_month: the month that it is the cost of; an earlier one for prior-period lines. team: as it was, empty
    where it is nobody's. line: by which rule it fell to the team, as in the allocation, or "accrual".
    """

    close = models.ForeignKey(MonthClose, on_delete=models.PROTECT, related_name="lines")
    of_month = models.DateField(db_comment="First day of the month that it is the cost of")
    team = models.UUIDField(null=True, db_comment="Key of the team then; empty where nobody's")
    team_name = models.CharField(max_length=255, blank=True, db_comment="Name of the team then")
    cost_centre = models.CharField(max_length=50, blank=True, db_comment="Cost centre then")
    line = models.CharField(max_length=15, db_comment="Rule by which it falls to the team")
    provider = models.CharField(max_length=100)
    gpu_type = models.CharField("GPU type", max_length=100)
    model = models.CharField(max_length=255, blank=True)
    microseconds = models.BigIntegerField(default=0, db_comment="Job GPU microseconds")
    cents = models.BigIntegerField(null=True, db_comment="US cents; empty where no bill speaks of the hours")

    class Meta:
        db_table = "closed_lines"
        db_table_comment = "Statements of closed months, line by line; rows are only added"
        ordering = ["close", "team_name", "of_month", "provider", "gpu_type", "line", "model"]
        base_manager_name = "objects"
        indexes = [models.Index(fields=["close", "team"], name="closed_lines_team_idx")]

    def __str__(self) -> str:
        return f"{self.of_month:%Y-%m} {self.team_name} {self.provider} {self.gpu_type}"


class Accrual(OnlyAdded):
    """What a close expected of a bill that had not come."""

    close = models.ForeignKey(MonthClose, on_delete=models.PROTECT, related_name="accruals")
    provider = models.CharField(max_length=100)
    gpu_type = models.CharField("GPU type", max_length=100)
    usd = models.DecimalField(max_digits=14, decimal_places=2)
    reason = models.CharField(max_length=255, blank=True, db_comment="How the amount was come by")

    class Meta:
        db_table = "accruals"
        db_table_comment = "Costs expected when a month was closed; rows are only added"
        ordering = ["close", "provider", "gpu_type"]
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"{self.provider} {self.gpu_type}: {dollars(self.usd)}"


class Restatement(OnlyAdded):
    """What an import, an undo or an edit changed of a month that was closed already: one team's, or nobody's.

    All rows of one change have the same moment.
    """

    close = models.ForeignKey(MonthClose, on_delete=models.PROTECT, related_name="restatements")
    at = models.DateTimeField()
    who = models.CharField(max_length=150, blank=True)
    what = models.CharField(max_length=500, blank=True, db_comment="What was done, in words")
    team = models.UUIDField(null=True, db_comment="Key of the team then; empty where nobody's")
    team_name = models.CharField(max_length=255, blank=True, db_comment="Name of the team then")
    nobody = models.CharField(max_length=30, blank=True, db_comment="What is no team's, as lines call it")
    provider = models.CharField(max_length=100)
    gpu_type = models.CharField("GPU type", max_length=100)
    microseconds = models.BigIntegerField(default=0, db_comment="Job GPU microseconds more than before")
    cents = models.BigIntegerField(default=0, db_comment="US cents more than before")

    class Meta:
        db_table = "restatements"
        db_table_comment = "What changed of closed months, by whom; rows are only added"
        ordering = ["close", "at", "team_name", "nobody", "provider", "gpu_type"]
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"{self.team_name or self.nobody} {self.provider} {self.gpu_type}: {self.cents} cents"


class CostCentre(Stamped):
    """Where the ledger books a team's cost, or a line that is no team's."""

    class Line(models.TextChoices):
        IDLE = "idle", "idle"
        UNUSED = "unused", "unused commitment"
        UNALLOCATED = "unallocated", "unallocated"

    team = models.OneToOneField(
        Team, null=True, blank=True, on_delete=models.CASCADE, related_name="cost_centre"
    )
    line = models.CharField(
        "or what is no team’s", max_length=15, choices=Line, blank=True, default="", db_default=""
    )
    code = models.CharField(
        max_length=50, help_text="As the ledger calls it.", db_comment="Code in the ledger"
    )

    class Meta:
        db_table = "cost_centres"
        db_table_comment = "Cost centres of teams, and of what is no team's"
        ordering = ["team__name", "line"]
        constraints = [
            models.CheckConstraint(
                condition=Q(team__isnull=False, line="") | (Q(team__isnull=True) & ~Q(line="")),
                name="cost_centres_subject",
            ),
            models.UniqueConstraint(fields=["line"], condition=~Q(line=""), name="cost_centres_line"),
        ]

    def __str__(self) -> str:
        return f"{self.team or self.get_line_display()}: {self.code}"

    def clean(self) -> None:
        self.code = " ".join(self.code.split())
        if bool(self.team_id) == bool(self.line):
            words = "A cost centre is for one team, or for one line that is no team’s: choose one of the two."
            raise ValidationError({"line": words})
        others = CostCentre.objects.exclude(pk=self.pk).filter(line=self.line)
        if self.line and (other := others.first()):
            raise ValidationError({"line": f"There is one for this line already: {other.code}."})
