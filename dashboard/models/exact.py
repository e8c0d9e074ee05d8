"""Money and hours that both databases hold and add up to the last digit.

SQLite has no decimals: its SUM is a float. Fixed-scale columns are summed as integers there, and
full-precision amounts are kept as text and summed by a function of our own.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.backends.signals import connection_created
from django.dispatch import receiver


class FullPrecisionField(models.DecimalField):
    """A decimal of up to 18 integer and 18 fraction digits; text on SQLite, numeric on PostgreSQL."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"], kwargs["decimal_places"] = 36, 18
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs

    def get_internal_type(self) -> str:
        # Not DecimalField: SQLite's converter for that one takes only floats.
        return "FullPrecisionField"

    def db_type(self, connection: Any) -> str:
        return (
            "text" if connection.vendor == "sqlite" else f"numeric({self.max_digits}, {self.decimal_places})"
        )

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        value = self.to_python(value)
        if connection.vendor == "sqlite":
            return None if value is None else format(value, "f")
        return value

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if hasattr(value, "as_sql"):
            return value
        return self.get_db_prep_value(value, connection)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        return None if value is None else Decimal(value)

    def get_db_converters(self, connection: Any) -> list[Any]:
        return [self.from_db_value]


class CentSum(models.Aggregate):
    """Sum of a numeric(12,2) column, exact on both databases; None over no rows."""

    function = "SUM"
    name = "CentSum"
    output_field = models.DecimalField(max_digits=30, decimal_places=2)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "SUM(CAST(ROUND((%(expressions)s) * 100) AS INTEGER))"
        return super().as_sql(compiler, connection, template=template, **extra)

    def convert_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        if value is None or connection.vendor != "sqlite":
            return value
        return Decimal(value).scaleb(-2)


class PreciseSum(models.Aggregate):
    """Sum of a FullPrecisionField, exact on both databases; None over no rows."""

    function = "SUM"
    name = "PreciseSum"
    output_field = FullPrecisionField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return super().as_sql(compiler, connection, function="heliox_sum", **extra)


class RandomUUID(models.Func):
    """A uuid made by the database, for writers who speak plain SQL."""

    function = "gen_random_uuid"
    template = "gen_random_uuid()"
    output_field = models.UUIDField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="lower(hex(randomblob(16)))", **extra)


class DecimalSum:
    """SQLite aggregate: values arrive as text, int or float and leave as the text of their exact sum."""

    def __init__(self) -> None:
        self.total: Decimal | None = None

    def step(self, value: Any) -> None:
        if value is not None:
            self.total = (self.total or Decimal(0)) + Decimal(str(value))

    def finalize(self) -> str | None:
        return None if self.total is None else format(self.total, "f")


@receiver(connection_created)
def teach_sqlite_to_add(connection: Any, **kwargs: Any) -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_aggregate("heliox_sum", 1, DecimalSum)
