"""The bill clocks that the roll-ups are cut by follow those of providers and aliases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection, transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from .. import workers
from ..models import NameAlias, Provider, ProviderClock
from ..naming import DEFAULT_CLOCK, Names
from ..statements import execute
from .cutting import INTO_CHANGES, changes
from .noting import alone
from .stamps import stamp_all
from .triggers import ROLLED_UP


@receiver([post_save, post_delete], sender=Provider)
@receiver([post_save, post_delete], sender=NameAlias)
@transaction.atomic
def follow(raw: bool = False, **kwargs: Any) -> None:
    if not raw:
        cut_by_present_clocks()


def expect(providers: Iterable[str]) -> None:
    """Before the first jobs of these providers are written: so they are cut right at once."""
    names, known = Names.load(), set(ProviderClock.objects.values_list("provider", flat=True))
    new = {p: names.clock(p) for p in providers if p not in names.cut_by and p not in known}
    clocks = (ProviderClock(provider=p, clock=clock) for p, clock in new.items() if clock != DEFAULT_CLOCK)
    ProviderClock.objects.bulk_create(clocks)


def cut_by_present_clocks() -> bool:
    """Cuts the jobs of a provider again whose bill clock has changed, or which an alias has renamed.

    Whether there was one: then nobody else writes jobs until the transaction ends.
    """
    names = Names.load()
    stale = adopt_clocks(names)
    if not stale & names.cut_by.keys():
        return False
    hold_jobs_still()
    roll_up_again(sorted(stale))
    return True


def adopt_clocks(names: Names) -> set[str]:
    """From now on providers are cut by their present clocks; those that were not so far."""
    cut_by = dict(ProviderClock.objects.values_list("provider", "clock"))
    # A provider without jobs as well, so that its first ones are cut right.
    known = {*names.cut_by, *names.providers.values(), *cut_by}
    stale = {p: names.clock(p) for p in known if names.clock(p) != cut_by.get(p, DEFAULT_CLOCK)}
    if stale:
        ProviderClock.objects.filter(provider__in=stale).delete()
        clocks = (ProviderClock(provider=p, clock=c) for p, c in stale.items() if c != DEFAULT_CLOCK)
        ProviderClock.objects.bulk_create(clocks)
    return set(stale)


def hold_jobs_still() -> None:
    """No writer between the reading of the jobs and our commit; readers go on."""
    if workers.hold_jobs(connection):
        alone(connection)
    elif connection.vendor == "postgresql":
        execute(connection, "LOCK TABLE jobs IN SHARE MODE")


def roll_up_again(providers: list[str]) -> None:
    marks = ", ".join(["%s"] * len(providers))
    stamp_all()
    for table in ROLLED_UP:
        execute(connection, f"DELETE FROM {table} WHERE provider IN ({marks})", providers)
    chosen = "(SELECT * FROM jobs WHERE provider IN (SELECT provider FROM recut))"
    execute(connection, "CREATE TEMPORARY TABLE recut (provider varchar(100))")
    execute(connection, f"INSERT INTO recut VALUES {', '.join(['(%s)'] * len(providers))}", providers)
    execute(connection, f"{INTO_CHANGES} {changes(workers.dialect(connection), (chosen, 1))}")
    execute(connection, "DROP TABLE recut")
