"""Rows of a table as one text for each month: quicker to fetch than rows, and alike where the rows are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import models


class MonthOf(models.Func):
    """YYYY-MM of a date."""

    output_field = models.TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="substr(%(expressions)s, 1, 7)", **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="to_char(%(expressions)s, 'YYYY-MM')", **extra)


class AsJson(models.Aggregate):
    """A JSON list of lists; decimals are exact as numbers of it, and its order is any."""

    name = "AsJson"
    arity = None
    output_field = models.TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "json_group_array(json_array(%(expressions)s))"
        return super().as_sql(compiler, connection, template=template, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "json_agg(json_build_array(%(expressions)s))::text"
        return super().as_sql(compiler, connection, template=template, **extra)


def month_texts(rows: models.QuerySet[Any], date: str, *columns: str) -> Iterator[str]:
    """The date and the columns of each row, a text for each month that has any."""
    months = rows.order_by().annotate(month_of_rows=MonthOf(date)).values_list("month_of_rows")
    return (text for _, text in months.annotate(text_of_rows=AsJson(date, *columns)))
