"""What is wrong or missing in what is stored: how often, what it means and where to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from ..access import may_administer, may_change, may_import, viewing
from ..counted import counted
from ..filters import query
from ..reports.findings import Finding
from ..reports.oddities import BY_KEY as ODDITIES
from ..reports.quality import CHECKS, Check, Result, results
from ..tables import FindingTable
from ..templatetags import ui
from .asked import Asked, figure
from .kept import kept

USES = ["provider", "gpu_type", "team", "quality"]
COLUMNS = (
    "check",
    "what",
    "where",
    "count",
    "counted",
    "note",
    "provider",
    "gpu_type",
    "first_day",
    "last_day",
)
EXAMPLES = 3
NOWHERE = Finding("")


@viewing
@require_safe
@kept
def page(request: HttpRequest) -> HttpResponseBase:
    asked = Asked.of(request, USES, preset="last90")
    asked.filter.offer("quality", [(check.key, check.title) for check in CHECKS])
    found = results(asked.scope, asked.names, asked.freshness)
    failed = [result for result in found if result.findings]
    if answer := asked.export("quality", COLUMNS, lambda: file_rows(failed), control(failed)):
        return answer
    one = failed[0] if len(failed) == len(found) == 1 else None
    context = asked.context(
        figures=figures(asked, found, failed),
        failed=[
            {"about": about, "checks": [told(asked, result) for result in of_kind]}
            for about, of_kind in groupby(failed, key=lambda result: result.check.about)
        ],
        passed=[result.check for result in found if not result.findings],
        table=asked.one_page(asked.sorted(finding_table(asked, one))) if one else None,
        all_url=asked.here(quality="", page="", sort=""),
    )
    return render(request, "dashboard/quality.html", context)


def control(failed: list[Result]) -> str:
    return f"{counted(sum(one.count for one in failed), 'record')} in {counted(len(failed), 'check')}"


def file_rows(failed: list[Result]) -> Iterator[tuple[Any, ...]]:
    for result in failed:
        check = result.check
        for one in result.findings:
            days = (one.days.start, one.days.last) if one.days else (None, None)
            place = one.provider or None, one.gpu_type or None, *days
            yield check.key, check.title, one.where, one.count, f"{check.counts}s", one.note or None, *place


def figures(asked: Asked, found: list[Result], failed: list[Result]) -> list[dict[str, Any]]:
    records = sum(result.count for result in failed)
    how = asked.how("data-quality", rows=counted(len(found), "check"), rows_url="#checks", money=False)
    return [
        figure("Checks that found something", f"{len(failed)} of {len(found)}", how=how),
        figure(
            "Records found",
            ui.count(records),
            "jobs, days, names, cells and lines together",
            how=asked.how(
                "data-quality",
                formula=" + ".join(f"{result.count:,}" for result in failed) or "0",
                rows=counted(sum(len(result.findings) for result in failed), "place"),
                rows_url="#checks",
                money=False,
            ),
        ),
    ]


def told(asked: Asked, result: Result) -> dict[str, Any]:
    check, more = result.check, len(result.findings) - EXAMPLES
    every = asked.here(quality=check.key, page="", sort="")
    url = seen(asked, check, NOWHERE) if check.mend == "jobs" else every + "#rows"
    anchor = "duplicates" if check.key == "duplicates" else "data-quality"
    counted = in_words(result.count, check)
    return {
        "check": check,
        "counted": counted,
        "label": f"Where: {check.title}",
        "url": url,
        "reach": reach(asked, check),
        "findings": [
            {"finding": one, "text": told_of(one, check), "url": seen(asked, check, one)}
            for one in result.findings[:EXAMPLES]
        ],
        "more": f"{more:,} more" if more > 0 else "",
        "every_url": every + "#rows",
        "mend": mend(asked, check),
        "how": asked.how(anchor, formula=check.rule, rows=counted, rows_url=url, money=False),
    }


def in_words(count: int, check: Check) -> str:
    return counted(count, check.counts)


def told_of(finding: Finding, check: Check) -> str:
    counted = in_words(finding.count, check) if finding.count > 1 or not finding.note else ""
    return ", ".join(filter(None, (counted, finding.note)))


def reach(asked: Asked, check: Check) -> str:
    """What of the page's filters the check leaves aside, in words."""
    if not check.ranged:
        return "Of all that is stored, whatever the filters."
    if check.mend == "jobs":
        return "Whatever the range." if ODDITIES[check.key].undated else ""
    aside: list[tuple[str, Any]] = [("team", asked.scope.teams)]
    if check.mend == "gaps":
        aside.append(("GPU type", asked.scope.gpu_types))
    names = " or ".join(name for name, chosen in aside if chosen)
    return f"Not narrowed by {names}." if names else ""


def finding_table(asked: Asked, result: Result) -> FindingTable:
    rows = [
        {"where": one.where, "count": one.count, "note": one.note, "url": seen(asked, result.check, one)}
        for one in result.findings
    ]
    return FindingTable(rows)


# Where the records of a check are seen


def seen(asked: Asked, check: Check, finding: Finding) -> str:
    narrowed = {
        name: value
        for name, value in (("provider", finding.provider), ("gpu_type", finding.gpu_type))
        if value
    }
    if check.mend == "jobs":
        team = finding.team or asked.scope.teams
        return asked.link("jobs", quality=check.key, team=team, **jobs_days(asked, check), **narrowed)
    if check.mend in ON_MAPPINGS:
        return reverse("mappings") + f"#{check.mend}"
    if check.mend in RECONCILED:
        return asked.link("reconcile", **RECONCILED[check.mend], **days_of(finding), **narrowed)
    if check.mend in CONTRACTS:
        return reverse("contracts") + query(**days_of(finding), **narrowed)
    page = "usage" if check.mend == "usage" else "costs"
    return asked.link(page, **days_of(finding), **narrowed)


ON_MAPPINGS = ("hardware", "accounts", "spend", "used", "billed", "aliases")
RECONCILED = {"gaps": {"view": "gaps"}, "match": {"view": "match", "state": "over-reported"}}
CONTRACTS = {"entries": "periodentry", "rates": "rate"}


def jobs_days(asked: Asked, check: Check) -> dict[str, Any]:
    """The very days of this page: those of a preset may be others on a page about jobs."""
    span = None if ODDITIES[check.key].undated else asked.scope.span
    return {"start": span.start, "end": span.last} if span else {"start": "", "preset": "all"}


def days_of(finding: Finding) -> dict[str, Any]:
    return {"start": finding.days.start, "end": finding.days.last} if finding.days else {}


# Where they are mended


def mend(asked: Asked, check: Check) -> list[dict[str, str]]:
    """Only for those who may."""
    user, ways = asked.request.user, []
    model = ADMIN.get(check.mend)
    if model and may_administer(user) and may_change(user, model):
        picked = query(quality=check.key) if model == "job" else ""
        url = reverse(f"admin:dashboard_{model}_changelist") + picked
        ways.append({"label": "Mend in the admin", "url": url})
    if check.mend in ON_MAPPINGS and may_administer(user):
        ways.append({"label": "Map or alias them", "url": seen(asked, check, NOWHERE)})
    if check.mend == "match" and may_administer(user):
        ways.append({"label": "Look at the mappings", "url": reverse("mappings")})
    if check.mend in IMPORTED and may_import(user):
        ways.append({"label": "Import files", "url": reverse("imports")})
    return ways


ADMIN = {
    "jobs": "job",
    "costs": "costsnapshot",
    "usage": "usagesnapshot",
    "aliases": "namealias",
    "entries": "periodentry",
    "rates": "rate",
}
IMPORTED = ("gaps", "imports", "lines")
