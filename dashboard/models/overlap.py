"""Which jobs overlap a stretch of time, in conditions that an index answers from both sides.

"Began before its end and ended after its start" reads a log from that end down to its first job. But a
job that was still running after its first day is one in a hundred, and after a week hardly one in ten
thousand: those have indexes of their own, and of all others it is enough to look at one day more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import BooleanField, Case, Func, IntegerField, Q, Value, When
from django.db.models.lookups import Exact, LessThan

DAY, WEEK = timedelta(days=1), timedelta(days=7)


class RanLonger(Func):
    """Whether more than so many days lie between start and end; an index can be made of it."""

    output_field = BooleanField()

    def __init__(self, days: int) -> None:
        super().__init__("end_time", "start_time", days=days)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "(%(expressions)s) > interval '%(days)s days'"
        return self.as_sql(compiler, connection, template=template, arg_joiner=" - ", **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # SQLite would round the start's fraction of a second; cut off, it takes in a job too many at most.
        template, joiner = "%(expressions)s, 1, 19), '+%(days)s days')", " > datetime(substr("
        return self.as_sql(compiler, connection, template=template, arg_joiner=joiner, **extra)


def long_or_open(length: timedelta) -> Q:
    """Jobs that ran longer than that, or have no end; the condition of an index."""
    return Q(Q(end_time__isnull=True) | Q(RanLonger(length.days)), start_time__isnull=False)


class AnyOf(Func):
    """Conditions of which a row meets one at most, so that the rows of each can be read by themselves."""

    template, arg_joiner = "(%(expressions)s)", " OR "
    output_field = BooleanField()


class Rare(AnyOf):
    """Conditions that few rows meet, and a small index has them all: found and sorted, not waited for."""


class OfIndex(Func):
    """The condition of a partial index. SQLite knows it again only where its values are written out."""

    template = "(%(expressions)s)"
    output_field = BooleanField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        sql, params = self.as_sql(compiler, connection, **extra)
        written = connection.SchemaEditorClass(connection).quote_value
        return sql % tuple(written(value) for value in params), []


def looked_at(condition: Any) -> Exact:
    """The same condition, said so that no index answers it: one that does may hold millions of rows."""
    met = Case(When(condition, then=Value(1)), default=Value(0), output_field=IntegerField())
    return Exact(met, 1)


def nearly_all_meet(condition: Any) -> LessThan:
    """The same; PostgreSQL then reads on in order until enough rows meet it, and does not gather all."""
    missed = Case(When(condition, then=Value(0)), default=Value(1), output_field=IntegerField())
    return LessThan(missed, 1)


def overlap(starts_at: datetime, ends_at: datetime) -> list[Q]:
    """start < ends_at and (end > starts_at or none), as conditions for `AnyOf`."""
    day_before, week_before, day_after = starts_at - DAY, starts_at - WEEK, ends_at + DAY
    began_in = Q(start_time__gte=day_before, start_time__lt=ends_at)
    reached_in = Q(start_time__lt=day_before) & runs_after(starts_at)
    reaches_out = began_in & runs_after(day_after)
    ran_a_week = day_after - WEEK  # who began before and reaches out
    ends_near = began_in & Q(end_time__gt=starts_at, end_time__lte=day_after)
    if ran_a_week <= day_before:
        return [
            ends_near,
            began(DAY, week_before, ends_at) & (reached_in | reaches_out),
            long_or_open(WEEK) & Q(start_time__lt=week_before) & reached_in,
        ]
    return [
        ends_near,
        began(DAY, week_before, day_before) & reached_in,
        began(DAY, ran_a_week, ends_at) & reaches_out,
        long_or_open(WEEK)
        & Q(start_time__lt=ran_a_week)
        & (Q(start_time__lt=week_before) & reached_in | reaches_out),
    ]


def began(ran: timedelta, since: datetime, before: datetime) -> Q:
    return long_or_open(ran) & Q(start_time__gte=since, start_time__lt=before)


def runs_after(moment: datetime) -> Q:
    return Q(end_time__isnull=True) | Q(end_time__gt=moment)
