"""What an import or an edit changed of closed months: looked at before and after, and noted by whom."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from uuid import UUID

from django.db import DatabaseError, connection
from django.utils import timezone

from . import audit
from .models import AuditEvent, ClosedLine, MonthClose, Restatement, Team
from .naming import Names
from .reports.owed import Amounts, less, owed_now

log = logging.getLogger("heliox.closing")

MOVES = ("imported", "undone", "added", "changed", "deleted")
LONGEST = 500
BATCH = 1000


@contextmanager
def restating() -> Iterator[None]:
    """Around what may change figures, outside of its transaction. Costs nothing while no month is closed.

    What several people change at once may be told of either. What cannot be noted is still among the sum
    that a closed month's page shows.
    """
    closes = in_force()
    before = owed_now(closes, Names.load()) if closes else {}
    with audit.hearing() as heard:
        yield
    moves = [event for event in heard if event.action in MOVES]
    if closes and moves:
        try:
            note(closes, before, moves)
        except DatabaseError:  # what was to be changed is; the sum of what came since does not need the note
            if connection.in_atomic_block:
                raise
            log.exception("What changed of closed months could not be noted")


def in_force() -> list[MonthClose]:
    return list(MonthClose.objects.filter(withdrawn_at=None).defer("setup"))


def note(closes: Iterable[MonthClose], before: dict[date, Amounts], moves: list[AuditEvent]) -> None:
    now, at = owed_now(closes, Names.load()), timezone.now()
    changes = {
        close: changed
        for close in closes
        if (changed := less(now.get(close.month, {}), before.get(close.month, {})))
    }
    names = names_of(owed.team for changed in changes.values() for owed in changed)
    Restatement.objects.bulk_create(
        (
            Restatement(
                close=close,
                at=at,
                who=moves[0].who,
                what=in_words(moves),
                **owed._asdict(),
                team_name=names.get(owed.team, "") if owed.team else "",
                microseconds=amount.microseconds,
                cents=amount.cents or 0,
            )
            for close, changed in changes.items()
            for owed, amount in changed.items()
        ),
        batch_size=BATCH,
    )


def names_of(teams: Iterable[UUID | None]) -> dict[UUID, str]:
    """As they are now; of teams that are gone, as they were closed."""
    asked = {team for team in teams if team is not None}
    known = dict(Team.objects.filter(pk__in=asked).values_list("pk", "name"))
    gone = ClosedLine.objects.filter(team__in=asked - known.keys()).values_list("team", "team_name")
    return known | {team: name for team, name in gone if team}


def in_words(moves: Iterable[AuditEvent]) -> str:
    said = "; ".join(
        f"{event.action} {event.subject}" + (f": {event.details}" if event.details else "") for event in moves
    )
    return said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"
