"""What one team owes for a closed month: of closed lines alone, so that nothing that comes later moves it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import render

from ..gpu_time import six_decimals
from ..models import MonthClose, Team
from ..reports.closed_statement import KINDS, ClosedStatement, close_in_force, closed_statement
from ..reports.closing import ACCRUAL, PRIOR
from ..reports.owed import month_of
from ..reports.sharing import IDLE_VIEWS
from ..scope import Span
from ..templatetags import ui
from .asked import Asked, figure
from .sheet import COLUMNS, crumbs, mail, models, neighbours

CLOSED_COLUMNS = (*COLUMNS, "of_month", "kind", "cost_centre")


def close_shown(asked: Asked, month: Span) -> MonthClose | None:
    """The close in force, by which the team owes what it owes.

    A part of spread idle cost would tell who is limited to teams what the others left; so would what a
    month came to later.
    """
    close = close_in_force(month.start)
    return None if close is None or (asked.is_limited and close.idle != "apart") else close


def closed_page(asked: Asked, team: Team, close: MonthClose) -> HttpResponseBase:
    asked = asked.as_closed(close.basis, close.idle)
    month, told = month_of(close.month), closed_statement(close, team.pk, with_spread=not asked.is_limited)
    name = f"statement_{told.name or team.name}_{close.month:%Y-%m}"
    rows = partial(closed_file_rows, told, team, close)
    if answer := asked.export(name, CLOSED_COLUMNS, rows, f"{told.total} USD"):
        return answer
    context = asked.context(
        team=team,
        name=told.name or team.name,
        month=month,
        closed={"close": close, "rows": told.rows, "total": told.total, "centre": told.cost_centre},
        told=told,
        figures=closed_figures(asked, told),
        models=models(asked, told.models, team),
        idle_view="left out" if close.idle == "apart" else IDLE_VIEWS.get(close.idle, close.idle),
        months=neighbours(asked, month),
        now_url=asked.here(**{"as": "now", "basis": close.basis, **spread(asked, close)}),
        mail_url=mail(asked, team, month, told.total, told.rows),
        how=asked.how("month-close"),
        crumbs=crumbs(team, close.month),
    )
    return render(asked.request, "dashboard/statement_closed.html", context)


def spread(asked: Asked, close: MonthClose) -> dict[str, str]:
    return {} if asked.is_limited else {"idle": close.idle}


def closed_figures(asked: Asked, told: ClosedStatement) -> list[dict[str, Any]]:
    found = [figure("Amount", ui.usd(told.total), "as closed", how=asked.how("month-close"))]
    for kind, note in ((ACCRUAL, "of bills still to come"), (PRIOR, "what earlier months came to since")):
        words = KINDS[kind]
        if amount := told.of_kind(words):
            found.append(figure(f"Of it {words}", ui.usd(amount), note))
    hours_how = asked.how("job-hours", money=False)
    return [*found, figure("Job GPU-hours", ui.hours(told.gpu_hours), "of the month", how=hours_how)]


def closed_file_rows(told: ClosedStatement, team: Team, close: MonthClose) -> Iterable[tuple[Any, ...]]:
    for row in told.rows:
        amounts = (row.shared_usd, row.idle_usd, row.direct_usd, row.usd) if row.is_billed else [None] * 4
        yield (
            f"{close.month:%Y-%m}",
            told.name or team.name,
            row.provider,
            row.gpu_type,
            six_decimals(row.gpu_hours),
            *amounts,
            f"{row.of_month:%Y-%m}",
            row.kind,
            told.cost_centre,
        )
