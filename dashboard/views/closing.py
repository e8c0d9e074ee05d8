"""Closing a month: what would be frozen, what is, what it came to since, and its journal for the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from ..access import User, may_add, may_administer, viewing
from ..admin.fields import one_line
from ..clock import today
from ..closing import IN_SETUP, Refused, amounts_of, check_may_be_closed, close_month, withdraw
from ..counted import counted
from ..filters import query
from ..models import Accrual, ClosedLine, CostCentre, MonthClose, Rate, Team
from ..money import usd
from ..periods import in_words
from ..reports import closing
from ..reports.accruals import proposals
from ..reports.closed_statement import close_in_force, kind_of
from ..reports.closing import ACCRUAL, PRIOR, Expected, open_before, to_close
from ..reports.gaps import gaps
from ..reports.journal import COLUMNS, Journal, journal
from ..reports.owed import month_of
from ..reports.restated import GONE, Restated, restated
from ..reports.sharing import IDLE_VIEWS
from ..scope import Scope, Span, shift_month
from ..templatetags import ui
from .asked import Asked, figure
from .expected import fields, seen_of, typed_in
from .kept import kept
from .months import beside, month_named

RESTATED = "restated"
RESTATED_COLUMNS = ("at", "who", "what", "team", "provider", "gpu_type", "usd")
ELSEWHERE = "Written by another program, or moved by a setting"
MOST_NAMED = 6
LONGEST_REMARK = 255


def may_close(user: User) -> bool:
    return user.has_perm("dashboard.close_months")


# All months


@viewing
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, [], fixed=lambda _: month_of(today().replace(day=1)))
    closes = {one.month: one for one in MonthClose.objects.filter(withdrawn_at=None).defer("setup")}
    months = sorted({*closes, *over(asked.freshness.span())}, reverse=True)
    withdrawn = MonthClose.objects.exclude(withdrawn_at=None).defer("setup")[:20]
    context = asked.context(
        months=[{"first": one, "close": closes.get(one), "url": address(one)} for one in months],
        withdrawn=withdrawn,
        how=asked.how("month-close", money=False),
        exports=[],
    )
    return render(request, "dashboard/closing.html", context)


def over(known: Span | None) -> list[date]:
    """First days of the months that are over and have data."""
    if known is None:
        return []
    months, first = [], known.start.replace(day=1)
    while first < known.end and shift_month(first, 1) <= today():
        months.append(first)
        first = shift_month(first, 1)
    return months


def address(month: date) -> str:
    return reverse("closing_month", args=[month.year, month.month])


# One month


@viewing
@require_http_methods(["GET", "HEAD", "POST"])
def one(request: HttpRequest, year: int, month: int) -> HttpResponseBase:
    first = first_of(year, month)
    asked = Asked.of(request, ["idle", "basis"], fixed=lambda _: month_of(first))
    if request.method == "POST":
        return answer(request, asked, first)
    close = close_in_force(first)
    return closed_page(asked, close) if close else review(asked, first)


def first_of(year: int, month: int) -> date:
    """Raises Http404."""
    first = month_named(f"{year:04}-{month:02}")
    if first is None:
        raise Http404
    return first


def answer(request: HttpRequest, asked: Asked, first: date) -> HttpResponseBase:
    if not may_close(request.user):
        raise PermissionDenied("Your role may look at closed months but not close any.")
    is_withdrawal = request.POST.get("what") == "withdraw"
    try:
        if is_withdrawal:
            take_back(request, first)
        else:
            close_it(request, asked, first)
    except Refused as refused:
        messages.error(request, str(refused))
        if answer := typed_again(asked, first, is_withdrawal):
            return answer
    return HttpResponseRedirect(address(first))


def typed_again(asked: Asked, first: date, is_withdrawal: bool) -> HttpResponseBase | None:
    """The page with what was typed, where the form still stands on it."""
    if not is_withdrawal:
        return None if why_not(first) else review(asked, first, status=400)
    close = close_in_force(first)
    return closed_page(asked, close, status=400) if close else None


def close_it(request: HttpRequest, asked: Asked, first: date) -> None:
    check_may_be_closed(first)
    scope = asked.scope
    found = to_close(first, scope.basis, scope.idle, asked.names)
    expected = typed_in(request.POST, first, proposed(asked, first, found))
    note = remark(request, "note")
    seen = request.POST.get("seen", "")
    close = close_month(first, request.user, scope.basis, scope.idle, expected, note, seen)
    messages.success(request, f"{first:%B %Y} is closed: {amounts_of(close)}.")


def remark(request: HttpRequest, name: str) -> str:
    """Raises Refused."""
    try:
        text = one_line(request.POST.get(name, ""))
    except ValidationError as error:
        raise Refused(f"The {name} cannot be kept. {error.message}") from error
    if len(text) > LONGEST_REMARK:
        words = f"The {name} has {len(text):,} characters, and {LONGEST_REMARK} are kept."
        raise Refused(f"{words} Shorten it: nothing is changed yet.")
    return text


def take_back(request: HttpRequest, first: date) -> None:
    close = close_in_force(first)
    if close is None:
        raise Refused(f"{first:%B %Y} is not closed.")
    withdraw(close, request.user, remark(request, "reason"))
    messages.warning(request, f"The close of {first:%B %Y} is withdrawn. It can be closed anew.")


# What would be frozen


def proposed(asked: Asked, first: date, found: closing.ToClose) -> list[Expected]:
    return proposals(first, found.whole.shares, asked.scope, asked.names, asked.freshness)


def review(asked: Asked, first: date, status: int = 200) -> HttpResponseBase:
    """With what was typed in, where something in it is to be mended."""
    found = to_close(first, asked.scope.basis, asked.scope.idle, asked.names)
    expected = proposed(asked, first, found)
    user: User = asked.request.user
    typed = asked.request.POST
    refused = why_not(first)
    may_type = may_close(user) and not refused
    context = asked.context(
        month=first,
        months=beside(first, address, last=today()),
        refused=refused,
        figures=[
            figure("GPU bill", ui.usd(usd(found.current)), f"idle {IDLE_VIEWS[asked.scope.idle]}"),
            figure(
                "Expected of bills to come",
                ui.usd(usd(sum(one.cents for one in expected))),
                "can be changed below" if may_type and expected else "",
            ),
            figure("Of months closed before", ui.usd(usd(found.prior)), "what they came to since"),
        ],
        **by_owner(
            asked,
            first,
            (
                (part.line, part.team, "" if part.team else part.model, amount.cents)
                for part, amount in found.lines.items()
            ),
        ),
        seen=found.seen,
        note=typed.get("note", ""),
        longest=LONGEST_REMARK,
        difference=found.whole.difference,
        expected=fields(typed, expected),
        proposed=seen_of(expected),
        open_days=open_days(asked, first),
        without_bill=without_bill(asked, first),
        earlier=earlier(asked, first),
        without_centre=without_centre(found.lines),
        may_close=may_close(user),
        centres_url=centres_url(user),
        how=asked.how("month-close"),
        exports=[],
    )
    return render(asked.request, "dashboard/closing_review.html", context, status=status)


def why_not(first: date) -> str:
    try:
        check_may_be_closed(first)
    except Refused as refused:
        return str(refused)
    return ""


def open_days(asked: Asked, first: date) -> int:
    span, through = month_of(first), asked.freshness.through()
    return span.length if through is None else len([day for day in span if day > through])


def without_bill(asked: Asked, first: date) -> list[str]:
    """Providers with the days of the month that are closed and have no cost.

    An hourly rate posts nothing on a day without jobs, and lacks nothing then.
    """
    span = month_of(first)
    by_hours = Rate.objects.during(span).filter(per=Rate.Per.GPU_HOUR).values_list("provider", flat=True)
    priced = set(map(asked.names.provider, by_hours))
    found = [gap for gap in gaps(Scope(span), asked.names, asked.freshness).gaps if gap.kind == "cost"]
    told = [f"{gap.provider} {in_words(gap.span)}" for gap in found if gap.provider not in priced]
    more = [f"{len(told) - MOST_NAMED} more"] if len(told) > MOST_NAMED else []
    return told[:MOST_NAMED] + more


def earlier(asked: Asked, first: date) -> str:
    """Months before that are over, have data and are open."""
    months = open_before(min(first, today().replace(day=1)), asked.freshness.first)
    if len(months) > MOST_NAMED:
        return f"{len(months)} months from {months[0]:%B %Y} to {months[-1]:%B %Y}"
    return ", ".join(f"{one:%B %Y}" for one in months)


def without_centre(lines: closing.Lines) -> list[str]:
    teams = {part.team for part, amount in lines.items() if part.team and amount.cents}
    known = set(CostCentre.objects.filter(team__in=teams).values_list("team", flat=True))
    return sorted(Team.objects.filter(pk__in=teams - known).values_list("name", flat=True))


def centres_url(user: User) -> str:
    allowed = may_administer(user) and may_add(user, CostCentre)
    return reverse("admin:dashboard_costcentre_changelist") if allowed else ""


# What was frozen


def closed_page(asked: Asked, close: MonthClose, status: int = 200) -> HttpResponseBase:
    asked = asked.as_closed(close.basis, close.idle)
    told, since = journal(close), restated(close, asked.names)
    if answer := file_of(asked, close, told, since):
        return answer
    lines = ClosedLine.objects.filter(close=close).values_list("line", "team", "team_name", "model", "cents")
    user: User = asked.request.user
    context = asked.context(
        month=close.month,
        months=beside(close.month, address, last=today()),
        close=close,
        figures=frozen(close, told),
        **by_owner(
            asked,
            close.month,
            ((line, team, name or model, cents) for line, team, name, model, cents in lines),
        ),
        accruals=list(Accrual.objects.filter(close=close)),
        since=since,
        elsewhere=ELSEWHERE,
        since_files=asked.links_to_file(RESTATED),
        journal=told,
        setup=setup_in_words(MonthClose.objects.values_list("setup", flat=True).get(pk=close.pk)),
        idle_view=IDLE_VIEWS.get(close.idle, close.idle),
        may_close=may_close(user),
        reason=asked.request.POST.get("reason", ""),
        longest=LONGEST_REMARK,
        centres_url=centres_url(user),
        how=asked.how("month-close"),
        how_since=asked.how("restated"),
        how_journal=asked.how("journal"),
    )
    return render(asked.request, "dashboard/closing_closed.html", context, status=status)


def file_of(asked: Asked, close: MonthClose, told: Journal, since: Restated) -> HttpResponseBase | None:
    """The journal, or what changed since."""
    if asked.request.GET.get("file") == RESTATED:
        name, total = f"restated_{close}", f"{since.usd} USD"
        return asked.export(name, RESTATED_COLUMNS, lambda: restated_rows(since), total)
    return asked.export(f"journal_{close}", COLUMNS, lambda: told.entries, f"{told.total} USD")


def frozen(close: MonthClose, told: Journal) -> list[dict[str, Any]]:
    return [
        figure("GPU bill", ui.usd(close.bill_usd), "as it was shared"),
        figure("Accrued", ui.usd(close.accrued_usd), "expected of bills to come"),
        figure("Of months closed before", ui.usd(close.prior_usd), "prior-period lines"),
        figure("Statements and journal", ui.usd(told.total), f"difference {ui.usd(told.difference)}"),
    ]


def by_owner(
    asked: Asked, month: date, parts: Iterable[tuple[str, UUID | None, str, int | None]]
) -> dict[str, Any]:
    """The dearest team first, what is nobody's last. parts: (line, team, its name or which nobody, cents)."""
    told = list(parts)
    kept = query(month=f"{month:%Y-%m}", basis=asked.scope.basis, idle=asked.scope.idle)
    names = dict(Team.objects.filter(pk__in={part[1] for part in told if part[1]}).values_list("pk", "name"))
    sums: defaultdict[tuple[UUID | None, str], dict[str, int]] = defaultdict(
        lambda: {"current": 0, ACCRUAL: 0, PRIOR: 0}
    )
    for line, team, name, amount in told:
        shown = name or (names.get(team, GONE) if team else "")
        sums[team, shown][kind_of(line)] += amount or 0
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "is_nobody": team is None,
            "url": reverse("statement", args=[team]) + kept if team in names else "",
            **{kind: usd(amount) for kind, amount in amounts.items()},
            "total": usd(sum(amounts.values())),
        }
        for (team, name), amounts in sums.items()
        if any(amounts.values())
    ]
    rows.sort(key=lambda row: (row["is_nobody"], -row["total"], row["name"]))
    together = {
        kind: sum((row[kind] for row in rows), usd(0)) for kind in ("current", ACCRUAL, PRIOR, "total")
    }
    return {"owners": rows, "together": together}


def restated_rows(found: Restated) -> Iterable[tuple[Any, ...]]:
    for move in found.moves:
        for part in move.parts:
            yield (move.at, move.who, move.what, *part)
    if found.elsewhere:
        yield (None, "", ELSEWHERE, "", "", "", found.elsewhere)


def setup_in_words(setup: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Each kind of row that was in force, a line for each; a database keeps no order of what is in JSON."""
    teams = {str(pk): name for pk, name in Team.objects.values_list("pk", "name")}
    tables = [
        (counted(len(rows), *words_for(name)), [row_in_words(in_order(name, row), teams) for row in rows])
        for name in IN_SETUP
        if (rows := setup.get(name))
    ]
    spread = "spread over their bill" if setup.get("spread_credits") else "a line of their own"
    first = f"{setup.get('fiscal_month', 1)}"
    return [*tables, ("Settings", [f"fiscal year begins in month {first}", f"credits: {spread}"])]


def words_for(name: str) -> tuple[str, str]:
    """For one row of that kind, and for several."""
    kind = IN_SETUP[name]._meta
    return str(kind.verbose_name), str(kind.verbose_name_plural)


def in_order(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """As the table has its columns."""
    columns = [field.attname for field in IN_SETUP[name]._meta.concrete_fields]
    return dict(
        sorted(row.items(), key=lambda one: columns.index(one[0]) if one[0] in columns else len(columns))
    )


def row_in_words(row: dict[str, Any], teams: dict[str, str]) -> str:
    told = {name.removesuffix("_id").replace("_", " "): value for name, value in row.items() if value}
    if "team" in told:
        told["team"] = teams.get(str(told["team"]), GONE)
    return ", ".join(f"{name} {value}" for name, value in told.items() if not name.endswith("key"))
