"""The days of each bill clock as instants, so that plain SQL cuts jobs into days on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connections, models, transaction

FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2099, 12, 31)
# Within these every instant lies on a day of every clock.
FIRST_INSTANT = datetime(2000, 1, 2, tzinfo=UTC)
LAST_INSTANT = datetime(2099, 12, 30, tzinfo=UTC)
COLUMNS = "clock, day, starts_at, ends_at"


def midnight(day: date, clock: str) -> datetime:
    """The instant at which `day` begins by that clock, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(clock)).astimezone(UTC)


def day_bounds(clock: str, first: date, last: date) -> Iterator[tuple[date, datetime, datetime]]:
    """(day, its first instant, the next day's first instant); 23 or 25 hours apart where clocks change."""
    starts_at = midnight(first, clock)
    for n in range((last - first).days + 1):
        ends_at = midnight(first + timedelta(days=n + 1), clock)
        yield first + timedelta(days=n), starts_at, ends_at
        starts_at = ends_at


def write_days(connection: Any, clock: str) -> None:
    """All days of that clock, past the ORM: it would take seconds."""
    days = day_bounds(clock, FIRST_DAY, LAST_DAY)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.cursor.copy(f"COPY bill_days ({COLUMNS}) FROM STDIN") as copy:
                for day, starts_at, ends_at in days:
                    copy.write_row((clock, day, starts_at, ends_at))
            return
        adapt = connection.ops.adapt_datetimefield_value
        rows = [
            (clock, day.isoformat(), adapt(starts_at), adapt(ends_at)) for day, starts_at, ends_at in days
        ]
        cursor.executemany(f"INSERT INTO bill_days ({COLUMNS}) VALUES (%s, %s, %s, %s)", rows)


class BillDayManager(models.Manager["BillDay"]):
    @transaction.atomic
    def ensure(self, clock: str) -> None:
        """Days 2000–2099 of that clock; does nothing when they are there."""
        if not self.filter(clock=clock).exists():
            write_days(connections[self.db], clock)


class BillDay(models.Model):
    clock = models.CharField(max_length=64, db_comment="IANA zone at whose midnight a provider's day begins")
    day = models.DateField(db_comment="The day by that clock")
    starts_at = models.DateTimeField(db_comment="First instant of the day")
    ends_at = models.DateTimeField(db_comment="First instant of the next day")

    objects = BillDayManager()

    class Meta:
        db_table = "bill_days"
        db_table_comment = "Days of each bill clock as instants"
        constraints = [models.UniqueConstraint(fields=["clock", "day"], name="bill_days_clock_day")]
        indexes = [
            models.Index(
                fields=["clock", "starts_at"], include=["day", "ends_at"], name="bill_days_of_clock_idx"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.clock}"
