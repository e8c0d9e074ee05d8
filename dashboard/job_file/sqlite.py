"""SQLite gives jobs as it stores them; here they become the cells that PostgreSQL writes by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from django.db.models import Func, QuerySet, TextField

from .. import query_csv
from ..exports import plain_number
from ..gpu_time import gpu_microseconds
from ..models import Job, Team
from ..models.calendar import midnight
from ..naming import Names
from ..scope import Span

MICROSECOND = timedelta(microseconds=1)


class AsText(Func):
    """The column without its type, for which Django would make each value a datetime."""

    template = "+%(expressions)s"
    output_field = TextField()


STORED = (
    "id",
    "external_id",
    "team_id",
    "model_name",
    "gpu_type",
    "gpu_count",
    "provider",
    "status",
    AsText("start_time"),
    AsText("end_time"),
)


def rows(
    parts: Sequence[QuerySet[Job]], names: Names, span: Span | None, at: datetime
) -> Iterator[list[tuple[str, ...]]]:
    cells = Cells(names, span, at).of
    queries = [jobs.values_list(*STORED).query.sql_with_params() for jobs in parts]
    for stored in query_csv.fetched(queries):
        yield [cells(*job) for job in stored]


class TeamNames(dict[str, str]):
    """By the key as SQLite stores it."""

    def __init__(self) -> None:
        super().__init__((pk.hex, name) for pk, name in Team.objects.values_list("pk", "name"))

    def __missing__(self, key: str) -> str:
        """A team that was written since."""
        return self.setdefault(key, Team.objects.get(pk=key).name)


class Cells:
    def __init__(self, names: Names, span: Span | None, at: datetime) -> None:
        self.at, self.team = naive(at), TeamNames()
        self.gpu_type, self.provider = cache(names.gpu_type), cache(names.provider)
        self.days: Any = cache(lambda provider: days_of(span, names.clock(provider))) if span else None

    def of(
        self,
        key: str,
        job_id: str | None,
        team: str,
        model: str,
        gpu_type: str,
        gpus: Any,
        provider: str,
        status: str,
        start: str | None,
        end: str | None,
    ) -> tuple[str, ...]:
        began, ended = start and moment(start), end and moment(end)
        until = self.end_of_run(began, ended, status)
        ran = counted = None if until is None else (until - began) // MICROSECOND
        if self.days and ran is not None:
            first, last = self.days(provider)
            counted = (min(until, last) - max(began, first)) // MICROSECOND
        gpus = gpus if isinstance(gpus, int) else decimal(gpus)
        return (
            f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}",
            job_id or "",
            self.team[team],
            model,
            self.gpu_type(gpu_type),
            str(gpus),
            self.provider(provider),
            status,
            instant(start, began),
            instant(end, ended),
            seconds(ran),
            gpu_hours(counted, gpus),
        )

    def end_of_run(self, began: Any, ended: Any, status: str) -> Any:
        """gpu_time.end_of_run"""
        if began is None or status == "pending" or began > self.at:
            return None
        if ended is None:
            return self.at if status == "running" else None
        return min(ended, self.at) if ended >= began else None


def days_of(span: Span, clock: str) -> tuple[datetime, datetime]:
    return naive(midnight(span.start, clock)), naive(midnight(span.end, clock))


def naive(moment: datetime) -> datetime:
    """In UTC without saying so, as SQLite stores moments."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def moment(text: str) -> datetime:
    stored = datetime.fromisoformat(text)
    return naive(stored) if stored.tzinfo else stored


def instant(text: str | None, moment: Any) -> str:
    if text and len(text) == 19:
        return f"{text[:10]}T{text[11:]}Z"
    return f"{moment.isoformat()}Z" if moment else ""


def decimal(number: float) -> Decimal:
    return plain_number(Decimal(number).quantize(Decimal("0.000001")))


def seconds(microseconds: int | None) -> str:
    if microseconds is None:
        return ""
    whole, rest = divmod(microseconds, 1_000_000)
    return f"{whole}.{rest:06}".rstrip("0") if rest else str(whole)


def gpu_hours(microseconds: int | None, gpus: int | Decimal) -> str:
    if microseconds is None or microseconds <= 0:
        return "0.000000"
    if isinstance(gpus, int):
        gpu_time = microseconds * gpus
    else:
        gpu_time = gpu_microseconds(timedelta(microseconds=microseconds), gpus)
    hours, rest = divmod((gpu_time + 1800) // 3600, 1_000_000)
    return f"{hours}.{rest:06}"
