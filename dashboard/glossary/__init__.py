"""The words on the pages: what each figure means and how it is made."""

from __future__ import annotations

from . import basics, bill, checks, teams
from .terms import Term

SECTIONS = (
    ("Money", basics.MONEY),
    ("Costs that no cloud bills", bill.CONTRACTS),
    ("Cost of teams", teams.TEAM_SPEND),
    ("Waste", teams.WASTE),
    ("Unit prices", bill.RATES),
    ("Bridge", bill.BRIDGE),
    ("Planning", bill.PLANNING),
    ("Month close", checks.CLOSING),
    ("Watching", bill.WATCHING),
    ("Reconciliation", checks.RECONCILIATION),
    ("Hours", basics.HOURS),
    ("Days and ranges", basics.DAYS),
    ("Names and files", basics.NAMES),
    ("Jobs and teams", basics.COUNTS),
)
BY_ANCHOR = {term.anchor: term for _, terms in SECTIONS for term in terms}


def term(anchor: str) -> Term:
    return BY_ANCHOR[anchor]
