"""Providers, GPU types and their other spellings: compared by key, shown by one display name."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.db import models

from .calendar import BillDay


@lru_cache(maxsize=20_000)
def name_key(name: str) -> str:
    """Names with equal keys are the same name: ends trimmed, blanks collapsed, case folded."""
    return " ".join(name.split()).casefold()


def check_clock(zone: str) -> None:
    if zone not in available_timezones():
        raise ValidationError(f"“{zone}” is not an IANA time zone such as UTC or America/Los_Angeles.")


class Provider(models.Model):
    name = models.CharField(max_length=100, help_text="As pages and files show it, for example AWS.")
    key = models.CharField(max_length=100, unique=True, editable=False)
    bill_clock = models.CharField(
        max_length=64,
        default="UTC",
        db_default="UTC",
        validators=[check_clock],
        help_text="Zone at whose midnight the provider's billing day begins, for example UTC.",
    )
    lag_days = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,
        help_text="Days at the end of the bill that may still change and are not yet complete.",
    )

    class Meta:
        db_table = "providers"
        db_table_comment = "Providers with their display name, bill clock and lag"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: object, **kwargs: object) -> None:
        self.key = name_key(self.name)
        BillDay.objects.ensure(self.bill_clock)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def clean(self) -> None:
        self.name = " ".join(self.name.split())
        taken = Provider.objects.exclude(pk=self.pk).filter(key=name_key(self.name))
        if taken.exists():
            raise ValidationError({"name": "A provider of this name exists already."})


class NameAlias(models.Model):
    class Kind(models.TextChoices):
        PROVIDER = "provider", "provider"
        GPU_TYPE = "gpu_type", "GPU type"

    kind = models.CharField(max_length=10, choices=Kind)
    alias = models.CharField(max_length=100, help_text="The other spelling, as files write it.")
    alias_key = models.CharField(max_length=100, editable=False)
    name = models.CharField(max_length=100, help_text="The name to show instead.")

    class Meta:
        db_table = "name_aliases"
        db_table_comment = "Other spellings of providers and GPU types"
        ordering = ["kind", "alias"]
        verbose_name_plural = "name aliases"
        constraints = [models.UniqueConstraint(fields=["kind", "alias_key"], name="name_aliases_alias")]

    def __str__(self) -> str:
        return f"{self.alias} = {self.name}"

    def save(self, *args: object, **kwargs: object) -> None:
        self.alias_key = name_key(self.alias)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def clean(self) -> None:
        self.alias, self.name = " ".join(self.alias.split()), " ".join(self.name.split())
        same_kind = NameAlias.objects.filter(kind=self.kind).exclude(pk=self.pk)
        if self.alias and name_key(self.alias) == name_key(self.name):
            raise ValidationError({"alias": "The alias is the same as the name."})
        if same_kind.filter(alias_key=name_key(self.alias)).exists():
            raise ValidationError({"alias": "This spelling is an alias already."})
        if same_kind.filter(alias_key=name_key(self.name)).exists():
            raise ValidationError({"name": f"“{self.name}” is itself an alias; name what it stands for."})
        if any(name_key(name) == name_key(self.alias) for name in same_kind.values_list("name", flat=True)):
            raise ValidationError({"alias": f"“{self.alias}” is the name other aliases stand for."})
