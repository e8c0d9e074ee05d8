"""The checks of what is stored: what each counts, and what it means for the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from ..naming import Names
from ..scope import Scope
from . import findings
from .findings import STALE_AFTER, Finding, Stored
from .freshness import Freshness
from .oddities import ODDITIES, Oddity


@dataclass(frozen=True, slots=True)
class Check:
    """counts: one of what. rule, meaning: in words, the second for the figures.

    mend: which of the view's ways to mend it. ranged: it follows the range and the filters.
    """

    key: str
    about: str
    title: str
    counts: str
    rule: str
    meaning: str
    find: Callable[[Stored], Iterable[Finding]]
    mend: str
    ranged: bool = True


@dataclass(frozen=True)
class Result:
    check: Check
    findings: list[Finding]

    @property
    def count(self) -> int:
        return sum(finding.count for finding in self.findings)


def results(scope: Scope, names: Names, freshness: Freshness) -> list[Result]:
    """Of the checks that the scope picks, of all where it picks none; the largest finding first."""
    stored = Stored(scope.but(quality=()), names, freshness)
    picked = [check for check in CHECKS if not scope.quality or check.key in scope.quality]
    return [Result(check, sorted(check.find(stored), key=largest_first)) for check in picked]


def largest_first(finding: Finding) -> tuple[int, str]:
    return -finding.count, finding.where.casefold()


def check_of(oddity: Oddity) -> Check:
    find = partial(findings.odd_jobs, oddity.key)
    return Check(oddity.key, "Jobs", oddity.title, "job", oddity.rule, oddity.meaning, find, "jobs")


CHECKS = (
    *map(check_of, ODDITIES),
    Check(
        "unmatched-clusters",
        "Names",
        "Clusters that stand on no bill",
        "name",
        "cluster, partition and GPU type of a log that no mapping places on a bill",
        "Their jobs stand beside the bill: they pay nothing, and the GPUs that they used show as idle.",
        findings.unmatched_hardware,
        "hardware",
        ranged=False,
    ),
    Check(
        "unmatched-accounts",
        "Names",
        "Accounts that no mapping gives to a team",
        "name",
        "cluster and account of a log without a mapping",
        "Each is a team of its own name until a mapping says otherwise.",
        findings.unmatched_accounts,
        "accounts",
        ranged=False,
    ),
    Check(
        "unmatched-spend",
        "Names",
        "Sub-accounts and tags that are no team’s own",
        "name",
        "sub-account or tag on GPU lines of a bill without a mapping",
        "Their cost is shared by job hours, like all other. Map them where one team pays for all of it.",
        findings.unmatched_spend,
        "spend",
        ranged=False,
    ),
    Check(
        "names-of-jobs",
        "Names",
        "Names that jobs use and no bill knows",
        "name",
        "provider or GPU type of jobs without cost and metered hours under that name",
        "Hours under such a name meet no cost. Another spelling of a name on the bill wants an alias.",
        partial(findings.unknown_names, False),
        "used",
        ranged=False,
    ),
    Check(
        "names-of-bills",
        "Names",
        "Names on bills that no job uses",
        "name",
        "provider or GPU type of cost or metered hours without jobs under that name",
        "Paid for, and no job log speaks of it: its cost is idle or unallocated.",
        partial(findings.unknown_names, True),
        "billed",
        ranged=False,
    ),
    Check(
        "similar-names",
        "Names",
        "Names that differ only by punctuation",
        "name",
        "equal but for blanks, hyphens and other signs",
        "They are two names to every page. Where they mean the same, an alias brings them together.",
        findings.similar_names,
        "aliases",
        ranged=False,
    ),
    Check(
        "days-without-cost",
        "Days",
        "Days without a cost row",
        "day",
        "closed days between a provider’s first and last without a cost row",
        "They are gaps, not noughts; nothing is compared across them.",
        partial(findings.missing_days, "cost"),
        "gaps",
    ),
    Check(
        "days-without-hours",
        "Days",
        "Days without metered hours",
        "day",
        "closed days between a provider’s first and last without metered hours",
        "Utilisation and price of these days are unknown; the cost is shared by job hours alone.",
        partial(findings.missing_days, "metered"),
        "gaps",
    ),
    Check(
        "days-without-log",
        "Days",
        "Days of which no job log speaks",
        "day",
        "closed days between a provider’s first and last outside of every imported log",
        "What was paid on such a day is unallocated where no job is known, and not idle.",
        partial(findings.missing_days, "log"),
        "gaps",
    ),
    Check(
        "stale",
        "Days",
        f"Providers without rows for more than {STALE_AFTER.days} days",
        "provider",
        f"last day with rows < today − {STALE_AFTER.days} days",
        "They have ended, or their bill is not imported any more. Closed days end with their last.",
        findings.stale,
        "imports",
        ranged=False,
    ),
    Check(
        "over-reported",
        "Cost and hours",
        "More job hours than were metered",
        "cell",
        "job GPU-hours > metered + 0.01 h on a closed day",
        "The cost is shared by job hours alone. A mapping’s factor may be wrong, or hardware of two names.",
        findings.over_reported,
        "match",
    ),
    Check(
        "negative-hours",
        "Cost and hours",
        "Negative metered hours",
        "cell",
        "metered GPU-hours < 0 on a closed day",
        "They lower the metered hours of the range. Corrections of a bill are meant to; other rows are not.",
        findings.negative_hours,
        "usage",
    ),
    Check(
        "cost-without-hours",
        "Cost and hours",
        "Cost without metered hours",
        "cell",
        "cost > 0 and no metered hours on a closed day",
        "The price of these hours is unknown, and the cost is shared by job hours alone.",
        findings.cost_without_hours,
        "costs",
    ),
    Check(
        "other-month",
        "Bills and contracts",
        "Bill lines of another month than their bill’s",
        "bill line",
        "day outside of the billing period",
        "Their cost stands on the day of the charge, their invoice is that of the bill’s month.",
        findings.other_months,
        "lines",
    ),
    Check(
        "useless-effective",
        "Bills and contracts",
        "Bills whose effective cost is of no use",
        "bill",
        "effective cost of nought or whole dollars on every line, while billed cost has cents",
        "On the effective basis their cost is wrong. Show the billed basis, or import a better export.",
        findings.useless_effective,
        "lines",
    ),
    Check(
        "entered-beside-lines",
        "Bills and contracts",
        "Costs typed in where bill lines stand, too",
        "cell",
        "a cost row that is no sum of lines, on a day with lines of the same provider and GPU type",
        "Under one spelling the typed-in cost stands instead of the lines; under two both count.",
        findings.entered_beside_lines,
        "costs",
    ),
    Check(
        "entries-overlap",
        "Bills and contracts",
        "Period entries that overlap",
        "day",
        "days that two entries of one provider and GPU type have in common",
        "Both are spread over these days: the cost counts twice.",
        partial(findings.overlapping, "entries"),
        "entries",
    ),
    Check(
        "entries-beside-bills",
        "Bills and contracts",
        "Period entries on days that are billed",
        "cell",
        "days of an entry with a cost row of the same provider and GPU type",
        "The part of the entry and the cost of the bill both count.",
        partial(findings.beside_bills, "entries"),
        "entries",
    ),
    Check(
        "rates-overlap",
        "Bills and contracts",
        "Rates that overlap",
        "day",
        "days that two rates of one provider and GPU type, both per hour or both per month, have in common",
        "An alias may have brought them together. Per hour the one that began later holds, per month both "
        "count.",
        partial(findings.overlapping, "rates"),
        "rates",
    ),
    Check(
        "rates-beside-bills",
        "Bills and contracts",
        "Rates on days that are billed",
        "cell",
        "days of a rate with a cost row of the same provider and GPU type",
        "The bill’s cost stands and the rate posts nothing there.",
        partial(findings.beside_bills, "rates"),
        "rates",
    ),
)
