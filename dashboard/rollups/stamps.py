"""A stamp for each month: while it is the same, so is the GPU time that was summed for the month.

Settling stamps each month that it adds to. What replaces sums as a whole stamps them all, under NO_DAY.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Hashable
from datetime import date
from typing import Any

from django.db import connection

from .. import gpu_time
from ..clock import now
from ..databases import reading
from ..models.rollups import NO_DAY
from ..naming import Names
from ..remembered import firsts
from ..scope import Span
from ..statements import execute
from .reading import Picked, fetched, going_on
from .triggers import STAMPS
from .unsettled import NOTED, if_any

MONTH = {"postgresql": "date_trunc('month', day)::date", "sqlite": "substr(day, 1, 8) || '01'"}


def stamping(source: str, vendor: str) -> str:
    """SQL that stamps the months of the source's days, with one that no month had before."""
    months = f"SELECT DISTINCT {MONTH[vendor]}, {secrets.randbits(62)} FROM {source} WHERE day > '{NO_DAY}'"
    return (
        f"INSERT INTO {STAMPS} (day, stamp) {months} ON CONFLICT (day) DO UPDATE SET stamp = excluded.stamp"
    )


def stamp_all() -> None:
    execute(connection, f"DELETE FROM {STAMPS}")
    execute(connection, f"INSERT INTO {STAMPS} (day, stamp) VALUES ('{NO_DAY}', {secrets.randbits(62)})")


def known_by(picked: Picked, names: Names, span: Span) -> dict[date, Hashable]:
    """For each month of the span's days: a value that stays for as long as the GPU time of these days does.

    A month is left out where it cannot be told: something of it is noted and not yet settled, jobs run on
    a day that is not over, or the clock of a provider is not yet followed.
    """
    if names.stale_clocks():
        return {}
    stamps, unsettled = stamped(span.in_months, names)
    live, today = live_by_month(picked, names, span), now().date()
    return {
        month: (stamps.get(NO_DAY), stamps.get(month), tuple(sorted(live[month], key=repr)))
        for month in firsts(span)
        if month not in unsettled and all(day < today for day, *_ in live[month])
    }


def stamped(months: Span, names: Names) -> tuple[dict[date, int], set[date]]:
    """Stamps by month, and the months of which something is unsettled: both of the same moment."""
    days = [months.start.isoformat(), months.end.isoformat()]
    within = "day >= %s AND day < %s"
    if_noted, params = if_any(names)
    with reading().cursor() as cursor:
        cursor.execute(
            f"SELECT day, stamp FROM {STAMPS} WHERE {within} OR day = '{NO_DAY}' "
            f"UNION ALL SELECT {MONTH[reading().vendor]}, NULL FROM {NOTED} WHERE {within} AND {if_noted} "
            "GROUP BY 1",
            days * 2 + params,
        )
        found = [(gpu_time.plain("day", day), stamp) for day, stamp in cursor.fetchall()]
    return (
        {day: stamp for day, stamp in found if stamp is not None},
        {day for day, stamp in found if stamp is None},
    )


def live_by_month(picked: Picked, names: Names, span: Span) -> defaultdict[date, list[tuple[Any, ...]]]:
    """What running jobs add to the span's days of each month, as of now."""
    keys = ["day", "team", "provider", "gpu_type", "status", "model"]
    live = going_on(keys, picked, names, span)
    found: defaultdict[date, list[tuple[Any, ...]]] = defaultdict(list)
    for row in fetched(keys, live.text, live.params):
        found[row[0].replace(day=1)].append(row)
    return found
