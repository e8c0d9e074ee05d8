"""Closes a month for good and takes the newest close back, each once, audited, under one lock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from . import audit, writes
from .clock import today, today_by
from .models import (
    AccountMapping,
    Accrual,
    ClosedLine,
    ClusterMapping,
    Commitment,
    CostCentre,
    MonthClose,
    NameAlias,
    PeriodEntry,
    Provider,
    Rate,
    SpendMapping,
    Team,
)
from .money import dollars, usd
from .naming import Names
from .reports.closing import Expected, ToClose, month_of, to_close
from .statements import execute

IN_SETUP = {
    "account_mappings": AccountMapping,
    "cluster_mappings": ClusterMapping,
    "spend_mappings": SpendMapping,
    "aliases": NameAlias,
    "providers": Provider,
    "rates": Rate,
    "commitments": Commitment,
    "period_entries": PeriodEntry,
}
OF_NO_INTEREST = {"id", "created_at", "updated_at", "imported_by_id"}


class Refused(Exception):
    """In words for who asked."""


def close_month(
    month: date,
    user: Any,
    basis: str,
    idle: str,
    expected: Iterable[Expected] = (),
    note: str = "",
    seen: str | None = None,
) -> MonthClose:
    """seen: `ToClose.seen` of what was looked at before; nothing else is closed then."""
    alone = not connection.in_atomic_block
    try:
        with transaction.atomic():
            if alone:
                read_as_of_now()
            one_at_a_time()
            check_may_be_closed(month)
            with writes.untold(connection):
                found = to_close(month, basis, idle, Names.load(), expected)
            if seen is not None and seen != found.seen:
                raise changed_meanwhile(month)
            return freeze(found, user, note)
    except IntegrityError as error:
        raise already_closed(month) from error


def read_as_of_now() -> None:
    """An import that commits meanwhile is seen wholly or not at all."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def one_at_a_time() -> None:
    """On SQLite one writes anyway. The lock takes no snapshot, so who waited sees what the other did."""
    if connection.vendor == "postgresql":
        execute(connection, "LOCK TABLE month_closes IN SHARE ROW EXCLUSIVE MODE")


def check_may_be_closed(month: date) -> None:
    if month_of(month).end > earliest_today():
        on = f"Close it from {month_of(month).end:%-d %B} on, by the bill clock of every provider."
        raise Refused(f"{month:%B %Y} is not over yet. {on}")
    if MonthClose.objects.filter(month=month, withdrawn_at=None).exists():
        raise already_closed(month)


def changed_meanwhile(month: date) -> Refused:
    return Refused(
        f"What {month:%B %Y} comes to has changed while you looked at it, so nothing is closed. "
        "These are the figures now: look at them once more."
    )


def earliest_today() -> date:
    """By the bill clock that is the furthest behind: until a month is over there, running jobs add to it."""
    clocks = Provider.objects.values_list("bill_clock", flat=True).distinct()
    return min([today(), *map(today_by, clocks)])


def already_closed(month: date) -> Refused:
    return Refused(f"{month:%B %Y} is closed already.")


def freeze(found: ToClose, user: Any, note: str) -> MonthClose:
    close = MonthClose.objects.create(
        month=found.month,
        basis=found.basis,
        idle=found.idle,
        bill_usd=usd(found.current),
        accrued_usd=usd(found.accrued),
        prior_usd=usd(found.prior),
        setup=setup(found.month),
        note=note,
        closed_by=user,
        closed_by_name=str(user),
    )
    ClosedLine.objects.bulk_create(lines_of(close, found), batch_size=1000)
    Accrual.objects.bulk_create(
        Accrual(
            close=close,
            provider=one.provider,
            gpu_type=one.gpu_type,
            usd=usd(one.cents),
            reason=one.reason[:255],
        )
        for one in found.expected
    )
    audit.record("closed", f"month {close}", amounts_of(close), by=audit.asker(user))
    return close


def amounts_of(close: MonthClose) -> str:
    amounts = (dollars(amount) for amount in (close.bill_usd, close.accrued_usd, close.prior_usd))
    return "{} billed, {} accrued, {} of earlier months".format(*amounts)


def lines_of(close: MonthClose, found: ToClose) -> Iterable[ClosedLine]:
    names, centres = team_names(found), cost_centres()
    for part, amount in found.lines.items():
        yield ClosedLine(
            close=close,
            **part._asdict(),
            team_name="" if part.team is None else names.get(part.team, ""),
            cost_centre=centres.get(part.team or part.model.strip("()"), ""),
            microseconds=amount.microseconds,
            cents=amount.cents,
        )


def team_names(found: ToClose) -> dict[UUID, str]:
    """As they are now; of teams that are gone, as they were closed last."""
    asked = {part.team for part in found.lines if part.team is not None}
    stored = ClosedLine.objects.filter(team__in=asked).exclude(team_name="").order_by("close__pk")
    closed = {team: name for team, name in stored.values_list("team", "team_name") if team}
    return closed | dict(Team.objects.filter(pk__in=asked).values_list("pk", "name"))


def cost_centres() -> dict[UUID | str, str]:
    """By team, and by what is no team's, as a line without a team calls it."""
    names = {one.value: one.label for one in CostCentre.Line}
    rows = CostCentre.objects.values_list("team", "line", "code")
    return {team or names[line]: code for team, line, code in rows}


# What it was closed with


def setup(month: date) -> dict[str, Any]:
    tables = {name: rows_of(name, model, month) for name, model in IN_SETUP.items()}
    return tables | {
        "fiscal_month": settings.HELIOX_FISCAL_MONTH,
        "spread_credits": settings.HELIOX_SPREAD_CREDITS,
    }


def rows_of(name: str, model: Any, month: date) -> list[dict[str, Any]]:
    """In force in the month; what has no dates is as it is."""
    rows = model.objects.all()
    if hasattr(rows, "during"):
        rows = rows.during(month_of(month))
    return [
        {key: value for key, value in row.items() if key not in OF_NO_INTEREST}
        for row in rows.order_by("pk").values()
    ]


# The way back


def withdraw(close: MonthClose, user: Any, reason: str) -> None:
    """The newest alone: later closes have carried what this one said forward."""
    with transaction.atomic():
        one_at_a_time()
        check_may_be_withdrawn(close, reason)
        MonthClose.objects.filter(pk=close.pk).update(
            withdrawn_at=timezone.now(), withdrawn_by_name=str(user), withdrawn_reason=reason
        )
        audit.record("withdrawn", f"close of month {close.month:%Y-%m}", reason, by=audit.asker(user))


def check_may_be_withdrawn(close: MonthClose, reason: str) -> None:
    newest = MonthClose.objects.filter(withdrawn_at=None).order_by("-pk").first()
    if newest is None or not MonthClose.objects.filter(pk=close.pk, withdrawn_at=None).exists():
        raise Refused(f"The close of {close.month:%B %Y} is withdrawn already.")
    if newest.pk != close.pk:
        raise Refused(f"Withdraw the close of {newest.month:%B %Y} first: it was closed after this one.")
    if not reason.strip():
        raise Refused("Say why the close is withdrawn.")
