"""Which jobs overlap a stretch of time, in conditions that an index answers from both sides.

"Began before its end and ended after its start" reads a log from that end down to its first job. But a
job that was still running after its first day is one in a hundred, and after a week hardly one in ten
thousand: those have indexes of their own, and of all others it is enough to look at one day more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
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


@dataclass(frozen=True)
class Window:
    """The time [starts_at, ends_at), of those jobs that meet the condition."""

    starts_at: datetime
    ends_at: datetime
    whose: Q = field(default_factory=Q)

    @property
    def day_before(self) -> datetime:
        return self.starts_at - DAY

    @property
    def week_before(self) -> datetime:
        return self.starts_at - WEEK

    @property
    def day_after(self) -> datetime:
        return self.ends_at + DAY

    @property
    def ran_a_week(self) -> datetime:
        """Who began before and reaches out."""
        return self.day_after - WEEK

    @property
    def began_in(self) -> Q:
        return Q(start_time__gte=self.day_before, start_time__lt=self.ends_at)

    @property
    def ends_near(self) -> Q:
        return self.began_in & Q(end_time__gt=self.starts_at, end_time__lte=self.day_after)

    @property
    def reached_in(self) -> Q:
        return Q(start_time__lt=self.day_before) & runs_after(self.starts_at)

    @property
    def reaches_out(self) -> Q:
        return self.began_in & runs_after(self.day_after)


def overlap(*windows: Window) -> list[Q]:
    """start < ends_at and (end > starts_at or none), as conditions for `AnyOf`. No job is of two windows.

    The few long jobs are looked for in all windows at once.
    """
    near = [window.whose & window.ends_near for window in windows]
    week_before = min(window.week_before for window in windows)
    day_before = max(window.day_before for window in windows)
    ran_a_week = min(window.ran_a_week for window in windows)
    ends_at = max(window.ends_at for window in windows)
    if ran_a_week <= day_before:
        return [
            *near,
            began(DAY, week_before, ends_at)
            & of_any(windows, lambda one: since_week_before(one) & (one.reached_in | one.reaches_out)),
            long_or_open(WEEK)
            & Q(start_time__lt=max(window.week_before for window in windows))
            & of_any(windows, lambda one: Q(start_time__lt=one.week_before) & one.reached_in),
        ]
    return [
        *near,
        began(DAY, week_before, day_before)
        & of_any(windows, lambda one: since_week_before(one) & one.reached_in),
        began(DAY, ran_a_week, ends_at)
        & of_any(windows, lambda one: Q(start_time__gte=one.ran_a_week) & one.reaches_out),
        long_or_open(WEEK)
        & Q(start_time__lt=max(window.ran_a_week for window in windows))
        & of_any(
            windows,
            lambda one: (
                Q(start_time__lt=one.week_before) & one.reached_in
                | Q(start_time__lt=one.ran_a_week) & one.reaches_out
            ),
        ),
    ]


def since_week_before(window: Window) -> Q:
    return Q(start_time__gte=window.week_before)


def of_any(windows: Sequence[Window], condition: Callable[[Window], Q]) -> Q:
    """Said so that the index of long jobs is read, and not those of all ends or providers as well."""
    return Q(nearly_all_meet(reduce(or_, (window.whose & condition(window) for window in windows))))


def began(ran: timedelta, since: datetime, before: datetime) -> Q:
    return long_or_open(ran) & Q(start_time__gte=since, start_time__lt=before)


def runs_after(moment: datetime) -> Q:
    return Q(end_time__isnull=True) | Q(end_time__gt=moment)
