"""A digest in words: subject, plain text, HTML, and the text for a chat. Names in it can do nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from html import escape
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from ..counted import counted
from ..filters import query
from ..models import Budget
from ..money import to_cents, usd
from ..naming import Names
from ..periods import day_in_words, in_words
from ..reports.anomalies import Anomaly
from ..reports.budgets import WORDS, BudgetState
from ..reports.compare import Change
from ..reports.digest import Digest, MonthToDate, ProviderDay
from ..reports.sharing import IDLE_VIEWS
from ..reports.stuck import HAS_END, HAS_START, NO_END, TOO_LONG, Stuck
from ..scope import Span
from ..templatetags import ui

MOST_LINES = 10
NOTHING_CLOSED = "No day of the month is closed yet."
WHY = {
    TOO_LONG: "runs longer than 99 of 100 of its kind",
    HAS_END: "running, and has an end",
    NO_END: "finished, and has no end",
    HAS_START: "pending, and has a start",
}


@dataclass(frozen=True)
class Section:
    """lines: sentences of their own. page: what a link leads to, where the site's address is known."""

    title: str
    lines: list[str]
    url: str = ""


@dataclass(frozen=True)
class Message:
    subject: str
    lead: str
    sections: list[Section] = field(default_factory=list)

    @property
    def text(self) -> str:
        return render_to_string("dashboard/mail/digest.txt", {"message": self})

    @property
    def html(self) -> str:
        return render_to_string("dashboard/mail/digest.html", {"message": self})

    @property
    def chat(self) -> str:
        """Slack reads <…> as links and calls to people: no name can write one."""
        return escape(self.text, quote=False)


def told(found: Digest, names: Names) -> Message:
    return Message(
        f"Heliox digest of {day_in_words(found.day)}: {headline(found)}",
        f"What GPUs cost, at {found.basis} cost. Only closed days are told, those whose bill is complete.",
        [
            section("Last closed day", cost_lines(found.providers), "costs", {"preset": "last7"}),
            section("Month to date", month_lines(found.month), "costs", days_of(found.month)),
            section("Budgets", budget_lines(found), "budgets", month_of(found)),
            section(
                "Anomalies of the last 7 days", anomaly_lines(found.anomalies), "anomalies", week_of(found)
            ),
            section("Stuck jobs now", list(stuck_lines(found, names)), "waste", anchor="stuck"),
            section("Late data", late_lines(found), "quality"),
        ],
    )


def headline(found: Digest) -> str:
    if not found.providers or found.through is None:
        return "no day is closed yet"
    return f"{amount(found.total)} on {day_in_words(found.through)}, the last day closed at every provider"


def section(
    title: str, lines: list[str], page: str, parameters: Mapping[str, Any] | None = None, anchor: str = ""
) -> Section:
    left = len(lines) - MOST_LINES
    shown = [*lines[:MOST_LINES], *([f"… and {left:,} more."] if left > 0 else [])]
    place = (query(**parameters) if parameters else "") + (f"#{anchor}" if anchor else "")
    site = settings.HELIOX_SITE_URL
    return Section(title, shown, f"{site}{reverse(page)}{place}" if site else "")


def plain(name: str) -> str:
    """On one line, without what is not printed: a name must not look like a line of the digest."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())


def days_of(month: MonthToDate | None) -> dict[str, date]:
    return {"start": month.span.start, "end": month.span.last} if month else {}


# The lines


def cost_lines(providers: list[ProviderDay]) -> list[str]:
    if not providers:
        return ["No day is closed yet: import a bill, or wait until one is complete."]
    return [
        f"{plain(one.provider)}, {one.day:%a} {day_in_words(one.day)}: {amount(one.usd)}; "
        f"{moved(one.change, f'the {one.day:%A} before')}"
        for one in providers
    ]


def amount(usd: Decimal | None) -> str:
    return "no cost is stored" if usd is None else ui.usd(usd)


def moved(change: Change, than: str) -> str:
    if change.by is None:
        return f"not compared with {than}: {change.reason}"
    way = "more" if change.by > 0 else "less"
    part = f"{ui.percent(abs(change.by))} {way}" if change.by else "as much"
    return f"{part} {'as' if not change.by else 'than'} {than} ({ui.usd(change.before)})"


def month_lines(month: MonthToDate | None) -> list[str]:
    if month is None:
        return [NOTHING_CLOSED]
    compared = moved(month.change, in_words(month.before))
    return [f"{in_words(month.span)}: {amount(month.usd)}; {compared}"]


def month_of(found: Digest) -> dict[str, str]:
    return {"month": f"{found.month.span.start:%Y-%m}"} if found.month else {}


def budget_lines(found: Digest) -> list[str]:
    """Those that are over come first."""
    if found.month is None:
        return [NOTHING_CLOSED]
    urgency = list(WORDS)
    ordered = sorted(found.budgets, key=lambda one: (urgency.index(one.status), -one.used))
    return [budget_line(one, found.basis) for one in ordered] or ["No budget holds in this month."]


def budget_line(one: BudgetState, basis: str) -> str:
    subject = plain(one.budget.subject) + counted_otherwise(one.budget, basis)
    used = f"{ui.usd(one.booked)} of {ui.usd(one.amount)} ({ui.percent(one.used)})"
    ahead = "" if one.forecast is None else f", {ui.usd(to_cents(one.forecast))} expected at the month’s end"
    return f"{subject}: {WORDS[one.status]}; {used}{ahead}"


def counted_otherwise(budget: Budget, basis: str) -> str:
    """A budget has a basis and an idle view of its own, whatever the digest’s."""
    cost = "" if budget.basis == basis else f", at {budget.basis} cost"
    spread = budget.team_id is not None and budget.idle != "apart"
    return cost + (f", idle {IDLE_VIEWS[budget.idle]}" if spread else "")


def week_of(found: Digest) -> dict[str, date]:
    return {"start": found.day - timedelta(days=6), "end": found.day}


def anomaly_lines(anomalies: list[Anomaly]) -> list[str]:
    return [anomaly_line(one) for one in anomalies] or ["No day stands out."]


def anomaly_line(one: Anomaly) -> str:
    found = one.found
    where = (
        f"{plain(one.provider)} {plain(one.gpu_type)}, {in_words(Span.inclusive(found.first, found.last))}"
    )
    usual = f"{ui.usd(usd(found.expected))} is usual"
    if found.actual is None:
        return f"{where}: no cost is stored, where {usual}"
    moved = f", mostly by {found.moved}" if found.moved else ""
    return f"{where}: {ui.usd(usd(found.actual))} where {usual}{moved}"


def stuck_lines(found: Digest, names: Names) -> Iterator[str]:
    stuck = found.stuck
    if not stuck.jobs:
        yield "No job runs longer than usual, and no job’s times belie its status."
        return
    hourly = ui.usd(to_cents(stuck.usd_per_hour))
    jobs = counted(len(stuck.jobs), "job")
    yield f"{jobs}, {hourly} each further hour at the last known prices."
    yield from (stuck_line(one, names) for one in stuck.jobs)


def stuck_line(one: Stuck, names: Names) -> str:
    job = one.job
    hardware = f"{plain(names.provider(job.provider))} {plain(names.gpu_type(job.gpu_type))}"
    cost = "" if one.usd is None else f"; {ui.usd(one.usd)} so far"
    model = plain(job.model_name) or "unspecified"
    return f"{model} of {plain(job.team.name)} on {hardware}, {since(one)}: {WHY[one.why]}{cost}"


def since(one: Stuck) -> str:
    return f"since {one.since:%Y-%m-%d %H:%M} UTC"


def late_lines(found: Digest) -> list[str]:
    if not found.late:
        return ["All bills and job logs are as complete as their lag allows."]
    return [
        f"{plain(one.what)}: complete through {day_in_words(one.through)}, "
        f"{counted(one.days, 'day')} fewer than usual"
        for one in found.late
    ]
