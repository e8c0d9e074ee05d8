"""Whatever is written in whatever order, what is remembered is what is worked out afresh."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard import remembered, rollups
from dashboard.models import (
    CostSnapshot,
    Job,
    UsageSnapshot,
)
from dashboard.scope import Scope

from .conftest import examples, make_team
from .quarter import (
    CUT,
    QUARTER,
    afresh,
    by_day,
    by_team,
    hours,
    prices_and_waste,
    read_anew,
)

pytestmark = pytest.mark.usefixtures("in_april")
MOMENTS = st.datetimes(datetime(2024, 12, 30), datetime(2025, 4, 2)).map(lambda t: t.replace(tzinfo=UTC))
WRITES = st.lists(
    st.tuples(
        st.sampled_from(["create", "move", "delete", "settle", "cost", "usage"]),
        MOMENTS,
        st.timedeltas(timedelta(0), timedelta(days=40)),
        st.sampled_from(["vision", "speech"]),
        st.sampled_from(["completed", "failed", "running"]),
    ),
    max_size=8,
)


@settings(max_examples=examples(12))
@given(writes=WRITES, idle=st.sampled_from(["apart", "evenly"]))
def test_after_any_writes_it_is_what_is_shared_afresh(writes, idle):
    remembered.forget()
    with transaction.atomic():
        check_after(writes, Scope(QUARTER, idle=idle))
        transaction.set_rollback(True)


def check_after(writes, scope: Scope) -> None:
    cut = scope.over(CUT)
    for what, start, length, team, status in writes:
        write(what, start, start + length, team, status)
        assert by_team(scope) == afresh(scope)
        assert by_team(cut) == afresh(cut)
        assert by_day(cut) == by_day(cut, anew=True)
        assert hours(CUT) == read_anew(CUT)
        assert hours() == read_anew()
    assert prices_and_waste() == prices_and_waste(forget=True)


def write(what: str, start: datetime, end: datetime, team: str, status: str) -> None:
    facts = {"team": make_team(team), "start_time": start, "status": status}
    facts["end_time"] = None if status == "running" else end
    newest = Job.objects.order_by("-created_at").first()
    if what == "create":
        Job.objects.create(model_name="vit", provider="AWS", gpu_type="A100-80GB", **facts)
    elif what == "move" and newest:
        Job.objects.filter(pk=newest.pk).update(**facts)
    elif what == "delete" and newest:
        newest.delete()
    elif what == "settle":
        rollups.settle()
    elif what == "cost":
        cell = {"date": start.date(), "provider": "AWS", "gpu_type": "A100-80GB"}
        CostSnapshot.objects.update_or_create(**cell, defaults={"cost_usd": Decimal(length_of(start, end))})
    elif what == "usage":
        cell = {"date": start.date(), "provider": "AWS", "gpu_type": "A100-80GB"}
        UsageSnapshot.objects.update_or_create(**cell, defaults={"gpu_hours": Decimal(length_of(start, end))})


def length_of(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds() // 3600) + 1
