"""The first quarter of 2025: what it comes to, remembered or worked out afresh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from decimal import Decimal

import pytest

from dashboard import remembered, rollups
from dashboard.models import Team
from dashboard.naming import Names
from dashboard.reports.allocation import allocate, allocate_in_sum
from dashboard.reports.daily_waste import daily_waste
from dashboard.reports.prices import priced_cells
from dashboard.rollups.reading import summed_by
from dashboard.scope import Scope, Span

from .conftest import make_cost, make_job, make_usage
from .test_allocation import a_log_speaks_of

QUARTER = Span.inclusive(date(2025, 1, 1), date(2025, 3, 31))
FEBRUARY = date(2025, 2, 1)
CUT = Span.inclusive(date(2025, 1, 9), date(2025, 3, 10))
WITHIN_FEBRUARY = Span.inclusive(date(2025, 2, 8), date(2025, 2, 28))
ALL_OF_IT = Scope(QUARTER)
KEYS = ["status", "day", "team"]


def make_quarter() -> None:
    """Each month one day of $100 for 10 metered hours, of which vision used 6 and speech 2."""
    for month in ("01", "02", "03"):
        make_cost(f"2025-{month}-10", "100.00")
        make_usage(f"2025-{month}-10", "10.00")
        make_job(f"2025-{month}-10 01:00", f"2025-{month}-10 07:00")
        make_job(f"2025-{month}-10 01:00", f"2025-{month}-10 03:00", team="speech")
    a_log_speaks_of("2025-01-01 00:00", "2025-03-31 00:00", "AWS")
    rollups.settle()


def by_team(scope: Scope | None = None) -> dict[tuple[str, str], Decimal]:
    teams = {None: "", **dict(Team.objects.values_list("pk", "name"))}
    found = allocate_in_sum(scope or ALL_OF_IT, Names.load())
    return {(teams[one.team], one.line): Decimal(one.cents) / 100 for one in found if one.cents}


@contextmanager
def nothing_remembered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remembered, "KEPT", remembered.Kept())
        patch.setattr(remembered, "TOLD", remembered.Kept())
        yield


def by_day(scope: Scope, anew: bool = False) -> tuple:
    """Of each share and cell, by model."""
    with nothing_remembered() if anew else nullcontext():
        found = allocate(scope, Names.load(), by_model=True)
    pools = sorted(found.pools, key=lambda pool: pool.cell)  # whose teams come in any order
    return sorted(map(str, found.shares)), found.bill, found.parts, pools


def prices_and_waste(forget: bool = False) -> tuple:
    if forget:
        remembered.forget()
    waste = daily_waste(ALL_OF_IT, Names.load(), QUARTER)
    return sorted(priced_cells(ALL_OF_IT, Names.load())), {
        day: +parts for day, parts in waste.items() if +parts
    }


def afresh(scope: Scope) -> dict[tuple[str, str], Decimal]:
    teams = {None: "", **dict(Team.objects.values_list("pk", "name"))}
    sums: Counter[tuple[str, str]] = Counter()
    with nothing_remembered():
        found = allocate(scope, Names.load())
    for one in found.shares:
        sums[teams[one.team], one.line] += one.cents or 0
    return {key: Decimal(cents) / 100 for key, cents in sums.items() if cents}


def hours(span: Span = QUARTER) -> list[tuple]:
    return sorted(rollups.by(KEYS, rollups.Picked(), Names.load(), span))


def read_anew(span: Span = QUARTER) -> list[tuple]:
    return sorted(summed_by(KEYS, rollups.Picked(), Names.load(), span))
